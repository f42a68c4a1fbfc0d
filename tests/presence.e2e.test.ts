import { expect, onTestFinished, test } from 'vitest';
import { presenceStream } from '../schemas/streams.ts';
import { userId } from '../schemas/ids.ts';
import { readLog } from './read-log.ts';
import { ServerProcess, temporaryFolder } from './server-process.ts';
import { tokenSecret } from './tokens.ts';
import { WireClient } from './wire-client.ts';

const env = {
  PARLEY_TOKEN_SECRET: tokenSecret,
  PARLEY_PRESENCE_HEARTBEAT: '1',
  PARLEY_PRESENCE_OFFLINE_AFTER: '4',
};

const idOf = (client: WireClient): string => client.of('welcome')[0]?.userId ?? '';

/** Resolves when the newest that was said of the user fits. */
const seen = async (viewer: WireClient, user: string, isOnline: boolean) => {
  const frame = await viewer.next('presence', ({ users }) =>
    users.some((one) => one.userId === user && one.online === isOnline),
  );
  return frame.users.find((one) => one.userId === user);
};

test('F38, F39: over a SIGKILL who comes back never went, and who does not is offline since the server was', async () => {
  const stack = new AsyncDisposableStack();
  onTestFinished(() => stack.disposeAsync());
  const folder = await temporaryFolder('presence');
  stack.defer(() => folder.stop());
  const start = async (): Promise<ServerProcess> => {
    const server = await ServerProcess.start({ data: folder.path, env });
    stack.defer(async () => {
      await server.end();
    });
    return server;
  };
  const live = async ({ port }: ServerProcess, user: string): Promise<WireClient> =>
    stack.use(await WireClient.live(port, user));

  const first = await start();
  const [ann, ben, cat] = [await live(first, 'ann'), await live(first, 'ben'), await live(first, 'cat')];
  for (const name of ['ben', 'cat']) await ann.ask({ type: 'start-direct', with: { name } });
  const users = [idOf(ben), idOf(cat)];
  ann.send({ type: 'subscribe-presence', users });
  const answer = await ann.next('presence', (frame) => frame.users.length === 2);
  for (const one of answer.users) if (!one.online) await seen(ann, one.userId, true);
  // The last thing in the log before it ends.
  const { conversationId } = await ann.ask({ type: 'start-direct', with: { name: 'ben' } });
  ann.text(conversationId, 'the last word');
  const last = await ben.next('message');
  await first.end();

  const second = await start();
  const [annAgain] = [await live(second, 'ann'), await live(second, 'ben')];
  annAgain.send({ type: 'subscribe-presence', users });
  await annAgain.next('presence', (frame) => frame.users.every(({ online }) => online));
  const gone = await seen(annAgain, idOf(cat), false);
  expect(gone?.lastSeen).toBe(last.time);
  await second.end('SIGTERM');

  const log = await readLog(folder.path);
  const movesOf = (client: WireClient): unknown[] =>
    log.filter(({ stream }) => stream === presenceStream(userId.parse(idOf(client)))).map(({ event }) => event?.type);
  expect(movesOf(ben)).toEqual(['came-online']);
  expect(movesOf(ann)).toEqual(['came-online']);
  expect(movesOf(cat)).toEqual(['came-online', 'went-offline']);
});
