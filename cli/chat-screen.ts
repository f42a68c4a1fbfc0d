import type { Readable, Writable } from 'node:stream';
import { emitKeypressEvents, type Key } from 'node:readline';
import type { WriteStream } from 'node:tty';
import type { Client } from '../client/client.ts';
import { drawChat } from './chat-drawing.ts';
import { ChatSession, type ChatDisplay } from './chat-session.ts';

export interface Terminal {
  readonly input: Readable & { setRawMode(mode: boolean): unknown };
  readonly output: Writable & Pick<WriteStream, 'columns' | 'rows'>;
  readonly signal: AbortSignal;
}

const enterScreen = '\u001b[?1049h\u001b[?2004h';
const leaveScreen = '\u001b[?2004l\u001b[?1049l';

/** What the screen has beside the session. */
export interface ScreenState {
  typed: string;
  /** Where the cursor is, in code units of `typed`. */
  cursor: number;
  /** Lines scrolled up from the newest. */
  scrolled: number;
  /** The chat of the list that Enter opens. */
  selected: number;
  notices: string[];
}

const mostNotices = 8;

/** A chat that fills the terminal. Resolves when the person leaves. */
export const chatOnScreen = async (
  client: Client,
  name: string,
  first: string | undefined,
  { input, output, signal }: Terminal,
): Promise<void> => {
  const state: ScreenState = { typed: '', cursor: 0, scrolled: 0, selected: 0, notices: [] };
  const done = Promise.withResolvers<undefined>();
  let isDrawing = false;
  const draw = (): void => {
    if (isDrawing) return;
    isDrawing = true;
    setImmediate(() => {
      isDrawing = false;
      const { columns, rows } = output;
      output.write(drawChat(session, state, { columns, rows, now: Date.now() }));
    });
  };
  const display: ChatDisplay = {
    notice(...lines) {
      state.notices = [...state.notices, ...lines].slice(-mostNotices);
      draw();
    },
    opened() {
      state.scrolled = 0;
      draw();
    },
    older: draw,
    message: draw,
    outgoing: draw,
    changed: draw,
  };
  const session = new ChatSession(client, name, display, () => done.resolve(undefined));
  const onKey = (typed: string | undefined, key: Key): void => {
    press(session, state, typed, key, output.rows);
    draw();
  };

  output.write(enterScreen);
  input.setRawMode(true);
  emitKeypressEvents(input);
  input.on('keypress', onKey);
  signal.addEventListener('abort', () => done.resolve(undefined));
  output.on('resize', draw);
  // The banner counts down.
  const clock = setInterval(draw, 1_000);
  try {
    if (first !== undefined) session.openByName(first);
    draw();
    await done.promise;
  } finally {
    clearInterval(clock);
    output.off('resize', draw);
    input.off('keypress', onKey);
    input.setRawMode(false);
    input.pause();
    output.write(leaveScreen);
  }
};

const press = (session: ChatSession, state: ScreenState, typed: string | undefined, key: Key, rows: number): void => {
  const page = Math.max(1, rows - 5);
  if (key.ctrl === true && (key.name === 'c' || key.name === 'd')) session.obey('/quit');
  else if (key.name === 'return' || key.name === 'enter') enter(session, state);
  else if (key.name === 'escape') {
    [state.typed, state.cursor, state.notices] = ['', 0, []];
    session.openById(null);
  } else if (key.name === 'pageup') scroll(session, state, page);
  else if (key.name === 'pagedown') state.scrolled = Math.max(0, state.scrolled - page);
  else if (session.open === null && key.name === 'up') state.selected = Math.max(0, state.selected - 1);
  else if (session.open === null && key.name === 'down') state.selected++;
  else {
    const before = state.typed;
    edit(state, typed, key);
    if (state.typed.length > before.length && !state.typed.startsWith('/')) session.typing();
  }
};

const scroll = (session: ChatSession, state: ScreenState, lines: number): void => {
  state.scrolled += lines;
  if (state.scrolled + lines > session.messages().length) void session.loadOlder();
};

const enter = (session: ChatSession, state: ScreenState): void => {
  const { typed } = state;
  [state.typed, state.cursor, state.notices] = ['', 0, []];
  if (typed !== '' || session.open !== null) session.obey(typed);
  else session.openById(session.client.chats()[state.selected]?.conversationId ?? null);
};

const edit = (state: ScreenState, typed: string | undefined, key: Key): void => {
  const [before, after] = [state.typed.slice(0, state.cursor), state.typed.slice(state.cursor)];
  const put = (text: string, rest: string): void => {
    state.typed = text + rest;
    state.cursor = text.length;
  };
  if (key.name === 'backspace') put(withoutLast(before), after);
  else if (key.ctrl === true && key.name === 'u') put('', after);
  else if (key.ctrl === true && key.name === 'w') put(before.replace(/\S*\s*$/, ''), after);
  else if (key.name === 'left') state.cursor = withoutLast(before).length;
  else if (key.name === 'right') state.cursor += (graphemesOf(after)[0] ?? '').length;
  else if (key.name === 'home' || (key.ctrl === true && key.name === 'a')) state.cursor = 0;
  else if (key.name === 'end' || (key.ctrl === true && key.name === 'e')) state.cursor = state.typed.length;
  else if (typed !== undefined && key.ctrl !== true && key.meta !== true && !/\p{Cc}/u.test(typed))
    put(before + typed, after);
};

const segmenter = new Intl.Segmenter(undefined, { granularity: 'grapheme' });
const graphemesOf = (text: string): string[] => [...segmenter.segment(text)].map(({ segment }) => segment);
const withoutLast = (text: string): string => graphemesOf(text).slice(0, -1).join('');
