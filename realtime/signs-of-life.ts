import type { PresenceTimes } from '../schemas/configuration.ts';

/** When a peer is sent a ping, and when it has been silent for too long. Counts the seconds it is told of. */
export class SignsOfLife {
  readonly #times: PresenceTimes;
  readonly #beat: () => void;
  #secondsSilent = 0;
  #isBeatDue = false;

  /** `beat` is called for the first sign of life after each ping. */
  constructor(times: PresenceTimes, beat: () => void) {
    this.#times = times;
    this.#beat = beat;
  }

  heard(): void {
    this.#secondsSilent = 0;
    if (!this.#isBeatDue) return;
    this.#isBeatDue = false;
    this.#beat();
  }

  /** A second went by. A peer that we do not read from (`isPaused`) cannot give a sign. */
  tick(second: number, isPaused: boolean): 'silent' | 'ping' | 'wait' {
    this.#secondsSilent = isPaused ? 0 : this.#secondsSilent + 1;
    if (this.#secondsSilent >= this.#times.offlineAfterSeconds) return 'silent';
    if (second % this.#times.heartbeatSeconds !== 0) return 'wait';
    this.#isBeatDue = true;
    return 'ping';
  }

  /** No beat any more, whatever is heard. */
  end(): void {
    this.#isBeatDue = false;
  }
}
