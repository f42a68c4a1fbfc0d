import type { CommandId, ConversationId, UserId } from '../schemas/ids.ts';
import type { LogPosition } from '../schemas/position.ts';
import type { PresenceEvent } from '../schemas/presence-events.ts';
import type { UserEvent } from '../schemas/user-events.ts';
import type { LazyFrame } from './lazy-frame.ts';

/** A frame with all who may receive it. */
export interface FrameDelivery {
  readonly is: 'frame';
  readonly place: number;
  /** Of its event, in milliseconds. */
  readonly time: number;
  readonly receivers: readonly UserId[];
  readonly frame: LazyFrame;
  /** In place of the frame, to those whose membership begins. */
  readonly whole: { readonly isFor: UserId; readonly frame: LazyFrame } | undefined;
  /** In place of the frame, to those who block the author. */
  readonly hidden: { readonly by: UserId; readonly frame: LazyFrame } | undefined;
  /** The send of which it is the event: who sent it may have its answer already. */
  readonly sent: { readonly by: UserId; readonly messageId: CommandId } | undefined;
  /** Who is no member any more. */
  readonly left: UserId | undefined;
  /** The conversation whose members or name it changes: what is held of it is old. */
  readonly alters: ConversationId | undefined;
}

/** A change of a user's own account, with the frame for its devices if they show it. */
export interface AccountDelivery {
  readonly is: 'account';
  readonly place: number;
  readonly user: UserId;
  readonly event: UserEvent;
  readonly revision: number;
  readonly frame: Buffer | undefined;
}

/** A change of presence, to whoever shows the user. */
export interface PresenceDelivery {
  readonly is: 'presence';
  readonly place: number;
  readonly user: UserId;
  readonly event: PresenceEvent;
  readonly version: number;
}

export type Delivery = FrameDelivery | AccountDelivery | PresenceDelivery;

/** All that a channel has of the log after one place, up to another, in order. */
export interface RoutedBatch {
  readonly is: 'batch';
  readonly channel: number;
  readonly from: number;
  readonly through: number;
  /** Names `through`; all of a batch lies in one log. */
  readonly position: LogPosition;
  readonly deliveries: readonly Delivery[];
}

/** That somebody types: no part of the log, and not missed. */
export interface Typed {
  readonly is: 'typed';
  readonly by: UserId;
  readonly conversationId: ConversationId;
  readonly receivers: readonly UserId[];
  readonly frame: LazyFrame;
}

export type BusMessage = RoutedBatch | Typed;

/**
 * From the routers, which know who may receive what, to the gateways, which hold the sockets.
 *
 * It only makes things fast: a message may be lost, or come twice. A gateway sees by `from` and `through` what it misses and
 * asks a router for it, and passes over what it has. Those who listen hear the batches of one router in their order.
 */
export interface Bus {
  /** Never throws, and never waits for those who listen. */
  publish(message: BusMessage): void;
  /** Until the function it returns is called. */
  listen(listener: (message: BusMessage) => void): () => void;
}
