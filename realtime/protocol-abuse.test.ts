import { once } from 'node:events';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import fc from 'fast-check';
import { serverFrame } from '../schemas/frames.ts';
import { serveInProcess, type InProcessServer } from '../tests/in-process-server.ts';
import { opcode, RawSocket, wsFrame } from '../tests/raw-socket.ts';
import { newId, WireClient } from '../tests/wire-client.ts';

const stack = new AsyncDisposableStack();
let server: InProcessServer;
let bystander: WireClient;
beforeAll(async () => {
  server = await serveInProcess(stack, { PARLEY_TEXT_CHARACTERS: '1000' });
  bystander = stack.use(await WireClient.live(server.port, 'bystander'));
});
afterAll(async () => {
  // Whatever was done to the server, others did not notice.
  bystander.send({ type: 'ping' });
  await bystander.next('pong');
  await stack.disposeAsync();
});

/** The limit of `welcome` for texts of 1,000 characters. */
const frameBytes = 1_000 * 12 + 16_384;
const text = (payload: string | Uint8Array): Buffer => wsFrame(opcode.text, payload);

describe('P2: bytes that are not the protocol end the connection, by the code that says why', () => {
  test.each([
    ['a frame over the limit', 1009, [text('x'.repeat(frameBytes + 1))]],
    ['a length of 2^63 - 1', 1009, [wsFrame(opcode.text, '', { length: 2n ** 63n - 1n })]],
    ['a length just over the limit, and nothing else', 1009, [wsFrame(opcode.text, '', { length: frameBytes + 1 })]],
    ['fragments over the limit', 1009, fragments(40, 'x'.repeat(1_000))],
    ['100,000 empty fragments', 1008, fragments(100_000, '')],
    ['an unmasked frame', 1002, [wsFrame(opcode.text, '{}', { masked: false })]],
    ['RSV1', 1002, [wsFrame(opcode.text, '{}', { rsv: 4 })]],
    ['RSV2', 1002, [wsFrame(opcode.text, '{}', { rsv: 2 })]],
    ['RSV3', 1002, [wsFrame(opcode.text, '{}', { rsv: 1 })]],
    ['an opcode that is reserved', 1002, [wsFrame(0x3, '{}')]],
    ['a continuation of nothing', 1002, [wsFrame(opcode.continuation, '{}')]],
    ['a fragmented ping', 1002, [wsFrame(opcode.ping, '', { fin: false })]],
    ['a ping of 126 bytes', 1002, [wsFrame(opcode.ping, 'x'.repeat(126))]],
    ['a close code nobody may send', 1002, [wsFrame(opcode.close, Buffer.from([0x03, 0xed]))]],
    ['binary', 1003, [wsFrame(opcode.binary, '{}')]],
  ])('%s', async (_what, code, frames) => {
    const raw = await RawSocket.open(server.port, 'mallory');
    for (const frame of frames) raw.socket.write(frame);
    expect(await raw.closeCode()).toBe(code);
  });

  test('one byte at a time is slow, and fine', async () => {
    const raw = await RawSocket.open(server.port, 'mallory');
    for (const byte of text('{"type":"ping"}')) raw.socket.write(Buffer.from([byte]));
    raw.socket.write(wsFrame(opcode.close, Buffer.from([0x03, 0xe8])));
    expect(await raw.closeCode()).toBe(1000);
  });

  test('who floods with pings and reads no pong is cut off', async () => {
    const raw = await RawSocket.open(server.port, 'mallory');
    raw.socket.pause();
    for (let i = 0; i < 20_000; i++) raw.socket.write(wsFrame(opcode.ping, 'x'.repeat(125)));
    raw.socket.resume();
    expect(await raw.closeCode()).not.toBe(1000);
  });

  test('who sends frames without reading the answers is not read from, and gets them all once it reads', async () => {
    const raw = await RawSocket.open(server.port, 'mallory');
    const pong = wsFrame(opcode.text, JSON.stringify({ type: 'pong', time: Date.now() }), { masked: false });
    const all = raw.receivedBytes + 150_000 * pong.length;
    raw.socket.pause();
    const flood = Buffer.concat(Array.from({ length: 1_000 }, () => text('{"type":"ping"}')));
    for (let i = 0; i < 150; i++) raw.socket.write(flood);
    bystander.send({ type: 'ping' });
    await bystander.next('pong');
    raw.socket.resume();
    while (raw.receivedBytes < all) await once(raw.socket, 'data');
    raw.socket.write(wsFrame(opcode.close, Buffer.from([0x03, 0xe8])));
    expect(await raw.closeCode()).toBe(1000);
  });
});

