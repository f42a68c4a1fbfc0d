import { expect, test } from 'vitest';
import type { TestClient } from './client.ts';
import { Scene, type Talk } from './scene.ts';

const english = [
  'Good morning! Did you sleep well?',
  'The train leaves at ten – platform 4.',
  'Wait for me, please 🙂',
];
const japanese = [
  'おはようございます。よく眠れましたか。',
  '電車は十時に出ます。四番線です。',
  '待っていてくださいね🙂',
];
const arabic = ['صباح الخير! هل نمت جيدًا؟', 'يغادر القطار في العاشرة، الرصيف الرابع.', 'انتظرني من فضلك 🙂'];
const thai = ['อรุณสวัสดิ์ หลับสบายไหม', 'รถไฟออกสิบโมง ชานชาลาที่สี่', 'รอฉันด้วยนะ 🙂'];

const say = async (talk: Talk, lines: readonly (readonly [TestClient, readonly string[]])[]): Promise<void> => {
  const outcomes = await Promise.all(lines.flatMap(([who, said]) => said.map((line) => who.text(talk.id, line))));
  expect(outcomes.every(({ ok }) => ok)).toBe(true);
};

test('a one-to-one chat and a group outlive SIGKILLs in between, the same for everybody', async () => {
  const scene = await Scene.open();
  const alice = await scene.client('alice');
  const haruka = await scene.client('晴香');
  const layla = await scene.client('ليلى');
  const laptop = await scene.client('ليلى', 'laptop');
  const somchai = await scene.client('สมชาย');
  const all = [alice, haruka, layla, laptop, somchai];

  const chat = await scene.direct(alice, '晴香', [alice, haruka]);
  const fromTheOther = await haruka.submit({ type: 'start-direct', with: { name: 'alice' } });
  expect(fromTheOther.ok && fromTheOther.answer.conversationId).toBe(chat.id);
  const group = await scene.group(alice, '旅行 ✈️ رحلة', ['晴香', 'ليلى', 'สมชาย'], all);

  await say(chat, [
    [alice, english],
    [haruka, japanese],
  ]);
  await scene.server.end('SIGKILL');
  const whileAway = say(group, [
    [alice, english],
    [layla, arabic],
  ]);
  await scene.restart();
  await whileAway;
  const halfway = say(group, [
    [haruka, japanese],
    [somchai, thai],
    [laptop, arabic],
  ]);
  await scene.server.end('SIGKILL');
  await scene.restart();
  await halfway;
  await scene.settle();

  const inChat = alice.messages(chat.id);
  expect(inChat.map(({ text }) => text).toSorted()).toEqual([...english, ...japanese, 'the end'].toSorted());
  expect(haruka.messages(chat.id)).toEqual(inChat);
  const inGroup = alice.messages(group.id);
  expect(inGroup).toHaveLength(english.length + japanese.length + 2 * arabic.length + thai.length + 1);
  expect(inGroup.map(({ seq }) => seq)).toEqual(inGroup.map((_, index) => index + 1));
  for (const client of all) expect(client.messages(group.id)).toEqual(inGroup);

  // A new device has the same from the log alone.
  const tablet = await scene.client('晴香', 'tablet');
  expect(tablet.messages(chat.id)).toEqual(inChat);
  expect(tablet.messages(group.id)).toEqual(inGroup);
  expect(await scene.violations()).toEqual([]);
});
