import type { AppendFault, Behaviour } from './faults.ts';

/** The faults of a server on command, whether it runs in this process or behind its control door. */
export interface Control {
  /** From now on. What is not named stays as it is. */
  readonly behave: (changes: Partial<Behaviour>) => Promise<void>;
  /** Of a good day again; what was ended, cut or lost stays so. */
  readonly heal: () => Promise<void>;
  /** One each, in this order, before those that come by chance. */
  readonly befallNextAppends: (faults: readonly AppendFault[]) => Promise<void>;
  /** All of them, as if too slow. */
  readonly endSubscriptions: () => Promise<void>;
  /** Without a status, as a server that goes down. */
  readonly resetSubscriptions: () => Promise<void>;
  readonly cutConnections: () => Promise<void>;
  /** The one that was opened first: a client that had reason to connect again may still have appends under way on it. */
  readonly cutOldestConnection: () => Promise<void>;
  /** As a crash. The log stays. */
  readonly goDown: () => Promise<void>;
  /** On the same port; without its newest records (each start is one too), as when an older copy of its log was put back. */
  readonly comeUp: (loseNewest: number) => Promise<void>;
  /** How often each fault has befallen a call, by words such as `append unanswered-written` and `subscription ended`. */
  readonly befallen: () => Promise<Readonly<Record<string, number>>>;
}

export const controls = [
  'behave',
  'heal',
  'befallNextAppends',
  'endSubscriptions',
  'resetSubscriptions',
  'cutConnections',
  'cutOldestConnection',
  'goDown',
  'comeUp',
  'befallen',
] as const satisfies readonly (keyof Control)[];
