import { expect, test } from 'vitest';
import { SimulatedClient } from './simulated-client.fixture.ts';
import { me, other, SimulatedServer, talks } from './simulated-server.fixture.ts';
import type { CacheSize } from './state.ts';

const [talk, second] = talks;
if (talk === undefined || second === undefined) throw new Error('two talks are needed');

const connected = (cache?: CacheSize): { server: SimulatedServer; client: SimulatedClient } => {
  const server = new SimulatedServer();
  const client = new SimulatedClient(server, cache);
  client.settle();
  client.told = [];
  return { server, client };
};

const heldSeqs = ({ core }: SimulatedClient, id = talk): number[] =>
  (core.state.chats.get(id)?.held ?? []).map(({ seq }) => seq);
const toldSeqs = ({ told }: SimulatedClient): number[] =>
  told.flatMap((effect) => (effect.name === 'message' ? [effect.event.message.seq] : []));
const upTo = (last: number, first = 1): number[] => Array.from({ length: last - first + 1 }, (_, at) => first + at);

test('M7: a long absence is told whole and in order, and what is held and stored stays within the cache', () => {
  const { server, client } = connected({ messages: 10, chats: 5 });
  client.cut();
  for (let n = 0; n < 1_000; n++) server.say(talk, 'theirs');
  client.settle();
  expect(toldSeqs(client)).toEqual(upTo(1_000));
  expect(heldSeqs(client).at(-1)).toBe(1_000);
  expect(heldSeqs(client).length).toBeLessThanOrEqual(15);
  expect(client.disk.size).toBeLessThan(25);
  client.restart();
  client.settle();
  expect(toldSeqs(client)).toEqual([]);
  server.say(talk, 'one more');
  client.settle();
  expect(toldSeqs(client)).toEqual([1_001]);
});

test('C15: a first sync tells the newest pages it brings; every other chat begins where it stands, and is whole from there on', () => {
  const server = new SimulatedServer();
  for (const id of [talk, second]) for (const text of ['one', 'two', 'three']) server.say(id, text);
  const client = new SimulatedClient(server);
  client.take({ type: 'tick' });
  client.flush();
  client.deliver('answers');
  client.flush();
  server.events = server.events.filter((frame) => frame.type !== 'history' || frame.conversationId === talk);
  client.settle();
  expect(heldSeqs(client)).toEqual([1, 2, 3]);
  expect(heldSeqs(client, second)).toEqual([]);
  expect(toldSeqs(client)).toEqual([1, 2, 3]);
  expect(client.core.state.chats.get(second)?.record).toMatchObject({ seq: 3, members: [], membersKnown: false });
  client.restart();
  client.settle();
  server.say(second, 'four');
  client.settle();
  expect(toldSeqs(client)).toEqual([4]);
  // Somebody opens it.
  client.take({ type: 'members', conversationId: second, members: server.members(second) });
  expect(client.core.state.chats.get(second)?.record.members).toMatchObject([{ userId: me }, { userId: other }]);
});

const chatChange = (server: SimulatedServer, id: (typeof talks)[number], changed: object = {}) => ({
  type: 'chat' as const,
  chat: { ...server.chat(id, 0), ...changed },
});

test('S5: after a block between two attempts of a first sync, what was held comes again as it is now', () => {
  const { server, client } = connected();
  server.say(talk, 'theirs');
  client.settle();
  client.told = [];
  server.events.push({ type: 'changes', changes: [{ type: 'blocks' }], next: '' });
  client.deliver('events');
  expect(heldSeqs(client)).toEqual([]);
  const messages = server.views(talk, 0).map((view) => ({ ...view, state: 'hidden' as const, content: null }));
  server.events.push({ type: 'history', conversationId: talk, members: null, messages, isFirst: true });
  client.deliver('events');
  client.flush();
  expect(client.core.state.chats.get(talk)?.held).toMatchObject([{ seq: 1, state: 'hidden', content: null }]);
  expect(toldSeqs(client)).toEqual([]);
  client.restart();
  expect(client.core.state.chats.get(talk)?.held).toMatchObject([{ seq: 1, state: 'hidden', content: null }]);
});

test('I6: who left and was added again between two attempts of a first sync begins that chat anew', () => {
  const { server, client } = connected();
  for (let n = 0; n < 3; n++) server.say(talk, 'before');
  client.settle();
  client.told = [];
  for (let n = 0; n < 4; n++) server.say(talk, 'between');
  server.cut();
  client.cut();
  client.wait(30_000);
  client.flush();
  client.deliver('answers');
  const changes = [chatChange(server, talk, { visibleFrom: 6, version: 9 })];
  server.events = [{ type: 'changes', changes, next: '' }];
  const messages = server.views(talk, 6);
  server.events.push({ type: 'history', conversationId: talk, members: null, messages, isFirst: true });
  while (client.deliver('events'));
  client.flush();
  expect(heldSeqs(client)).toEqual([7]);
  expect(toldSeqs(client)).toEqual([7]);
  expect(client.core.state.ahead.size).toBe(0);
});

