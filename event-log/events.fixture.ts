import fc from 'fast-check';
import type { MessageContent } from '../schemas/content.ts';
import { parleyEvent, type EventType, type NewEvent, type ParleyEvent } from '../schemas/events.ts';
import {
  uuidV7,
  type CommandId,
  type ConversationId,
  type DeviceId,
  type EventId,
  type UserId,
} from '../schemas/ids.ts';
import type { LogId } from '../schemas/position.ts';

const bytes = (length: number): fc.Arbitrary<Uint8Array> => fc.uint8Array({ minLength: length, maxLength: length });
const shortId = <T extends string>(): fc.Arbitrary<T> =>
  bytes(16).map((id) => Buffer.from(id).toString('base64url') as T);
const uuid = <T extends string>(): fc.Arbitrary<T> =>
  fc.tuple(fc.integer({ min: 0, max: 2 ** 48 - 1 }), bytes(10)).map(([time, random]) => uuidV7(time, random) as T);

const userId = shortId<UserId>();
const conversationId = shortId<ConversationId>();
const logId = shortId<LogId>();
const commandId = uuid<CommandId>();
const count = fc.maxSafeNat();
const seqFrom1 = fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER });
const text = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 100 });
const flag = fc.boolean();
const role = fc.constantFrom('admin' as const, 'member' as const);
const finite = (limit: number): fc.Arbitrary<number> =>
  fc.double({ min: -limit, max: limit, noNaN: true }).filter((value) => !Object.is(value, -0));

const content: fc.Arbitrary<MessageContent> = fc.oneof(
  fc.record({ type: fc.constant('text' as const), text }),
  fc.record(
    { type: fc.constant('location' as const), latitude: finite(90), longitude: finite(180), label: text },
    { requiredKeys: ['type', 'latitude', 'longitude'], noNullPrototype: true },
  ),
);

/** The schema itself sees to it that the fields are those of the type. */
const ofType = (type: EventType, fields: Readonly<Record<string, fc.Arbitrary<unknown>>>): fc.Arbitrary<ParleyEvent> =>
  fc.record(fields, { noNullPrototype: true }).map((values) => parleyEvent.parse({ ...values, type }));

const inConversation = { commandId, idTimeMax: count, mac: shortId(), by: userId, seq: count };

/** Any event of every type, personal fields present. */
export const eventsByType: { readonly [T in EventType]: fc.Arbitrary<ParleyEvent> } = {
  'conversation-started': ofType('conversation-started', {
    ...inConversation,
    kind: fc.constantFrom('direct', 'group'),
    members: fc.array(fc.record({ userId, role }, { noNullPrototype: true }), { minLength: 1, maxLength: 5 }),
  }),
  'conversation-renamed': ofType('conversation-renamed', { ...inConversation, name: text }),
  'member-added': ofType('member-added', { ...inConversation, userId, role, visibleFrom: count }),
  'member-removed': ofType('member-removed', { ...inConversation, userId }),
  'member-left': ofType('member-left', inConversation),
  'role-changed': ofType('role-changed', { ...inConversation, userId, role }),
  'message-sent': ofType('message-sent', { ...inConversation, replyTo: fc.option(seqFrom1), content }),
  'message-edited': ofType('message-edited', { ...inConversation, target: seqFrom1, content }),
  'message-deleted': ofType('message-deleted', { ...inConversation, target: seqFrom1 }),
  'user-registered': ofType('user-registered', {
    kind: fc.constantFrom('person', 'bot', 'guest', 'imported'),
    issuer: fc.option(text),
    subject: text,
  }),
  'profile-changed': ofType('profile-changed', {
    commandId,
    profile: fc.record({ displayName: text, statusText: text }, { requiredKeys: [], noNullPrototype: true }),
  }),
  'contact-saved': ofType('contact-saved', { commandId, contact: userId, alias: text }),
  'contact-removed': ofType('contact-removed', { commandId, contact: userId }),
  'user-blocked': ofType('user-blocked', { commandId, blocked: userId }),
  'user-unblocked': ofType('user-unblocked', { commandId, blocked: userId }),
  'chat-settings-changed': ofType('chat-settings-changed', {
    commandId,
    conversationId,
    mutedUntil: count,
    pinned: flag,
    archivedAt: fc.option(count),
  }),
  'sessions-ended': ofType('sessions-ended', {
    commandId,
    deviceId: fc.option(fc.stringMatching(/^[A-Za-z0-9._:-]{1,64}$/).map((id) => id as DeviceId)),
    reason: fc.constantFrom('signed-out', 'revoked', 'password-changed'),
  }),
  'user-disabled': ofType('user-disabled', { disabled: flag }),
  'user-erased': ofType('user-erased', {}),
  'receipts-advanced': ofType('receipts-advanced', {
    marks: fc.array(fc.record({ userId, delivered: count, read: count }, { noNullPrototype: true }), {
      minLength: 1,
      maxLength: 5,
    }),
  }),
  'came-online': ofType('came-online', {}),
  'went-offline': ofType('went-offline', { lastSeen: count }),
  'status-announced': ofType('status-announced', {
    availability: fc.constantFrom('available', 'away', 'busy'),
    text: fc.string({ unit: 'grapheme', maxLength: 100 }),
  }),
  'epoch-started': ofType('epoch-started', {
    log: logId,
    parent: fc.option(fc.record({ log: logId, cut: count }, { noNullPrototype: true })),
    base: count,
    reason: fc.constantFrom('new', 'restored', 'copied'),
    pairs: fc.array(fc.tuple(count, count), { maxLength: 3 }),
  }),
};

/** As events come from deciders: mostly caused by their own command, sometimes by something else. */
export const anyNewEvent: fc.Arbitrary<NewEvent> = fc
  .tuple(
    fc.oneof(...Object.values(eventsByType)),
    uuid<EventId>(),
    fc.integer({ min: 0, max: 2 ** 48 - 1 }),
    fc.option(fc.oneof(uuid(), text)),
    fc.option(fc.oneof(uuid(), text)),
  )
  .map(([event, eventId, time, cause, correlation]) => {
    const causationId = cause ?? ('commandId' in event ? event.commandId : eventId);
    return { eventId, time, causationId, correlationId: correlation ?? causationId, event };
  });

export const anyId = shortId;
