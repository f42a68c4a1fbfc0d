import { expect, test } from 'vitest';
import { metricsText } from '../schemas/metrics.ts';
import { CommandsUnderTest, accepted, codeOf, conversationOf } from '../tests/commands-under-test.ts';
import { linkTo, ServedCommands } from '../tests/linked-commands.ts';
import type { LinkedCommands } from './command-link-session.ts';
import type { SignedIn } from './command-side.ts';

const linked = (commands: CommandsUnderTest, signIn?: (token: string) => Promise<SignedIn>): LinkedCommands => ({
  gateway: commands.handler,
  presence: commands.handler.presence,
  signIn: signIn ?? (() => Promise.reject(new Error('nobody signs in here'))),
});

test('F57, F58: commands, presence and sign-in reach a command side of another process', async () => {
  await using commands = await CommandsUnderTest.open();
  const [ada, bob] = [await commands.user('ada'), await commands.user('bob')];
  const signedIn: SignedIn = { ok: true, caller: ada, expiresAt: 1_234_567 };
  await using served = await ServedCommands.open(
    linked(commands, async (token) =>
      token === 'good'
        ? signedIn
        : { ok: false, rejection: { code: 'unauthenticated', message: `${token} is no token` } },
    ),
  );
  await using link = linkTo([served.address]);

  const begun = { type: 'start-direct', commandId: commands.newId(), with: bob.userId } as const;
  const conversation = conversationOf(await link.gateway.submit(ada, begun));
  const texts = Array.from({ length: 200 }, (_, index) => `message ${index}`);
  const answers = await Promise.all(texts.map((text) => link.gateway.submit(ada, commands.send(conversation, text))));
  expect(answers.map((answer) => accepted(answer).seq)).toEqual(texts.map((_, index) => index + 1));
  expect(await commands.texts(conversation)).toEqual(texts);

  const again = await link.gateway.submit(ada, begun);
  expect(again).toMatchObject({ ok: true, repeated: true });
  const mark = await link.gateway.submit(bob, { type: 'mark', conversationId: conversation, read: 7 });
  expect(mark).toMatchObject({ ok: true, done: { type: 'marked', delivered: 7, read: 7 } });
  const profile = { type: 'change-profile', commandId: commands.newId(), displayName: 'Ada' } as const;
  expect(codeOf(await link.gateway.submit(ada, profile))).toBe('saved');
  const status = { type: 'announce-status', commandId: commands.newId(), availability: 'away' } as const;
  expect(codeOf(await link.gateway.submit(ada, status))).toBe('announced');
  const stranger = await commands.user('carol');
  expect(codeOf(await link.gateway.submit(stranger, commands.send(conversation, 'let me in')))).toBe(
    'conversation_not_found',
  );

  expect(await link.presence.comeOnline(ada.userId)).toBe(true);
  expect(await link.presence.goOffline(ada.userId, 1_000)).toBe(true);
  expect(await link.signIn('good')).toEqual(signedIn);
  expect(await link.signIn('bad')).toEqual({
    ok: false,
    rejection: { code: 'unauthenticated', message: 'bad is no token' },
  });
  expect(link.state()).toEqual({ [`command side ${served.address}`]: 'ok' });
  expect(link.metric(`parley_command_link_under_way{address="${served.address}"}`)).toBe(0);
});

test('O5: a link that drains refuses what comes and waits for what is under way, held or not', async () => {
  await using commands = await CommandsUnderTest.open();
  const [ada, bob] = [await commands.user('ada'), await commands.user('bob')];
  const conversation = await commands.direct(ada, bob);
  await using served = await ServedCommands.open(linked(commands));
  await using link = linkTo([served.address]);
  // Not connected yet: these are held.
  const early = [1, 2, 3].map((index) => link.gateway.submit(ada, commands.send(conversation, `early ${index}`)));
  const drained = link.drain();
  const late = await link.gateway.submit(ada, commands.send(conversation, 'late'));
  expect(codeOf(late)).toBe('draining');
  await drained;
  expect(await commands.texts(conversation)).toEqual(['early 1', 'early 2', 'early 3']);
  expect((await Promise.all(early)).map(codeOf)).toEqual(['accepted', 'accepted', 'accepted']);

  const shown = metricsText(served.links.metrics);
  expect(shown).toContain('\nparley_command_links 1\n');
  link.close();
  await expect.poll(() => metricsText(served.links.metrics)).toContain('\nparley_command_links 0\n');
  expect(codeOf(await link.gateway.submit(ada, commands.send(conversation, 'too late')))).toBe('unavailable');
});
