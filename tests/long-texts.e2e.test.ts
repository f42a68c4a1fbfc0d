import { expect, test } from 'vitest';
import { codePoints } from '../schemas/code-points.ts';
import { Scene } from './scene.ts';

const limit = 100_000;
const samples: Readonly<Record<string, string>> = {
  'one emoji of two UTF-16 units': '🦜',
  'emoji in families and flags': '👩‍👩‍👧‍👦🏳️‍🌈🇯🇵',
  Arabic: 'السلام عليكم ورحمة الله، كيف حالك اليوم؟ ',
  Thai: 'สวัสดีตอนเช้า วันนี้อากาศดีมากเลยนะ ',
  Japanese: 'お元気ですか。今日はとても良い天気ですね。',
};

const exactly = (characters: number, sample: string): string => {
  const points = Array.from(sample);
  return Array.from({ length: characters }, (_, index) => points[index % points.length]).join('');
};
/** As a client writes it that escapes everything outside ASCII. */
const escaped = (json: string): string =>
  json.replaceAll(/[^\0-\x7f]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);

test('texts of 100,000 characters of every script arrive whole, and 100,001 are refused by name', async () => {
  const scene = await Scene.open();
  const ann = await scene.client('ann');
  const ben = await scene.client('ben');
  const talk = await scene.direct(ann, 'ben', [ann, ben]);

  for (const [script, sample] of Object.entries(samples)) {
    const text = exactly(limit, sample);
    expect(codePoints(text)).toBe(limit);
    const sent = await ann.text(talk.id, text);
    const seq = sent.ok ? (sent.answer.seq ?? 0) : 0;
    expect(seq, script).toBeGreaterThan(0);
    await ben.hasUpTo(talk.id, seq);
    expect(ben.messages(talk.id).at(-1)?.text === text, script).toBe(true);

    const refused = await ann.text(talk.id, `${text}x`);
    expect(refused, script).toMatchObject({ ok: false, frame: { code: 'text_too_long' } });
    expect(!refused.ok && refused.frame.message, script).toMatch(/100001.*100000/);
    const overRest = await scene.rest('ann', ann).submit({
      type: 'send',
      conversationId: talk.id,
      content: { type: 'text', text: `${text}x` },
    });
    expect(overRest, script).toMatchObject({ ok: false, frame: { code: 'text_too_long' } });
  }

  // Twelve bytes for each character: the largest frame that is legal.
  const messageId = ann.newId();
  const content = { type: 'text', text: exactly(limit, '🦜') };
  ann.raw(escaped(JSON.stringify({ type: 'send', messageId, conversationId: talk.id, content })));
  await ben.until(() => ben.messages(talk.id).at(-1)?.id === messageId);

  await scene.server.end('SIGKILL');
  await scene.restart();
  const tablet = await scene.client('ben', 'tablet');
  expect(tablet.messages(talk.id).map(({ text }) => text)).toEqual(ben.messages(talk.id).map(({ text }) => text));
  await scene.settle();
  expect(await scene.violations()).toEqual([]);
});
