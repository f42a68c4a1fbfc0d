import { afterEach, beforeEach } from 'vitest';
import { appendContract } from './append.contract.ts';
import { LogUnderTest, type LogPlace } from './log-under-test.fixture.ts';
import { positionsContract } from './positions.contract.ts';
import { readContract } from './read.contract.ts';
import { tailContract } from './tail.contract.ts';

/** What every log keeps, whatever store it lies in. */
export const eventLogContract = (name: string, newPlace: () => Promise<LogPlace>): void => {
  const its = new LogUnderTest(newPlace);
  beforeEach(() => its.begin());
  afterEach(() => its.end());
  appendContract(name, its);
  readContract(name, its);
  tailContract(name, its);
  positionsContract(name, its);
};