test('I3: a newest page far ahead of what an attempt before it left drops that, and leaves no hole', () => {
  const { server, client } = connected();
  for (let n = 0; n < 3; n++) server.say(talk, 'before');
  client.settle();
  client.told = [];
  client.cut();
  for (let n = 0; n < 7; n++) server.say(talk, 'between');
  client.wait(30_000);
  client.flush();
  client.deliver('answers');
  server.events = [{ type: 'changes', changes: [chatChange(server, talk)], next: '' }];
  const messages = server.views(talk, 8);
  server.events.push({ type: 'history', conversationId: talk, members: null, messages, isFirst: false });
  while (client.deliver('events'));
  client.flush();
  expect(heldSeqs(client)).toEqual([9, 10]);
  expect(toldSeqs(client)).toEqual([9, 10]);
});

test('I3: what we say during a first sync swallows nothing that others said before it', () => {
  const server = new SimulatedServer();
  for (let n = 0; n < 3; n++) server.say(talk, 'before');
  const client = new SimulatedClient(server);
  client.take({ type: 'tick' });
  client.flush();
  client.deliver('answers');
  server.events = [{ type: 'changes', changes: [chatChange(server, talk)], next: '' }];
  client.deliver('events');
  const late = server.say(talk, 'while it goes on');
  client.send(talk, 'mine');
  client.flush();
  while (client.deliver('answers'));
  server.events = [{ type: 'synced', cursor: '4', caughtUp: false }, late];
  while (client.deliver('events'));
  client.flush();
  expect(toldSeqs(client)).toEqual([4, 5]);
});

test('F26: a member that a page of members has already is not added once more; a newer view asks for members anew', () => {
  const { server, client } = connected();
  const members = server.members(talk).map((member) => ({ ...member, delivered: 2 }));
  client.take({ type: 'members', conversationId: talk, members });
  const added = { conversationId: talk, userId: other, role: 'member', by: me, time: 0, version: 6 } as const;
  server.events.push({ type: 'member-added', ...added });
  client.deliver('events');
  expect(client.core.state.chats.get(talk)?.record.members).toMatchObject([{}, { userId: other, delivered: 2 }]);
  server.events.push({ type: 'changes', changes: [chatChange(server, talk, { version: 8 })], next: '' });
  client.deliver('events');
  expect(client.core.state.chats.get(talk)?.record).toMatchObject({ version: 8, members: [], membersKnown: false });
});

test('a read of a conversation that the read models do not know yet is done again', () => {
  const { server, client } = connected();
  server.say(talk, 'theirs');
  client.settle();
  const version = 1;
  server.events.push({ type: 'blocked', userId: other, time: 0, version });
  server.events.push({ type: 'unblocked', userId: other, time: 0, version: version + 1 });
  while (client.deliver('events'));
  const read = { name: 'messages', conversationId: talk, after: 0 } as const;
  const notYet = { ok: false, code: 'conversation_not_found', retry: 'never', retryAfterMs: 0 } as const;
  client.take({ type: 'read-done', read, result: notYet });
  client.core.effects = client.core.effects.filter(({ type }) => type !== 'read');
  client.flush();
  expect(client.core.state.chats.get(talk)?.held).toMatchObject([{ state: 'hidden' }]);
  client.wait(30_000);
  client.settle();
  expect(client.core.state.chats.get(talk)?.held).toMatchObject([{ state: 'shown' }]);
});

test('of more conversations than the cache holds the longest unused is dropped, and nothing of it told again', () => {
  const { server, client } = connected({ messages: 10, chats: 1 });
  server.say(talk, 'theirs');
  client.settle();
  server.say(second, 'theirs');
  client.settle();
  expect(heldSeqs(client)).toEqual([]);
  expect(heldSeqs(client, second)).toEqual([1]);
  expect(client.core.state.chats.get(talk)?.record.preview?.content).toEqual({ type: 'text', text: 'theirs' });
  client.restart();
  client.settle();
  server.say(talk, 'again');
  client.settle();
  expect(toldSeqs(client)).toEqual([2]);
  // The application opens it: the newest page is held again.
  client.take({ type: 'history', conversationId: second, messages: server.views(second, 0) });
  expect(heldSeqs(client, second)).toEqual([1]);
});

test('C2: a hole is filled before what comes after it is told', () => {
  const { server, client } = connected();
  for (let n = 0; n < 3; n++) server.say(talk, 'theirs');
  server.events.splice(1, 1);
  while (client.deliver('events')) client.flush();
  expect(toldSeqs(client)).toEqual([1]);
  client.settle();
  expect(toldSeqs(client)).toEqual([1, 2, 3]);
});

