import type { Connections } from './connections.ts';
import type { Faults } from './faults.ts';
import type { Log } from './log.ts';
import type { Security } from './security.ts';

export interface NodeSettings {
  /** What it says its version is. */
  readonly version: string;
  /** undefined: plain text, and everybody may do everything. */
  readonly security: Security | undefined;
}

/** What the services of one running server share. */
export interface Node {
  readonly log: Log;
  readonly faults: Faults;
  readonly connections: Connections;
  readonly port: number;
  readonly settings: NodeSettings;
}
