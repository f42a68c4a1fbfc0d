import { expect, test } from 'vitest';
import type { Membership } from '../domain/conversation.ts';
import { evolveMembership } from '../domain/membership.ts';
import type { ConversationEvent } from '../schemas/conversation-events.ts';
import { commandId, conversationId, userId } from '../schemas/ids.ts';
import { newId } from '../tests/wire-client.ts';
import type { LoadedMembership } from './load-membership.ts';
import { Memberships } from './memberships.ts';

const idOf = (name: string): string => name.padEnd(21, '_') + 'A';
const [ann, ben, cat] = ['ann', 'ben', 'cat'].map((name) => userId.parse(idOf(name)));
if (ann === undefined || ben === undefined || cat === undefined) throw new Error('three are named');
const group = conversationId.parse(idOf('group'));

const base = { commandId: commandId.parse(newId()), idTimeMax: 0, mac: idOf('mac'), by: ann, seq: 0 };
/** The group's stream: revision by revision. */
const stream: readonly ConversationEvent[] = [
  { type: 'conversation-started', ...base, kind: 'group', members: [{ userId: ann, role: 'admin' }] },
  { type: 'member-added', ...base, userId: ben, role: 'member', visibleFrom: 0 },
  { type: 'conversation-renamed', ...base, name: 'Trip' },
  { type: 'member-added', ...base, userId: cat, role: 'member', visibleFrom: 0 },
  { type: 'member-removed', ...base, userId: ben },
];
const at = (revision: number): LoadedMembership => {
  let state: Membership | undefined;
  stream.slice(0, revision + 1).forEach((event, i) => (state = evolveMembership(state, event, i)));
  if (state === undefined) throw new Error('nothing to fold');
  return { state, revision, blocked: false };
};
const names = async (_id: unknown, revision: number): Promise<string> => `named at ${revision}`;
const membersIn = (memberships: Memberships): readonly string[] =>
  Array.from(memberships.get(group)?.state.members.keys() ?? []);

test('a conversation that begins here needs no load, and follows event by event', () => {
  const memberships = new Memberships(async () => undefined, names);
  stream.forEach((event, revision) => expect(memberships.after(group, event, revision)?.revision).toBe(revision));
  expect(membersIn(memberships)).toEqual([ann, cat]);
  expect(memberships.nameOf(memberships.get(group) ?? expect.unreachable())).toBe('Trip');
});

test('those who ask at once share one load, and what is loaded may be ahead of the router', async () => {
  let loads = 0;
  const memberships = new Memberships(async () => (loads++, at(4)), names);
  await Promise.all([memberships.load(group), memberships.load(group)]);
  expect(loads).toBe(1);
  expect(memberships.after(group, stream[2], 2)?.revision).toBe(4);
  expect(membersIn(memberships)).toEqual([ann, cat]);
});

test('a membership that missed an event is loaded again, and never given out', async () => {
  let end = 1;
  const memberships = new Memberships(async () => at(end), names);
  await memberships.load(group);
  expect(memberships.after(group, stream[3], 3)).toBeUndefined();
  expect(memberships.get(group)).toBeUndefined();
  end = 3;
  await memberships.load(group);
  expect(memberships.after(group, stream[4], 4)?.revision).toBe(4);
});

test('I6: a load that was under way while an event was passed over is not kept', async () => {
  const { promise, resolve } = Promise.withResolvers<LoadedMembership>();
  const memberships = new Memberships(() => promise, names);
  const load = memberships.load(group);
  memberships.forget(group);
  resolve(at(3));
  await load;
  expect(memberships.get(group)).toBeUndefined();
});

test('a failed load is said to all who wait for it, and tried again', async () => {
  let fails = true;
  const memberships = new Memberships(async () => (fails ? undefined : at(4)), names);
  await expect(memberships.load(group)).rejects.toThrow('cannot be read');
  fails = false;
  await memberships.load(group);
  expect(membersIn(memberships)).toEqual([ann, cat]);
});

test('a name is read where its event stands, and is unknown again once a later one came', async () => {
  const memberships = new Memberships(async () => at(4), names);
  await memberships.load(group);
  const known = memberships.get(group) ?? expect.unreachable();
  expect(memberships.nameOf(known)).toBeUndefined();
  await memberships.loadName(group, known);
  expect(memberships.nameOf(known)).toBe('named at 2');
  memberships.after(group, { type: 'conversation-renamed', ...base, name: null }, 5);
  expect(memberships.nameOf(known)).toBeNull();
});

test('what nobody uses is forgotten, and what is used stays', async () => {
  const memberships = new Memberships(async () => at(4), names, 40);
  const other = (n: number) => conversationId.parse(idOf(`other${n}`));
  await memberships.load(group);
  for (let n = 0; n < 100; n++) {
    await memberships.load(other(n));
    expect(memberships.get(group)).toBeDefined();
  }
  expect(memberships.get(other(0))).toBeUndefined();
  expect(memberships.get(other(99))).toBeDefined();
});
