import { once } from 'node:events';
import { connect } from 'node:net';
import { expect, test } from 'vitest';
import { WebSocket, type RawData } from 'ws';
import { uuidV7 } from '../../schemas/ids.ts';
import type { Draft } from '../client.ts';
import { callOf } from '../rest-client.ts';
import { Scene, type Talk } from '../scene.ts';
import { seeded, seedFor, soaking, type Random } from '../seed.ts';
import { crowd, smallCrowd } from './crowd.ts';
import { mutateBody } from './mutate.ts';

const minutes = soaking ? 10 : 1;
const stackTrace = /\n\s+at |node:internal|\.ts:\d+/;

interface Attack {
  readonly scene: Scene;
  readonly talk: Talk;
  readonly token: string;
  readonly random: Random;
  readonly until: number;
  /** What must not be: each entry names an answer that gives something away or blames the server. */
  readonly found: string[];
  count: number;
}

const over = ({ until, found, scene }: Attack): boolean =>
  performance.now() > until || found.length > 0 || !scene.server.running;

/** A legal command of every kind, as the seed of mutations. */
const drafts = ({ talk }: Attack): Draft[] => {
  const conversationId = talk.id;
  const content = { type: 'text', text: 'fuzz' } as const;
  const user = { name: 'person 1' };
  return [
    { type: 'start-direct', with: user },
    { type: 'create-group', name: 'fuzz', members: [user] },
    { type: 'rename', conversationId, name: 'fuzz' },
    { type: 'add-member', conversationId, user: { issuer: 'parley', name: 'person 2' } },
    { type: 'remove-member', conversationId, user },
    { type: 'change-role', conversationId, user, role: 'admin' },
    { type: 'send', conversationId, content, replyTo: 1 },
    { type: 'send', conversationId, content: { type: 'location', latitude: 1, longitude: 2 } },
    { type: 'edit', conversationId, seq: 1, content },
    { type: 'delete', conversationId, seq: 2 },
  ];
};

const newId = ({ random }: Attack): string => uuidV7(Date.now(), random.bytes(10));

const frameOf = (attack: Attack): object => {
  const draft = attack.random.oneOf<Draft | 'other'>([...drafts(attack), 'other']);
  if (draft === 'other') {
    return attack.random.oneOf<object>([
      { type: 'resume', cursor: null },
      { type: 'renew', token: 'x.y.z' },
      { type: 'ping' },
    ]);
  }
  return { ...draft, [draft.type === 'send' ? 'messageId' : 'commandId']: newId(attack) };
};

const judge = (attack: Attack, sent: string, answer: string): void => {
  attack.count++;
  if (stackTrace.test(answer)) attack.found.push(`a stack trace for ${sent.slice(0, 200)}: ${answer.slice(0, 300)}`);
  if (/"code":"internal"/.test(answer))
    attack.found.push(`internal for ${sent.slice(0, 200)}: ${answer.slice(0, 300)}`);
};

/** Mutated frames over a socket; every so many a ping, whose pong says that all before it were taken. */
const attackSocket = async (attack: Attack): Promise<void> => {
  while (!over(attack)) {
    const socket = new WebSocket(`ws://${attack.scene.address()}/v1/socket`, {
      headers: { authorization: `Bearer ${attack.token}` },
    });
    socket.on('error', () => undefined);
    let sent = '';
    let answered = (): void => undefined;
    socket.on('message', (data: RawData) => {
      const frame = (data as Buffer).toString();
      judge(attack, sent, frame);
      if (frame.includes('"pong"')) answered();
    });
    const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
    await Promise.race([once(socket, 'open').catch(() => undefined), closed]);
    while (socket.readyState === WebSocket.OPEN && !over(attack)) {
      for (let k = 0; k < 20; k++) {
        sent = mutateBody(frameOf(attack), attack.random);
        socket.send(attack.random.next() < 0.01 ? attack.random.bytes(50) : sent);
      }
      const pong = new Promise<void>((resolve) => (answered = resolve));
      socket.send('{"type":"ping"}');
      await Promise.race([pong, closed]);
    }
    socket.terminate();
  }
};

