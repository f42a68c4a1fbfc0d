import { codePoints } from '../schemas/code-points.ts';
import { BadCursor, type Message } from './inbox.ts';

/** Code points of a text that a chat list shows. */
const previewLength = 200;

/** Of a content, what a chat list shows of it. */
export const previewOf = (content: Message['content']): Pick<Message, 'content' | 'cut'> => {
  if (content?.type !== 'text' || codePoints(content.text) <= previewLength) return { content, cut: false };
  // A code point is one UTF-16 unit or two.
  const text = Array.from(content.text.slice(0, previewLength * 2))
    .slice(0, previewLength)
    .join('');
  return { content: { type: 'text', text }, cut: true };
};

const cursorPattern = /^1\.([0-9a-z]{1,11})$/;

/** The cursor behind a chat whose activity lies at a place. */
export const chatCursor = (place: number): string => `1.${place.toString(36)}`;

/** The place before which the chats behind a cursor lie. */
export const placeInCursor = (cursor: string | null): number => {
  if (cursor === null) return Number.MAX_SAFE_INTEGER;
  const place = parseInt(cursorPattern.exec(cursor)?.[1] ?? '', 36);
  if (!Number.isSafeInteger(place)) throw new BadCursor('not a cursor of a chat list');
  return place;
};
