import { join } from 'node:path';
import { temporaryFolder } from '../server-process.ts';
import type { Control } from './control.ts';
import { Faults } from './faults.ts';
import { type RunningNode, runNode } from './running-node.ts';
import type { Security } from './security.ts';

export interface StubSettings {
  /** 0: the system picks one. */
  readonly port?: number;
  /** Where the log is kept; without it in a folder of its own, gone with the stub. */
  readonly file?: string;
  /** Of the faults that come by chance. */
  readonly seed?: number;
  /** What it says its version is; it behaves the same. */
  readonly version?: string;
  /** TLS, and one user with a password. */
  readonly security?: Security;
}

export interface Stub extends Control {
  /** For the client: `esdb://127.0.0.1:PORT?tls=false`; of a server with TLS without its user and its certificate. */
  readonly url: string;
  readonly port: number;
  /** At once, as a crash: connections break. */
  stop(): Promise<void>;
}

/** A server that speaks EventStoreDB's protocol as 24.2.0 does, and as badly as it is told to. */
export const startStub = async ({
  port: wanted = 0,
  file,
  seed = 1,
  version = '24.2.0.0',
  security,
}: StubSettings = {}): Promise<Stub> => {
  const folder = file === undefined ? await temporaryFolder('eventstoredb') : undefined;
  const path = file ?? join(folder?.path ?? '', 'log.sqlite');
  const faults = new Faults(seed);
  const settings = { version, security };
  let node: RunningNode | undefined = await runNode(path, wanted, faults, settings);
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
    cutOldestConnection: async () => node?.connections.cutOldest(),
    goDown,
    async comeUp(loseNewest) {
      await goDown();
      node = await runNode(path, port, faults, settings, loseNewest);
    },
    befallen: async () => ({ ...faults.befallen }),
  };
  return {
    ...control,
    url: `esdb://127.0.0.1:${port}?tls=${String(security !== undefined)}`,
    port,
    async stop() {
      await goDown();
      await folder?.stop();
    },
  };
};
