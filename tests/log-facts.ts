import type { ConversationEvent } from '../schemas/conversation-events.ts';
import { conversationEvent } from '../schemas/conversation-events.ts';
import type { RecordedEvent } from '../schemas/events.ts';
import { kindOf, subjectOf } from '../schemas/streams.ts';

/** What the checker needs of a stored event. */
export type LoggedEvent = Pick<RecordedEvent, 'stream' | 'revision' | 'position' | 'time' | 'event' | 'link'>;

export interface Violation {
  readonly promise: 'I1' | 'I2' | 'I3' | 'I4' | 'I6' | 'I8' | 'I9';
  readonly says: string;
}

/** One stay of a user in a conversation: from the event that began it to the one that ended it. */
export interface Stay {
  readonly since: number;
  readonly visibleFrom: number;
  /** Infinity while the stay lasts. */
  until: number;
  untilSeq: number;
  untilTime: number;
}

export interface LoggedMessage {
  readonly conversation: string;
  readonly seq: number;
  readonly revision: number;
  readonly id: string;
  readonly by: string;
  readonly time: number;
  readonly link: string | null;
  readonly replyTo: number | null;
  /** As `bodyKey` has them: what was sent, then every edit. */
  readonly contents: string[];
  /** When it was sent, then when it was changed, in milliseconds. */
  readonly times: number[];
  deleted: boolean;
}

export interface LoggedCommand {
  readonly by: string;
  readonly time: number;
  readonly link: string | null;
  readonly message: LoggedMessage | undefined;
}

export interface ConversationFacts {
  readonly messages: LoggedMessage[];
  readonly commands: Map<string, LoggedCommand>;
  /** Changes that are not messages, by the version clients see. */
  readonly changes: Map<
    number,
    { readonly event: ConversationEvent; readonly revision: number; readonly edit: number }
  >;
  readonly stays: Map<string, Stay[]>;
  revision: number;
}

/** Something a user had a right to when it happened. */
export interface Due {
  readonly n: number;
  readonly message: LoggedMessage;
  /** Which content of the message: 0 as sent, then the edits; Infinity once deleted. */
  readonly state: number;
  readonly stay: Stay;
}

/** One spelling of a content, whatever the order of its fields. */
export const bodyKey = (content: object | null): string =>
  JSON.stringify(content, content === null ? null : Object.keys(content).toSorted());

/** The log read once, by code that shares nothing with the server's own folds. */
export interface LogFacts {
  readonly conversations: ReadonlyMap<string, ConversationFacts>;
  /** Of each user, in the order of the log. */
  readonly due: ReadonlyMap<string, readonly Due[]>;
  readonly violations: readonly Violation[];
}

export const factsOf = (log: readonly LoggedEvent[]): LogFacts => {
  const conversations = new Map<string, ConversationFacts>();
  const due = new Map<string, Due[]>();
  const violations: Violation[] = [];
  let lastN = 0;
  for (const logged of log) {
    if (logged.position.n <= lastN)
      violations.push({ promise: 'I3', says: `position ${logged.position.n} comes late` });
    lastN = logged.position.n;
    if (kindOf(logged.stream) !== 'conversation') continue;
    const parsed = conversationEvent.safeParse(logged.event);
    const id = subjectOf(logged.stream);
    if (!parsed.success) {
      violations.push({ promise: 'I3', says: `${id} has an event at revision ${logged.revision} nobody can read` });
      continue;
    }
    const facts = getOrMake(conversations, id, newConversation);
    violations.push(...add(id, facts, logged, parsed.data));
    for (const [user, one] of dueOf(facts, logged, parsed.data)) getOrMake(due, user, () => []).push(one);
  }
  return { conversations, due, violations };
};

const newConversation = (): ConversationFacts => ({
  messages: [],
  commands: new Map(),
  changes: new Map(),
  stays: new Map(),
  revision: -1,
});

const getOrMake = <K, V>(map: Map<K, V>, key: K, make: () => V): V => {
  const present = map.get(key);
  if (present !== undefined) return present;
  const made = make();
  map.set(key, made);
  return made;
};

const add = (
  conversation: string,
  facts: ConversationFacts,
  { revision, time, link }: LoggedEvent,
  event: ConversationEvent,
): Violation[] => {
  const violations: Violation[] = [];
  const say = (promise: Violation['promise'], says: string) =>
    violations.push({ promise, says: `${conversation}: ${says}` });

  if (revision !== facts.revision + 1) say('I3', `revision ${revision} follows ${facts.revision}`);
  facts.revision = revision;

  let message: LoggedMessage | undefined;
  if (event.type === 'message-sent') {
    const { seq, commandId: id, by, replyTo } = event;
    if (seq !== facts.messages.length + 1) say('I3', `seq ${seq} follows ${facts.messages.length}`);
    message = {
      conversation,
      seq,
      revision,
      id,
      by,
      time,
      link,
      replyTo,
      contents: [bodyKey(event.content)],
      times: [time],
      deleted: false,
    };
    facts.messages.push(message);
  } else {
    if (event.seq !== facts.messages.length) say('I3', `revision ${revision} names the seq ${event.seq}`);
    facts.changes.set(revision + 1 - event.seq, { event, revision, edit: stateAfter(facts, event, time) });
  }
  moveMembers(facts, event, revision, time);

  const known = facts.commands.get(event.commandId);
  if (known === undefined) facts.commands.set(event.commandId, { by: event.by, time, link, message });
  else if (message !== undefined || known.message !== undefined) say('I2', `${event.commandId} is in the log twice`);
  return violations;
};

const stateAfter = (facts: ConversationFacts, event: ConversationEvent, time: number): number => {
  if (event.type === 'message-edited') {
    const message = facts.messages[event.target - 1];
    message?.contents.push(bodyKey(event.content));
    message?.times.push(time);
    return (message?.contents.length ?? 0) - 1;
  }
  if (event.type !== 'message-deleted') return -1;
  const message = facts.messages[event.target - 1];
  if (message !== undefined) {
    message.deleted = true;
    message.times.push(time);
  }
  return Infinity;
};

const moveMembers = (facts: ConversationFacts, event: ConversationEvent, revision: number, time: number): void => {
  const begin = (user: string, visibleFrom: number): void => {
    const stay: Stay = { since: revision, visibleFrom, until: Infinity, untilSeq: Infinity, untilTime: Infinity };
    getOrMake(facts.stays, user, () => []).push(stay);
  };
  const end = (user: string): void => {
    const stay = facts.stays.get(user)?.at(-1);
    if (stay !== undefined) Object.assign(stay, { until: revision, untilSeq: event.seq, untilTime: time });
  };
  if (event.type === 'conversation-started') for (const { userId } of event.members) begin(userId, event.seq);
  else if (event.type === 'member-added') begin(event.userId, event.visibleFrom);
  else if (event.type === 'member-removed') end(event.userId);
  else if (event.type === 'member-left') end(event.by);
};

function* dueOf(
  facts: ConversationFacts,
  { position }: LoggedEvent,
  event: ConversationEvent,
): Iterable<[string, Due]> {
  const seq = event.type === 'message-sent' ? event.seq : 'target' in event ? event.target : 0;
  const message = facts.messages[seq - 1];
  if (message === undefined) return;
  const state = event.type === 'message-deleted' ? Infinity : message.contents.length - 1;
  for (const [user, stays] of facts.stays) {
    const stay = stays.at(-1);
    if (stay === undefined || stay.until < Infinity || seq <= stay.visibleFrom) continue;
    yield [user, { n: position.n, message, state, stay }];
  }
}