/** Mutated bodies, paths and tokens over HTTP. */
const attackRest = async (attack: Attack): Promise<void> => {
  const { random } = attack;
  while (!over(attack)) {
    const { method, path, body } = callOf(random.oneOf(drafts(attack)), newId(attack));
    const sent = body === undefined ? null : mutateBody(body, random);
    const at =
      random.next() < 0.1 ? `${path}/${encodeURIComponent(mutateBody({}, random).toWellFormed()).slice(0, 500)}` : path;
    const token =
      random.next() < 0.05 ? mutateBody({ alg: 'none' }, random).replaceAll(/[^\x21-\x7e]/g, '') : attack.token;
    const response = await fetch(`http://${attack.scene.address()}${at}`, {
      method: random.next() < 0.95 ? method : random.oneOf(['POST', 'PUT', 'DELETE', 'PATCH']),
      headers: {
        authorization: `Bearer ${token}`,
        'content-type': random.next() < 0.95 ? 'application/json' : 'text/xml',
      },
      body: sent,
    });
    judge(attack, `${at} ${sent ?? ''}`, await response.text());
    if (response.status >= 500) attack.found.push(`${response.status} for ${at} ${sent?.slice(0, 200) ?? ''}`);
  }
};

/** Bytes that are no HTTP, or no WebSocket after a handshake. */
const attackBytes = async (attack: Attack): Promise<void> => {
  const { random, scene } = attack;
  const upgrade = [
    'GET /v1/socket HTTP/1.1',
    'Host: localhost',
    'Connection: Upgrade',
    'Upgrade: websocket',
    'Sec-WebSocket-Version: 13',
    'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
    `Authorization: Bearer ${attack.token}`,
    '\r\n',
  ].join('\r\n');
  while (!over(attack)) {
    const socket = connect(scene.server.port, '127.0.0.1');
    let answer = '';
    socket.on('data', (bytes) => (answer += bytes.toString('latin1')));
    socket.on('error', () => undefined);
    const closed = new Promise((resolve) => socket.once('close', resolve));
    if (random.next() < 0.7) {
      socket.write(upgrade);
      await Promise.race([once(socket, 'data').catch(() => undefined), closed]);
    }
    socket.end(random.bytes(random.between(1, 200)));
    socket.setTimeout(1_000, () => socket.destroy());
    await closed;
    judge(attack, 'bytes', answer);
    if (/^HTTP\/1.1 5/.test(answer)) attack.found.push(`bytes were answered with ${answer.slice(0, 100)}`);
  }
};

test(
  `P8: ${minutes} min of random and mutated frames and bodies crash nothing, blame nothing on the server and give nothing away`,
  {
    timeout: minutes * 60_000 + 120_000,
  },
  async () => {
    const random = seeded(seedFor('P8'));
    const scene = await Scene.open();
    const load = await crowd(scene, random, { ...smallCrowd, underWay: 1, rest: 0 });
    const mallory = await scene.client('mallory');
    const talk = await scene.group(mallory, 'target', ['person 1'], [mallory]);
    const attack: Attack = {
      scene,
      talk,
      token: scene.token('mallory', 'fuzzer'),
      random,
      until: performance.now() + minutes * 60_000,
      found: [],
      count: 0,
    };
    const attacks = [attackSocket, attackSocket, attackRest, attackRest, attackBytes];
    await Promise.all(attacks.map((run) => run(attack)));

    expect(attack.found).toEqual([]);
    expect(attack.count).toBeGreaterThan(1_000 * minutes);
    await load.stop();
    await scene.settle();
    expect(await scene.violations()).toEqual([]);
    const complaints = scene.server.output.filter((line) => /uncaught|unhandled|"level":(50|60)/i.test(line));
    expect(complaints).toEqual([]);
  },
);
