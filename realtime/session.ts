import type { Duplex } from 'node:stream';
import { setTimeout as pause } from 'node:timers/promises';
import type { WebSocket } from 'ws';
import type { Caller, CommandAnswer } from '../command-side/command-gateway.ts';
import type { Command } from '../schemas/commands.ts';
import { closes, reject, type CloseName } from '../schemas/errors.ts';
import type { ClientFrame, ClientFrameOf, ServerFrame } from '../schemas/frames.ts';
import type { CommandId, ConversationId, UserId } from '../schemas/ids.ts';
import { cursorAt } from '../schemas/position.ts';
import { answerPresence } from './answer-presence.ts';
import { catchUp, type Behind } from './catch-up.ts';
import type { BlockList } from './block-list.ts';
import { Echoes } from './echoes.ts';
import { answeredIdOf, doneFrame, encodeFrame, refusedFrame, rejectedFrame, type AnsweredId } from './encode-frame.ts';
import { firstSync } from './first-sync.ts';
import { Intake } from './intake.ts';
import { Outbox } from './outbox.ts';
import type { PresenceViewer } from './presence-subscriptions.ts';
import { readFrame } from './read-frame.ts';
import { renewToken } from './renew-token.ts';
import type { SessionDeps } from './session-deps.ts';
import { SignsOfLife } from './signs-of-life.ts';
import type { SignedIn } from './sign-in.ts';
import { welcomeFrame } from './welcome-frame.ts';
import { startOf } from './start-of.ts';

const mostRefusedInARow = 50;
const secondsBetween = { idleSynced: 60, waiting: 5 } as const;
/** A device behind is told how far it is at least this often, so that it comes on over connections that end early. */
const bytesToSync = 16 * 1_024;
const secondsWithoutProgress = 30;
const secondsToClose = 3;

type Stage = 'not-asked' | 'behind' | 'blocked' | 'live';

/** One socket: its user's commands in, what the user may see out. */
export class Session implements Behind, PresenceViewer {
  readonly caller: Caller;
  readonly blocks: BlockList;
  readonly #ws: WebSocket;
  readonly #deps: SessionDeps;
  readonly #outbox: Outbox;
  readonly #intake: Intake;
  readonly #echoes = new Echoes();
  readonly #signsOfLife: SignsOfLife;
  /** Spreads over a minute what every session does once a minute. */
  readonly #second: number;
  #expiresAt: number;
  #stage: Stage = 'not-asked';
  #catchingUp: AbortController | undefined;
  /** Everything of the log up to here is queued or not for this user; kept up to date by the router while live. */
  #place = 0;
  #syncedPlace = 0;
  #syncDue = false;
  /** While behind: a second has passed since the device was told, or could be told, how far it is. */
  #partSyncDue = false;
  #bytesSinceSynced = 0;
  #refusedInARow = 0;
  #secondsBehind = 0;
  #secondsStalled = 0;
  #secondsClosing: number | undefined;
  #draining = false;

