import { defineConfig } from 'vitest/config';
import type { TestProjectInlineConfiguration } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

const never = ['**/node_modules/**', '**/.git/**', 'data/**', 'coverage/**', '.cache/**', 'dist/**'];
// Generous, for a slow machine: what a test waits for is an event, and a timeout is only there to end a hang.
const timeout = 180_000;
const processTimeout = 600_000;
const pollTimeout = 60_000;
/** Unless told, Vitest leaves one core of two unused. */
const maxWorkers = '100%';

/** Minutes each: begun last, one of them would run on while the other core has nothing left to do. */
const long = ['faults/distributed', 'faults/elasticsearch', 'faults/sigkill', 'faults/disk', 'faults/eventstoredb'];
const isLong = ({ moduleId }: TestSpecification): boolean => long.some((name) => moduleId.includes(`tests/${name}.`));

class LongFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files);
    return [...sorted.filter(isLong), ...sorted.filter((file) => !isLong(file))];
  }
}

/** Every test file belongs to exactly one project; tests/house-rules.test.ts checks it. */
export const projects = [
  {
    name: 'fast',
    include: ['**/*.test.ts'],
    exclude: [...never, '**/*.stub.test.ts', '**/*.live.test.ts', '**/*.e2e.test.ts'],
    maxWorkers,
    testTimeout: timeout,
    hookTimeout: timeout,
  },
  {
    name: 'stub',
    include: ['**/*.stub.test.ts'],
    exclude: never,
    setupFiles: './tests/eventstoredb-stub/say-stub.ts',
    maxWorkers,
    testTimeout: timeout,
    hookTimeout: timeout,
  },
  {
    name: 'e2e',
    include: ['**/*.e2e.test.ts'],
    exclude: never,
    // Half of what they do is waiting for a process to start or to end.
    maxWorkers: 2,
    testTimeout: processTimeout,
    hookTimeout: processTimeout,
    sequence: { groupOrder: 1 },
  },
  {
    name: 'live',
    include: ['**/*.live.test.ts'],
    exclude: never,
    globalSetup: './tests/servers/start-servers.ts',
    setupFiles: './tests/servers/skip-when-off.ts',
    // Most of what they do is waiting, for servers that start and for what these do in their own time.
    maxWorkers: 2,
    testTimeout: processTimeout,
    hookTimeout: processTimeout,
    sequence: { groupOrder: 2 },
  },
] satisfies NonNullable<TestProjectInlineConfiguration['test']>[];

export default defineConfig({
  test: {
    sequence: { sequencer: LongFirst },
    reporters: ['default', './tests/closing-line-reporter.ts'],
    projects: projects.map((test) => ({ test: { ...test, expect: { poll: { timeout: pollTimeout } } } })),
  },
});
