import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { PresenceEvent } from '../schemas/presence-events.ts';
import {
  decidePresence,
  evolvePresence,
  presenceFromSnapshot,
  presenceToSnapshot,
  type Presence,
  type PresenceCommand,
} from './presence.ts';

/** What becomes of commands that come a second after one another. */
const given = (...commands: readonly PresenceCommand[]): { events: PresenceEvent[]; state: Presence | undefined } => {
  const events: PresenceEvent[] = [];
  let state: Presence | undefined;
  for (const [index, command] of commands.entries()) {
    const decision = decidePresence(state, command);
    if (decision.outcome !== 'events') continue;
    for (const event of decision.events) state = evolvePresence(state, event, { time: index * 1_000 });
    events.push(...decision.events);
  }
  return { events, state };
};
const come: PresenceCommand = { type: 'come-online' };
const go = (lastSeen: number): PresenceCommand => ({ type: 'go-offline', lastSeen });
const announce = (availability: 'available' | 'away' | 'busy', text?: string): PresenceCommand => ({
  type: 'announce-status',
  availability,
  text,
});

test('F38: a user who comes with several devices comes once, and goes once however often it is swept', () => {
  expect(given(come, come, go(1_500), go(1_700), go(9)).events).toEqual([
    { type: 'came-online' },
    { type: 'went-offline', lastSeen: 1_500 },
  ]);
  expect(given(go(5)).events).toEqual([]);
});

test('F39: nobody was last seen before it came', () => {
  expect(given(announce('busy'), come, go(3)).events.at(-1)).toEqual({ type: 'went-offline', lastSeen: 1_000 });
});

test('a status is announced when it says something else; a text, which the state does not hold, always does', () => {
  const busy = { type: 'status-announced', availability: 'busy', text: null };
  expect(given(announce('available')).events).toEqual([]);
  expect(given(announce('busy'), announce('busy')).events).toEqual([busy]);
  expect(given(announce('busy', 'x'), announce('busy', 'x'), announce('busy'), announce('busy')).events).toEqual([
    { ...busy, text: 'x' },
    { ...busy, text: 'x' },
    busy,
  ]);
});

test('property: came and went alternate, and a snapshot loses nothing', () => {
  const command = fc.oneof(
    fc.constant(come),
    fc.nat(20_000).map(go),
    fc.constantFrom(announce('away'), announce('busy', 'x'), announce('available')),
  );
  fc.assert(
    fc.property(fc.array(command), (commands) => {
      const { events, state } = given(...commands);
      const moves = events.filter(({ type }) => type !== 'status-announced').map(({ type }) => type);
      expect(moves).toEqual(moves.map((_, index) => (index % 2 === 0 ? 'came-online' : 'went-offline')));
      if (state !== undefined) expect(presenceFromSnapshot(presenceToSnapshot(state))).toEqual(state);
    }),
  );
});
