import type { IncomingMessage } from 'node:http';
import { reject, type ErrorCode, type Rejection } from '../schemas/errors.ts';

export const socketPath = '/v1/socket';
export const subprotocol = 'parley.v1';
const bearerSubprotocol = 'bearer.';

export type Handshake =
  { readonly ok: true; readonly token: string } | { readonly ok: false; readonly rejection: Rejection };

const refused = (code: ErrorCode, message: string): Handshake => ({ ok: false, rejection: reject(code, message) });

/** What a request to upgrade asks for, before anything costly is done for it. */
export const readHandshake = (request: IncomingMessage, allowedOrigins: ReadonlySet<string>): Handshake => {
  const [path, query] = (request.url ?? '').split('?', 2);
  if (path !== socketPath) return refused('route_not_found', `sockets are at ${socketPath}`);
  // An address ends up in logs, histories and referrers: a token in it is spent, so it is refused and not just ignored.
  if (query !== undefined) return refused('invalid', 'the address takes no query, and a token never belongs there');
  if (request.method !== 'GET' || request.httpVersion !== '1.1') return refused('invalid', 'GET over HTTP/1.1 only');
  const { origin } = request.headers;
  // Only browsers send one, and only they can be led to connect by a foreign page.
  if (origin !== undefined && !allowedOrigins.has(origin)) {
    return refused('origin_not_allowed', 'connections from this origin are not allowed');
  }
  const token = tokenOf(request);
  return token === undefined
    ? refused('unauthenticated', 'one token is needed: Authorization: Bearer, or the subprotocol bearer.<token>')
    : { ok: true, token };
};

/** The one token of a request; undefined if there is none, or several. */
const tokenOf = ({ headers }: IncomingMessage): string | undefined => {
  const offered = (headers['sec-websocket-protocol'] ?? '').split(',').map((name) => name.trim());
  const tokens = offered
    .filter((name) => name.startsWith(bearerSubprotocol))
    .map((name) => name.slice(bearerSubprotocol.length));
  if (tokens.length > 0 && !offered.includes(subprotocol)) return undefined;
  const authorization = /^Bearer +([^ ]+)$/i.exec(headers.authorization ?? '')?.[1];
  if (authorization !== undefined) tokens.push(authorization);
  return tokens.length === 1 && tokens[0] !== '' ? tokens[0] : undefined;
};
