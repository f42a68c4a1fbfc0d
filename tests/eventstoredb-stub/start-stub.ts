import { join } from 'node:path';
import { temporaryFolder } from '../server-process.ts';
import type { Control } from './control.ts';
import { Faults } from './faults.ts';
import { type RunningNode, runNode } from './running-node.ts';

export interface StubSettings {
  /** 0: the system picks one. */
  readonly port?: number;
  /** Where the log is kept; without it in a folder of its own, gone with the stub. */
  readonly file?: string;
  /** Of the faults that come by chance. */
  readonly seed?: number;
}

export interface Stub extends Control {
  /** For the client: `esdb://127.0.0.1:PORT?tls=false`. */
  readonly url: string;
  readonly port: number;
  /** At once, as a crash: connections break. */
  stop(): Promise<void>;
}

/** A server that speaks EventStoreDB's protocol as 24.2.0 does, and as badly as it is told to. */
export const startStub = async ({ port: wanted = 0, file, seed = 1 }: StubSettings = {}): Promise<Stub> => {
  const folder = file === undefined ? await temporaryFolder('eventstoredb') : undefined;
  const path = file ?? join(folder?.path ?? '', 'log.sqlite');
  const faults = new Faults(seed);
  let node: RunningNode | undefined = await runNode(path, wanted, faults);
  const { port } = node;

  const goDown = async (): Promise<void> => {
    const going = node;
    node = undefined;
    await going?.stop();
  };
  const control: Control = {
    async behave(changes) {
      faults.behave(changes);
      node?.log.tell();
    },
    async heal() {
      faults.heal();
      node?.log.tell();
    },
    befallNextAppends: async (next) => faults.befallNextAppends(next),
    async endSubscriptions() {
      faults.endSubscriptions();
      node?.log.tell();
    },
    resetSubscriptions: async () => node?.connections.resetReads(),
    cutConnections: async () => node?.connections.cut(),
    goDown,
    async comeUp(loseNewest) {
      await goDown();
      node = await runNode(path, port, faults, loseNewest);
    },
    befallen: async () => ({ ...faults.befallen }),
  };
  return {
    ...control,
    url: `esdb://127.0.0.1:${port}?tls=false`,
    port,
    async stop() {
      await goDown();
      await folder?.stop();
    },
  };
};
