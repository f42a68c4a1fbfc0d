import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { RecordedEvent } from '../schemas/events.ts';
import type { Seq } from '../schemas/ids.ts';
import { defaultLimits } from '../schemas/limits.ts';
import type { Conversation, Folded } from './conversation.ts';
import { decide, type Target } from './decide-conversation.ts';
import { foldConversation } from './evolve-conversation.ts';
import { idAt, mac, recorded, recordedAt, sent, startedGroup, stateOf, user, type Asking } from './given.ts';

const [ann, bob] = [user('ann'), user('bob')];
const target: Target = { author: ann, contentType: 'text' };
const missing: Folded<never> = { state: undefined, revision: -1 };

const text = (words: string) => ({ type: 'text', text: words }) as const;
const asking: fc.Arbitrary<Asking> = fc.oneof(
  fc.record({
    type: fc.constant('edit' as const),
    by: fc.constantFrom(ann, ann, bob),
    seq: fc.constant(1),
    content: fc.constantFrom('a', 'b', 'c').map(text),
    target: fc.constant(target),
  }),
  fc.record({
    type: fc.constant('delete' as const),
    by: fc.constantFrom(ann, ann, ann, bob),
    seq: fc.constant(1),
    target: fc.constant(target),
  }),
  fc.record({
    type: fc.constant('send' as const),
    by: fc.constant(bob),
    content: fc.constant(text('so')),
    replyTo: fc.constant(1),
  }),
);

/** A process of the command side: it decides on what it has read, and the expected revision says whether that was enough. */
interface Process {
  folded: Folded<Conversation>;
  readonly waiting: Asking[];
}

/** What a client shows of each message, from frames of which some come twice: `version` tells which is newer. */
const show = (deliveries: readonly RecordedEvent[]): ReadonlyMap<Seq, { text: string | null; version: number }> => {
  const shown = new Map<Seq, { text: string | null; version: number }>();
  for (const { event, revision } of deliveries) {
    if (event?.type !== 'message-sent' && event?.type !== 'message-edited' && event?.type !== 'message-deleted')
      continue;
    const seq = event.type === 'message-sent' ? event.seq : event.target;
    const version = event.type === 'message-sent' ? 0 : revision + 1 - event.seq;
    if ((shown.get(seq)?.version ?? -1) >= version) continue;
    const content = event.type === 'message-deleted' ? null : event.content;
    shown.set(seq, { text: content?.type === 'text' ? content.text : null, version });
  }
  return shown;
};

test('M5: edits and deletes that race on one message end in the same state everywhere', () => {
  const race = fc.record({
    commands: fc.array(fc.tuple(asking, fc.nat(2)), { minLength: 2, maxLength: 8 }),
    /** Which process takes its next step: reading the tail, or appending on what it has read. */
    steps: fc.array(fc.tuple(fc.nat(2), fc.boolean()), { maxLength: 24 }),
    cut: fc.nat(12),
    overlap: fc.nat(12),
  });
  fc.assert(
    fc.property(race, ({ commands, steps, cut, overlap }) => {
      const log = [...recorded(startedGroup(ann, bob), sent(ann, 'first'))];
      const catchUp = (process: Process): void => {
        process.folded = stateOf(foldConversation(process.folded, log.slice(process.folded.revision + 1)));
      };
      const processes: readonly Process[] = [0, 1, 2].map((n) => ({
        folded: stateOf(foldConversation(missing, log)),
        waiting: commands.filter(([, taker]) => taker === n).map(([asked]) => asked),
      }));
      let ids = 0;
      const append = (process: Process): void => {
        const [next] = process.waiting;
        if (next === undefined || process.folded.revision !== log.length - 1) return;
        process.waiting.shift();
        const decision = decide(process.folded.state, { ...next, id: idAt(9_000_000, ids++), mac }, defaultLimits);
        if (decision.outcome === 'events') for (const event of decision.events) log.push(recordedAt(log.length, event));
      };
      for (const [n, reads] of steps) {
        const process = processes[n];
        if (process !== undefined) (reads ? catchUp : append)(process);
      }
      for (const process of processes) {
        while (process.waiting.length > 0) {
          catchUp(process);
          append(process);
        }
      }
      processes.forEach(catchUp);

      const whole = foldConversation(missing, log);
      for (const { folded } of processes) expect(folded).toEqual(whole);

      const changes = log.filter(({ event }) => event?.type === 'message-edited' || event?.type === 'message-deleted');
      const deletes = changes.filter(({ event }) => event?.type === 'message-deleted');
      expect(deletes.length).toBe(commands.some(([{ type, by }]) => type === 'delete' && by === ann) ? 1 : 0);
      if (deletes.length > 0) expect(changes.at(-1)).toBe(deletes[0]);

      const last = changes.at(-1)?.event;
      const ends = last === undefined ? text('first') : last.type === 'message-edited' ? last.content : null;
      const live = show(log);
      expect(live.get(1)?.text).toBe(ends?.type === 'text' ? ends.text : null);
      expect(show([...log.slice(0, cut), ...log.slice(Math.max(0, cut - overlap))])).toEqual(live);
    }),
    { numRuns: 10_000 },
  );
});
