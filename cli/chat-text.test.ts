import fc from 'fast-check';
import { expect, test } from 'vitest';
import { banner, contentText, escaped, presenceText, printable, unescaped, width, wrap } from './chat-text.ts';

test('S17: nothing that others write reaches the terminal as a command', () => {
  expect(printable('a\u001b[2Jb\u009b1mc\rd\u202ee')).toBe('a\ufffd[2Jb\ufffd1mc\ufffdd\ufffde');
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      expect(escaped(text)).not.toMatch(/[\u0000-\u001f\u007f-\u009f]/);
    }),
  );
});

test('a message of several lines is one line in a pipe, and itself again', () => {
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom('a', '\\', 'n', '\n', 'é') }), (text) => {
      expect(escaped(text)).not.toContain('\n');
      expect(unescaped(escaped(text))).toBe(text);
    }),
  );
});

test('lines are cut between characters, and wide ones count twice', () => {
  expect(width('aé漢🙂')).toBe(6);
  expect(wrap('漢字かな', 5)).toEqual(['漢字', 'かな']);
  expect(wrap('e\u0301e\u0301e\u0301', 2)).toEqual(['e\u0301e\u0301', 'e\u0301']);
  expect(wrap('a\n\nb', 5)).toEqual(['a', '', 'b']);
});

test('what is not shown says why', () => {
  expect(contentText(null, 'deleted')).toBe('(deleted)');
  expect(contentText(null, 'hidden')).toBe('(hidden)');
  expect(contentText(null, 'shown')).toBe('(erased)');
  expect(contentText({ type: 'location', latitude: 1, longitude: 2, label: 'here' }, 'shown')).toBe('(at 1, 2: here)');
});

test('the banner says when the next attempt is', () => {
  expect(banner({ status: 'offline', retryAt: 4_100, code: 1006 }, 1_000)).toBe('offline, trying again in 4 s');
  expect(banner({ status: 'live' }, 0)).toBeUndefined();
});

test('presence says how long ago, and nothing of whom nothing is known', () => {
  const seen = (lastSeen: number | null, online = false) =>
    presenceText({ userId: '', online, lastSeen, availability: 'available', statusText: null, live: true }, 86_400_000);
  expect(seen(null, true)).toBe('online');
  expect(seen(86_400_000 - 120_000)).toBe('last seen 2 min ago');
  expect(seen(0)).toBe('last seen 24 h ago');
  expect(seen(null)).toBe('');
  expect(presenceText(undefined, 0)).toBe('');
});
