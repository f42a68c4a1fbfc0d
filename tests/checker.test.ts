import { describe, expect, test } from 'vitest';
import { userId } from '../schemas/ids.ts';
import type { ServerFrame } from '../schemas/frames.ts';
import {
  idOf,
  uuid,
  log,
  group,
  phone,
  text,
  said,
  change,
  goodRun,
  judge,
  eventAt,
  rewrite,
  frameAt,
  remove,
  receiveLast,
  answerTo,
  lose,
  ben,
  type Run,
} from './checker-runs.fixture.ts';

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

  test('an edit that was edited again before `synced` came is not owed; the last one is, and so is one edited later', () => {
    const editedAgain = (time: number, isGiven: boolean) => (run: Run) => {
      remove(run, 4, 'edited', 0);
      const event = { type: 'message-edited', ...said(11, ben, 5), target: 2, content: text('two!!') } as const;
      run.log.push({ ...eventAt(run, 10), revision: 11, position: { log, n: 13 }, time, event, link: 'link 11' });
      const frame = { type: 'edited', ...change(ben, 7, time), seq: 2, content: event.content } as const;
      receiveLast(run, 1, frame);
      if (isGiven) receiveLast(run, 4, frame);
    };
    expect(judge(editedAgain(1_000, true))).toEqual([]);
    expect(judge(editedAgain(1_000, false))).toEqual(['I9']);
    expect(judge(editedAgain(2_000, true))).toEqual(['I9']);
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
