import { describe, expect, test } from 'vitest';
import type { ConversationEvent } from '../schemas/conversation-events.ts';
import { commandId, conversationId, deviceId, userId, type UserId } from '../schemas/ids.ts';
import type { ServerFrame } from '../schemas/frames.ts';
import { encodeCursor, logId } from '../schemas/position.ts';
import { conversationStream } from '../schemas/streams.ts';
import { check } from './checker.ts';
import type { LoggedEvent, Violation } from './log-facts.ts';
import type { HistoryEntry, Operation } from './recorder.ts';

const idOf = (name: string): string => name.padEnd(21, '_') + 'A';
const uuid = (n: number) => commandId.parse(`019f0000-0000-7000-8000-${String(n).padStart(12, '0')}`);
const log = logId.parse(idOf('log'));
const group = conversationId.parse(idOf('group'));
const [ann, ben, cat] = ['ann', 'ben', 'cat'].map((name) => userId.parse(idOf(name))) as [UserId, UserId, UserId];
const phone = deviceId.parse('phone');

interface Run {
  history: HistoryEntry[];
  log: LoggedEvent[];
}

const text = (said: string) => ({ type: 'text' as const, text: said });
const said = (n: number, by: UserId, seq: number) => ({
  commandId: uuid(n),
  idTimeMax: 0,
  mac: idOf('mac'),
  by,
  seq,
});
const change = (by: UserId, version: number, time: number) => ({ conversationId: group, by, time, version });

/**
 * Ann starts a group with Ben; one two three are sent, Cat comes, sees four and goes, five follows; two is edited and
 * three is deleted. Ben's device is away between two and three.
 */
