import { createSecretKey, randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { DataKey, DataKeys } from '../event-log/data-keys.ts';
import { openEventLog } from '../event-log/open-event-log.ts';
import { openSqliteLogStore } from '../event-log/sqlite-log-store.ts';
import type { NewEvent } from '../schemas/events.ts';
import { commandId, conversationId, eventId, userId, uuidV7 } from '../schemas/ids.ts';
import { conversationStream } from '../schemas/streams.ts';

/** What a message of 200 characters takes on the disk; docs/adr/0002 quotes it. `node bench/bytes-per-message.ts` */
const conversations = 100;
const messagesEach = 1_000;
const text = 'x'.repeat(200);

const newId = (): string => randomBytes(16).toString('base64url');
const newUuid = (time: number): string => uuidV7(time, randomBytes(10));

const key: DataKey = { name: newId(), key: createSecretKey(randomBytes(32)) };
const keys: DataKeys = {
  keyOf: () => Promise.resolve(key),
  keyInMemory: () => key,
  keysNamed: () => Promise.resolve(new Map([[key.name, key]])),
};

const start = Date.now();
const message = (by: string, seq: number): NewEvent => {
  const time = start + seq * 20_000;
  const id = commandId.parse(newUuid(time - 40));
  return {
    eventId: eventId.parse(newUuid(time)),
    time,
    causationId: id,
    correlationId: id,
    event: {
      type: 'message-sent',
      commandId: id,
      idTimeMax: time - 40,
      mac: newId(),
      by: userId.parse(by),
      seq,
      replyTo: null,
      content: { type: 'text', text },
    },
  };
};

const directory = mkdtempSync(join(tmpdir(), 'parley-bytes-'));
try {
  const log = await openEventLog({
    store: await openSqliteLogStore({ directory }),
    keys,
    clock: { now: () => Date.now(), monotonic: () => performance.now() },
    randomBytes,
  });
  const streams = Array.from({ length: conversations }, () => ({
    stream: conversationStream(conversationId.parse(newId())),
    people: [newId(), newId()],
  }));
  for (let seq = 1; seq <= messagesEach; seq++) {
    await Promise.all(
      streams.map(({ stream, people }) => log.append(stream, [message(people[seq % 2] ?? newId(), seq)], seq - 2)),
    );
  }
  await log.close();

  const file = join(directory, 'log.sqlite');
  const database = new DatabaseSync(file, { readOnly: true });
  const parts = ['keys', 'data', 'ciphertext', 'id', 'link'].map((column) => `avg(length(${column})) AS ${column}`);
  const averages = database.prepare(`SELECT ${parts.join(', ')} FROM event WHERE stream > 1`).get();
  database.close();
  console.table(averages);
  const total = conversations * messagesEach;
  console.log(`${(statSync(file).size / total).toFixed(0)} bytes a message of ${text.length} characters, all in`);
} finally {
  rmSync(directory, { recursive: true });
}
