import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { FlushTurn } from './flush-turn.ts';

test('N10: what very many sockets get is written in several turns, in order, and others come in between', async () => {
  const sockets = 10_000;
  const written: number[] = [];
  let done = 0;
  const turn = new FlushTurn(() => done++);
  for (let index = 0; index < sockets; index++) turn.mark({ flush: () => written.push(index) });
  const inEachTurn: number[] = [];
  while (done === 0) {
    const before = written.length;
    await nextTurn();
    inEachTurn.push(written.length - before);
  }
  expect(written).toEqual(Array.from({ length: sockets }, (_, index) => index));
  expect(Math.max(...inEachTurn)).toBeLessThanOrEqual(500);
});

test('an outbox that gets more while its turn is under way is written again in the next', async () => {
  const written: string[] = [];
  const turn = new FlushTurn(() => undefined);
  const second = { flush: () => void written.push('second') };
  const first = {
    flush: () => {
      written.push('first');
      turn.mark(second);
    },
  };
  turn.mark(first);
  await nextTurn();
  expect(written).toEqual(['first']);
  await nextTurn();
  expect(written).toEqual(['first', 'second']);
});
