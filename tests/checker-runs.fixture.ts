import type { ConversationEvent } from '../schemas/conversation-events.ts';
import { commandId, conversationId, deviceId, userId, type UserId } from '../schemas/ids.ts';
import type { ServerFrame } from '../schemas/frames.ts';
import { encodeCursor, logId } from '../schemas/position.ts';
import { conversationStream } from '../schemas/streams.ts';
import { check } from './checker.ts';
import type { LoggedEvent, Violation } from './log-facts.ts';
import type { HistoryEntry, Operation } from './recorder.ts';

export const idOf = (name: string): string => name.padEnd(21, '_') + 'A';
export const uuid = (n: number) => commandId.parse(`019f0000-0000-7000-8000-${String(n).padStart(12, '0')}`);
export const log = logId.parse(idOf('log'));
export const group = conversationId.parse(idOf('group'));
export const [ann, ben, cat] = ['ann', 'ben', 'cat'].map((name) => userId.parse(idOf(name))) as [
  UserId,
  UserId,
  UserId,
];
export const phone = deviceId.parse('phone');

export interface Run {
  history: HistoryEntry[];
  log: LoggedEvent[];
}

export const text = (said: string) => ({ type: 'text' as const, text: said });
export const said = (n: number, by: UserId, seq: number) => ({
  commandId: uuid(n),
  idTimeMax: 0,
  mac: idOf('mac'),
  by,
  seq,
});
export const change = (by: UserId, version: number, time: number) => ({ conversationId: group, by, time, version });

/**
 * Ann starts a group with Ben; one two three are sent, Cat comes, sees four and goes, five follows; two is edited and
 * three is deleted. Ben's device is away between two and three.
 */
export const goodRun = (): Run => {
  const events: ConversationEvent[] = [
    {
      type: 'conversation-started',
      ...said(1, ann, 0),
      kind: 'group',
      members: [
        { userId: ann, role: 'admin' },
        { userId: ben, role: 'member' },
      ],
    },
    { type: 'conversation-renamed', ...said(1, ann, 0), name: 'us' },
    { type: 'message-sent', ...said(2, ann, 1), replyTo: null, content: text('one') },
    { type: 'message-sent', ...said(3, ben, 2), replyTo: 1, content: text('two') },
    { type: 'message-sent', ...said(4, ann, 3), replyTo: null, content: text('three') },
    { type: 'member-added', ...said(5, ann, 3), userId: cat, role: 'member', visibleFrom: 3 },
    { type: 'message-sent', ...said(6, ann, 4), replyTo: null, content: text('four') },
    { type: 'member-removed', ...said(7, ann, 4), userId: cat },
    { type: 'message-sent', ...said(8, ann, 5), replyTo: null, content: text('five') },
    { type: 'message-edited', ...said(9, ben, 5), target: 2, content: text('two!') },
    { type: 'message-deleted', ...said(10, ann, 5), target: 3 },
  ];
  const logged = events.map((event, revision) => ({
    stream: conversationStream(group),
    revision,
    position: { log, n: revision + 2 },
    time: 1_000 + revision,
    event,
    link: `link ${revision}`,
  }));
  const message = (revision: number): ServerFrame => {
    const event = events[revision];
    if (event?.type !== 'message-sent') throw new Error(`revision ${revision} is no message`);
    const { seq, commandId: messageId, by, content, replyTo } = event;
    const reply = replyTo === null ? {} : { replyTo };
    return { type: 'message', conversationId: group, seq, messageId, by, time: 1_000 + revision, content, ...reply };
  };
  const conversation = (visibleFrom: number, version: number): ServerFrame => ({
    type: 'conversation',
    ...change(ann, version, 1_000),
    kind: 'group',
    name: 'us',
    members: [],
    seq: visibleFrom,
    visibleFrom,
  });
  const synced = (revision: number): ServerFrame => ({
    type: 'synced',
    cursor: encodeCursor(new Map([[log, revision + 2]])),
    caughtUp: true,
  });
  const added: ServerFrame = { type: 'member-added', ...change(ann, 3, 1_005), userId: cat, role: 'member' };
  const removed: ServerFrame = { type: 'member-removed', ...change(ann, 4, 1_007), userId: cat };
  const edited: ServerFrame = { type: 'edited', ...change(ben, 5, 1_009), seq: 2, content: text('two!') };
  const deleted: ServerFrame = { type: 'deleted', ...change(ann, 6, 1_010), seq: 3 };

  const history: HistoryEntry[] = [];
  const at = { time: 1_000 };
  const send = (user: UserId, revision: number) => {
    const frame = message(revision);
    if (frame.type !== 'message') throw new Error('not a message');
    const operation = { user, device: phone, command: 'send', id: frame.messageId, conversation: group, ...at };
    const content = frame.content ?? undefined;
    history.push({ ...operation, is: 'invoke', content });
    const answer = { conversationId: group, seq: frame.seq, time: frame.time, chain: `link ${revision}` };
    history.push({ ...operation, is: 'ok', content, answer });
  };
  const connect = (connection: number, user: UserId, cursor: string | null) =>
    history.push({ is: 'connected', user, device: phone, connection, cursor, ...at });
  const receive = (connection: number, ...frames: ServerFrame[]) =>
    history.push(...frames.map((frame) => ({ is: 'received' as const, connection, frame, ...at })));

  connect(1, ann, null);
  connect(2, ben, null);
  receive(1, conversation(0, 1));
  receive(2, conversation(0, 1));
  send(ann, 2);
  send(ben, 3);
  receive(1, message(2), message(3), synced(3));
  receive(2, message(2), synced(2), message(3));
  history.push({ is: 'disconnected', connection: 2, code: 1006, ...at });
  send(ann, 4);
  receive(1, message(4), added);
  connect(3, cat, null);
  receive(3, conversation(3, 3));
  send(ann, 6);
  receive(1, message(6), removed, synced(7));
  receive(3, message(6), removed, synced(7));
  connect(4, ben, encodeCursor(new Map([[log, 4]])));
  receive(4, message(3), message(4), added, message(6), removed, synced(7));
  send(ann, 8);
  receive(1, message(8), edited, deleted, synced(10));
  receive(4, message(8), edited, deleted, synced(10));
  return { history, log: logged };
};

