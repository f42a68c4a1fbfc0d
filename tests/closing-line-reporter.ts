import { mkdtempSync, readFileSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Reporter, TestModule, Vitest } from 'vitest/node';
import { notesVariable } from './say-last.ts';

type Counts = Record<'passed' | 'failed' | 'skipped', number>;

/**
 * Closes a run with the notes of `sayLast` and, as the very last line, `N passed, N failed, N skipped` (test cases).
 * Other reporters and the coverage report print later than a reporter's own last hook, so the text waits for the exit of
 * the process; there, synchronous writing is also the only kind that arrives.
 */
export default class ClosingLineReporter implements Reporter {
  private readonly folder = mkdtempSync(join(tmpdir(), 'parley-notes-'));
  private readonly notesFile = join(this.folder, 'notes.jsonl');
  private vitest: Vitest | undefined;
  private closing = '';

  onInit(vitest: Vitest): void {
    this.vitest = vitest;
    writeFileSync(this.notesFile, '');
    process.env[notesVariable] = this.notesFile;
    process.once('exit', () => {
      if (!vitest.config.watch) writeSync(1, this.closing || closingText([], countCases([])));
      rmSync(this.folder, { recursive: true, force: true });
    });
  }

  onTestRunEnd(modules: readonly TestModule[], unhandledErrors: readonly unknown[]): void {
    const notes = [...this.saidNotes(), ...failedCases(modules), ...brokenFiles(modules)];
    if (modules.length === 0) {
      const names = this.vitest?.projects.map(({ name }) => name).join(', ') ?? '';
      notes.push(`Nothing is ${names} yet: no test file matches.`);
    }
    if (unhandledErrors.length > 0)
      notes.push(`Errors outside any test: ${unhandledErrors.length}. The run has failed.`);
    this.closing = closingText(notes, countCases(modules));
    if (this.vitest?.config.watch) writeSync(1, this.closing);
  }

  private saidNotes(): string[] {
    const lines = readFileSync(this.notesFile, 'utf8').split('\n');
    writeFileSync(this.notesFile, '');
    return lines.filter((line) => line !== '').map((line) => String(JSON.parse(line)));
  }
}

/** A file that fails to load, or whose hook fails, has a failure that no count of cases shows. */
const brokenFiles = (modules: readonly TestModule[]): string[] =>
  modules
    .filter((module) => module.errors().length > 0)
    .map((module) => `${module.relativeModuleId} failed outside its tests. The run has failed.`);

/** Whoever is given only the end of a long output learns from it what failed, and how. */
const failedCases = (modules: readonly TestModule[]): string[] =>
  modules.flatMap((module) =>
    [...module.children.allTests('failed')].map((testCase) => {
      const message = testCase.result().errors?.[0]?.message ?? '';
      return `Failed: ${module.relativeModuleId} > ${testCase.fullName}: ${message.replace(/\s+/g, ' ').slice(0, 300)}`;
    }),
  );

const countCases = (modules: readonly TestModule[]): Counts => {
  const counts: Counts = { passed: 0, failed: 0, skipped: 0 };
  for (const module of modules) {
    for (const testCase of module.children.allTests()) {
      const { state } = testCase.result();
      counts[state === 'pending' ? 'failed' : state] += 1; // pending: its worker died under it
    }
  }
  return counts;
};

const closingText = (notes: readonly string[], { passed, failed, skipped }: Counts): string =>
  ['', ...new Set(notes), `${passed} passed, ${failed} failed, ${skipped} skipped`, ''].join('\n');