const goodRun = (): Run => {
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

const judge = (damage: (run: Run) => void): Violation['promise'][] => {
  const run = goodRun();
  damage(run);
  return check(run.history, run.log, { settled: new Set([ann, ben]) }).map(({ promise }) => promise);
};

const eventAt = (run: Run, revision: number): LoggedEvent => {
  const logged = run.log[revision];
  if (logged === undefined) throw new Error(`no revision ${revision}`);
  return logged;
};
const rewrite = (run: Run, revision: number, fields: object): void => {
  const logged = eventAt(run, revision);
  run.log[revision] = { ...logged, event: { ...logged.event, ...fields } as ConversationEvent };
};
const frames = (run: Run, connection: number, type: ServerFrame['type']): { at: number; frame: ServerFrame }[] =>
  run.history.flatMap((entry, at) =>
    entry.is === 'received' && entry.connection === connection && entry.frame.type === type
      ? [{ at, frame: entry.frame }]
      : [],
  );
const frameAt = (run: Run, connection: number, type: ServerFrame['type'], nth: number) => {
  const found = frames(run, connection, type).at(nth);
  if (found === undefined) throw new Error(`connection ${connection} has no such ${type}`);
  return found;
};
const remove = (run: Run, connection: number, type: ServerFrame['type'], nth: number): void => {
  run.history.splice(frameAt(run, connection, type, nth).at, 1);
};
const receiveLast = (run: Run, connection: number, frame: ServerFrame): void => {
  run.history.push({ is: 'received', time: 1_000, connection, frame });
};
const answerTo = (run: Run, id: string): Operation => {
  const found = run.history.find((entry) => entry.is === 'ok' && entry.id === id);
  if (found?.is !== 'ok') throw new Error(`no answer to ${id}`);
  return found;
};
/** Takes an event out of the log as if it had never been written: everything after it moves up. */
const lose = (run: Run, revision: number): void => {
  run.log = run.log.slice(0, revision);
};

test('a good run keeps every promise', () => {
  expect(judge(() => undefined)).toEqual([]);
});

describe('the checker names', () => {
  test('I1 when the tail of the log lost an acknowledged message', () => {
    expect(judge((run) => lose(run, 8))).toContain('I1');
  });

  test('I1 when the log has the message under another seq or link than was acknowledged', () => {
    expect(judge((run) => (run.log[8] = { ...eventAt(run, 8), link: 'other' }))).toEqual(['I1']);
  });

  test('I1 when what was refused for good is in the log', () => {
    const refuse = (run: Run): void => {
      const { id } = answerTo(run, uuid(8));
      run.history = run.history.map((entry) =>
        entry.is === 'ok' && entry.id === id ? { ...entry, is: 'fail', answer: undefined, code: 'invalid' } : entry,
      );
    };
    expect(judge(refuse)).toEqual(['I1']);
  });

  test('I2 when one id is two messages', () => {
    expect(judge((run) => rewrite(run, 8, { commandId: uuid(6) }))).toContain('I2');
  });

  test('I2 when a resend gets another answer', () => {
    const again = (run: Run): void => {
      const first = answerTo(run, uuid(2));
      if (first.answer !== undefined) run.history.push({ ...first, answer: { ...first.answer, time: 9_999 } });
    };
    expect(judge(again)).toContain('I2');
  });

  test('I2 when the same id with another body is acknowledged', () => {
    const other = (run: Run): void => void run.history.push({ ...answerTo(run, uuid(2)), content: text('other') });
    expect(judge(other)).toEqual(['I2']);
  });

  test('I2 when the log has a body nobody sent', () => {
    expect(judge((run) => rewrite(run, 8, { content: text('forged') }))).toContain('I2');
  });

  test('I3 when the log has a hole between two seqs', () => {
    expect(judge((run) => rewrite(run, 8, { seq: 6 }))).toContain('I3');
  });

  test('I3 when a revision is missing', () => {
    expect(judge((run) => run.log.splice(7, 1))).toContain('I3');
  });

  test('I3 when a reader gets two messages in the wrong order', () => {
    const swap = (run: Run): void => {
      const [first, second] = [frameAt(run, 1, 'message', 0), frameAt(run, 1, 'message', 1)];
      run.history[first.at] = { is: 'received', time: 1_000, connection: 1, frame: second.frame };
      run.history[second.at] = { is: 'received', time: 1_000, connection: 1, frame: first.frame };
    };
    expect(judge(swap)).toContain('I3');
  });

  test('I3 when a connection gets a message twice', () => {
    expect(judge((run) => receiveLast(run, 1, frameAt(run, 1, 'message', -1).frame))).toEqual(['I3']);
  });

  test('I3 when a connection gets a later message without the one before', () => {
    expect(judge((run) => remove(run, 4, 'message', 1))).toContain('I3');
  });

  test('I4 when something is delivered that is not in the log', () => {
    const { frame } = frameAt(goodRun(), 1, 'message', -1);
    expect(judge((run) => receiveLast(run, 1, { ...frame, seq: 6 } as ServerFrame))).toEqual(['I4']);
  });

  test('I4 when a message is delivered with another text, or an edit that never was', () => {
    const alter = (run: Run): void => {
      const { at, frame } = frameAt(run, 4, 'message', -1);
      const altered = { ...frame, content: text('altered') } as ServerFrame;
      run.history[at] = { is: 'received', time: 1_000, connection: 4, frame: altered };
    };
    expect(judge(alter)).toContain('I4');
    const { frame } = frameAt(goodRun(), 1, 'edited', 0);
    expect(judge((run) => receiveLast(run, 1, { ...frame, version: 9 } as ServerFrame))).toEqual(['I4']);
  });

  test('I6 when a member gets a message from before its time', () => {
    const { frame } = frameAt(goodRun(), 1, 'message', 2);
    const leak = (run: Run): void => {
      run.history.splice(frameAt(run, 3, 'message', 0).at, 0, { is: 'received', time: 1_000, connection: 3, frame });
    };
    expect(judge(leak)).toEqual(['I6']);
  });

  test('I6 when one who was removed gets a message, an edit or a change', () => {
    for (const [type, nth] of [
      ['message', -1],
      ['edited', 0],
      ['deleted', 0],
    ] as const) {
      const { frame } = frameAt(goodRun(), 1, type, nth);
      expect(judge((run) => receiveLast(run, 3, frame))).toContain('I6');
    }
  });

  test('I6 when a stranger gets the conversation', () => {
    const leak = (run: Run): void => {
      const stranger = { user: userId.parse(idOf('dan')), device: phone, connection: 9, cursor: null };
      run.history.push({ is: 'connected', time: 1_000, ...stranger });
      receiveLast(run, 9, frameAt(run, 1, 'conversation', 0).frame);
    };
    expect(judge(leak)).toEqual(['I6']);
  });

  test('I8 when a version moves back within a connection', () => {
    expect(judge((run) => receiveLast(run, 1, frameAt(run, 1, 'member-added', 0).frame))).toEqual(['I8']);
  });

  test('I8 when a mark moves back within a connection', () => {
    const marked = { type: 'marked', conversationId: group, time: 1_000, readAfter: '' } as const;
    const back = (run: Run): void => {
      receiveLast(run, 1, { ...marked, delivered: 3, read: 2 });
      receiveLast(run, 1, { ...marked, delivered: 3, read: 1 });
    };
    expect(judge(back)).toEqual(['I8']);
    const receipts = (read: number): ServerFrame => ({
      type: 'receipts',
      conversationId: group,
      marks: [{ userId: ben, delivered: 3, read }],
      time: 1_000,
    });
    const othersBack = (run: Run): void => {
      for (const read of [2, 1]) receiveLast(run, 1, receipts(read));
    };
    expect(judge(othersBack)).toEqual(['I8']);
  });

  test('I9 when `synced` promises a message or an edit the device did not get', () => {
    expect(judge((run) => remove(run, 4, 'message', -1))).toEqual(['I9']);
    expect(judge((run) => remove(run, 4, 'edited', 0))).toEqual(['I9']);
  });

  test('I9 when a device that is caught up at the end lacks the last message', () => {
    const cut = (run: Run): void => {
      run.history = run.history.filter(
        (entry, at) => entry.is !== 'received' || entry.connection !== 4 || at < frameAt(run, 4, 'message', -1).at,
      );
    };
    expect(judge(cut)).toContain('I9');
  });

  test('I9 when a connection hears nothing for long', () => {
    const silence = (run: Run): void => {
      const { at, frame } = frameAt(run, 4, 'synced', 0);
      run.history[at] = { is: 'received', time: 60_000, connection: 4, frame };
    };
    expect(judge(silence)).toContain('I9');
  });
});
