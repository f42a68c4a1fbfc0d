import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { openSqliteAccountsStore } from '../command-side/sqlite-accounts-store.ts';
import type { EventLog } from '../event-log/event-log.ts';
import { openEventLog } from '../event-log/open-event-log.ts';
import { openSqliteLogStore } from '../event-log/sqlite-log-store.ts';
import type { NewEvent } from '../schemas/events.ts';
import { commandId, conversationId, eventId, userId, uuidV7 } from '../schemas/ids.ts';
import { conversationStream } from '../schemas/streams.ts';
import { accountsFile } from '../tests/data-files.ts';
import { ServerProcess } from '../tests/server-process.ts';
import { signToken } from '../tests/tokens.ts';
import { ask, benchEnvironment, newId } from './parley.ts';
import { caughtUp } from './views.ts';

const messages = 1_000_000;
const batch = 1_000;
const folder = join(import.meta.dirname, '../.cache/bench/million-2');

export interface MillionMessages {
  readonly data: string;
  readonly token: string;
  readonly conversationId: string;
}

const say = { type: 'send', content: { type: 'text', text: 'x'.repeat(200) } } as const;

/** A data directory whose one conversation has a million messages; made once and kept in .cache/. */
export const millionMessages = async (): Promise<MillionMessages> => {
  if (!existsSync(folder)) {
    const making = `${folder}.making`;
    rmSync(making, { recursive: true, force: true });
    mkdirSync(dirname(making), { recursive: true });
    await make(making);
    renameSync(making, folder);
  }
  const token = signToken('ann', 'bench');
  const conversation = await withServer(folder, (port) => openConversation(port));
  return { data: folder, token, conversationId: conversation };
};

const withServer = async <T>(data: string, act: (port: number) => Promise<T>): Promise<T> => {
  const server = await ServerProcess.start({ data, env: benchEnvironment });
  try {
    return await act(server.port);
  } finally {
    await server.end('SIGTERM');
  }
};

const openConversation = async (port: number): Promise<string> => {
  await ask(port, signToken('ben', 'bench'), null);
  const frame = { type: 'start-direct', commandId: newId(), with: { name: 'ben' } };
  const answer = await ask(port, signToken('ann', 'bench'), frame);
  if (answer.type !== 'accepted') throw new Error(`no conversation: ${JSON.stringify(answer)}`);
  return answer.conversationId;
};

/** Through the log's own door: the server's would take as long as a million sends take. */
const make = async (data: string): Promise<void> => {
  console.log(`Making ${messages} messages, once …`);
  const { conversation, ann } = await withServer(data, async (port) => {
    const welcome = await ask(port, signToken('ann', 'bench'), null);
    if (welcome.type !== 'welcome') throw new Error('no welcome');
    return { conversation: await openConversation(port), ann: welcome.userId };
  });
  const keys = await openSqliteAccountsStore({ path: accountsFile(data), whenMissing: 'refuse', cachedKeys: 10 });
  const log = await openEventLog({
    store: await openSqliteLogStore({ directory: data }),
    keys,
    clock: { now: () => Date.now(), monotonic: () => performance.now() },
    randomBytes,
  });
  try {
    await appendMessages(log, conversation, ann);
  } finally {
    await log.close();
    await keys.close();
  }
  // The first send after it takes the snapshot that the server itself would have taken on the way.
  const frame = { ...say, conversationId: conversation };
  await withServer(data, async (port) => {
    await ask(port, signToken('ann', 'bench'), { ...frame, messageId: newId() });
    await caughtUp(port);
  });
};

const appendMessages = async (log: EventLog, conversation: string, author: string): Promise<void> => {
  const stream = conversationStream(conversationId.parse(conversation));
  const by = userId.parse(author);
  const mac = 'A'.repeat(22);
  // In the past, so that the ids of the sends measured come later.
  const begin = Date.now() - messages;
  for (let done = 0; done < messages; done += batch) {
    const events = Array.from({ length: batch }, (_, index): NewEvent => {
      const seq = done + index + 1;
      const time = begin + seq;
      const id = uuidV7(time, randomBytes(10));
      return {
        eventId: eventId.parse(uuidV7(time, randomBytes(10))),
        time,
        causationId: id,
        correlationId: id,
        event: {
          type: 'message-sent',
          commandId: commandId.parse(id),
          idTimeMax: time,
          mac,
          by,
          seq,
          replyTo: null,
          content: say.content,
        },
      };
    });
    const answer = await log.append(stream, events, done);
    if (answer.outcome !== 'appended') throw new Error(`the log answered ${answer.outcome}`);
  }
};
