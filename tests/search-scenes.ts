import type { UserId } from '../schemas/ids.ts';
import type { SearchFilters } from '../projections/search.ts';
import { searchHistory, someConversation, someUser, textOf, type SearchHistory } from './search-history.ts';

/** Mulberry32: the same numbers from the same seed. */
export const seededRandom = (seed: number): ((below: number) => number) => {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let bits = Math.imul(state ^ (state >>> 15), 1 | state);
    bits = (bits + Math.imul(bits ^ (bits >>> 7), 61 | bits)) ^ bits;
    return ((bits ^ (bits >>> 14)) >>> 0) % below;
  };
};

const words = [
  ...[
    'alpha',
    'Alphabet',
    'beta',
    'café',
    'naïve',
    'a',
    'I',
    'OR',
    'NEAR(a',
    '"quoted"',
    'foo-bar',
    'foo',
    'bar',
    '42',
    '4',
  ],
  ...[
    '東京都',
    '京都',
    '東京',
    '東',
    'ひらがな',
    'カタカナ',
    '我们',
    '我',
    '학교에서',
    '학교',
    'ข้าว',
    'กิน',
    'أحمد',
    'الى',
    'Ёлка',
  ],
  ...['елка', '👍', '👍🏽', '👨‍👩‍👧', '🇩🇪', 'secret', 'shared', 'col:shared', '*', '...'],
] as const;

const users = 6;
const chats = 5;

export interface RandomSearch {
  readonly user: UserId;
  readonly text: string;
  readonly filters: SearchFilters;
  readonly limit: number;
}

/** People who come and go, write, edit, delete, block and are erased, and searches over what they wrote. */
export const randomHistory = (seed: number, length: number) => {
  const random = seededRandom(seed);
  const pick = <T>(from: readonly T[]): T | undefined => from[random(from.length)];
  const anyUser = (): UserId => someUser(random(users));
  const phrase = (most: number): string => Array.from({ length: 1 + random(most) }, () => pick(words)).join(' ');
  const history = searchHistory(1 + random(500));
  const erased = new Set<UserId>();
  for (let n = 0; n < chats; n++) history.start(someConversation(n), someUser(n), someUser((n + 1) % users));

  for (let n = 0; n < length; n++) step(history);
  return { history, queries: (count: number): RandomSearch[] => Array.from({ length: count }, query) };

  function step({ conversations }: SearchHistory): void {
    const id = someConversation(random(chats));
    const known = conversations.get(id);
    const by = pick([...(known?.members.keys() ?? [])]);
    const other = anyUser();
    const target = 1 + random(known?.seq ?? 1);
    const choice = random(100);
    if (choice < 3) {
      if (random(3) === 0) history.unblock(other, anyUser());
      else history.block(other, anyUser());
    } else if (choice < 4 && erased.size < 2) {
      erased.add(other);
      history.erase(other);
    } else if (by === undefined || erased.has(by)) return;
    else if (choice < 10) {
      if (known?.members.has(other) === true) history.removeMember(id, by, other);
      else history.addMember(id, by, other);
    } else if (choice < 12 && (known?.members.size ?? 0) > 1) history.leave(id, by);
    else if (choice < 25) changeOwn(history, id, target);
    else if (choice < 30) history.send(id, by, { type: 'location', latitude: 0, longitude: 0, label: phrase(3) });
    else history.send(id, by, textOf(phrase(8)));
  }

  function changeOwn({ conversations }: SearchHistory, id: ReturnType<typeof someConversation>, target: number): void {
    const message = conversations.get(id)?.messages[target - 1];
    if (message === undefined || message.content === null) return;
    if (random(2) === 0) history.edit(id, message.by, target, textOf(phrase(6)));
    else history.remove(id, message.by, target);
  }

  function query(): RandomSearch {
    const text = phrase(3);
    const time = 1_000_000 + random(length) * 10;
    const filters: SearchFilters = {
      ...(random(4) === 0 && { conversationId: someConversation(random(chats + 1)) }),
      ...(random(4) === 0 && { sender: anyUser() }),
      ...(random(6) === 0 && { before: time }),
      ...(random(6) === 0 && { after: time }),
      ...(random(6) === 0 && { type: random(2) === 0 ? 'text' : 'location' }),
    };
    const cut = text.slice(0, 1 + random(text.length));
    const asked = /[\p{L}\p{N}\u{1f44d}]/u.test(cut) ? cut : 'a';
    // One more user than there are: a stranger to everything.
    return { user: someUser(random(users + 1)), text: asked, filters, limit: 1 + random(20) };
  }
};
