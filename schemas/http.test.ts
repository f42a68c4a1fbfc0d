import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { command } from './commands.ts';
import { writeRoutes } from './http.ts';

test('every command has exactly one call', () => {
  const commands = command.options.map((option) => option.shape.type.value);
  expect(writeRoutes.map((route) => route.command).toSorted()).toEqual(commands.toSorted());
  expect(new Set(writeRoutes.map(({ method, path }) => `${method} ${path}`)).size).toBe(writeRoutes.length);
});

test('docs/protocol.md lists the calls, and no others', () => {
  const page = readFileSync(join(import.meta.dirname, '../docs/protocol.md'), 'utf8');
  const listed = [...page.matchAll(/^\| `((?:POST|PUT|PATCH|DELETE) [^`]+)`\s*\| `([^`]+)`/gm)].map(
    ([, call, name]) => `${call ?? ''} ${name ?? ''}`,
  );
  expect(listed).toEqual(writeRoutes.map((route) => `${route.method} ${route.path} ${route.command}`));
});

test('a user in an address is an id or a name, and a name that looks like an id stays a name', () => {
  const route = writeRoutes.find((one) => one.command === 'remove-member');
  const id = 'A'.repeat(22);
  const commandId = '01890000-0000-7000-8000-000000000000';
  const userIn = (user: string, query: object = {}): unknown => {
    const parsed = route?.parse({
      params: { conversationId: id, user },
      query: { commandId, ...query },
      body: undefined,
    });
    return parsed?.ok && parsed.value.type === 'remove-member' ? parsed.value.user : undefined;
  };
  expect(userIn(id)).toBe(id);
  expect(userIn(`@${id}`)).toEqual({ name: id });
  expect(userIn('@a/b c', { issuer: 'x' })).toEqual({ name: 'a/b c', issuer: 'x' });
  for (const wrong of ['', '@', 'alice', `@${'x'.repeat(501)}`]) expect(userIn(wrong)).toBeUndefined();
});
