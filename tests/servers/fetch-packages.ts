/** Fetches what the live tests start servers from, beside what is done before them: they would wait for it otherwise. */
import { join } from 'node:path';
import { cassandra } from './cassandra.ts';
import { elasticsearchDistribution } from './elasticsearch-distribution.ts';
import { elasticsearch } from './elasticsearch.ts';
import { jarsOf } from './java.ts';
import { dockerAnswers } from './start-server.ts';

const packages = [
  { product: cassandra, fetched: () => jarsOf('cassandra', join(import.meta.dirname, 'cassandra/pom.xml')) },
  { product: elasticsearch, fetched: elasticsearchDistribution },
];

const isOff = process.env['PARLEY_TEST_LIVE'] === 'off';
const asked = isOff ? [] : packages.filter(({ product }) => (process.env[product.variable] ?? '') === '');
if (asked.length > 0 && !(await dockerAnswers())) await Promise.all(asked.map(({ fetched }) => fetched()));
