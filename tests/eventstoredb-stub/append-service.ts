import { status, type sendUnaryData, type ServerReadableStream } from '@grpc/grpc-js';
import shared from '@eventstore/db-client/generated/shared_pb.js';
import streams from '@eventstore/db-client/generated/streams_pb.js';
import type { AppendReq, AppendResp } from '@eventstore/db-client/generated/streams_pb.js';
import { badRequest, isTooLarge, maxAppendSize } from './append-rules.ts';
import { CallError, notReady, reply, settled, streamDeleted } from './call-error.ts';
import type { Log } from './log.ts';
import type { Node } from './node.ts';
import type { CurrentRevision, ExpectedRevision, ProposedEvent } from './stored-event.ts';
import { undergo } from './undergo.ts';
import { expectedRevisionOf, nameOf, parseUuid, proposedEventOf } from './wire.ts';

export const append =
  ({ log, faults, connections }: Node) =>
  (call: ServerReadableStream<AppendReq, AppendResp>, callback: sendUnaryData<AppendResp>): void => {
    let stream = '';
    let expected: ExpectedRevision = 'any';
    const events: (ProposedEvent | undefined)[] = [];
    call.on('data', (request: AppendReq) => {
      const options = request.getOptions();
      const message = request.getProposedMessage();
      if (options) {
        stream = nameOf(options.getStreamIdentifier());
        expected = expectedRevisionOf(options, options.getRevision());
      }
      if (message) {
        const id = parseUuid(message.getId());
        events.push(id === undefined ? undefined : proposedEventOf(id, message));
      }
    });
    call.on('end', () => {
      if (log.closed.aborted) return;
      undergo(faults.forAppend(), {
        settle: () => settled(() => settle(log, stream, expected, events)),
        answer: (answer) => reply(callback, answer),
        answerLate: (answer) => void setTimeout(() => reply(callback, answer), faults.behaviour.lateMs),
        answerAgain: () => undefined,
        timeOut: () => callback(new CallError(status.DEADLINE_EXCEEDED, 'Operation timed out')),
        refuseNotReady: () => callback(notReady()),
        cut: () => connections.cut(call.getPeer()),
        deafen: () => undefined,
        reset: () => connections.resetAppends(call.getPeer()),
      });
    });
  };

const settle = (
  log: Log,
  stream: string,
  expected: ExpectedRevision,
  given: readonly (ProposedEvent | undefined)[],
): AppendResp => {
  const reason = badRequest(stream, given);
  if (reason !== undefined) throw new CallError(status.INVALID_ARGUMENT, reason);
  const events = given.filter((event) => event !== undefined);
  if (isTooLarge(events)) {
    throw new CallError(status.INVALID_ARGUMENT, `Maximum Append Size of ${maxAppendSize} Exceeded.`, {
      exception: 'maximum-append-size-exceeded',
      'maximum-append-size': String(maxAppendSize),
    });
  }
  const outcome = log.append(stream, expected, events);
  switch (outcome.kind) {
    case 'appended':
      return appendedAnswer(outcome.revision, outcome.position);
    case 'conflict':
      return conflictAnswer(expected, outcome.current);
    case 'deleted':
      throw streamDeleted(stream);
  }
};

const appendedAnswer = (revision: CurrentRevision, at: bigint): AppendResp => {
  const position = new streams.AppendResp.Position();
  position.setCommitPosition(String(at));
  position.setPreparePosition(String(at));
  const success = new streams.AppendResp.Success();
  if (revision === 'no_stream') success.setNoStream(new shared.Empty());
  else success.setCurrentRevision(String(revision));
  success.setPosition(position);
  const answer = new streams.AppendResp();
  answer.setSuccess(success);
  return answer;
};

/** Everything twice: the second time for clients of before 20.6.1. */
const conflictAnswer = (expected: ExpectedRevision, current: CurrentRevision): AppendResp => {
  const conflict = new streams.AppendResp.WrongExpectedVersion();
  if (current === 'no_stream') {
    conflict.setCurrentNoStream(new shared.Empty());
    conflict.setNoStream2060(new shared.Empty());
  } else {
    conflict.setCurrentRevision(String(current));
    conflict.setCurrentRevision2060(Number(current));
  }
  if (expected === 'any') {
    conflict.setExpectedAny(new shared.Empty());
    conflict.setAny2060(new shared.Empty());
  } else if (expected === 'stream_exists') {
    conflict.setExpectedStreamExists(new shared.Empty());
    conflict.setStreamExists2060(new shared.Empty());
  } else if (expected === 'no_stream') {
    conflict.setExpectedNoStream(new shared.Empty());
  } else {
    conflict.setExpectedRevision(String(expected));
    conflict.setExpectedRevision2060(Number(expected));
  }
  const answer = new streams.AppendResp();
  answer.setWrongExpectedVersion(conflict);
  return answer;
};
