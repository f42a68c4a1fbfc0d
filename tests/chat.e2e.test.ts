import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { expect, onTestFailed, onTestFinished, test } from 'vitest';
import { after } from './reaper-client.ts';
import { Scene } from './scene.ts';

const program = join(import.meta.dirname, '..', 'cli/parley.ts');

/** `parley chat` in a pipe. */
class ChatProcess {
  readonly lines: string[] = [];
  readonly exited: Promise<unknown>;
  private readonly child: ChildProcessWithoutNullStreams;
  private wake: () => void = () => undefined;

  constructor(scene: Scene, user: string, peer: string) {
    const url = `http://127.0.0.1:${scene.server.port}`;
    const store = join(scene.data, `${user}.store`);
    const words = ['chat', user, '--with', peer, '--url', url, '--store', store, '--token', scene.token(user, 'chat')];
    const env = { PATH: process.env['PATH'], PARLEY_DATA: scene.data };
    this.child = spawn(process.execPath, [program, ...words], { env });
    const reaped = after({ kill: this.child.pid ?? 0 });
    this.exited = once(this.child, 'exit').finally(() => void reaped.stop());
    this.child.stderr.on('data', (text: Buffer) => this.lines.push(`stderr ${text.toString()}`));
    createInterface({ input: this.child.stdout }).on('line', (line) => {
      this.lines.push(line);
      this.wake();
    });
    onTestFinished(() => this.kill());
    onTestFailed(() => console.error(`${user} printed:\n${this.lines.join('\n')}`));
  }

  say(...lines: string[]): void {
    this.child.stdin.write(lines.map((line) => `${line}\n`).join(''));
  }

  /** What was said in the chat, as it stands on the screen. */
  get said(): string[] {
    return this.lines.filter((line) => /^\d+ /.test(line));
  }

  async until(holds: (lines: readonly string[]) => boolean): Promise<void> {
    while (!holds(this.lines)) await new Promise<void>((resolve) => (this.wake = resolve));
  }

  async kill(): Promise<void> {
    this.child.kill('SIGKILL');
    await this.exited;
  }

  /** The end of the input: what was not answered is waited for. */
  async end(): Promise<number | null> {
    this.child.stdin.end();
    await this.exited;
    return this.child.exitCode;
  }
}

const numbered = (lines: readonly string[]): string[] => lines.map((line, index) => `${index + 1} ${line}`);
const textsOf = (lines: readonly string[]): string[] => lines.map((line) => line.replace(/^\d+ /, ''));

test('C1, C10, C12: two terminals lose and double no line when the server is killed in mid-sentence, nor when a terminal is', async () => {
  const scene = await Scene.open();
  const restart = (): Promise<void> => scene.restart({ port: scene.server.port });
  let bob = new ChatProcess(scene, 'bob', 'alice');
  await bob.until((lines) => lines.includes('- connected'));
  let alice = new ChatProcess(scene, 'alice', 'bob');
  const lines = Array.from({ length: 40 }, (_, n) => `alice: line ${n + 1} – こんにちは`);
  const sayOf = (from: number, to: number): void =>
    alice.say(...lines.slice(from, to).map((line) => line.replace('alice: ', '')));

  alice.say('two\\nlines');
  await bob.until((got) => got.some((line) => line.endsWith('two\\nlines')));
  await alice.until((got) => got.includes('~ 1 ✓✓ read'));

  sayOf(0, 15);
  await bob.until(() => bob.said.length > 3);
  await scene.server.end('SIGKILL');
  sayOf(15, 25);
  await alice.until((got) => got.some((line) => line.startsWith('- offline')));
  // The terminals end too, with what alice said while there was no server: it took in every line.
  await alice.until((got) => got.filter((line) => line === '~ …').length === 26);
  await Promise.all([alice.kill(), bob.kill()]);
  await restart();
  alice = new ChatProcess(scene, 'alice', 'bob');
  bob = new ChatProcess(scene, 'bob', 'alice');
  sayOf(25, 40);
  bob.say('I heard all of it');
  const expected = ['alice: two\\nlines', ...lines];
  await Promise.all([alice, bob].map((chat) => chat.until(() => chat.said.length > expected.length)));

  for (const chat of [alice, bob]) {
    expect(textsOf(chat.said).filter((line) => !line.endsWith('I heard all of it'))).toEqual(expected);
    expect(chat.said).toEqual(numbered(textsOf(chat.said)));
  }
  expect(textsOf(bob.said)).toEqual(textsOf(alice.said));
  expect(await Promise.all([alice.end(), bob.end()])).toEqual([0, 0]);
});

test('lists, searches, changes, pages back, and says what it does not understand', async () => {
  const scene = await Scene.open();
  const bob = new ChatProcess(scene, 'bob', 'alice');
  await bob.until((lines) => lines.includes('- connected'));
  const alice = new ChatProcess(scene, 'alice', 'bob');
  alice.say('one apple', 'two pears', '/edit 1 one orange', '/delete 2', '/nonsense', '/pin', '/list');
  await bob.until((lines) => lines.some((line) => line.endsWith('two pears')));
  await alice.until((lines) => lines.includes('* not understood; /help'));
  const found = async (word: string, line: string): Promise<void> => {
    const answers = (): number => alice.lines.filter((one) => one === line || one === '* nothing found').length;
    while (!alice.lines.includes(line)) {
      const before = answers();
      alice.say(`/search ${word}`);
      await alice.until(() => answers() > before);
    }
  };
  await found('orange', '* bob 1 alice: one orange');
  alice.say('/open bob', '/list');
  await alice.until((lines) => lines.includes('1 alice: one orange') && lines.includes('2 alice: (deleted)'));
  await alice.until((lines) => lines.some((line) => /^\* bob.* – pinned$/.test(line)));
  expect(await alice.end()).toBe(0);
  // Input that is at its end at once is sent all the same.
  const last = new ChatProcess(scene, 'alice', 'bob');
  last.say('goodbye');
  expect(await last.end()).toBe(0);
  await bob.until((lines) => lines.some((line) => line.endsWith('goodbye')));
});
