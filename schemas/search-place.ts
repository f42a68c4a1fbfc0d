import { z } from 'zod';

/** Where the search index is. */
export type SearchPlace =
  | { readonly in: 'sqlite'; readonly directory: string }
  | {
      readonly in: 'elasticsearch';
      /** With user and password, where it has them. */
      readonly url: string;
      /** What the names of our indices begin with. */
      readonly prefix: string;
    };

export const usualSearchPrefix = 'parley';

const sqlite = /^sqlite:([^?#]+)$/;
/** Nothing behind the prefix: what a client library would read there is not the operator's to set. */
const elasticsearch =
  /^(https?:\/\/(?:[^\s/?#@:]+:[^\s/?#@:]+@)?(?:[A-Za-z0-9._-]+|\[[0-9a-fA-F:.]+\])(?::[0-9]{1,5})?)(?:\/([a-z][a-z0-9_-]{0,39})?)?$/;

const isDecodable = (url: string): boolean => {
  try {
    const { username, password } = new URL(url);
    return decodeURIComponent(username + password) !== '' || username === '';
  } catch {
    return false;
  }
};

export const searchPlace = z.string().transform((given, context): SearchPlace => {
  const directory = sqlite.exec(given)?.[1];
  if (directory !== undefined) return { in: 'sqlite', directory };
  const [, url, prefix = usualSearchPrefix] = elasticsearch.exec(given) ?? [];
  if (url !== undefined && isDecodable(url)) return { in: 'elasticsearch', url, prefix };
  context.addIssue('must be sqlite:DIRECTORY or https://USER:PASSWORD@HOST:PORT/PREFIX');
  return z.NEVER;
});

/** The text of such a place: settings are printed as they were given. */
export const searchUrl = z.string().superRefine((url, context) => {
  for (const { message } of searchPlace.safeParse(url).error?.issues ?? []) context.addIssue(message);
});
