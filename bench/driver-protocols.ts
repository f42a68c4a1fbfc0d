import type { WebSocket } from 'ws';
import type { DriverClient, DriverPlan } from './driver-plan.ts';

/** What the driver has to know of a frame: `n` is the sender's count of the message. */
export type Seen =
  | { readonly is: 'accepted' }
  | { readonly is: 'delivered'; readonly n: number; readonly seq: number }
  | { readonly is: 'synced' }
  | { readonly is: 'other' }
  | { readonly is: 'refused'; readonly why: string };

/** The little that differs between the servers measured. */
export interface DriverProtocol {
  url(port: number, index: number): string;
  headers(client: DriverClient): Record<string, string>;
  /** Sends what comes before the first message; the client is ready at the first `synced`, or at once. */
  begin(socket: WebSocket): 'await synced' | 'ready';
  /** The frame of the `n`th message of a client. */
  frame(index: number, client: DriverClient, n: number): string;
  seen(data: string): Seen;
  /** Confirms that everything up to a seq has arrived; undefined: this server knows nothing of it. */
  confirm?(client: DriverClient, seq: number): string;
}

const text = 'x'.repeat(200);
const accepted: Seen = { is: 'accepted' };
const synced: Seen = { is: 'synced' };
const other: Seen = { is: 'other' };

interface CeilingFrame {
  readonly type: string;
  readonly seq: number;
  readonly body: { readonly id: number };
}

const ceiling: DriverProtocol = {
  url: (port, index) => `ws://127.0.0.1:${port}/u${index}`,
  headers: () => ({}),
  begin: () => 'ready',
  frame: (index, _client, n) => `{"id":${n},"conversation":"c${index}","to":"u${index ^ 1}","text":"${text}"}`,
  seen: (data) => {
    const frame = JSON.parse(data) as CeilingFrame;
    return frame.type === 'message' ? { is: 'delivered', n: frame.body.id, seq: frame.seq } : accepted;
  },
};

interface ParleyFrame {
  readonly type: string;
  readonly messageId: string;
  readonly seq: number;
  readonly caughtUp?: boolean;
}

/** A UUIDv7 in whose random part stand the client's index and its count, so that the receiver needs no table. */
const idOf = (index: number, n: number): string => {
  const time = Date.now().toString(16).padStart(12, '0');
  const own = index.toString(16).padStart(4, '0') + n.toString(16).padStart(8, '0');
  return `${time.slice(0, 8)}-${time.slice(8)}-7000-8000-${own}`;
};

const parley: DriverProtocol = {
  url: (port) => `ws://127.0.0.1:${port}/v1/socket`,
  headers: ({ token }) => ({ authorization: `Bearer ${token}` }),
  begin: (socket) => {
    socket.send('{"type":"resume","cursor":null}');
    return 'await synced';
  },
  frame: (index, { conversationId }, n) =>
    `{"type":"send","messageId":"${idOf(index, n)}","conversationId":"${conversationId}","content":{"type":"text","text":"${text}"}}`,
  seen: (data) => {
    const frame = JSON.parse(data) as ParleyFrame;
    if (frame.type === 'accepted') return accepted;
    if (frame.type === 'synced') return frame.caughtUp === true ? synced : other;
    if (frame.type === 'rejected' || frame.type === 'error') return { is: 'refused', why: data };
    return frame.type === 'message'
      ? { is: 'delivered', n: parseInt(frame.messageId.slice(28), 16), seq: frame.seq }
      : other;
  },
  confirm: ({ conversationId }, seq) => `{"type":"mark","conversationId":"${conversationId}","delivered":${seq}}`,
};

export const protocols: Record<DriverPlan['protocol'], DriverProtocol> = { ceiling, parley };
