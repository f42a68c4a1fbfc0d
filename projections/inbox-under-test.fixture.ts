import { createHash } from 'node:crypto';
import type { Inbox } from './inbox.ts';
import type { FollowedBatch, ReadModelWriter } from './read-model.ts';
import { Story } from './story.fixture.ts';

/** Where one inbox lives: empty when it is made, opened as often as a case likes. */
export interface InboxPlace {
  openWriter(): Promise<ReadModelWriter>;
  /** After a writer has opened it. */
  openInbox(): Promise<Inbox>;
  remove(): Promise<void>;
}

export type NewInboxPlace = () => Promise<InboxPlace>;

/** The inbox of the case that runs, and the story it is told: new ones for each. */
export class InboxUnderTest {
  readonly #newPlace: NewInboxPlace;
  #place: InboxPlace | undefined;
  #writer: ReadModelWriter | undefined;
  #inbox: Inbox | undefined;
  story = new Story();

  constructor(newPlace: NewInboxPlace) {
    this.#newPlace = newPlace;
  }

  get writer(): ReadModelWriter {
    if (this.#writer === undefined) throw new Error('no case runs');
    return this.#writer;
  }

  get inbox(): Inbox {
    if (this.#inbox === undefined) throw new Error('no case runs');
    return this.#inbox;
  }

  async begin(): Promise<void> {
    this.story = new Story();
    this.#place = await this.#newPlace();
    await this.#open(this.#place);
  }

  async #open(place: InboxPlace): Promise<void> {
    this.#writer = await place.openWriter();
    this.#inbox = await place.openInbox();
  }

  async #close(): Promise<void> {
    await this.#inbox?.close();
    await this.#writer?.close();
  }

  async reopen(): Promise<void> {
    await this.#close();
    if (this.#place !== undefined) await this.#open(this.#place);
  }

  /** Applies what the story has told since the last time. */
  async told(): Promise<void> {
    await this.writer.apply(this.story.batch());
  }

  async end(): Promise<void> {
    await this.#close();
    await this.#place?.remove();
  }

  /** The hash of what another inbox, told these batches, shows. */
  async hashOf(batches: readonly FollowedBatch[]): Promise<string> {
    const place = await this.#newPlace();
    try {
      const writer = await place.openWriter();
      try {
        for (const batch of batches) await writer.apply(batch);
        return await dumpHash(writer);
      } finally {
        await writer.close();
      }
    } finally {
      await place.remove();
    }
  }
}

export const dumpHash = async (writer: ReadModelWriter): Promise<string> => {
  const hash = createHash('sha256');
  for await (const line of writer.dump()) hash.update(line).update('\n');
  return hash.digest('hex');
};
