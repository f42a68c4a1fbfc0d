import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { readRoutes } from '../schemas/http-reads.ts';
import { openApiText } from './openapi.ts';

const documented = (name: string): string => readFileSync(new URL(`../docs/${name}`, import.meta.url), 'utf8');

test('docs/openapi.json is what the schemas say: npm run openapi', () => {
  expect(documented('openapi.json')).toBe(openApiText());
});

test('docs/protocol.md lists the reads with their queries, and no others', () => {
  const listed = [...documented('protocol.md').matchAll(/^\| `GET ([^`]+)`\s*\|([^|]*)\|/gm)].map(([, path, query]) => [
    path,
    [...(query ?? '').matchAll(/`([^`]+)`/g)].map(([, name]) => name),
  ]);
  expect(listed).toEqual(Object.values(readRoutes).map(({ path, query }) => [path, Object.keys(query.shape)]));
});
