import { sayLast } from '../say-last.ts';

const url = process.env['PARLEY_TEST_EVENTSTOREDB_URL'];
if (url === undefined || url === '') {
  sayLast('EventStoreDB was verified by the stub only: PARLEY_TEST_EVENTSTOREDB_URL names no real one.');
}
