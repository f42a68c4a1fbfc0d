import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Server, ServerCredentials } from '@grpc/grpc-js';
import features from '@eventstore/db-client/generated/serverfeatures_grpc_pb.js';
import streams from '@eventstore/db-client/generated/streams_grpc_pb.js';
import { append } from './append-service.ts';
import { batchAppend } from './batch-append-service.ts';
import { deleteStream, tombstoneStream } from './delete-service.ts';
import { Log } from './log.ts';
import { plainStatus } from './plain-status.ts';
import { read } from './read-service.ts';
import { getSupportedMethods } from './server-features.ts';

export interface StubSettings {
  /** 0: the system picks one. */
  readonly port?: number;
  /** Where the log is kept; without it in a folder of its own, gone with the stub. */
  readonly file?: string;
}

export interface Stub {
  /** For the client: `esdb://127.0.0.1:PORT?tls=false`. */
  readonly url: string;
  readonly port: number;
  /** At once, as a crash: connections break. */
  stop(): Promise<void>;
}

/** What the real server takes in one message; its client may send more. */
const maxMessageBytes = 16 * 1024 * 1024;

/** A server that speaks EventStoreDB's protocol as 24.2.0 does. */
export const startStub = async ({ port = 0, file }: StubSettings = {}): Promise<Stub> => {
  const folder = file === undefined ? await mkdtemp(join(tmpdir(), 'parley-eventstoredb-')) : undefined;
  const log = new Log(file ?? join(folder ?? '', 'log.sqlite'));
  const server = new Server({
    'grpc.max_receive_message_length': maxMessageBytes,
    interceptors: [plainStatus],
  });
  server.addService(streams.StreamsService, {
    append: append(log),
    batchAppend: batchAppend(log),
    delete: deleteStream(log),
    read: read(log),
    tombstone: tombstoneStream(log),
  });
  server.addService(features.ServerFeaturesService, { getSupportedMethods });
  const injector = server.createConnectionInjector(ServerCredentials.createInsecure());

  const sockets = new Set<Socket>();
  const listener = createServer((socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    injector.injectConnection(socket);
  });
  listener.listen(port, '127.0.0.1');
  await once(listener, 'listening');
  const bound = (listener.address() as AddressInfo).port;

  return {
    url: `esdb://127.0.0.1:${bound}?tls=false`,
    port: bound,
    async stop() {
      listener.close();
      for (const socket of sockets) socket.destroy();
      await once(listener, 'close');
      injector.destroy();
      server.forceShutdown();
      log.close();
      if (folder !== undefined) await rm(folder, { recursive: true, force: true });
    },
  };
};
