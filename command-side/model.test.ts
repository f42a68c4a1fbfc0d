import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { ConversationCommand, UserRef } from '../schemas/commands.ts';
import type { ConversationId } from '../schemas/ids.ts';
import { accepted, codeOf, CommandsUnderTest } from '../tests/commands-under-test.ts';
import type { Accepted, Caller, CommandAnswer } from './command-gateway.ts';
import type { CommandHandler } from './handle-command.ts';

const nameOf = (user: UserRef): string => (typeof user === 'string' ? user : user.name);

/** The group as a few lines of code would keep it: what every run must agree with. */
class Reference {
  readonly admins = new Set<string>();
  /** Member → the seq after which it sees messages, in the order in which they came. */
  readonly members = new Map<string, number>();
  readonly messages: { by: string; text: string; deleted: boolean }[] = [];
  readonly answers = new Map<string, Pick<Accepted, 'seq' | 'time' | 'chain'>>();
  name = 'a group';

  constructor(creator: string, members: readonly string[]) {
    this.admins.add(creator);
    for (const member of [creator, ...members]) this.members.set(member, 0);
  }

  /** What a command that was never seen before must be answered with; carried out if that is `accepted`. */
  expected(by: string, command: ConversationCommand): string {
    if (!this.members.has(by)) return 'conversation_not_found';
    if (command.type === 'send') {
      if (command.content.type === 'text') this.messages.push({ by, text: command.content.text, deleted: false });
      return 'accepted';
    }
    if (command.type === 'edit' || command.type === 'delete') return this.#change(by, command);
    if (command.type === 'leave') return this.#leave(by);
    if (command.type === 'remove-member' && command.user === by) return 'own_user';
    if (!this.admins.has(by)) return 'admin_required';
    return this.#administer(command);
  }

  #change(by: string, command: ConversationCommand & { type: 'edit' | 'delete' }): string {
    const message = this.messages[command.seq - 1];
    if (message === undefined || command.seq <= (this.members.get(by) ?? 0)) return 'message_not_found';
    if (message.by !== by) return 'not_author';
    if (message.deleted) return 'message_deleted';
    if (command.type === 'delete') message.deleted = true;
    else if (command.content.type === 'text') message.text = command.content.text;
    return 'accepted';
  }

  #leave(by: string): string {
    this.members.delete(by);
    this.admins.delete(by);
    const [heir] = this.members.keys();
    if (this.admins.size === 0 && heir !== undefined) this.admins.add(heir);
    return 'accepted';
  }

  #administer(command: ConversationCommand): string {
    switch (command.type) {
      case 'rename':
        this.name = command.name;
        return 'accepted';
      case 'add-member':
        if (this.members.has(nameOf(command.user))) return 'already_member';
        this.members.set(nameOf(command.user), this.messages.length);
        return 'accepted';
      case 'remove-member':
        if (!this.members.delete(nameOf(command.user))) return 'not_a_member';
        this.admins.delete(nameOf(command.user));
        return 'accepted';
      case 'start-direct':
      case 'create-group':
      case 'leave':
      case 'change-role':
      case 'send':
      case 'edit':
      case 'delete':
        throw new Error(`not in this model: ${command.type}`);
      default:
        return command satisfies never;
    }
  }
}

type Step =
  | {
      readonly do: 'new';
      readonly by: number;
      readonly what: ConversationCommand['type'];
      readonly to: number;
      readonly ago: number;
    }
  | { readonly do: 'resend'; readonly nth: number; readonly copies: number }
  | { readonly do: 'forget' };

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 10,
    arbitrary: fc.record({
      do: fc.constant('new' as const),
      by: fc.nat(3),
      what: fc.constantFrom(
        ...(['send', 'send', 'send', 'edit', 'delete', 'rename', 'add-member', 'remove-member', 'leave'] as const),
      ),
      to: fc.nat(20),
      ago: fc.constantFrom(0, 1_000, 3_600_000),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('resend' as const),
      nth: fc.nat(100),
      copies: fc.integer({ min: 1, max: 4 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('forget' as const) }) },
);

