/** What an idle socket costs at least: `ws` on an HTTP server, and nothing else. Prints `listening PORT`. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { WebSocketServer } from 'ws';

const server = createServer();
const sockets = new WebSocketServer({ noServer: true, clientTracking: false, perMessageDeflate: false });
server.on('upgrade', (request, socket, head) =>
  sockets.handleUpgrade(request, socket, head, (ws) => {
    ws.on('message', () => undefined);
  }),
);
server.listen(0, '127.0.0.1', () => console.log('listening', (server.address() as AddressInfo).port));
