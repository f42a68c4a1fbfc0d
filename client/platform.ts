/** The part of a WebSocket that is used; the browser's, Node's and `ws` have it. */
export interface Socket {
  addEventListener(type: 'open' | 'error', listener: () => void): void;
  addEventListener(type: 'message', listener: (event: { readonly data: unknown }) => void): void;
  addEventListener(type: 'close', listener: (event: { readonly code: number; readonly reason: string }) => void): void;
  send(text: string): void;
  close(code?: number): void;
}

/** What a client needs of where it runs. */
export interface Platform {
  readonly WebSocket: new (url: string, protocols: string[]) => Socket;
  readonly fetch: (url: string, init: FetchInit) => Promise<FetchAnswer>;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  readonly randomBytes: (count: number) => Uint8Array;
  /** Calls back once; what it returns takes that back. */
  readonly setTimer: (callBack: () => void, ms: number) => () => void;
}

export interface FetchInit {
  readonly headers: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
}

export interface FetchAnswer {
  readonly status: number;
  readonly headers: { get(name: string): string | null };
  json(): Promise<unknown>;
}

/** A longer one overflows, and the timer would go off at once. */
const longestTimerMs = 2 ** 31 - 1;

/** The platform's own: browsers, Node from 22 on, and React Native with a `crypto`. */
export const platformDefaults = (): Platform => ({
  WebSocket,
  fetch: (url, init) => fetch(url, init),
  now: () => Date.now(),
  randomBytes: (count) => crypto.getRandomValues(new Uint8Array(count)),
  setTimer(callBack, ms) {
    const timer = setTimeout(callBack, Math.min(ms, longestTimerMs));
    return () => clearTimeout(timer);
  },
});
