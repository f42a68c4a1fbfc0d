import type { Draft, Outcome, TestClient } from './client.ts';
import type { Random } from './seed.ts';

/** Whatever commands can be given to: a socket or REST. */
export interface Speaker {
  submit(draft: Draft, id?: string): Promise<Outcome>;
  newId(): string;
}

interface Said {
  readonly id: string;
  readonly draft: Draft;
  readonly seq: number | undefined;
}

const phrases = [
  'On my way.',
  'See you at seven 🚲🌧️',
  '電車が遅れています。先に始めてください。',
  'وصلتُ إلى البيت، شكرًا لك!',
  'พรุ่งนี้เจอกันที่ตลาดนะ',
  'Zażółć gęślą jaźń – naïve façade, ﬁn',
  '👩‍👩‍👧‍👦 '.repeat(20),
];

const mostRemembered = 200;

/**
 * People talking: every speaker keeps `underWay` commands under way until `stop`. Mostly messages; also edits and
 * deletions of its own, and now and then a command sent again long after it was answered.
 */
export class Load {
  answered = 0;
  private readonly random: Random;
  private readonly underWay: number;
  private readonly loops: Promise<void>[] = [];
  private readonly watchers = new Set<() => void>();
  private stopped = false;

  constructor(random: Random, underWay: number) {
    this.random = random;
    this.underWay = underWay;
  }

  /** Lets a speaker talk in `conversations`. */
  add(speaker: Speaker, conversations: readonly string[]): void {
    const said: Said[] = [];
    for (let k = 0; k < this.underWay; k++) this.run(this.talk(speaker, conversations, said));
  }

  /** Adds and removes a guest of a group by turns, as the group's admin. */
  addTurnstile(admin: Speaker, conversationId: string, guest: string): void {
    const turn = async (): Promise<void> => {
      for (let inside = false; !this.stopped; inside = !inside) {
        const user = { name: guest };
        await admin.submit({ type: inside ? 'remove-member' : 'add-member', conversationId, user });
        await this.answers(this.answered + 20);
      }
    };
    this.run(turn());
  }

  /** Resolves when so many commands have been answered since the beginning, or the load was stopped. */
  answers(count: number): Promise<void> {
    return new Promise((resolve) => {
      const watcher = (): void => {
        if (this.answered < count && !this.stopped) return;
        this.watchers.delete(watcher);
        resolve();
      };
      this.watchers.add(watcher);
      watcher();
    });
  }

  /** No new commands; resolves when the last one under way has its answer. */
  async stop(): Promise<void> {
    this.stopped = true;
    this.look();
    await Promise.all(this.loops);
  }

  /** A loop that fails ends the load; `stop` says why. */
  private run(loop: Promise<void>): void {
    this.loops.push(loop);
    loop.catch(() => {
      this.stopped = true;
      this.look();
    });
  }

  private look(): void {
    for (const watcher of [...this.watchers]) watcher();
  }

  private async talk(speaker: Speaker, conversations: readonly string[], said: Said[]): Promise<void> {
    while (!this.stopped) {
      const { draft, id } = this.next(speaker, conversations, said);
      const outcome = await speaker.submit(draft, id);
      if (outcome.ok) {
        said.push({ id, draft, seq: outcome.answer.seq });
        if (said.length > mostRemembered) said.shift();
      }
      this.answered++;
      this.look();
    }
  }

  private next(speaker: Speaker, conversations: readonly string[], said: readonly Said[]): Pick<Said, 'draft' | 'id'> {
    const dice = this.random.next();
    const earlier = said.length > 0 ? this.random.oneOf(said) : undefined;
    if (earlier !== undefined && dice < 0.05) return { id: earlier.id, draft: earlier.draft };
    const id = speaker.newId();
    if (earlier?.seq !== undefined && earlier.draft.type === 'send' && dice < 0.15) {
      const { conversationId } = earlier.draft;
      const { seq } = earlier;
      if (dice < 0.08) return { id, draft: { type: 'delete', conversationId, seq } };
      return { id, draft: { type: 'edit', conversationId, seq, content: this.content() } };
    }
    return { id, draft: { type: 'send', conversationId: this.random.oneOf(conversations), content: this.content() } };
  }

  private content(): { type: 'text'; text: string } {
    return { type: 'text', text: `${this.random.oneOf(phrases)} ${this.random.between(0, 1e9)}` };
  }
}

/** Waits until every client holds what was said in its conversations up to these seqs. */
export const allHave = async (clients: readonly TestClient[], upTo: ReadonlyMap<string, number>): Promise<void> => {
  await Promise.all(
    clients.flatMap((client) =>
      [...client.conversations.keys()].map((conversation) => client.hasUpTo(conversation, upTo.get(conversation) ?? 0)),
    ),
  );
};
