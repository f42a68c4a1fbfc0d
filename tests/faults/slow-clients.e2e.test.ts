import { connect, type Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import { Scene } from '../scene.ts';

const slow = 300;
const head = 'GET /v1/chats HTTP/1.1\r\nHost: x\r\n';
const upgrade = 'GET /v1/socket HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n';

test('P5: who sends its request a byte at a time is cut off, and who chats meanwhile does not notice', async () => {
  const scene = await Scene.open();
  const [ann, ben] = [await scene.client('ann'), await scene.client('ben')];
  const talk = await scene.direct(ann, 'ben', [ann, ben]);

  let open = slow;
  const sockets = Array.from({ length: slow }, (_, index): Socket => {
    const socket = connect(scene.server.port, '127.0.0.1');
    // Its end is what is waited for.
    socket.on('error', () => undefined);
    socket.resume();
    socket.on('close', () => open--);
    socket.write(index % 3 === 0 ? '' : index % 3 === 1 ? head : upgrade);
    return socket;
  });
  const trickle = setInterval(() => {
    for (const socket of sockets) if (socket.writable) socket.write('x');
  }, 500);
  onTestFinished(() => {
    clearInterval(trickle);
    for (const socket of sockets) socket.destroy();
  });

  let said = 0;
  while (open > 0) {
    expect((await ann.text(talk.id, `still here ${said++}`)).ok).toBe(true);
    await pause(100);
  }
  expect(said).toBeGreaterThan(10);
  await scene.settle();
  expect(await scene.violations()).toEqual([]);
});
