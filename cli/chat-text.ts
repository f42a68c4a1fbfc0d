import type { MessageContent } from '../schemas/content.ts';
import type { ConnectionStatus, Message, Presence, SendState } from '../client/client.ts';

const controls = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g;

/** What others wrote must not move the cursor, clear the screen or turn the line round. */
export const printable = (text: string): string => text.replaceAll(controls, '\ufffd').replaceAll('\t', ' ');

/** One line for one message, and back: in a pipe a line is a message. */
export const escaped = (text: string): string => printable(text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n'));
export const unescaped = (line: string): string =>
  line.replace(/\\([\\n])/g, (_, letter: string) => (letter === 'n' ? '\n' : '\\'));

export const contentText = (content: MessageContent | null, state: Message['state']): string => {
  if (state === 'deleted') return '(deleted)';
  if (state === 'hidden') return '(hidden)';
  if (content === null) return '(erased)';
  if (content.type === 'text') return content.text;
  return `(at ${content.latitude}, ${content.longitude}${content.label === undefined ? '' : `: ${content.label}`})`;
};

export const ticks: Readonly<Record<SendState, string>> = {
  sending: '…',
  sent: '✓',
  delivered: '✓✓',
  read: '✓✓ read',
  failed: '✗',
};

/** Undefined: all is well. */
export const banner = (status: ConnectionStatus, now: number): string | undefined => {
  switch (status.status) {
    case 'live':
      return undefined;
    case 'connecting':
      return 'connecting …';
    case 'catching-up':
      return 'catching up …';
    case 'waiting':
      return status.for === 'log' ? 'the server cannot read its log now …' : 'still catching up …';
    case 'offline':
      return `offline, trying again in ${Math.max(0, Math.ceil((status.retryAt - now) / 1_000))} s`;
    case 'ended':
      return `ended: ${status.reason}`;
  }
};

/** Nothing is said of those of whom nothing is known. */
export const presenceText = (presence: Presence | undefined, now: number): string => {
  if (presence === undefined) return '';
  const status = presence.statusText === null ? '' : `, ${presence.statusText}`;
  if (presence.online) return (presence.availability === 'available' ? 'online' : presence.availability) + status;
  if (presence.lastSeen === null) return '';
  const minutes = Math.max(0, Math.floor((now - presence.lastSeen) / 60_000));
  const ago =
    minutes < 60
      ? `${minutes} min`
      : minutes < 2_880
        ? `${Math.floor(minutes / 60)} h`
        : `${Math.floor(minutes / 1_440)} days`;
  return `last seen ${ago} ago`;
};

const graphemes = new Intl.Segmenter(undefined, { granularity: 'grapheme' });
const wide =
  /^[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\ua960-\ua97f\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]|^\p{Emoji_Presentation}|^[\u{20000}-\u{3fffd}]|\ufe0f/u;

/** How many columns a terminal gives it. */
const columnsOf = (grapheme: string): number => (wide.test(grapheme) ? 2 : 1);
export const width = (text: string): number => {
  let columns = 0;
  for (const { segment } of graphemes.segment(text)) columns += columnsOf(segment);
  return columns;
};

/** Lines of at most so many columns; never inside a character. */
export const wrap = (text: string, columns: number): string[] =>
  text.split('\n').flatMap((line) => {
    const lines: string[] = [];
    let [current, used] = ['', 0];
    for (const { segment } of graphemes.segment(line)) {
      const needed = columnsOf(segment);
      if (used + needed > columns) {
        lines.push(current);
        [current, used] = ['', 0];
      }
      current += segment;
      used += needed;
    }
    return [...lines, current];
  });
