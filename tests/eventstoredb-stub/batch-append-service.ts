import { randomUUID } from 'node:crypto';
import type { ServerDuplexStream } from '@grpc/grpc-js';
import type { BatchAppendReq, BatchAppendResp } from '@eventstore/db-client/generated/streams_pb.js';
import { badRequest, isTooLarge } from './append-rules.ts';
import { type Asked, badRequestAnswer, outcomeAnswer, timeoutAnswer, tooLargeAnswer } from './batch-append-answers.ts';
import type { Log } from './log.ts';
import type { ExpectedRevision, ProposedEvent } from './stored-event.ts';
import { expectedRevisionOf, nameOf, parseUuid, proposedEventOf } from './wire.ts';

/** An append, which may come in several messages. */
interface PendingAppend extends Asked {
  readonly expected: ExpectedRevision;
  readonly deadline: Date | undefined;
  /** undefined: its id is none. */
  readonly events: (ProposedEvent | undefined)[];
}

/** How long the server holds what belongs to an append it has refused already. */
const refusedAppendMs = 2_000;

type Call = ServerDuplexStream<BatchAppendReq, BatchAppendResp>;

export const batchAppend =
  (log: Log) =>
  (call: Call): void => {
    const pending = new Map<string, PendingAppend>();
    const late = new Set<NodeJS.Timeout>();
    const answer = (message: BatchAppendResp): void => void call.write(message);

    call.on('data', (request: BatchAppendReq) => {
      const append = collect(pending, request);
      if (!append || !request.getIsFinal()) return;
      pending.delete(append.correlationId);
      const reason = badRequest(append.stream, append.events);
      if (reason === undefined) {
        answer(settle(log, append));
        return;
      }
      answer(badRequestAnswer(append, reason));
      // The real server forgets which append it was, and says so of one that nobody sent when its time is over.
      const second = setTimeout(() => {
        late.delete(second);
        answer(timeoutAnswer({ correlationId: randomUUID(), stream: append.stream }));
      }, refusedAppendMs);
      late.add(second);
    });
    call.on('end', () => call.end());
    call.on('close', () => late.forEach((timer) => clearTimeout(timer)));
    call.on('cancelled', () => late.forEach((timer) => clearTimeout(timer)));
  };

const collect = (pending: Map<string, PendingAppend>, request: BatchAppendReq): PendingAppend | undefined => {
  const correlationId = request.getCorrelationId()?.getString() ?? '';
  const options = request.getOptions();
  const append =
    pending.get(correlationId) ??
    (options && {
      correlationId,
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
