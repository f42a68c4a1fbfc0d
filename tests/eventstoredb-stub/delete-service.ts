import { status, type sendUnaryData, type ServerUnaryCall } from '@grpc/grpc-js';
import streams from '@eventstore/db-client/generated/streams_pb.js';
import type { DeleteReq, DeleteResp, TombstoneReq, TombstoneResp } from '@eventstore/db-client/generated/streams_pb.js';
import { CallError, notReady, reply, settled, streamDeleted } from './call-error.ts';
import type { Node } from './node.ts';
import type { AppendOutcome } from './store.ts';
import type { CurrentRevision, ExpectedRevision } from './stored-event.ts';
import { expectedRevisionOf, nameOf } from './wire.ts';

export const deleteStream =
  ({ log, faults }: Node) =>
  ({ request }: ServerUnaryCall<DeleteReq, DeleteResp>, callback: sendUnaryData<DeleteResp>): void => {
    const work = (): DeleteResp => {
      const { stream, expected } = targetOf(request);
      const at = String(positionOf(stream, expected, log.deleteSoftly(stream, expected)));
      const position = new streams.DeleteResp.Position();
      position.setCommitPosition(at);
      position.setPreparePosition(at);
      const answer = new streams.DeleteResp();
      answer.setPosition(position);
      return answer;
    };
    if (!faults.behaviour.mute) reply(callback, faults.behaviour.notReady ? notReady() : settled(work));
  };

export const tombstoneStream =
  ({ log, faults }: Node) =>
  ({ request }: ServerUnaryCall<TombstoneReq, TombstoneResp>, callback: sendUnaryData<TombstoneResp>): void => {
    const work = (): TombstoneResp => {
      const { stream, expected } = targetOf(request);
      const at = String(positionOf(stream, expected, log.tombstone(stream, expected)));
      const position = new streams.TombstoneResp.Position();
      position.setCommitPosition(at);
      position.setPreparePosition(at);
      const answer = new streams.TombstoneResp();
      answer.setPosition(position);
      return answer;
    };
    if (!faults.behaviour.mute) reply(callback, faults.behaviour.notReady ? notReady() : settled(work));
  };

const targetOf = (request: DeleteReq | TombstoneReq): { stream: string; expected: ExpectedRevision } => {
  const options = request.getOptions();
  return {
    stream: nameOf(options?.getStreamIdentifier()),
    expected: options ? expectedRevisionOf(options, options.getRevision()) : 'any',
  };
};

const numbers = { any: -2n, no_stream: -1n, stream_exists: -4n };
const numberOf = (revision: ExpectedRevision | CurrentRevision): bigint =>
  typeof revision === 'bigint' ? revision : numbers[revision];

const positionOf = (stream: string, expected: ExpectedRevision, outcome: AppendOutcome): bigint => {
  if (outcome.kind === 'appended') return outcome.position;
  if (outcome.kind === 'deleted') throw streamDeleted(stream);
  const [wanted, actual] = [String(numberOf(expected)), String(numberOf(outcome.current))];
  throw new CallError(
    status.FAILED_PRECONDITION,
    `Delete failed due to WrongExpectedVersion. Stream: ${stream}, Expected version: ${wanted}, Actual version: ${actual}`,
    {
      exception: 'wrong-expected-version',
      'stream-name': stream,
      'expected-version': wanted,
      'actual-version': actual,
    },
  );
};