test('a hole wider than the cache is skipped, and that is said', () => {
  const { server, client } = connected({ messages: 10, chats: 5 });
  for (let n = 0; n < 50; n++) server.say(talk, 'theirs');
  server.events.splice(1, 47);
  client.settle();
  expect(client.told.flatMap((effect) => (effect.name === 'skipped' ? [effect.event] : []))).toEqual([
    { conversationId: talk, from: 2, to: 40 },
  ]);
  expect(toldSeqs(client)).toEqual([1, ...upTo(50, 41)]);
  expect(heldSeqs(client)).toEqual(upTo(50, 41));
});

test('a change of a message that is not held is told all the same', () => {
  const { server, client } = connected({ messages: 2, chats: 5 });
  for (let n = 0; n < 9; n++) server.say(talk, 'theirs');
  client.settle();
  server.edit(talk, 1, 'changed');
  client.settle();
  expect(client.told.at(-1)).toMatchObject({ name: 'changed', event: { seq: 1, version: 1 } });
});

test('whom one blocks is hidden at once, and shown again when the read models know', () => {
  const { server, client } = connected();
  server.say(talk, 'theirs');
  server.say(talk, 'mine', me);
  client.settle();
  const change = { userId: other, time: 0 };
  server.events.push({ type: 'blocked', ...change, version: 1 });
  client.deliver('events');
  client.flush();
  expect(client.core.state.chats.get(talk)?.held).toMatchObject([
    { state: 'hidden', content: null },
    { state: 'shown' },
  ]);
  // One that comes again after a resume changes nothing.
  server.events.push({ type: 'unblocked', ...change, version: 2 }, { type: 'blocked', ...change, version: 1 });
  client.settle();
  expect(client.core.state.chats.get(talk)?.held[0]).toMatchObject({ state: 'shown', content: { text: 'theirs' } });
});

test('who is removed keeps nothing, and hears of it once', () => {
  const { server, client } = connected();
  server.say(talk, 'theirs');
  client.settle();
  server.events.push({ type: 'member-removed', conversationId: talk, userId: me, by: other, time: 0, version: 5 });
  client.settle();
  expect(client.core.state.chats.has(talk)).toBe(false);
  expect([...client.disk.keys()].filter((key) => key.includes(talk))).toEqual([]);
  expect(client.told.filter(({ name }) => name === 'chat-ended')).toHaveLength(1);
});

test('an answer that comes after we left makes no chat', () => {
  const { server, client } = connected();
  client.send(talk, 'mine');
  client.flush();
  server.events.push({ type: 'member-removed', conversationId: talk, userId: me, by: other, time: 0, version: 5 });
  client.deliver('events');
  client.deliver('answers');
  client.flush();
  const read = { name: 'messages', conversationId: talk, after: 0 } as const;
  const result = { ok: false, code: 'conversation_not_found', retry: 'never', retryAfterMs: 0 } as const;
  client.take({ type: 'read-done', read, result });
  client.flush();
  expect(client.core.state.chats.has(talk)).toBe(false);
  expect([...client.disk.keys()].filter((key) => key.includes(talk))).toEqual([]);
  expect(client.told.filter(({ name }) => name === 'chat-ended')).toHaveLength(1);
});

test('C9, C22: what an erased person wrote is gone from what is held, and from the preview of a chat', () => {
  const { server, client } = connected();
  server.say(talk, 'theirs');
  client.settle();
  const profiles = [{ userId: other, displayName: null, statusText: null, erased: true }];
  const read = { name: 'chats', after: null, asOf: null } as const;
  client.take({ type: 'read-done', read, result: { ok: true, name: 'chats', chats: [], profiles } });
  client.flush();
  expect(client.core.state.chats.get(talk)?.held).toMatchObject([{ content: null }]);
  expect(JSON.stringify([...client.disk])).not.toContain('theirs');
});

test('F26: who was added on the way counts for the messages after it alone, also on a device that hears of it later', () => {
  const server = new SimulatedServer();
  server.readsChats = false;
  for (let n = 0; n < 3; n++) server.say(talk, 'mine', me);
  const added = { type: 'member-added', conversationId: talk, userId: other, role: 'member', by: me } as const;
  // Between the second message and the third; before the messages two conversations are introduced.
  server.log.splice(4, 0, { ...added, time: 0, version: 0 });
  const introduction = server.log[0];
  if (introduction?.type === 'conversation') server.log[0] = { ...introduction, seq: 3 };
  const client = new SimulatedClient(server);
  client.settle();
  expect(client.core.state.chats.get(talk)?.record.members[1]).toMatchObject({ userId: other, visibleFrom: 2 });
});