export const judge = (damage: (run: Run) => void): Violation['promise'][] => {
  const run = goodRun();
  damage(run);
  return check(run.history, run.log, { settled: new Set([ann, ben]) }).map(({ promise }) => promise);
};

export const eventAt = (run: Run, revision: number): LoggedEvent => {
  const logged = run.log[revision];
  if (logged === undefined) throw new Error(`no revision ${revision}`);
  return logged;
};
export const rewrite = (run: Run, revision: number, fields: object): void => {
  const logged = eventAt(run, revision);
  run.log[revision] = { ...logged, event: { ...logged.event, ...fields } as ConversationEvent };
};
const frames = (run: Run, connection: number, type: ServerFrame['type']): { at: number; frame: ServerFrame }[] =>
  run.history.flatMap((entry, at) =>
    entry.is === 'received' && entry.connection === connection && entry.frame.type === type
      ? [{ at, frame: entry.frame }]
      : [],
  );
export const frameAt = (run: Run, connection: number, type: ServerFrame['type'], nth: number) => {
  const found = frames(run, connection, type).at(nth);
  if (found === undefined) throw new Error(`connection ${connection} has no such ${type}`);
  return found;
};
export const remove = (run: Run, connection: number, type: ServerFrame['type'], nth: number): void => {
  run.history.splice(frameAt(run, connection, type, nth).at, 1);
};
export const receiveLast = (run: Run, connection: number, frame: ServerFrame): void => {
  run.history.push({ is: 'received', time: 1_000, connection, frame });
};
export const answerTo = (run: Run, id: string): Operation => {
  const found = run.history.find((entry) => entry.is === 'ok' && entry.id === id);
  if (found?.is !== 'ok') throw new Error(`no answer to ${id}`);
  return found;
};
/** Takes an event out of the log as if it had never been written: everything after it moves up. */
export const lose = (run: Run, revision: number): void => {
  run.log = run.log.slice(0, revision);
};
