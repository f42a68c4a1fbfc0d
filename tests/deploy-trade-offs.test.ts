import { expect, test } from 'vitest';
import { asCompose, readCompose } from './deploy-compose-file.ts';
import { read } from './deploy-files.ts';

const page = read('docs/trade-offs.md');

/** The table of what so many people a day come to, as numbers. */
const rows = (text: string): readonly (readonly number[])[] =>
  [...text.matchAll(/^\| ([\d,]+) +\|(.+)\|$/gm)].map(([, people = '', others = '']) =>
    [people, ...others.split('|')].map((cell) => Number(cell.replaceAll(/[^\d.]/g, ''))),
  );

const atAll = 5_300;
const bytes = 1_004;

const wrong = (text: string): readonly number[] =>
  rows(text)
    .filter(([people = 0, mean = 0, peak = 0, share = 0, day = 0, year = 0]) => {
      const perSecond = (people * 40) / 86_400;
      const perDay = (people * 40 * bytes) / 1e9;
      const rounds = (said: number, exact: number, digits: number): boolean =>
        Math.abs(said - exact) <= 0.5 * 10 ** -digits;
      return !(
        rounds(mean, perSecond, perSecond < 10 ? 1 : 0) &&
        rounds(peak, 5 * perSecond, 0) &&
        rounds(share, (500 * perSecond) / atAll, 0) &&
        rounds(day, perDay, perDay < 0.1 ? 2 : perDay < 1 ? 1 : 0) &&
        rounds(year, 365 * perDay, 0)
      );
    })
    .map(([people = 0]) => people);

test('F77: the arithmetic of docs/trade-offs.md is right', () => {
  expect(rows(page)).toHaveLength(6);
  expect(wrong(page)).toEqual([]);
  expect(wrong(page.replace('1,466 GB', '1,566 GB'))).toEqual([100_000]);
});

const figuresIn = (text: string): readonly string[] => [...text.matchAll(/[\d.,]*\d/g)].map(([figure]) => figure);

test('F77: what docs/trade-offs.md takes from a record or a page stands there', () => {
  const sources: Readonly<Record<string, string>> = {
    'ADR 2': read('docs/adr/0002-bytes-per-message.md'),
    'ADR 9': read('docs/adr/0009-what-a-message-costs.md'),
    distributed: read('docs/distributed.md'),
  };
  const taken = (given: string) => [...given.matchAll(/^\| [^|]+ \| ([^|]+) \| \[(ADR \d+|distributed)\]/gm)];
  const missing = (given: string): readonly string[] =>
    taken(given).flatMap(([, figures = '', source = '']) => {
      const there = figuresIn(sources[source] ?? '');
      return figuresIn(figures).filter((figure) => !there.includes(figure));
    });
  expect(taken(page).length).toBeGreaterThan(6);
  expect(missing(page)).toEqual([]);
  expect(missing(page.replace('124–176 µs', '12–176 µs'))).toEqual(['12']);
});

test('F77: docker-compose.yml takes as much memory as docs/trade-offs.md says', () => {
  const gibibytes = Object.entries(asCompose(readCompose()).services)
    // Of the two event logs one runs.
    .filter(([name]) => name !== 'migrate' && name !== 'kurrentdb')
    .map(([, { deploy }]) => String(deploy?.resources.limits['memory']))
    .map((limit) => Number.parseInt(limit, 10) / (limit.endsWith('M') ? 1_024 : 1));
  expect(page).toContain(`| ${gibibytes.reduce((sum, one) => sum + one, 0)} GiB `);
});
