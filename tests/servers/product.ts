/** A real server, for as long as the tests need it. */
export interface LiveServer {
  readonly url: string;
  stop(): Promise<void>;
}

/** How one product gets to run where the tests do. */
export interface Product {
  /** By which a test gets its URL: `inject('redis')`. */
  readonly key: 'redis' | 'cassandra' | 'elasticsearch';
  readonly name: string;
  /** Names a server that runs already. */
  readonly variable: string;
  /** What has to be installed where no Docker engine answers. */
  readonly needs: string;
  startInDocker(): Promise<LiveServer>;
  /** undefined: it is not installed. */
  startFromPackage(): Promise<LiveServer | undefined>;
}

declare module 'vitest' {
  /** The URL of each server of this run. */
  interface ProvidedContext {
    readonly redis: string;
    /** Without a keyspace: each test has its own (cassandra-keyspace.ts). */
    readonly cassandra: string;
    /** Each test has index names of its own. */
    readonly elasticsearch: string;
  }
}
