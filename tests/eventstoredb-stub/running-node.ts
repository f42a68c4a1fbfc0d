import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { Server } from '@grpc/grpc-js';
import gossip from '@eventstore/db-client/generated/gossip_grpc_pb.js';
import features from '@eventstore/db-client/generated/serverfeatures_grpc_pb.js';
import streams from '@eventstore/db-client/generated/streams_grpc_pb.js';
import { append } from './append-service.ts';
import { batchAppend } from './batch-append-service.ts';
import { Connections } from './connections.ts';
import { deleteStream, tombstoneStream } from './delete-service.ts';
import type { Faults } from './faults.ts';
import { readGossip } from './gossip-service.ts';
import { Log } from './log.ts';
import type { Node, NodeSettings } from './node.ts';
import { plainStatus } from './plain-status.ts';
import { read } from './read-service.ts';
import { authentication, serverCredentials } from './security.ts';
import { getSupportedMethods } from './server-features.ts';

export interface RunningNode extends Node {
  /** At once, as a crash: connections break. */
  stop(): Promise<void>;
}

/** What the real server takes in one message; its client may send more. */
const maxMessageBytes = 16 * 1024 * 1024;

/** From start to crash: what it holds in memory is gone with it. It starts without the newest records of its log. */
export const runNode = async (
  file: string,
  wantedPort: number,
  faults: Faults,
  settings: NodeSettings,
  loseNewest = 0,
): Promise<RunningNode> => {
  const connections = new Connections();
  const { security } = settings;
  const interceptors = [plainStatus, ...(security ? [authentication(security)] : [])];
  const server = new Server({ 'grpc.max_receive_message_length': maxMessageBytes, interceptors });
  const injector = server.createConnectionInjector(serverCredentials(security));
  const listener = createServer({ noDelay: true }, (socket) => {
    connections.add(socket);
    injector.injectConnection(socket);
  });
  listener.listen(wantedPort, '127.0.0.1');
  await once(listener, 'listening');
  const { port } = listener.address() as AddressInfo;

  const log = new Log(file, loseNewest);
  const node: Node = { log, faults, connections, port, settings };
  server.addService(streams.StreamsService, {
    append: append(node),
    batchAppend: batchAppend(node),
    delete: deleteStream(node),
    read: read(node),
    tombstone: tombstoneStream(node),
  });
  server.addService(features.ServerFeaturesService, { getSupportedMethods: getSupportedMethods(node) });
  server.addService(gossip.GossipService, { read: readGossip(node) });

  const stop = async (): Promise<void> => {
    listener.close();
    log.close();
    connections.close();
    await once(listener, 'close');
    server.forceShutdown();
  };
  return { ...node, stop };
};
