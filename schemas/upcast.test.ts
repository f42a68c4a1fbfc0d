import { expect, test } from 'vitest';
import { upcast, type Upcast, type Upcasts } from './upcast.ts';

const steps: Upcasts = new Map<string, Upcast>([
  ['message-sent@1', (fields) => ({ ...fields, replyTo: null })],
  ['message-sent@2', ({ body, ...fields }) => ({ ...fields, content: { type: 'text', text: body } })],
]);

test('an old event goes through every step to the newest version', () => {
  const oldest = { type: 'message-sent', body: 'hello' };
  expect(upcast(steps, 'message-sent', { from: 1, to: 3 }, oldest)).toEqual({
    type: 'message-sent',
    replyTo: null,
    content: { type: 'text', text: 'hello' },
  });
  expect(oldest).toEqual({ type: 'message-sent', body: 'hello' });
});

test('one of the newest version stays as it is', () => {
  const newest = { type: 'message-sent' };
  expect(upcast(steps, 'message-sent', { from: 3, to: 3 }, newest)).toBe(newest);
});

test('without a step on the way there is no event', () => {
  expect(upcast(steps, 'message-sent', { from: 1, to: 4 }, {})).toBeUndefined();
});
