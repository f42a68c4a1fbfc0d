import type { Connections } from './connections.ts';
import type { Faults } from './faults.ts';
import type { Log } from './log.ts';

/** What the services of one running server share. */
export interface Node {
  readonly log: Log;
  readonly faults: Faults;
  readonly connections: Connections;
  readonly port: number;
}
