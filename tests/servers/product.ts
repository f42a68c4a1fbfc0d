/** A real server, for as long as the tests need it. */
export interface LiveServer {
  readonly url: string;
  stop(): Promise<void>;
}

/** How one product gets to run where the tests do. */
export interface Product {
  readonly name: string;
  /** Names a server that runs already. */
  readonly variable: string;
  /** What has to be installed where no Docker engine answers. */
  readonly package: string;
  startInDocker(): Promise<LiveServer>;
  /** undefined: it is not installed. */
  startFromPackage(): Promise<LiveServer | undefined>;
}

declare module 'vitest' {
  interface ProvidedContext {
    /** The URL of the Redis of this run. */
    readonly redis: string;
  }
}
