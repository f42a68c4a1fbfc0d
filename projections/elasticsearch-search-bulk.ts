import type { Client, estypes } from '@elastic/elasticsearch';
import { ElasticsearchUnusable } from './elasticsearch-connection.ts';
import type { Write } from './elasticsearch-search-documents.ts';
import type { IndexAlias } from './elasticsearch-search-index.ts';

/** Of one request: the server's limit lies at 100 MB, and what is under way is held there and here. */
const mostBytes = 4 * 1024 * 1024;
const mostDocuments = 1_000;

type Line = estypes.BulkOperationContainer | Write['document'];

/**
 * Writes documents, each with the version its stream gives it; who is found there with the same version or a later one was
 * faster. When it resolves, searches find them.
 */
export const writeDocuments = async (client: Client, alias: IndexAlias, writes: readonly Write[]): Promise<void> => {
  let lines: Line[] = [];
  let bytes = 0;
  const send = async (): Promise<void> => {
    const { errors: hasErrors, items } = await client.bulk<Write['document'], never>({
      ...{ index: alias, require_alias: true, operations: lines },
      ...{ include_source_on_error: false, filter_path: 'errors,items.*.status,items.*.error' },
    });
    lines = [];
    bytes = 0;
    if (hasErrors) for (const { index: item } of items) refuse(item);
  };
  for (const { id, routing, version, document } of writes) {
    lines.push({ index: { _id: id, routing, version, version_type: 'external' } }, document);
    bytes += sizeOf(document);
    if (bytes >= mostBytes || lines.length >= 2 * mostDocuments) await send();
  }
  if (lines.length > 0) await send();
  if (writes.length > 0) await client.indices.refresh({ index: alias });
};

const bytesOfFields = 300;
const sizeOf = (document: Write['document']): number =>
  bytesOfFields + ('words' in document ? 3 * document.words.length + JSON.stringify(document.content).length : 0);

const conflict = 409;
const isForLater = (status: number): boolean => status === 429 || status >= 500;

/** Of a document that is not written: the whole batch comes again, unless it can never be written. */
const refuse = (item: estypes.BulkResponseItem | undefined): void => {
  const status = item?.status ?? 0;
  if (status === conflict || (status >= 200 && status < 300)) return;
  const why = `${item?.error?.type ?? status}: ${item?.error?.reason ?? 'no reason was given'}`;
  if (isForLater(status) || status === 0) throw new Error(`Elasticsearch did not take a document: ${why}`);
  throw new ElasticsearchUnusable(`Elasticsearch refuses a document: ${why}`);
};