  constructor(
    ws: WebSocket,
    socket: Duplex,
    { caller, expiresAt }: SignedIn & { ok: true },
    blocks: BlockList,
    second: number,
    deps: SessionDeps,
  ) {
    this.caller = caller;
    this.blocks = blocks;
    this.#ws = ws;
    this.#deps = deps;
    this.#expiresAt = expiresAt;
    this.#second = second;
    this.#outbox = new Outbox(ws, socket, deps.turn);
    this.#intake = new Intake(ws, this.#outbox);
    ws.on('message', (data, isBinary) => {
      if (isBinary || !Buffer.isBuffer(data)) this.end('not_text');
      else this.#receive(data);
    });
    for (const sign of ['ping', 'pong']) ws.on(sign, () => this.#hear());
    this.#signsOfLife = new SignsOfLife(deps.presence, () => deps.keeper.heard(caller));
    deps.keeper.heard(caller);
    this.#outbox.push(welcomeFrame(caller, deps.clock.now(), deps.limits));
  }

  get userId(): Caller['userId'] {
    return this.caller.userId;
  }

  /** Bytes that the kernel has not taken. */
  get unsentBytes(): number {
    return this.#outbox.unsentBytes;
  }

  /** Commands whose answer is not queued yet, and other frames whose work has only begun. */
  get inFlight(): number {
    return this.#intake.inFlight;
  }

  /** From the router, in the order of the log. */
  deliver(frame: Buffer, place: number, sent: CommandId | undefined): void {
    if (this.#stage !== 'live' || place <= this.#place) return;
    if (this.offer(frame, sent)) this.#place = place;
    // Everything before this event is queued: from it on the session pulls for itself until it has caught up again.
    else void this.#follow((signal) => this.#pull(place - 1, signal));
  }

  /** The gateway misses what lies after `place`: the session pulls it for itself, after a while. */
  pullFrom(place: number, afterMs: number): void {
    if (this.#stage === 'live') void this.#follow((signal) => this.#pull(place, signal, afterMs));
  }

  offer(frame: Buffer, sent: CommandId | undefined): boolean {
    if (this.#outbox.full) return false;
    this.#syncDue = true;
    this.#bytesSinceSynced += frame.length;
    if (sent === undefined || !this.#echoes.passOver(sent, frame)) this.#outbox.push(frame);
    return true;
  }

  drained(): Promise<void> {
    return new Promise((resolve) => this.#outbox.whenDrained(resolve));
  }

  reached(place: number, isFull: boolean): void {
    const isDue = this.#partSyncDue || isFull || this.#bytesSinceSynced >= bytesToSync;
    if (!isDue || place <= this.#syncedPlace) return;
    this.#partSyncDue = false;
    this.#sync(place, this.#cursorAt(place));
  }

  goLive(place: number): void {
    const { feed } = this.#deps;
    if (place > feed.place) this.#goLive(place, this.#cursorAt(place));
    else this.#goLive(feed.place, feed.cursor);
  }

  #cursorAt(place: number): string {
    return cursorAt(this.#deps.eventLog.positionAt(place));
  }

  /** Once a second; `second` counts them for all sessions. */
  tick(second: number): void {
    if (this.#secondsClosing !== undefined) {
      if (++this.#secondsClosing > secondsToClose) this.#ws.terminate();
      return;
    }
    if (this.#deps.clock.now() >= this.#expiresAt) {
      this.end('token_expired');
      return;
    }
    this.#secondsStalled = this.#outbox.madeProgress() ? 0 : this.#secondsStalled + 1;
    if (this.#secondsStalled >= secondsWithoutProgress) {
      this.end('slow_consumer');
      return;
    }
    this.#outbox.dropFleeting();
    const mine = second + this.#second;
    const due = this.#signsOfLife.tick(mine, this.#ws.isPaused);
    if (due === 'silent') {
      this.#ws.terminate();
      return;
    }
    if (due === 'ping') this.#ws.ping();
    if (this.#stage === 'live' && this.#deps.feed.stopped === undefined) {
      this.#syncOnTime(mine % secondsBetween.idleSynced === 0);
    } else if (this.#stage !== 'not-asked') this.#sayWaiting();
  }

  /** Commands that come from now on are refused as `draining`. */
  drain(): void {
    this.#draining = true;
  }

  /** Closes the socket with what is queued before the close frame. Repeating it changes nothing. */
  end(name: CloseName, reason: string = name): void {
    if (this.#secondsClosing !== undefined) return;
    this.#secondsClosing = 0;
    this.#signsOfLife.end();
    this.#deps.metrics.closed(name);
    this.stop();
    this.#outbox.flushAll();
    this.#ws.close(closes[name].code, reason);
  }

  /** Ends the socket at once, without a close frame. */
  terminate(): void {
    this.stop();
    this.#ws.terminate();
  }

  /** Ends what the session has under way in this process; its socket is gone or about to go. */
  stop(): void {
    this.#stage = 'not-asked';
    this.#catchingUp?.abort();
    this.#catchingUp = undefined;
  }

  #receive(bytes: Buffer): void {
    if (this.#secondsClosing !== undefined) return;
    this.#hear();
    const read = readFrame(bytes);
    if (read.ok) {
      this.#refusedInARow = 0;
      this.#handle(read.frame);
    } else if (++this.#refusedInARow > mostRefusedInARow) this.end('too_many_errors');
    else this.#outbox.push(refusedFrame(read.ids, read.code, read.message));
    this.#intake.keepBounds();
  }

  #handle(frame: ClientFrame): void {
    if (frame.type === 'resume' || frame.type === 'first-sync') void this.#resume(frame);
    else if (frame.type === 'ping') this.#push({ type: 'pong', time: this.#deps.clock.now() });
    else if (frame.type === 'renew') void this.#renew(frame.token);
    else if (frame.type === 'typing') void this.#intake.count(this.#deps.typing.say(this.userId, frame.conversationId));
    else if (frame.type === 'subscribe-presence') void this.#subscribe(frame.users);
    else this.#submit(frame);
  }

  #submit(command: Command): void {
    const id = answeredIdOf(command);
    if (this.#draining) {
      this.#outbox.push(rejectedFrame(id, reject('draining', 'this server is shutting down', { retryAfterMs: 1_000 })));
      return;
    }
    this.#intake.begin();
    const sent = command.type === 'send' ? command.messageId : undefined;
    if (sent !== undefined) this.#echoes.sent(sent);
    void this.#decide(id, sent, command);
  }

  async #decide(id: AnsweredId, sent: CommandId | undefined, command: Command): Promise<void> {
    let answer: CommandAnswer;
    try {
      answer = await this.#deps.gateway.submit(this.caller, command);
    } catch (error) {
      this.#deps.warn({ err: error, userId: this.userId }, 'a command failed');
      answer = { ok: false, rejection: reject('internal', 'the command failed') };
    }
    this.#answer(id, sent, answer);
  }

  #answer(id: AnsweredId, sent: CommandId | undefined, answer: CommandAnswer): void {
    this.#outbox.push(answer.ok ? doneFrame(id, answer.done) : rejectedFrame(id, answer.rejection));
    const held = sent === undefined ? undefined : this.#echoes.answered(sent, answer.ok);
    if (held !== undefined) this.#outbox.push(held);
    if (answer.ok) this.#syncDue = true;
    this.#intake.end();
  }

  async #renew(token: string): Promise<void> {
    const renewed = await this.#intake.count(renewToken(token, this.caller, this.#deps));
    if (typeof renewed === 'number') this.#expiresAt = renewed;
    else this.#push({ type: 'error', code: renewed.code, message: renewed.message });
  }

  showPresence(user: UserId, frame: Buffer): void {
    this.#outbox.pushLater(user, frame);
  }

  /** Only while live: then it is known whom the user blocks. */
  showTyping(by: UserId, conversationId: ConversationId, frame: Buffer): void {
    if (this.#stage === 'live' && !this.blocks.hides(by)) this.#outbox.pushFleeting(by + conversationId, frame);
  }

  async #subscribe(users: readonly UserId[]): Promise<void> {
    this.#intake.begin();
    this.#outbox.push(await answerPresence(this, users, this.#deps.feed.place, this.#deps));
    this.#intake.end();
  }

  #resume(frame: ClientFrameOf<'resume' | 'first-sync'>): Promise<void> {
    this.#echoes.forgetAnswered();
    return this.#follow(async (signal) => {
      const reads = Promise.all([startOf(frame, this.userId, this.#deps.eventLog), this.blocks.load()]);
      const [start] = await this.#intake.count(reads);
      signal.throwIfAborted();
      // Who was erased while the handshake was under way had no session yet that the router could end.
      if (this.blocks.isErased) this.end('token_expired');
      else if ('reset' in start) {
        this.stop();
        this.#push({ type: 'reset', reason: start.reset });
      } else if ('chatsAfter' in start) {
        await this.#pull(await firstSync(start, this, this.#deps, signal), signal);
      } else if (start.place > this.#deps.feed.place || this.#deps.feed.nothingAfter(start.place)) {
        this.goLive(start.place);
      } else await this.#pull(start.place, signal);
    });
  }

  async #pull(place: number, signal: AbortSignal, afterMs = 0): Promise<void> {
    if (afterMs > 0) await pause(afterMs, undefined, { signal });
    await this.blocks.load();
    const reached = await catchUp(place, this, this.#deps, signal);
    signal.throwIfAborted();
    if (reached === 'blocked') this.#stage = 'blocked';
  }

  /** Puts the session behind, whatever it was before, until `catchingUp` brings it to the router's place. */
  async #follow(catchingUp: (signal: AbortSignal) => Promise<void>): Promise<void> {
    this.stop();
    this.#stage = 'behind';
    this.#secondsBehind = 0;
    this.#syncedPlace = -1;
    this.#partSyncDue = false;
    const { signal } = (this.#catchingUp = new AbortController());
    try {
      await catchingUp(signal);
    } catch (error) {
      if (signal.aborted) return;
      this.#deps.warn({ err: error, userId: this.userId }, 'a session could not catch up');
      this.end('failed');
    }
  }

  #goLive(place: number, cursor: string): void {
    this.#catchingUp = undefined;
    this.#stage = 'live';
    this.#place = place;
    this.#sync(place, cursor);
  }

  /** Everything up to `place` is queued, so a frame queued now is written after all of it. */
  #sync(place: number, cursor: string): void {
    this.#syncDue = this.#echoes.held > 0;
    if (this.#syncDue) return;
    this.#syncedPlace = place;
    this.#bytesSinceSynced = 0;
    this.#push({ type: 'synced', cursor, caughtUp: this.#stage === 'live' });
  }

  #syncOnTime(isIdleTurn: boolean): void {
    const { feed } = this.#deps;
    if ((this.#syncDue || isIdleTurn) && feed.place > this.#syncedPlace) this.#sync(feed.place, feed.cursor);
  }

  #sayWaiting(): void {
    this.#partSyncDue = true;
    this.#secondsBehind++;
    if (this.#secondsBehind % secondsBetween.waiting !== 0 || this.#outbox.full) return;
    this.#push({ type: 'waiting', for: this.#stage === 'behind' ? 'catch-up' : 'log' });
  }

  #hear(): void {
    this.#signsOfLife.heard();
    this.#intake.keepBounds();
  }

  #push(frame: ServerFrame): void {
    this.#outbox.push(encodeFrame(frame));
  }
}
