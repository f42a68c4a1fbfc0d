import { PassThrough } from 'node:stream';
import { stripVTControlCharacters } from 'node:util';
import { afterAll, beforeAll, expect, onTestFailed, test } from 'vitest';
import { connect } from '../client/client.ts';
import { serveInProcess, type InProcessServer } from '../tests/in-process-server.ts';
import { signToken } from '../tests/tokens.ts';
import { chatOnScreen } from './chat-screen.ts';

const stack = new AsyncDisposableStack();
let server: InProcessServer;
beforeAll(async () => {
  server = await serveInProcess(stack);
});
afterAll(() => stack.disposeAsync());

/** A terminal of 40 by 10, and the person before it. */
class Person {
  readonly rawModes: boolean[] = [];
  left: Promise<void> = Promise.resolve();
  private screen = '';
  private readonly input = new PassThrough();
  private readonly output = new PassThrough({ encoding: 'utf8' });
  private wake: () => void = () => undefined;

  constructor() {
    this.output.on('data', (drawn: string) => {
      this.screen = stripVTControlCharacters(drawn.slice(drawn.lastIndexOf('\u001b[H'))).replaceAll('\r', '');
      this.wake();
    });
    onTestFailed(() => console.error(this.screen));
  }

  async start(name: string, first?: string): Promise<this> {
    const url = server.address;
    const client = await connect({ url, token: () => signToken(name, 'terminal') });
    stack.defer(() => client.close());
    const setRawMode = (mode: boolean): number => this.rawModes.push(mode);
    const terminal = {
      input: Object.assign(this.input, { setRawMode }),
      output: Object.assign(this.output, { columns: 40, rows: 10 }),
      signal: new AbortController().signal,
    };
    this.left = chatOnScreen(client, name, first, terminal);
    return this;
  }

  type(keys: string): void {
    this.input.write(keys);
  }

  async sees(what: RegExp): Promise<void> {
    while (!what.test(this.screen)) await new Promise<void>((resolve) => (this.wake = resolve));
  }
}

test('two people on their screens: typing, ticks, the list, scrolling back, and leaving the terminal as it was', async () => {
  const bob = await new Person().start('bob');
  await bob.sees(/^chats *$/m);
  await bob.sees(/no chats yet/);
  const alice = await new Person().start('alice', 'bob');
  await alice.sees(/^bob – online/);
  alice.type('hallo\u007f\u007fo wo\u001b[Hsay: \u001b[Frld 漢字\u001b[D!\r');
  await alice.sees(/^1 alice: say: halo world 漢!字 {2}✓/m);
  await bob.sees(/^alice \(1\) {2}say: halo world 漢!字/m);
  bob.type('\r');
  await alice.sees(/✓✓ read/);
  alice.type('next');
  await bob.sees(/^alice – alice typing …/);

  alice.type('\u0015');
  for (let n = 2; n <= 20; n++) alice.type(`line ${n}\r`);
  await bob.sees(/^20 alice: line 20/m);
  bob.type('\u001b[5~\u001b[5~\u001b[5~\u001b[5~');
  await bob.sees(/^1 alice: say/m);
  bob.type('/help\r');
  await bob.sees(/\/quit/);

  alice.type('\u0003');
  bob.type('/quit\r');
  await Promise.all([alice.left, bob.left]);
  expect(alice.rawModes).toEqual([true, false]);
});
