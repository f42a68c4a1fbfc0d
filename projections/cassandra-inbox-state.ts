import { z } from 'zod';
import type { Client } from 'cassandra-driver';
import { userId, type UserId } from '../schemas/ids.ts';
import { logId } from '../schemas/position.ts';
import type { StreamName } from '../schemas/streams.ts';
import { tableIn, type TableSet } from './cassandra-inbox-schema.ts';
import type { AppliedPosition, ParkedStream } from './read-model.ts';

/** What a version knows of itself, beside its rows. */
export interface InboxState {
  /** Undefined: nothing was ever applied. */
  readonly position: { readonly applied: AppliedPosition; readonly safe: AppliedPosition | undefined } | undefined;
  readonly parked: readonly ParkedStream[];
  /** Whose texts are still to be taken away. */
  readonly erasing: readonly UserId[];
}

const position = z.object({
  log: logId,
  n: z.int(),
  place: z.int(),
  event: z.object({ n: z.int(), eventId: z.string() }).nullable(),
});
const positions = z.object({ applied: position, safe: position.nullable().transform((safe) => safe ?? undefined) });
const parkedStream = z.object({
  stream: z.string().transform((name) => name as StreamName),
  n: z.int(),
  revision: z.int(),
  error: z.string(),
});

/** Stands for a row that is no more. */
const gone = '';

/** With the stamp from which the next writes go on. */
export const readState = async (client: Client, set: TableSet): Promise<InboxState & { readonly stamp: number }> => {
  const table = tableIn(set, 'state');
  const { rows } = await client.execute(
    `SELECT kind, key, value, writetime(value) AS stamp FROM ${table} WHERE kind IN ('position', 'parked', 'erasing')`,
  );
  const found = rows.map((row) => ({
    kind: String(row['kind']),
    key: String(row['key']),
    value: String(row['value']),
    stamp: Number(row['stamp']),
  }));
  const of = (kind: string) => found.filter((row) => row.kind === kind && row.value !== gone);
  const [stored] = of('position');
  return {
    position: stored && positions.parse(JSON.parse(stored.value)),
    parked: of('parked').map(({ value }) => parkedStream.parse(JSON.parse(value))),
    erasing: of('erasing').map(({ key }) => userId.parse(key)),
    stamp: Math.max(0, ...found.map(({ stamp }) => stamp)),
  };
};

export interface StateWriter {
  position(now: NonNullable<InboxState['position']>): Promise<void>;
  park(stream: ParkedStream): Promise<void>;
  unpark(stream: StreamName): Promise<void>;
  erasing(user: UserId): Promise<void>;
  erased(user: UserId): Promise<void>;
}

/** No stream says what lies here, and no clock is trusted: each write has the next stamp. */
export const stateWriter = (client: Client, set: TableSet, stamp: number): StateWriter => {
  const insert = `INSERT INTO ${tableIn(set, 'state')} (kind, key, value) VALUES (?, ?, ?) USING TIMESTAMP ?`;
  let last = stamp;
  const write = async (kind: string, key: string, value: string): Promise<void> => {
    await client.execute(insert, [kind, key, value, BigInt(++last)]);
  };
  return {
    position: ({ applied, safe }) => write('position', 'all', JSON.stringify({ applied, safe: safe ?? null })),
    park: (stream) => write('parked', stream.stream, JSON.stringify(stream)),
    unpark: (stream) => write('parked', stream, gone),
    erasing: (user) => write('erasing', user, 'due'),
    erased: (user) => write('erasing', user, gone),
  };
};
