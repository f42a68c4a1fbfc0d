import { randomUUID } from 'node:crypto';
import type { ServerDuplexStream } from '@grpc/grpc-js';
import type { BatchAppendReq, BatchAppendResp } from '@eventstore/db-client/generated/streams_pb.js';
import { badRequest, isTooLarge } from './append-rules.ts';
import {
  accessDeniedAnswer,
  type Asked,
  badRequestAnswer,
  notReadyAnswer,
  outcomeAnswer,
  timeoutAnswer,
  tooLargeAnswer,
} from './batch-append-answers.ts';
import type { AppendFault } from './faults.ts';
import type { Log } from './log.ts';
import type { Node } from './node.ts';
import { isAnonymous } from './security.ts';
import type { ExpectedRevision, ProposedEvent } from './stored-event.ts';
import { undergo } from './undergo.ts';
import { expectedRevisionOf, nameOf, parseUuid, proposedEventOf } from './wire.ts';

/** An append, which may come in several messages. */
interface PendingAppend extends Asked {
  readonly fault: AppendFault | undefined;
  readonly expected: ExpectedRevision;
  readonly deadline: Date | undefined;
  /** undefined: its id is none. */
  readonly events: (ProposedEvent | undefined)[];
}

/** How long the real server keeps what belongs to an append, also of one it has refused. */
const commitTimeoutMs = 2_000;

type Call = ServerDuplexStream<BatchAppendReq, BatchAppendResp>;

export const batchAppend =
  ({ log, faults, connections, settings }: Node) =>
  (call: Call): void => {
    const pending = new Map<string, PendingAppend>();
    let deaf = false;
    const timers = new Set<NodeJS.Timeout>();
    const cut = (): void => connections.cut(call.getPeer());
    const answer = (message: BatchAppendResp): void => {
      if (!call.cancelled) call.write(message);
    };
    const answerAfter = (ms: number, message: BatchAppendResp): void => {
      const timer = setTimeout(() => {
        timers.delete(timer);
        answer(message);
      }, ms);
      timers.add(timer);
    };

    call.on('data', (request: BatchAppendReq) => {
      if (log.closed.aborted || deaf) return;
      const append = collect(pending, request, () => faults.forAppend());
      if (append?.fault === 'cut-unwritten') cut();
      if (!append || !request.getIsFinal()) return;
      pending.delete(append.correlationId);
      if (settings.security && isAnonymous(call.metadata)) {
        answer(accessDeniedAnswer(append));
        return;
      }
      // Once more, and by then of an append that nobody sent.
      const stranger = timeoutAnswer({ correlationId: randomUUID(), stream: append.stream });
      const refusal = badRequest(append.stream, append.events);
      if (refusal !== undefined) {
        answer(badRequestAnswer(append, refusal));
        answerAfter(commitTimeoutMs, stranger);
        return;
      }
      undergo(append.fault, {
        settle: () => settle(log, append),
        answer,
        answerLate: (message) => answerAfter(faults.behaviour.lateMs, message),
        answerAgain: (message) => answer(message === 'stranger' ? stranger : message),
        timeOut: () => answer(timeoutAnswer(append)),
        refuseNotReady: () => answer(notReadyAnswer(append)),
        cut,
        deafen: () => (deaf = true),
        reset: () => connections.resetAppends(call.getPeer()),
      });
    });
    const giveUp = (): void => timers.forEach((timer) => clearTimeout(timer));
    call.on('end', () => call.end());
    call.on('close', giveUp);
    call.on('cancelled', giveUp);
  };

const collect = (
  pending: Map<string, PendingAppend>,
  request: BatchAppendReq,
  fault: () => AppendFault | undefined,
): PendingAppend | undefined => {
  const correlationId = request.getCorrelationId()?.getString() ?? '';
  const options = request.getOptions();
  const append =
    pending.get(correlationId) ??
    (options && {
      correlationId,
      fault: fault(),
      stream: nameOf(options.getStreamIdentifier()),
      expected: expectedRevisionOf(options, options.getStreamPosition()),
      deadline: options.getDeadline()?.toDate(),
      events: [],
    });
  if (!append) return undefined;
  pending.set(correlationId, append);
  for (const message of request.getProposedMessagesList()) {
    const id = parseUuid(message.getId());
    append.events.push(id === undefined ? undefined : proposedEventOf(id, message));
  }
  return append;
};

const settle = (log: Log, append: PendingAppend): BatchAppendResp => {
  const events = append.events.filter((event) => event !== undefined);
  if (isTooLarge(events)) return tooLargeAnswer(append);
  if (append.deadline && append.deadline.getTime() < Date.now()) return timeoutAnswer(append);
  return outcomeAnswer(append, append.expected, log.append(append.stream, append.expected, events));
};
