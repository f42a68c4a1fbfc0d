import type { Readable, Writable } from 'node:stream';
import type { Client, ClientEvents, Message } from '../client/client.ts';
import { ChatSession, type ChatDisplay } from './chat-session.ts';
import { banner, contentText, escaped, ticks, unescaped } from './chat-text.ts';

export interface ChatStreams {
  readonly input: Readable;
  readonly output: Writable;
  /** Leaves at once; what is not answered goes out the next time. */
  readonly signal: AbortSignal;
}

/**
 * A chat for pipes: a line in is a message or a command, a line out a message, `SEQ NAME: TEXT`, or what begins with `*` (a
 * notice), `-` (the connection) or `~` (how far a message of ours has come). Resolves when the input has ended and everything
 * was answered.
 */
export const chatInLines = async (
  client: Client,
  name: string,
  first: string | undefined,
  { input, output, signal }: ChatStreams,
): Promise<void> => {
  const print = (line: string): void => void output.write(`${line}\n`);
  const done = Promise.withResolvers<undefined>();
  let isEnding = false;
  const look = (): void => {
    if (isEnding && client.pending === 0) done.resolve(undefined);
  };
  /** Up to here the open chat was printed: what is held may be ahead of what was told. */
  let printed = 0;
  const show = ({ seq, by, content, state }: Pick<Message, 'seq' | 'by' | 'content' | 'state'>): void =>
    print(`${seq} ${session.nameOf(by)}: ${escaped(contentText(content, state))}`);
  const end = (): void => {
    isEnding = true;
    look();
  };

  const display: ChatDisplay = {
    notice: (...lines) => lines.forEach((line) => print(`* ${escaped(line)}`)),
    opened() {
      if (session.open === null) return;
      print(`* ${escaped(session.titleOf(session.open))}`);
      session.messages().forEach(show);
      printed = session.messages().at(-1)?.seq ?? 0;
    },
    older: (messages) => messages.forEach(show),
    message({ message }) {
      if (message.seq > printed) show(message);
      printed = Math.max(printed, message.seq);
    },
    outgoing({ seq, state, code, messageId }: ClientEvents['outgoing']) {
      if (state === 'failed') print(`~ ${messageId} ${ticks.failed} ${code ?? ''}`);
      else print(seq === null ? `~ ${ticks[state]}` : `~ ${seq} ${ticks[state]}`);
    },
    changed: () => undefined,
  };
  const session = new ChatSession(client, name, display, end);
  client.on('connection', (status) => {
    print(`- ${banner(status, Date.now()) ?? 'connected'}`);
    if (status.status === 'ended') done.resolve(undefined);
  });
  client.on('answered', look);
  if (first !== undefined) session.openByName(first);

  let begun = '';
  input.setEncoding('utf8');
  // Not readline: it ends a line at U+2028 too.
  input.on('data', (text: string) => {
    const lines = (begun + text).split('\n');
    begun = lines.pop() ?? '';
    for (const line of lines) session.obey(unescaped(line));
  });
  signal.addEventListener('abort', () => done.resolve(undefined));
  input.on('end', () => {
    if (begun !== '') session.obey(unescaped(begun));
    end();
  });
  await done.promise;
  input.destroy();
};