const commandFor = (
  commands: CommandsUnderTest,
  group: ConversationId,
  users: readonly Caller[],
  given: Step,
): ConversationCommand => {
  if (given.do !== 'new') throw new Error('only a new step makes a command');
  const id = commands.newId(commands.clock.now() - given.ago);
  const user = users[given.to % users.length]?.userId;
  if (user === undefined) throw new Error('there are users');
  const common = { commandId: id, conversationId: group };
  switch (given.what) {
    case 'edit':
      return { type: 'edit', ...common, seq: given.to + 1, content: { type: 'text', text: `edited by ${id}` } };
    case 'delete':
      return { type: 'delete', ...common, seq: given.to + 1 };
    case 'rename':
      return { type: 'rename', ...common, name: id };
    case 'add-member':
      return { type: 'add-member', ...common, user };
    case 'remove-member':
      return { type: 'remove-member', ...common, user };
    case 'leave':
      return { type: 'leave', ...common };
    case 'send':
    case 'start-direct':
    case 'create-group':
    case 'change-role':
      return commands.send(group, `text ${id}`, id);
    default:
      return given.what satisfies never;
  }
};

const firstOf = (answer: CommandAnswer): Pick<Accepted, 'seq' | 'time' | 'chain'> => {
  const { seq, time, chain } = accepted(answer);
  return { seq, time, chain };
};

test('M9: whatever is sent, resent and forgotten, the group is what a simple reference says', async () => {
  await using commands = await CommandsUnderTest.open();
  const users = await Promise.all(['ada', 'bob', 'cyd', 'dan'].map((name) => commands.user(name)));
  const [ada, bob, cyd] = users;
  if (ada === undefined || bob === undefined || cyd === undefined) throw new Error('there are users');

  const run = async (steps: readonly Step[]): Promise<void> => {
    const group = await commands.group(ada, bob, cyd);
    const reference = new Reference(ada.userId, [bob.userId, cyd.userId]);
    const sent: { by: Caller; command: ConversationCommand }[] = [];
    let handler: CommandHandler = commands.newHandler();

    const check = async (by: Caller, command: ConversationCommand, answer: Promise<CommandAnswer>): Promise<void> => {
      const id = command.type === 'send' ? command.messageId : command.commandId;
      const before = reference.answers.get(id);
      // What was refused is decided afresh, what was accepted is answered as before.
      const expected = before === undefined ? reference.expected(by.userId, command) : 'accepted';
      const given = await answer;
      expect(codeOf(given)).toBe(expected);
      if (!given.ok) return;
      if (before === undefined) reference.answers.set(id, firstOf(given));
      else expect(firstOf(given)).toEqual(before);
    };

    for (const given of steps) {
      if (given.do === 'forget') {
        handler = commands.newHandler();
      } else if (given.do === 'new') {
        const by = users[given.by % users.length] ?? ada;
        const command = commandFor(commands, group, users, given);
        sent.push({ by, command });
        await check(by, command, handler.submit(by, command));
      } else {
        const again = sent[given.nth % Math.max(1, sent.length)];
        if (again === undefined) continue;
        const copies = Array.from({ length: given.copies }, () => handler.submit(again.by, again.command));
        for (const copy of copies) await check(again.by, again.command, copy);
      }
    }
    const messages: typeof reference.messages = [];
    for (const { event } of await commands.events(group)) {
      const text =
        event !== undefined && 'content' in event && event.content?.type === 'text' ? event.content.text : '';
      if (event?.type === 'message-sent') messages.push({ by: event.by, text, deleted: false });
      const target = event !== undefined && 'target' in event ? messages[event.target - 1] : undefined;
      if (event?.type === 'message-edited' && target !== undefined) target.text = text;
      if (event?.type === 'message-deleted' && target !== undefined) target.deleted = true;
    }
    expect(messages).toEqual(reference.messages);
  };
  await fc.assert(fc.asyncProperty(fc.array(step, { maxLength: 60, size: 'max' }), run), {
    numRuns: process.env['SOAK'] === '1' ? 10_000 : 60,
  });
});
