import type { MessageContent } from '../schemas/content.ts';
import type { EventOf, EventType } from '../schemas/events.ts';
import { LogDamaged } from './event-log.ts';
import {
  commandIdWire,
  conversationIdWire,
  decimal,
  deviceIdWire,
  flag,
  integer,
  listOf,
  logIdWire,
  macWire,
  nullable,
  oneOf,
  record,
  text,
  userIdWire,
  type Wire,
} from './wire.ts';

/** A field of an event. The personal ones are encrypted, and null once their subject's key is gone. */
export interface Field<T> extends Wire<T> {
  readonly personal?: true;
}

/** Every field of an event in the order in which it is stored: for ever, and new ones come last. */
type FieldsOf<E> = { readonly [K in Exclude<keyof E, 'type'>]-?: Field<E[K]> };

const personal = <T>(wire: Wire<T>): Field<T | null> => ({ ...nullable(wire), personal: true });

const role = oneOf('admin', 'member');

const content: Wire<MessageContent> = record<MessageContent>(
  (said) =>
    said.type === 'text'
      ? [0, said.text]
      : [1, said.latitude, said.longitude, said.label === undefined ? null : said.label],
  ([form, first, second, label]) => {
    switch (form) {
      case 0:
        return { type: 'text', text: text.decode(first) };
      case 1: {
        const place = { latitude: decimal.decode(first), longitude: decimal.decode(second) };
        return { type: 'location', ...place, ...(label === null ? {} : { label: text.decode(label) }) };
      }
      default:
        throw new LogDamaged('a message has an unknown form of content');
    }
  },
);

const profile = record<NonNullable<EventOf<'profile-changed'>['profile']>>(
  (shown) => [shown.displayName ?? null, shown.statusText ?? null],
  ([displayName, statusText]) => ({
    ...(displayName === null ? {} : { displayName: text.decode(displayName) }),
    ...(statusText === null ? {} : { statusText: text.decode(statusText) }),
  }),
);

const member = record<EventOf<'conversation-started'>['members'][number]>(
  (one) => [userIdWire.encode(one.userId), role.encode(one.role)],
  ([userId, has]) => ({ userId: userIdWire.decode(userId), role: role.decode(has) }),
);

const mark = record<EventOf<'receipts-advanced'>['marks'][number]>(
  (one) => [userIdWire.encode(one.userId), one.delivered, one.read],
  ([userId, delivered, read]) => ({
    userId: userIdWire.decode(userId),
    delivered: integer.decode(delivered),
    read: integer.decode(read),
  }),
);

const parent = record<NonNullable<EventOf<'epoch-started'>['parent']>>(
  (one) => [logIdWire.encode(one.log), one.cut],
  ([log, cut]) => ({ log: logIdWire.decode(log), cut: integer.decode(cut) }),
);

const pair = record<EventOf<'epoch-started'>['pairs'][number]>(
  (one) => one,
  ([place, n]) => [integer.decode(place), integer.decode(n)],
);

const epochStarted = {
  log: logIdWire,
  parent: nullable(parent),
  base: integer,
  reason: oneOf<EventOf<'epoch-started'>['reason']>('new', 'restored', 'copied'),
};

const inConversation = {
  commandId: commandIdWire,
  idTimeMax: integer,
  mac: macWire,
  by: userIdWire,
  seq: integer,
};

const sessionsEnded = {
  deviceId: nullable(deviceIdWire),
  reason: oneOf('signed-out', 'revoked', 'password-changed'),
};

export const eventFields = {
  'conversation-started': { ...inConversation, kind: oneOf('direct', 'group'), members: listOf(member) },
  'conversation-renamed': { ...inConversation, name: personal(text) },
  'member-added': { ...inConversation, userId: userIdWire, role, visibleFrom: integer },
  'member-removed': { ...inConversation, userId: userIdWire },
  'member-left': inConversation,
  'role-changed': { ...inConversation, userId: userIdWire, role },
  'message-sent': { ...inConversation, replyTo: nullable(integer), content: personal(content) },
  'message-edited': { ...inConversation, target: integer, content: personal(content) },
  'message-deleted': { ...inConversation, target: integer },
  'user-registered': {
    kind: oneOf('person', 'bot', 'guest', 'imported'),
    issuer: personal(text),
    subject: personal(text),
  },
  'profile-changed': { commandId: commandIdWire, profile: personal(profile) },
  'contact-saved': { commandId: commandIdWire, contact: userIdWire, alias: personal(text) },
  'contact-removed': { commandId: commandIdWire, contact: userIdWire },
  'user-blocked': { commandId: commandIdWire, blocked: userIdWire },
  'user-unblocked': { commandId: commandIdWire, blocked: userIdWire },
  'chat-settings-changed': {
    commandId: commandIdWire,
    conversationId: conversationIdWire,
    mutedUntil: integer,
    pinned: flag,
    archivedAt: nullable(integer),
  },
  'sessions-ended': { ...sessionsEnded, commandId: commandIdWire },
  'user-disabled': { disabled: flag },
  'user-erased': {},
  'receipts-advanced': { marks: listOf(mark) },
  'came-online': {},
  'went-offline': { lastSeen: integer },
  'status-announced': { availability: oneOf('available', 'away', 'busy'), text: personal(text) },
  'epoch-started': { ...epochStarted, pairs: listOf(pair) },
} satisfies { readonly [T in EventType]: FieldsOf<EventOf<T>> };

/** `type@version` → the fields of a version that is written no more; schemas/upcast.ts leads on from it. */
export const pastFields = new Map<string, Readonly<Record<string, Field<unknown>>>>([
  ['sessions-ended@1', sessionsEnded],
  ['epoch-started@1', epochStarted],
]);
