import type { Command } from '../schemas/commands.ts';
import { Counter, Histogram, Refusals, type Metric } from '../schemas/metrics.ts';
import type { CommandAnswer } from './command-gateway.ts';

export class CommandMetrics {
  readonly #commands = new Counter('parley_commands_total');
  readonly #durations = new Histogram('parley_command_duration_seconds');
  readonly #repeats = new Counter('parley_dedup_hits_total');
  readonly #conflicts = new Counter('parley_append_conflicts_total');
  readonly #refusals = new Refusals('command');
  readonly all: readonly Metric[] = [
    ...[this.#commands, this.#durations, this.#repeats, this.#conflicts],
    ...this.#refusals.all,
  ];

  conflicted(): void {
    this.#conflicts.add();
  }

  answered(type: Command['type'], answer: CommandAnswer, milliseconds: number): void {
    this.#durations.observe(milliseconds);
    this.#commands.add(type, answer.ok ? 'accepted' : answer.rejection.code);
    if (!answer.ok) this.#refusals.refused(answer.rejection);
    else if (answer.repeated === true) this.#repeats.add();
  }
}
