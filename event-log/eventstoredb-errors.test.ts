import {
  AccessDeniedError,
  DeadlineExceededError,
  MaxAppendSizeExceededError,
  StreamDeletedError,
  StreamNotFoundError,
  TimeoutError,
  UnavailableError,
  UnknownError,
  UnsupportedError,
  WrongExpectedVersionError,
} from '@eventstore/db-client';
import { Metadata, status, type ServiceError } from '@grpc/grpc-js';
import { expect, test } from 'vitest';
import { failedAppend, faultOf, isForGood } from './eventstoredb-errors.ts';

const grpcError = (code: status, details: string): ServiceError =>
  Object.assign(new Error(`${code} ${status[code]}: ${details}`), { code, details, metadata: new Metadata() });

const conflict = new WrongExpectedVersionError(undefined, {
  streamName: 'conversation-a',
  expected: 1n,
  current: 4n,
});
const consumer = 'Consumer too slow to handle event while live. Client resubscription required.';

test.each([
  ['conflict', conflict, 'conflict'],
  ['a batch that is too large', MaxAppendSizeExceededError.fromMaxAppendSize(1_048_576), 'too_large'],
  ['no stream', new StreamNotFoundError(null as never, 'conversation-a'), 'unknown'],
  ['a tombstone', StreamDeletedError.fromStreamName('conversation-a'), 'not_taken'],
  ['a password that is wrong', new AccessDeniedError(grpcError(status.UNAUTHENTICATED, '')), 'not_taken'],
  ['no password, in a batch', new AccessDeniedError(), 'not_taken'],
  ['no password, as gRPC says it', grpcError(status.PERMISSION_DENIED, 'Access Denied'), 'not_taken'],
  ['a server of another kind', grpcError(status.UNIMPLEMENTED, 'unknown service'), 'not_taken'],
  ['a server that is too old', new UnsupportedError('batchAppend', '21.10'), 'not_taken'],
  ['a deadline', new DeadlineExceededError(), 'unknown'],
  ['a connection that broke', new UnavailableError(grpcError(status.UNAVAILABLE, 'Connection dropped')), 'unknown'],
  ['a connection that never was, without a class', grpcError(status.UNAVAILABLE, 'connect ECONNREFUSED'), 'unknown'],
  ['a certificate', grpcError(status.UNAVAILABLE, 'self-signed certificate in certificate chain'), 'unknown'],
  ['plain text', grpcError(status.UNAVAILABLE, 'write EPROTO wrong version number'), 'unknown'],
  [
    'a server that goes down',
    new UnknownError(grpcError(status.INTERNAL, 'Received RST_STREAM with code 0')),
    'unknown',
  ],
  ['a server that comes up', new UnknownError(undefined, 'Could not recognize Server Is Not Ready'), 'unknown'],
  ['a call that was cancelled', new UnknownError(grpcError(status.CANCELLED, 'Cancelled on client')), 'unknown'],
  ['a message above the limit', new UnknownError(grpcError(status.RESOURCE_EXHAUSTED, '')), 'unknown'],
  ['no member of a cluster', new Error('Failed to discover after 10 attempts.'), 'unknown'],
  ['a batch that is not understood', new UnknownError(undefined, 'Could not recognize BadRequest'), 'unknown'],
  ['anything else', new Error('something new'), 'unknown'],
])('trap 18: an append that met %s comes to one of the four outcomes', (_, error, outcome) => {
  expect(failedAppend(faultOf(error))).toBe(outcome);
});

test.each([
  ['slow', new TimeoutError(grpcError(status.ABORTED, consumer))],
  ['bad_position', new UnknownError(grpcError(status.UNKNOWN, 'Unexpected ReadAllResult: InvalidPosition'))],
  ['bad_position', new UnknownError(grpcError(status.UNKNOWN, 'Unexpected ReadAllResult: Error'))],
  ['bad_position', new UnknownError(grpcError(status.INVALID_ARGUMENT, 'Trying to read from an invalid position.'))],
  ['gone', new UnknownError(grpcError(status.INTERNAL, 'Received RST_STREAM with code 0'))],
  ['gone', grpcError(status.UNAVAILABLE, 'read ECONNRESET')],
  ['not_ready', new UnknownError(undefined, 'Could not recognize Server Is Not Ready')],
  ['strange', new UnknownError(grpcError(status.INTERNAL, 'protocol'))],
  ['strange', new TimeoutError(grpcError(status.ABORTED, 'something else'))],
])('trap 18: a read or a subscription that ended is told apart: %s', (fault, error) => {
  expect(faultOf(error)).toBe(fault);
});

test('only what somebody has to mend is for good', () => {
  expect(isForGood(faultOf(grpcError(status.UNAVAILABLE, 'unable to verify the first certificate')))).toBe(true);
  expect(isForGood(faultOf(grpcError(status.UNAUTHENTICATED, '')))).toBe(true);
  expect(isForGood(faultOf(grpcError(status.PERMISSION_DENIED, '')))).toBe(true);
  expect(isForGood(faultOf(grpcError(status.UNAVAILABLE, 'connect ECONNREFUSED 127.0.0.1:2113')))).toBe(false);
  expect(isForGood(faultOf(new DeadlineExceededError()))).toBe(false);
});
