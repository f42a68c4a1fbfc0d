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

export const notReady = (): CallError => new CallError(status.UNAVAILABLE, 'Server Is Not Ready');

/** What `work` returns, or the error it ends the call with. */
export const settled = <T>(work: () => T): T | CallError => {
  try {
    return work();
  } catch (error) {
    return error instanceof CallError ? error : new CallError(status.UNKNOWN, String(error));
  }
};

export const reply = <T>(callback: sendUnaryData<T>, result: T | CallError): void => {
  if (result instanceof CallError) callback(result);
  else callback(null, result);
};
