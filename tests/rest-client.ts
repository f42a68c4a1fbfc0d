import { setTimeout as after } from 'node:timers/promises';
import { errors } from '../schemas/errors.ts';
import type { Problem } from '../schemas/http.ts';
import { uuidV7 } from '../schemas/ids.ts';
import { isFinal, type Draft, type Outcome } from './client.ts';
import type { Answer, Recorder } from './recorder.ts';

export interface RestOptions {
  readonly address: () => Promise<string>;
  readonly token: string;
  readonly user: string;
  readonly device: string;
  readonly recorder: Recorder;
  readonly now?: () => number;
}

export interface Call {
  readonly method: 'POST' | 'PUT' | 'DELETE';
  readonly path: string;
  /** DELETE has none. */
  readonly body?: object;
}

export interface RestAnswer {
  readonly status: number;
  readonly body: Answer | Problem;
}

const retryMs = 50;

/** Where a command goes over REST, as docs/protocol.md says. */
export const callOf = (draft: Draft, id: string): Call => {
  const conversations = '/v1/conversations';
  if (draft.type === 'start-direct') {
    return { method: 'POST', path: `${conversations}/direct`, body: { commandId: id, with: draft.with } };
  }
  if (draft.type === 'create-group') {
    const { name, members } = draft;
    return { method: 'POST', path: `${conversations}/group`, body: { commandId: id, name, members } };
  }
  const { type, conversationId, ...rest } = draft;
  const conversation = `${conversations}/${conversationId}`;
  switch (type) {
    case 'send':
      return { method: 'POST', path: `${conversation}/messages`, body: { messageId: id, ...rest } };
    case 'edit':
      return {
        method: 'PUT',
        path: `${conversation}/messages/${draft.seq}`,
        body: { commandId: id, content: draft.content },
      };
    case 'delete':
      return { method: 'DELETE', path: `${conversation}/messages/${draft.seq}?commandId=${id}` };
    case 'rename':
      return { method: 'PUT', path: `${conversation}/name`, body: { commandId: id, ...rest } };
    case 'add-member':
      return { method: 'POST', path: `${conversation}/members`, body: { commandId: id, ...rest } };
    case 'leave':
      return { method: 'DELETE', path: `${conversation}/members/me?commandId=${id}` };
    case 'remove-member':
      return { method: 'DELETE', path: `${conversation}/members/${named(draft.user)}?commandId=${id}` };
    case 'change-role':
      return {
        method: 'PUT',
        path: `${conversation}/members/${named(draft.user)}/role`,
        body: { commandId: id, role: draft.role },
      };
  }
};

const named = (user: string | { readonly name: string }): string =>
  typeof user === 'string' ? user : encodeURIComponent(`@${user.name}`);

/** A device without a socket: every command a request, and again with the same id until an answer stands. */
export class RestClient {
  private readonly options: RestOptions;

  constructor(options: RestOptions) {
    this.options = options;
  }

  newId(): string {
    return uuidV7((this.options.now ?? Date.now)(), crypto.getRandomValues(new Uint8Array(10)));
  }

  /** Once, whatever comes back. */
  async post(draft: Draft, id: string): Promise<RestAnswer> {
    this.record('invoke', draft, id);
    const answer = await this.request(draft, id);
    if (answer.status === 200) this.record('ok', draft, id, { answer: answer.body as Answer });
    else this.record('unknown', draft, id, { code: (answer.body as Problem).code });
    return answer;
  }

  async submit(draft: Draft, id = this.newId()): Promise<Outcome> {
    this.record('invoke', draft, id);
    for (;;) {
      const answer = await this.request(draft, id).catch(() => undefined);
      if (answer?.status === 200) {
        const { conversationId, seq, time, chain } = answer.body as Answer;
        const found: Answer = { conversationId, seq, time, chain };
        this.record('ok', draft, id, { answer: found });
        return { ok: true, answer: found };
      }
      const problem = answer?.body as Problem | undefined;
      if (answer !== undefined && !Object.hasOwn(errors, problem?.code ?? '')) {
        throw new Error(`no problem of the table: ${answer.status} ${JSON.stringify(problem)}`);
      }
      if (problem !== undefined && isFinal(problem.code)) {
        this.record('fail', draft, id, { code: problem.code });
        return {
          ok: false,
          frame: { type: 'rejected', code: problem.code, message: problem.detail, retry: problem.retry },
        };
      }
      this.record('unknown', draft, id, problem);
      await after(Math.min(problem?.retryAfterMs ?? retryMs, 1_000));
    }
  }

  private async request(draft: Draft, id: string): Promise<RestAnswer> {
    const { address, token } = this.options;
    const { method, path, body } = callOf(draft, id);
    const response = await fetch(`http://${await address()}${path}`, {
      method,
      headers: { authorization: `Bearer ${token}`, ...(body !== undefined && { 'content-type': 'application/json' }) },
      body: body === undefined ? null : JSON.stringify(body),
    });
    return { status: response.status, body: (await response.json()) as RestAnswer['body'] };
  }

  private record(
    is: 'invoke' | 'ok' | 'fail' | 'unknown',
    draft: Draft,
    id: string,
    more: { readonly answer?: Answer; readonly code?: string } = {},
  ): void {
    this.options.recorder.operation({
      is,
      id,
      command: draft.type,
      user: this.options.user,
      device: this.options.device,
      conversation: 'conversationId' in draft ? draft.conversationId : undefined,
      content: draft.type === 'send' ? draft.content : undefined,
      answer: more.answer,
      code: more.code,
    });
  }
}
