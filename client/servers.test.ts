import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { serveInProcess, type InProcessServer } from '../tests/in-process-server.ts';
import { Proxy, together } from '../tests/proxy.ts';
import { signToken } from '../tests/tokens.ts';
import { connect, type Client, type Options } from './client.ts';
import { platformDefaults, type FetchAnswer, type Platform } from './platform.ts';
import { ReadError, type Rest } from './rest.ts';
import { Servers } from './servers.ts';

const [home, a, b, c] = ['https://chat.example', 'https://a.example', 'https://b.example', 'https://c.example'];

/** What a server would name, in the order it names them; undefined: it does not answer. */
const choosing = (named: () => readonly string[] | undefined, region?: string) => {
  const asked: unknown[] = [];
  const rest: Rest = async <Answer>(_: string, query?: object) => {
    asked.push(query);
    const urls = named();
    if (urls === undefined) throw new ReadError('unreachable', 'nobody answers', 'same_id');
    return { servers: urls.map((url) => ({ url, region: null })), stale: false } as Answer;
  };
  const servers = new Servers({ ...{ home, region, rest }, setTimer: () => () => undefined });
  const next = async (count: number): Promise<string[]> => {
    const urls: string[] = [];
    while (urls.length < count) urls.push(await servers.next());
    return urls;
  };
  return { servers, next, asked };
};

describe('F55: where a connection goes', () => {
  test('to each server that was named, then home, then those that are named anew, the one that failed last at the end', async () => {
    let named = [a, b];
    const { next, asked } = choosing(() => named, 'eu');
    expect(await next(3)).toEqual([a, b, home]);
    expect(asked).toEqual([{ region: 'eu' }]);
    named = [c, b];
    expect(await next(2)).toEqual([c, b]);
  });

  test('to another one after a connection that was made has ended, if there is another', async () => {
    let named = [a, b];
    const { servers, next } = choosing(() => named);
    expect(await next(1)).toEqual([a]);
    servers.connected();
    expect(await next(1)).toEqual([b]);
    servers.connected();
    named = [b];
    expect(await next(2)).toEqual([b, home]);
  });

  test('to those that were named before, and home, while nobody answers', async () => {
    let named: readonly string[] | undefined;
    const { next } = choosing(() => named);
    expect(await next(2)).toEqual([home, home]);
    named = [a, b];
    expect(await next(3)).toEqual([a, b, home]);
    named = undefined;
    expect(await next(4)).toEqual([a, b, home, a]);
  });

  test('never in plain text, if it was given an encrypted one', async () => {
    const { next } = choosing(() => ['http://a.example', `${b}/`]);
    expect(await next(2)).toEqual([b, home]);
  });

  test('home, when the question is not answered in time', async () => {
    const rest: Rest = () => new Promise(() => undefined);
    const setTimer: Platform['setTimer'] = (callBack) => {
      callBack();
      return () => undefined;
    };
    expect(await new Servers({ home, region: undefined, rest, setTimer }).next()).toBe(home);
  });
});

const stack = new AsyncDisposableStack();
let server: InProcessServer;
beforeAll(async () => {
  server = await serveInProcess(stack);
});
afterAll(() => stack.disposeAsync());

/** An address of the server, which can be lost alone. */
const gateway = (): Promise<Proxy> =>
  Proxy.open(
    () => server.port,
    (client, upstream) => {
      client.pipe(upstream);
      upstream.pipe(client);
      together(client, upstream);
    },
  );
const urlOf = ({ port }: { readonly port: number }): string => `http://127.0.0.1:${port}`;

/** A client that is told these servers, and the addresses of its sockets. */
const open = async (named: () => readonly string[]) => {
  const defaults = platformDefaults();
  const urls: string[] = [];
  const fetch: Platform['fetch'] = async (url, init): Promise<FetchAnswer> => {
    if (!url.startsWith(`${server.address}/v1/servers`)) return defaults.fetch(url, init);
    const answer = { servers: named().map((one) => ({ url: one, region: null })), stale: false };
    return { status: 200, headers: new Headers(), json: () => Promise.resolve(answer) };
  };
  const noting = class extends WebSocket {
    constructor(url: string, protocols: string[]) {
      super(url, protocols);
      urls.push(url);
    }
  };
  const options: Options = {
    ...{ url: server.address, servers: {} },
    token: () => signToken('ada', 'phone'),
    platform: { fetch, WebSocket: noting },
  };
  const client = await connect(options);
  onTestFinished(() => client.close());
  return { client, urls };
};

const live = (client: Client) => expect.poll(() => client.status.status, { timeout: 60_000 }).toBe('live');
const socketOf = ({ port }: { readonly port: number }): string => `ws://127.0.0.1:${port}/v1/socket`;

test('F64: a client moves to the next server when its own dies, and what it sends meanwhile arrives', async () => {
  const [gone, first, second] = [await gateway(), await gateway(), await gateway()];
  onTestFinished(() => second[Symbol.asyncDispose]());
  await gone[Symbol.asyncDispose]();
  const { client, urls } = await open(() => [gone, first, second].map(urlOf));
  await live(client);
  expect(urls).toEqual([gone, first].map(socketOf));
  await first[Symbol.asyncDispose]();
  const group = client.createGroup('tea', []);
  expect(await client.send(group.id, 'on the way').outcome).toMatchObject({ ok: true });
  expect(urls.at(-1)).toBe(socketOf(second));
});