function fragments(count: number, payload: string): Buffer[] {
  const middle = wsFrame(opcode.continuation, payload, { fin: false });
  const first = wsFrame(opcode.text, payload, { fin: false });
  return [Buffer.concat([first, ...Array.from({ length: count }, () => middle)])];
}

describe('P3: text that is not Unicode', () => {
  test.each([
    ['a lone continuation byte', [0x80]],
    ['an overlong slash', [0xc0, 0xaf]],
    ['a surrogate in UTF-8', [0xed, 0xa0, 0x80]],
    ['beyond U+10FFFF', [0xf4, 0x90, 0x80, 0x80]],
    ['a sequence cut short', [0xe2, 0x82]],
  ])('%s ends the connection', async (_what, bytes) => {
    const raw = await RawSocket.open(server.port, 'mallory');
    raw.socket.write(text(Buffer.from([0x22, ...bytes, 0x22])));
    expect(await raw.closeCode()).toBe(1007);
  });

  test('a lone surrogate as an escape is refused by name, and the connection goes on', async () => {
    const client = stack.use(await WireClient.live(server.port, 'escaper'));
    const messageId = newId();
    client.send(
      `{"type":"send","messageId":"${messageId}","conversationId":"AAAAAAAAAAAAAAAAAAAAAA","content":{"type":"text","text":"\\ud800"}}`,
    );
    expect(await client.answerTo(messageId)).toMatchObject({
      code: 'invalid',
      message: expect.stringContaining('lone surrogate') as string,
    });
    await answers(client);
  });

  test('what Unicode allows comes through unchanged: NUL, BOM, bidi controls, a thousand combining marks', async () => {
    const [alice, bob] = [await WireClient.live(server.port, 'alice'), await WireClient.live(server.port, 'bob')];
    stack.use(alice);
    stack.use(bob);
    const { conversationId } = await alice.ask({ type: 'start-direct', with: { name: 'bob' } });
    for (const said of ['\0', '\ufeffbom', '\u202eevil\u202c', `a${'\u0301'.repeat(999)}`, '👩‍👩‍👧‍👦', '\u2028\u2029']) {
      alice.text(conversationId, said);
      expect((await bob.next('message')).content).toEqual({ type: 'text', text: said });
    }
    const messageId = newId();
    alice.text(conversationId, '😀'.repeat(1_001), messageId);
    expect(await alice.answerTo(messageId)).toMatchObject({ code: 'text_too_long' });
  });
});

const answers = async (client: WireClient): Promise<void> => {
  client.send({ type: 'ping' });
  await client.next('pong');
};

