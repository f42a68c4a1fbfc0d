import codes from '@eventstore/db-client/generated/code_pb.js';
import type { Code } from '@eventstore/db-client/generated/code_pb.js';
import shared from '@eventstore/db-client/generated/shared_pb.js';
import statusMessages from '@eventstore/db-client/generated/status_pb.js';
import streams from '@eventstore/db-client/generated/streams_pb.js';
import type { BatchAppendResp } from '@eventstore/db-client/generated/streams_pb.js';
import any from 'google-protobuf/google/protobuf/any_pb.js';
import empty from 'google-protobuf/google/protobuf/empty_pb.js';
import { maxAppendSize } from './append-rules.ts';
import type { AppendOutcome } from './store.ts';
import type { CurrentRevision, ExpectedRevision } from './stored-event.ts';
import { identifierOf, uuidOf } from './wire.ts';

/** Which append is answered. */
export interface Asked {
  readonly correlationId: string;
  readonly stream: string;
}

const answerTo = ({ correlationId, stream }: Asked): BatchAppendResp => {
  const answer = new streams.BatchAppendResp();
  answer.setCorrelationId(uuidOf(correlationId));
  answer.setStreamIdentifier(identifierOf(stream));
  return answer;
};

const refusal = (asked: Asked, code: Code, message: string, type: string, details: Uint8Array): BatchAppendResp => {
  const packed = new any.Any();
  packed.pack(details, type);
  const error = new statusMessages.Status();
  error.setCode(code);
  error.setMessage(message);
  error.setDetails(packed);
  const answer = answerTo(asked);
  answer.setError(error);
  return answer;
};

export const outcomeAnswer = (asked: Asked, expected: ExpectedRevision, outcome: AppendOutcome): BatchAppendResp => {
  switch (outcome.kind) {
    case 'appended':
      return appendedAnswer(asked, outcome.revision, outcome.position);
    case 'conflict':
      return conflictAnswer(asked, expected, outcome.current);
    case 'deleted':
      return deletedAnswer(asked);
  }
};

const appendedAnswer = (asked: Asked, revision: CurrentRevision, at: bigint): BatchAppendResp => {
  const position = new shared.AllStreamPosition();
  position.setCommitPosition(String(at));
  position.setPreparePosition(String(at));
  const success = new streams.BatchAppendResp.Success();
  if (revision === 'no_stream') success.setNoStream(new empty.Empty());
  else success.setCurrentRevision(String(revision));
  success.setPosition(position);
  const answer = answerTo(asked);
  answer.setSuccess(success);
  return answer;
};

const conflictAnswer = (asked: Asked, expected: ExpectedRevision, current: CurrentRevision): BatchAppendResp => {
  const conflict = new shared.WrongExpectedVersion();
  if (current === 'no_stream') conflict.setCurrentNoStream(new empty.Empty());
  else conflict.setCurrentStreamRevision(String(current));
  if (expected === 'no_stream') conflict.setExpectedNoStream(new empty.Empty());
  else if (expected === 'any') conflict.setExpectedAny(new empty.Empty());
  else if (expected === 'stream_exists') conflict.setExpectedStreamExists(new empty.Empty());
  else conflict.setExpectedStreamPosition(String(expected));
  const type = 'event_store.client.WrongExpectedVersion';
  return refusal(asked, codes.Code.ALREADY_EXISTS, 'WrongExpectedVersion', type, conflict.serializeBinary());
};

const deletedAnswer = (asked: Asked): BatchAppendResp => {
  const deleted = new shared.StreamDeleted();
  deleted.setStreamIdentifier(identifierOf(asked.stream));
  const type = 'event_store.client.StreamDeleted';
  return refusal(asked, codes.Code.NOT_FOUND, 'StreamDeleted', type, deleted.serializeBinary());
};

export const badRequestAnswer = (asked: Asked, reason: string): BatchAppendResp => {
  const bad = new shared.BadRequest();
  bad.setMessage(reason);
  const type = 'event_store.client.BadRequest';
  return refusal(asked, codes.Code.INVALID_ARGUMENT, 'BadRequest', type, bad.serializeBinary());
};

export const tooLargeAnswer = (asked: Asked): BatchAppendResp => {
  const tooLarge = new shared.MaximumAppendSizeExceeded();
  tooLarge.setMaxappendsize(maxAppendSize);
  const type = 'event_store.client.MaximumAppendSizeExceeded';
  return refusal(asked, codes.Code.INVALID_ARGUMENT, 'MaximumAppendSizeExceeded', type, tooLarge.serializeBinary());
};

export const timeoutAnswer = (asked: Asked): BatchAppendResp => {
  const type = 'event_store.client.Timeout';
  return refusal(asked, codes.Code.DEADLINE_EXCEEDED, 'Timeout', type, new shared.Timeout().serializeBinary());
};

export const accessDeniedAnswer = (asked: Asked): BatchAppendResp => {
  const type = 'event_store.client.AccessDenied';
  const code = codes.Code.PERMISSION_DENIED;
  return refusal(asked, code, 'Access Denied', type, new shared.AccessDenied().serializeBinary());
};

export const notReadyAnswer = (asked: Asked): BatchAppendResp =>
  refusal(
    asked,
    codes.Code.UNAVAILABLE,
    'Server Is Not Ready',
    'google.protobuf.Empty',
    new empty.Empty().serializeBinary(),
  );
