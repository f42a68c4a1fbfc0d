import { beforeEach } from 'vitest';

// Before every hook and test of a live file: with PARLEY_TEST_LIVE=off they count as skipped. start-servers.ts says so.
beforeEach((context) => context.skip(process.env['PARLEY_TEST_LIVE'] === 'off'));
