/** An event as a client proposes it. */
export interface ProposedEvent {
  readonly id: string;
  readonly type: string;
  readonly contentType: string;
  readonly metadata: Uint8Array;
  readonly data: Uint8Array;
}

/** An event as it lies in the log. Its position is the offset at which its record begins, so positions rise with gaps. */
export interface StoredEvent extends ProposedEvent {
  readonly position: bigint;
  readonly stream: string;
  readonly revision: bigint;
  /** In ticks of 100 ns since 1970. */
  readonly created: bigint;
}

export type ExpectedRevision = bigint | 'any' | 'no_stream' | 'stream_exists';
export type CurrentRevision = bigint | 'no_stream';

/** The revision of the record that ends a stream for ever. */
export const tombstoneRevision = 2n ** 63n - 1n;

/** Where the metadata of a stream is kept. */
export const metadataStreamOf = (stream: string): string => `$$${stream}`;
export const isMetadataStream = (stream: string): boolean => stream.startsWith('$$');
