import type { Client, estypes } from '@elastic/elasticsearch';
import type { UserId } from '../schemas/ids.ts';
import {
  conversationIn,
  hexOf,
  userIn,
  type BlockDocument,
  type MemberDocument,
  type MessageDocument,
} from './elasticsearch-search-documents.ts';
import { kinds, type IndexAlias } from './elasticsearch-search-index.ts';
import type { Clause } from './elasticsearch-search-query.ts';

const page = 1_000;
const keepAlive = '10m';

/** One state of the index, which later writes do not change. */
export interface Frozen {
  /** In the order of the bytes of ids: what users are members of and whom they block; then the messages. */
  dump(): AsyncIterable<string>;
  close(): Promise<void>;
}

/** Of what was refreshed before. `erasing` are people whose messages are no more, whatever of them lies here still. */
export const freeze = async (client: Client, alias: IndexAlias, erasing: readonly UserId[]): Promise<Frozen> => {
  const { id } = await client.openPointInTime({ index: alias, keep_alive: keepAlive });
  const pit = { id, keep_alive: keepAlive };

  async function* documents<Found>(query: Clause, sort: estypes.Sort): AsyncGenerator<Found> {
    for (let after: estypes.SortResults | undefined; ;) {
      const { hits } = await client.search<Found>({
        ...{ pit, size: page, track_total_hits: false, _source_excludes: ['words'], query, sort },
        ...(after !== undefined && { search_after: after }),
      });
      for (const { _source: found } of hits.hits) if (found !== undefined) yield found;
      after = hits.hits.at(-1)?.sort;
      if (hits.hits.length < page || after === undefined) return;
    }
  }

  return {
    async *dump() {
      const people = { terms: { kind: [kinds.member, kinds.block] } };
      // A user's memberships before the user's blocks.
      const byUser = [{ user: 'asc' }, { kind: 'desc' }, { conversation: 'asc' }, { blocked: 'asc' }] as const;
      for await (const found of documents<MemberDocument | BlockDocument>(people, [...byUser])) {
        const user = userIn(found.user);
        yield found.kind === 'member'
          ? line('member', user, conversationIn(found.conversation), found.visibleFrom)
          : line('block', user, userIn(found.blocked));
      }
      const messages = {
        bool: { filter: { term: { kind: kinds.message } }, must_not: { terms: { sender: erasing.map(hexOf) } } },
      };
      for await (const found of documents<MessageDocument>(messages, [{ conversation: 'asc' }, { seq: 'asc' }])) {
        const { conversation, seq, sender, time, type, content } = found;
        const said = content.type === 'text' ? content.text : JSON.stringify(content);
        yield line('message', conversationIn(conversation), seq, userIn(sender), time, type, said);
      }
    },
    close: async () => {
      await client.closePointInTime({ id });
    },
  };
};

const line = (...fields: readonly unknown[]): string => JSON.stringify(fields);
