import type { ParleyEvent } from '../schemas/events.ts';
import { isChained, kindOf, type StreamName } from '../schemas/streams.ts';
import { firstLink, linkOf } from './chain.ts';
import { decodeEvent } from './codec.ts';
import { parseEnvelope } from './envelope.ts';
import { LogDamaged } from './event-log.ts';
import type { LogStore, StoredEvent } from './log-store.ts';

export interface Finding {
  /** n of the event in the store. */
  readonly position: number;
  readonly stream: StreamName | undefined;
  readonly what: string;
}

export interface Verified {
  readonly events: number;
  readonly streams: number;
}

const pageSize = 1_000;
const noKeys: ReadonlyMap<string, never> = new Map<string, never>();

/** What is known of a stream when its next event comes. */
interface StreamSoFar {
  readonly revision: number;
  readonly link: Uint8Array;
  /** The seq of a conversation's last message; undefined once an event could not be read. */
  readonly seq: number | undefined;
}

const refersTo = (event: ParleyEvent): number | undefined => {
  if (event.type === 'message-sent') return event.replyTo ?? undefined;
  return 'target' in event ? event.target : undefined;
};

const seqFindings = (event: ParleyEvent, before: number): string[] => {
  if (!('seq' in event)) return [];
  const findings: string[] = [];
  const expected = event.type === 'message-sent' ? before + 1 : before;
  if (event.seq !== expected) findings.push(`its seq is ${event.seq} instead of ${expected}`);
  const target = refersTo(event);
  if (target !== undefined && target > before) findings.push(`it refers to seq ${target}, and the last was ${before}`);
  return findings;
};

/**
 * Walks the whole log and says everything that is wrong with it, going on behind each finding: checksums, dense
 * positions, revisions and seqs, links, references, and whether every stream ends where the log says. Personal fields
 * are checked as ciphertext, so no key is needed. It remembers one entry a stream.
 */
export async function* verifyLog(store: LogStore): AsyncGenerator<Finding, Verified, undefined> {
  const streams = new Map<StreamName, StreamSoFar>();
  let events = 0;
  let after = 0;
  const head = store.head();
  while (after < head) {
    const page = await pageOrDamage(store, after);
    if (page instanceof LogDamaged) {
      after = page.n ?? head;
      yield { position: after, stream: undefined, what: page.what };
      continue;
    }
    for (const stored of page) {
      const before = streams.get(stored.stream);
      const { findings, seq } = check(stored, before);
      for (const what of findings) yield { position: stored.n, stream: stored.stream, what };
      streams.set(stored.stream, { revision: stored.revision, link: stored.link, seq });
    }
    events += page.length;
    after = page.at(-1)?.n ?? head;
  }
  for (const [stream, { revision }] of streams) {
    const what = await endFinding(store, stream, revision);
    if (what !== undefined) yield { position: head, stream, what };
  }
  return { events, streams: streams.size };
}

/** The next events; or, once the next one itself cannot be read, what is wrong with it. */
const pageOrDamage = async (store: LogStore, after: number): Promise<readonly StoredEvent[] | LogDamaged> => {
  for (let limit = pageSize; ;) {
    try {
      return await store.readAll(after, limit);
    } catch (error) {
      if (!(error instanceof LogDamaged)) throw error;
      if (limit === 1) return error;
      limit = Math.floor(limit / 2);
    }
  }
};

const check = (
  stored: StoredEvent,
  before: StreamSoFar | undefined,
): { readonly findings: readonly string[]; readonly seq: number | undefined } => {
  const { stream, revision, envelope, link } = stored;
  const findings: string[] = [];
  const expected = (before?.revision ?? -1) + 1;
  if (revision !== expected) findings.push(`its revision is ${revision} instead of ${expected}`);
  const previous = revision === 0 ? firstLink : before?.link;
  if (isChained(stream) && revision === expected && previous !== undefined) {
    if (Buffer.compare(linkOf(previous, envelope), link) !== 0) findings.push('its link does not continue the chain');
  }
  const decoded = decodedOrDamage(envelope);
  if (decoded instanceof LogDamaged) return { findings: [...findings, decoded.what], seq: undefined };
  const seqBefore = before === undefined ? 0 : before.seq;
  if (decoded === undefined || kindOf(stream) !== 'conversation' || revision !== expected || seqBefore === undefined) {
    return { findings, seq: decoded !== undefined && 'seq' in decoded ? decoded.seq : undefined };
  }
  findings.push(...seqFindings(decoded, seqBefore));
  return { findings, seq: 'seq' in decoded ? decoded.seq : undefined };
};

const decodedOrDamage = (envelope: Uint8Array): ParleyEvent | undefined | LogDamaged => {
  try {
    return decodeEvent(parseEnvelope(envelope), noKeys).event;
  } catch (error) {
    if (error instanceof LogDamaged) return error;
    return new LogDamaged(error instanceof Error ? error.message : String(error));
  }
};

/** A stream read by its name must reach as far as the log does; beside a running server it may have gone on since. */
const endFinding = async (store: LogStore, stream: StreamName, revision: number): Promise<string | undefined> => {
  try {
    const [last] = await store.readStream(stream, 'end', 'backwards', 1);
    const found = last?.revision ?? -1;
    return found >= revision ? undefined : `read by its name it ends at revision ${found} instead of ${revision}`;
  } catch (error) {
    if (error instanceof LogDamaged) return error.what;
    throw error;
  }
};