describe('P4: frames that are refused leave the connection as it was', () => {
  const id = newId();
  const within = (more: string): string =>
    `{"type":"send","messageId":"${id}","conversationId":"AAAAAAAAAAAAAAAAAAAAAA","content":{"type":"text","text":"a"}${more}}`;
  test.each([
    ['nothing', '', 'error'],
    ['no JSON', '{', 'error'],
    ['no object', '[]', 'error'],
    ['null', 'null', 'error'],
    ['a type nobody knows', '{"type":"constructor"}', 'error'],
    ['a type that is no text', '{"type":{"toString":1}}', 'error'],
    ['28,000 levels', '['.repeat(28_000), 'error'],
    ['28,000 objects in each other', '{"a":'.repeat(5_600), 'error'],
    ['a deep field', within(`,"replyTo":${'['.repeat(20)}${']'.repeat(20)}`), 'rejected'],
    ['thousands of keys', `{${Array.from({ length: 2_000 }, (_, i) => `"k${i}":1`).join(',')}}`, 'error'],
    ['an unknown field', within(',"seq":1'), 'rejected'],
    ['__proto__', within(',"__proto__":{"type":"ping"}'), 'rejected'],
    ['constructor', within(',"constructor":1'), 'rejected'],
    ['1e400', within(',"replyTo":1e400'), 'rejected'],
    ['2^53 + 1', within(',"replyTo":9007199254740993'), 'rejected'],
    ['a negative number', within(',"replyTo":-1'), 'rejected'],
    ['a reserved field', within(',"mentions":[]'), 'rejected'],
    ['an id that is long', `{"type":"leave","commandId":"${'x'.repeat(1_000)}"}`, 'error'],
    ['an id that is none', '{"type":"leave","commandId":"x"}', 'rejected'],
    ['an id that is a number', '{"type":"leave","commandId":7}', 'error'],
  ] as const)('%s', async (_what, frame, type) => {
    const client = stack.use(await WireClient.live(server.port, 'hostile'));
    client.send(frame);
    expect((await client.next(type)).code).toMatch(/invalid|unsupported/);
    await answers(client);
    for (const received of client.frames) serverFrame.parse(received);
  });

  test('duplicate keys: the last counts in a small frame, a big one is refused by its id', async () => {
    const client = stack.use(await WireClient.live(server.port, 'hostile'));
    client.send('{"type":"resume","cursor":null,"type":"ping","cursor":null}');
    expect(await client.next('error')).toMatchObject({ message: 'unknown field cursor' });
    client.send('{"type":"nonsense","type":"ping"}');
    await client.next('pong');
    const padding = ' '.repeat(4_096);
    client.send(`${within(',"replyTo":1,"replyTo":2')}${padding}`);
    expect(await client.answerTo(id)).toMatchObject({ code: 'invalid', message: 'a key stands twice' });
  });

  test('refused frames in a row end the connection, with a right one in between they do not', async () => {
    const client = stack.use(await WireClient.live(server.port, 'hostile'));
    for (let i = 0; i < 120; i++) client.send(i % 40 === 0 ? '{"type":"ping"}' : '{');
    await answers(client);
    for (let i = 0; i < 51; i++) client.send('{');
    expect(await client.ended).toEqual({ code: 4429, reason: 'too_many_errors' });
  });
});

test('P8: random and mutated frames get an answer or a close code, never a fault of the server', async () => {
  const right = ['{"type":"ping"}', '{"type":"resume","cursor":null}', `{"type":"leave","commandId":"${newId()}"}`];
  const mutated = fc
    .tuple(fc.constantFrom(...right), fc.nat(), fc.string({ unit: 'binary', maxLength: 4 }))
    .map(([frame, at, by]) => frame.slice(0, at % frame.length) + by + frame.slice((at % frame.length) + 1));
  const anything = fc.oneof(
    mutated,
    fc.json(),
    fc.string(),
    fc.uint8Array({ maxLength: 200 }).map((b) => Buffer.from(b)),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(anything, { minLength: 1, maxLength: 30 }), async (frames) => {
      const client = await WireClient.open(server.port, 'fuzzer');
      for (const frame of frames) client.send(frame);
      client.send({ type: 'ping' });
      const ended = await Promise.race([client.next('pong').catch(() => undefined), client.ended]);
      if (ended !== undefined && 'code' in ended) expect([1003, 1007, 4429]).toContain(ended.code);
      expect(client.frames.every((frame) => frame.type !== 'error' || frame.code !== 'internal')).toBe(true);
      await client[Symbol.asyncDispose]();
    }),
    { numRuns: 150 },
  );
});
