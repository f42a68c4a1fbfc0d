import { expect, test } from 'vitest';
import { codePoints } from './code-points.ts';
import { parseClientFrame } from './frames.ts';

const id = '01939c5e-7a1b-7000-8000-00000000abcd';
const conversation = 'AAAAAAAAAAAAAAAAAAAAAA';
const send = (more: object): unknown => ({
  type: 'send',
  messageId: id,
  conversationId: conversation,
  content: { type: 'text', text: 'hello' },
  ...more,
});

test('a legal send is understood', () => {
  expect(parseClientFrame(send({ replyTo: 3 }))).toMatchObject({ ok: true, value: { type: 'send', replyTo: 3 } });
});

test.each([
  ['an unknown field', send({ seq: 7 }), 'unknown field seq'],
  ['a field missing', { type: 'send', messageId: id, conversationId: conversation }, 'content'],
  ['another type in a field', send({ conversationId: 5 }), 'conversationId'],
  ['an empty text', send({ content: { type: 'text', text: '' } }), 'content.text'],
  ['a lone surrogate', send({ content: { type: 'text', text: 'a\ud800' } }), 'content.text'],
  [
    'a location outside the earth',
    send({ content: { type: 'location', latitude: 91, longitude: 0 } }),
    'content.latitude',
  ],
  ['infinity', send({ content: { type: 'location', latitude: 1e999, longitude: 0 } }), 'content.latitude'],
  ['a seq of zero', send({ replyTo: 0 }), 'replyTo'],
  ['a seq above 2^53', send({ replyTo: 2 ** 53 }), 'replyTo'],
  ['an unknown type', { type: 'sudo' }, 'type'],
  ['no object', 'hello', 'expected object'],
  ['an array', [], 'expected object'],
])('refuses %s and names it', (_, frame, named) => {
  const parsed = parseClientFrame(frame);
  expect(parsed).toMatchObject({ ok: false, code: 'invalid' });
  expect(parsed.ok ? '' : parsed.message).toContain(named);
});

test('the message about a huge unknown field is short', () => {
  const parsed = parseClientFrame(send({ ['x'.repeat(100_000)]: 1 }));
  expect(parsed.ok ? '' : parsed.message.length).toBeLessThan(400);
});

test.each(['threadRoot', 'mentions', 'forwardedFrom', 'importedFrom'])('%s is reserved, not unknown', (field) => {
  expect(parseClientFrame(send({ [field]: null }))).toMatchObject({ ok: false, code: 'unsupported' });
});

test.each(['image', 'video', 'file', 'sealed'])('content of type %s is reserved, not unknown', (type) => {
  expect(parseClientFrame(send({ content: { type, key: 'x' } }))).toMatchObject({ ok: false, code: 'unsupported' });
});

test('length counts code points', () => {
  expect(codePoints('aé漢😀')).toBe(4);
  expect(codePoints('👨‍👩‍👧')).toBe(5);
  expect(codePoints('')).toBe(0);
});
