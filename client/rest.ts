import type { ErrorCode, Retry } from '../schemas/errors.ts';
import type { ReadRoute, readRoutes } from '../schemas/http-reads.ts';
import type { Problem } from '../schemas/http.ts';
import type { Platform } from './platform.ts';

type Routes = typeof readRoutes;
type AnswerOf<Name extends keyof Routes> = Routes[Name] extends ReadRoute<unknown, infer Answer> ? Answer : never;
export type Page = AnswerOf<'messages'>;
export type Found = AnswerOf<'search'>;
export type Members = AnswerOf<'members'>;
export type Profile = AnswerOf<'profile'>;
export type Profiles = AnswerOf<'profiles'>;
export type ChatChanges = AnswerOf<'chatChanges'>;
export type OneChat = AnswerOf<'chat'>;
export type OneMessage = AnswerOf<'message'>;
export type Blocks = AnswerOf<'blocks'>;

/** A read that was not answered. `unreachable`: nobody answered at all; `closed`: the client was. */
export class ReadError extends Error {
  override readonly name = 'ReadError';
  readonly code: ErrorCode | 'unreachable' | 'closed';
  readonly retry: Retry;
  /** 0 where the server named no wait. */
  readonly retryAfterMs: number;

  constructor(code: ReadError['code'], message: string, retry: Retry, retryAfterMs = 0) {
    super(message);
    this.code = code;
    this.retry = retry;
    this.retryAfterMs = retryAfterMs;
  }
}

export type Query = Readonly<Record<string, string | number | null | undefined>>;

export interface RestDeps {
  readonly url: string;
  readonly fetch: Platform['fetch'];
  /** The token in use; `fresh`: that one was refused. */
  readonly token: (fresh: boolean) => Promise<string>;
  readonly signal: AbortSignal;
}

export type Rest = <Answer>(path: string, query?: Query, readAfter?: string | null) => Promise<Answer>;

/** Reads over REST; rejects with a `ReadError`. A refused token is asked for anew, once. */
export const rest = ({ url, fetch, token, signal }: RestDeps): Rest => {
  const ask = async (address: string, readAfter: string | null, isSecond: boolean): Promise<unknown> => {
    const headers = {
      authorization: `Bearer ${await token(isSecond)}`,
      ...(readAfter !== null && { 'parley-read-after': readAfter }),
    };
    const answer = await fetch(address, { headers, signal });
    const body = await answer.json();
    if (answer.status === 200) return body;
    const { code = 'internal', detail = '', retry = 'same_id', retryAfterMs } = (body ?? {}) as Partial<Problem>;
    if (code === 'unauthenticated' && !isSecond) return ask(address, readAfter, true);
    throw new ReadError(code, detail, retry, retryAfterMs);
  };
  return async <Answer>(path: string, query: Query = {}, readAfter: string | null = null): Promise<Answer> => {
    try {
      return (await ask(`${url}${path}${queryString(query)}`, readAfter, false)) as Answer;
    } catch (error) {
      if (error instanceof ReadError) throw error;
      const code = signal.aborted ? 'closed' : 'unreachable';
      throw new ReadError(code, error instanceof Error ? error.message : 'the server did not answer', 'same_id');
    }
  };
};

/** By hand: not every platform has the whole of `URLSearchParams`. */
const queryString = (query: Query): string => {
  const pairs = Object.entries(query).flatMap(([name, value]) =>
    value === undefined || value === null ? [] : [`${name}=${encodeURIComponent(value)}`],
  );
  return pairs.length === 0 ? '' : `?${pairs.join('&')}`;
};
