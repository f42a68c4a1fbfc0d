import type { ServersAnswer } from '../schemas/servers.ts';
import type { Platform } from './platform.ts';
import type { Rest } from './rest.ts';

export interface ServersDeps {
  /** The address that was given at first. It answers reads, and takes sockets where no other does. */
  readonly home: string;
  readonly region: string | undefined;
  readonly rest: Rest;
  readonly setTimer: Platform['setTimer'];
}

const askedForMs = 5_000;

/** Where the next connection goes to: through all that the server named, then home, then it is asked again. */
export class Servers {
  readonly #deps: ServersDeps;
  /** As they were named last. */
  #named: readonly string[] = [];
  #toTry: string[] = [];
  #current: string | undefined;

  constructor(deps: ServersDeps) {
    this.#deps = deps;
  }

  async next(): Promise<string> {
    if (this.#toTry.length === 0) {
      this.#named = (await this.#ask()) ?? this.#named;
      // The last one may have lost no more than this connection, but nobody knows that yet.
      const isLast = (url: string): boolean => url === this.#current;
      const others = this.#named.filter((url) => !isLast(url));
      this.#toTry = [...new Set([...others, ...this.#named.filter(isLast), this.#deps.home])];
    }
    return (this.#current = this.#toTry.shift() ?? this.#deps.home);
  }

  /** The connection is made: when it ends, what is known now is old. */
  connected(): void {
    this.#toTry = [];
  }

  /** Undefined: nobody says. */
  async #ask(): Promise<readonly string[] | undefined> {
    const { home, region, rest, setTimer } = this.#deps;
    let cancel = (): void => undefined;
    const late = new Promise<undefined>((resolve) => (cancel = setTimer(() => resolve(undefined), askedForMs)));
    try {
      const answer = await Promise.race([rest<ServersAnswer>('/v1/servers', { region }), late]);
      return answer?.servers.map(({ url }) => url.replace(/\/+$/, '')).filter((url) => isAsSafe(url, home));
    } catch {
      // An older server has no list, and one that does not answer is no reason not to connect.
      return undefined;
    } finally {
      cancel();
    }
  }
}

/** A token that goes out encrypted to one server does not go in plain text to another. */
const isAsSafe = (url: string, home: string): boolean => !home.startsWith('https:') || url.startsWith('https:');
