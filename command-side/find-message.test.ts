import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Command } from '../schemas/commands.ts';
import { accepted, CommandsUnderTest } from '../tests/commands-under-test.ts';
import { conversationCache } from './conversation-cache.ts';
import { findMessage } from './find-message.ts';

test('a message is found whatever stands between it and the others, in a logarithm of reads', async () => {
  await using commands = await CommandsUnderTest.open();
  const [ada, bob] = [await commands.user('ada'), await commands.user('bob')];
  const rename = (group: Command & { type: 'rename' }) => commands.handler.submit(ada, group);
  const run = async (parts: readonly number[]): Promise<void> => {
    const group = await commands.group(ada, bob);
    // A positive number is so many messages, a negative one so many changes that are none.
    for (const part of parts) {
      await Promise.all(
        Array.from({ length: Math.abs(part) }, async (_, i) =>
          part > 0
            ? accepted(await commands.handler.submit(i % 2 ? ada : bob, commands.send(group, 'x')))
            : accepted(
                await rename({ type: 'rename', commandId: commands.newId(), conversationId: group, name: `${i}` }),
              ),
        ),
      );
    }
    const { log: eventLog, snapshots } = commands;
    const tip = await conversationCache({ eventLog, snapshots }).load(group);
    if ('blocked' in tip) throw new Error('blocked');
    const messages = (await commands.events(group)).flatMap(({ event }) =>
      event?.type === 'message-sent' ? [event] : [],
    );
    for (const { seq, by } of messages) {
      expect(await findMessage(eventLog, group, tip, seq)).toEqual({ author: by, contentType: 'text' });
    }
    expect(await findMessage(eventLog, group, tip, messages.length + 1)).toBeUndefined();
    let reads = 0;
    const counting = {
      ...eventLog,
      readStream: (...asked: Parameters<typeof eventLog.readStream>) => {
        reads++;
        return eventLog.readStream(...asked);
      },
    };
    await findMessage(counting, group, tip, Math.ceil(messages.length / 2));
    expect(reads).toBeLessThanOrEqual(1 + Math.ceil(Math.log2(tip.revision + 1)));
  };
  const part = fc.oneof(fc.integer({ min: 1, max: 40 }), fc.integer({ min: -120, max: -1 }));
  await fc.assert(fc.asyncProperty(fc.array(part, { maxLength: 6 }), run), { numRuns: 25 });
});
