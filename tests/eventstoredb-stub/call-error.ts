import { Metadata, type sendUnaryData, status } from '@grpc/grpc-js';

/** How a call ends that is not answered. */
export class CallError extends Error {
  readonly code: status;
  readonly details: string;
  readonly metadata = new Metadata();

  constructor(code: status, details: string, trailers: Readonly<Record<string, string>> = {}) {
    super(details);
    this.code = code;
    this.details = details;
    for (const [key, value] of Object.entries(trailers)) this.metadata.set(key, value);
  }
}

export const streamDeleted = (stream: string): CallError =>
  new CallError(status.FAILED_PRECONDITION, `Event stream '${stream}' is deleted.`, {
    exception: 'stream-deleted',
    'stream-name': stream,
  });

/** Answers with what `work` returns, or ends the call with the error it throws. */
export const reply = <T>(callback: sendUnaryData<T>, work: () => T): void => {
  let answer: T;
  try {
    answer = work();
  } catch (error) {
    callback(error instanceof CallError ? error : new CallError(status.UNKNOWN, String(error)));
    return;
  }
  callback(null, answer);
};
