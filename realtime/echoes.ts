import type { CommandId } from '../schemas/ids.ts';

/**
 * Far more than is accepted while the router reads the members of a conversation, however fast a socket sends. An id
 * forgotten too early costs the client one frame it can tell by its id.
 */
const mostRemembered = 2_048;

interface Send {
  /** Answers still due: the same id may be under way twice. */
  due: number;
  accepted: boolean;
  /** The message frame, if the event came before the answer. */
  held: Buffer | undefined;
}

/**
 * The sends of one socket, to which `accepted` stands in place of `message`. Whichever comes first, the event or its
 * answer, the client gets one of the two frames; when the answer is no `accepted`, it gets the message.
 */
export class Echoes {
  readonly #sends = new Map<CommandId, Send>();
  #held = 0;

  /** Events passed over whose answer is not written: the device must not be told yet that it has everything. */
  get held(): number {
    return this.#held;
  }

  sent(id: CommandId): void {
    const send = this.#sends.get(id);
    if (send === undefined) this.#sends.set(id, { due: 1, accepted: false, held: undefined });
    else send.due++;
  }

  /** Of what was answered before a new beginning the client may hold nothing: it gets the messages. */
  forgetAnswered(): void {
    for (const [id, send] of this.#sends) if (send.due === 0) this.#sends.delete(id);
  }

  /** The message frame to write after the answer, if one was held back for an answer that is no `accepted`. */
  answered(id: CommandId, accepted: boolean): Buffer | undefined {
    const send = this.#sends.get(id);
    if (send === undefined) return undefined;
    send.due--;
    send.accepted ||= accepted;
    const held = send.held;
    if (held !== undefined && (accepted || send.due === 0)) {
      send.held = undefined;
      this.#held--;
      if (send.due === 0) this.#sends.delete(id);
      return send.accepted ? undefined : held;
    }
    if (send.due === 0 && !send.accepted) this.#sends.delete(id);
    this.#forgetOldest();
    return undefined;
  }

  /** Whether the event of this id needs no message frame on this socket. */
  passOver(id: CommandId, frame: Buffer): boolean {
    const send = this.#sends.get(id);
    if (send === undefined) return false;
    if (send.accepted) {
      if (send.due === 0) this.#sends.delete(id);
      return true;
    }
    if (send.held === undefined) this.#held++;
    send.held = frame;
    return true;
  }

  #forgetOldest(): void {
    if (this.#sends.size <= mostRemembered) return;
    for (const [id, send] of this.#sends) {
      if (send.due > 0) continue;
      this.#sends.delete(id);
      return;
    }
  }
}
