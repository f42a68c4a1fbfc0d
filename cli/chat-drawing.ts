import type { ChatSession } from './chat-session.ts';
import type { ScreenState } from './chat-screen.ts';
import { banner, contentText, printable, ticks, width, wrap } from './chat-text.ts';

export interface Size {
  readonly columns: number;
  readonly rows: number;
  readonly now: number;
}

const home = '\u001b[H';
const toEndOfLine = '\u001b[K';
const toEndOfScreen = '\u001b[J';
const dim = (text: string): string => `\u001b[2m${text}\u001b[22m`;
const inverse = (text: string): string => `\u001b[7m${text}\u001b[27m`;

/** The whole screen as one write: a title, the chat or the list of chats, notices, and what is being typed. */
export const drawChat = (session: ChatSession, state: ScreenState, size: Size): string => {
  const { columns, rows } = size;
  const notices = state.notices.flatMap((line) => wrap(printable(line), columns)).slice(-Math.floor(rows / 2));
  const room = Math.max(1, rows - 2 - notices.length);
  const lines = session.open === null ? listLines(session, state, columns) : chatLines(session, columns);
  state.scrolled = Math.min(state.scrolled, Math.max(0, lines.length - room));
  const end = lines.length - state.scrolled;
  const shown = session.open === null ? lines.slice(0, room) : lines.slice(Math.max(0, end - room), end);
  const blank = Array.from({ length: room - shown.length }, () => '');
  const prompt = cutLeft(`> ${printable(state.typed.slice(0, state.cursor))}`, columns - 1);
  const after = wrap(printable(state.typed.slice(state.cursor)), Math.max(1, columns - width(prompt)))[0] ?? '';
  const screen = [inverse(padded(titleLine(session, size), columns)), ...shown, ...blank, ...notices.map(dim)];
  return `${home}${[...screen, prompt + after].join(`${toEndOfLine}\r\n`)}${toEndOfScreen}\u001b[${rows};${width(prompt) + 1}H`;
};

const titleLine = (session: ChatSession, { now }: Size): string => {
  const title = session.open === null ? 'chats' : session.titleOf(session.open);
  const state = banner(session.client.status, now) ?? session.presence(now);
  return printable(state === '' ? title : `${title} – ${state}`);
};

const listLines = (session: ChatSession, state: ScreenState, columns: number): string[] => {
  const chats = session.client.chats();
  state.selected = Math.max(0, Math.min(state.selected, chats.length - 1));
  if (chats.length === 0) return [dim('no chats yet; /open NAME, /help for more')];
  return chats.map(({ conversationId, unread, lastMessage, pinned, archived, mutedUntil }, index) => {
    const marks = `${pinned ? '📌' : ''}${archived ? ' archived' : ''}${mutedUntil > 0 ? ' muted' : ''}`;
    const name = `${session.titleOf(conversationId)}${unread > 0 ? ` (${unread})` : ''}${marks}`;
    const last = lastMessage === null ? '' : contentText(lastMessage.content, lastMessage.state);
    const line = padded(printable(`${name}  ${last}`.replaceAll('\n', ' ')), columns);
    return index === state.selected ? inverse(line) : line;
  });
};

const chatLines = (session: ChatSession, columns: number): string[] => {
  const placed = session.messages().flatMap((message) => {
    const sendState = 'sendState' in message ? message.sendState : null;
    const edited = message.version > 0 && message.state === 'shown' ? ' (edited)' : '';
    const text = contentText(message.content, message.state);
    const tick = sendState === null ? '' : `  ${ticks[sendState]}`;
    return entry(`${message.seq} ${session.nameOf(message.by)}`, `${text}${edited}${tick}`, columns);
  });
  const outgoing = session.outgoing().flatMap(({ content, sendState, code }) => {
    const why = code === null ? '' : ` ${code}`;
    return entry('', `${contentText(content, 'shown')}  ${ticks[sendState]}${why}`, columns);
  });
  return [...placed, ...outgoing];
};

const entry = (from: string, text: string, columns: number): string[] => {
  const head = printable(from === '' ? '' : `${from}: `);
  const [first = '', ...more] = wrap(printable(head + text), columns);
  return [first.startsWith(head) ? dim(head) + first.slice(head.length) : first, ...more];
};

/** Exactly so many columns. */
const padded = (text: string, columns: number): string => {
  const [line = ''] = wrap(text, columns);
  return line + ' '.repeat(Math.max(0, columns - width(line)));
};

/** Its end, where the cursor is. */
const cutLeft = (text: string, columns: number): string => wrap(text, Math.max(2, columns)).at(-1) ?? '';
