import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { command } from '../schemas/commands.ts';
import { closes, errors } from '../schemas/errors.ts';
import { firstSync, ping, renew, resume, serverFrame, subscribePresence, typing } from '../schemas/frames.ts';

const page = readFileSync(new URL('../docs/protocol.md', import.meta.url), 'utf8');

/** The rows of the first table after a heading, each as its cells without back quotes. */
const tableAfter = (heading: string): string[][] => {
  const lines = page.slice(page.indexOf(`\n## ${heading}`)).split('\n');
  const start = lines.findIndex((line) => /^\|[-| ]+\|$/.test(line));
  const rows = lines.slice(start + 1);
  const end = rows.findIndex((line) => !line.startsWith('|'));
  return rows.slice(0, end).map((line) =>
    line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim().replaceAll('`', '')),
  );
};

interface FrameSchema {
  readonly shape: { readonly type: { readonly value: string } };
}

const clientFrames: readonly FrameSchema[] = [
  resume,
  firstSync,
  ping,
  renew,
  subscribePresence,
  typing,
  ...command.options,
];
const serverFrames: readonly FrameSchema[] = serverFrame.options;

test('the page lists every error code with the status, the retry and the meaning of the table', () => {
  expect(tableAfter('9. Errors')).toEqual(
    Object.entries(errors).map(([code, row]) => [code, String(row.http), row.retry, row.means.replaceAll('`', '')]),
  );
});

test('the page lists every close code', () => {
  const listed = tableAfter('7. How a connection ends').map(([code, name]) => [Number(code), name]);
  expect(listed).toEqual(Object.entries(closes).map(([name, row]) => [row.code, name]));
});

test.each([
  ['5. What a client sends', clientFrames],
  ['6. What the server sends', serverFrames],
] as const)('the page lists every frame of "%s" and names its fields', (heading, frames) => {
  const rows = tableAfter(heading);
  expect(rows.map(([type]) => type)).toEqual(frames.map((frame) => frame.shape.type.value));
  frames.forEach((frame, index) => {
    const fields = Object.keys(frame.shape).filter((field) => field !== 'type');
    for (const field of fields) expect(rows[index]?.[1], frame.shape.type.value).toContain(field);
  });
});
