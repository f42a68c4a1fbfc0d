import fc from 'fast-check';
import { expect, test } from 'vitest';
import { accepted, CommandsUnderTest } from '../tests/commands-under-test.ts';
import { cutOff } from '../tests/cut-off.ts';
import { linkTo, ServedCommands } from '../tests/linked-commands.ts';
import { Proxy } from '../tests/proxy.ts';
import type { CommandAnswer } from './command-gateway.ts';
import type { LinkedCommands } from './command-link-session.ts';

const linked = ({ handler }: Pick<CommandsUnderTest, 'handler'>): LinkedCommands => ({
  gateway: handler,
  presence: handler.presence,
  signIn: () => Promise.reject(new Error('nobody signs in here')),
});

const cut = fc.record({ afterBytes: fc.integer({ min: 1, max: 40_000 }), delayMs: fc.nat({ max: 5 }) });
const messages = 120;
const allMessages = Array.from({ length: messages }, (_, index) => index);

test('N4, F58: connections cut at any byte lose, double and reorder nothing of two command sides', async () => {
  await using commands = await CommandsUnderTest.open();
  const ada = await commands.user('ada');
  const others = await Promise.all(['bob', 'carol', 'dan'].map((name) => commands.user(name)));
  let begun = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(cut, { maxLength: 4 }), fc.array(cut, { maxLength: 4 }), async (...cuts) => {
      await using stack = new AsyncDisposableStack();
      const second = commands.newHandler();
      stack.defer(() => second.drain());
      const addresses: string[] = [];
      for (const [index, handler] of [commands.handler, second].entries()) {
        const served = stack.use(await ServedCommands.open(linked({ handler })));
        const proxy = stack.use(await Proxy.open(() => served.port, cutOff(cuts[index] ?? []).carry));
        addresses.push(`http://127.0.0.1:${proxy.port}`);
      }
      const conversations = await Promise.all(others.map((other) => commands.group(ada, other)));
      const link = stack.use(linkTo(addresses));
      const answers: Promise<CommandAnswer>[] = [];
      for (let index = 0; index < messages; index++) {
        for (const [of, conversation] of conversations.entries()) {
          const [by, name] = index % 3 === 0 ? [others[of] ?? ada, 'other'] : [ada, 'ada'];
          answers.push(link.gateway.submit(by, commands.send(conversation, `${name} ${index}`)));
        }
        if (index % 20 === 19) await Promise.race(answers.slice(-3));
      }
      for (const answer of answers) accepted(await answer);
      for (const conversation of conversations) {
        const texts = await commands.texts(conversation);
        expect(texts).toHaveLength(messages);
        // The order that is promised is that of one caller.
        for (const name of ['ada', 'other']) {
          const numbers = texts.filter((text) => text.startsWith(name)).map((text) => Number(text.split(' ')[1]));
          expect(numbers).toEqual(allMessages.filter((index) => (index % 3 === 0) === (name === 'other')));
        }
      }
      expect(link.metric('parley_command_link_held')).toBe(0);
      begun++;
    }),
    { numRuns: 8 },
  );
  expect(begun).toBe(8);
});
