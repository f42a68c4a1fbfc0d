import { z } from 'zod';

/** Where the event log is. */
export type LogPlace =
  | { readonly in: 'sqlite'; readonly directory: string }
  /** With user and password, where it has them. */
  | { readonly in: 'eventstoredb'; readonly url: string };

const sqlite = /^sqlite:([^?#]+)$/;
const host = String.raw`(?:[A-Za-z0-9._-]+)(?::[0-9]{1,5})?`;
/** The rest is not the operator's to set: with some of it a conflict says nothing, or nobody notices a connection that died. */
const options =
  'tls|tlsVerifyCert|tlsCAFile|userCertFile|userKeyFile|connectionName|nodePreference|maxDiscoverAttempts|discoveryInterval|gossipTimeout';
const eventstoredb = new RegExp(
  String.raw`^esdb(?:\+discover)?://(?:[^\s/?#@:]+:[^\s/?#@:]+@)?${host}(?:,${host})*/?(?:\?(?:${options})=[^\s?&#]+(?:&(?:${options})=[^\s?&#]+)*)?$`,
);

export const logPlace = z.string().transform((given, context): LogPlace => {
  const directory = sqlite.exec(given)?.[1];
  if (directory !== undefined) return { in: 'sqlite', directory };
  if (eventstoredb.test(given)) return { in: 'eventstoredb', url: given };
  context.addIssue('must be sqlite:DIRECTORY or esdb://USER:PASSWORD@HOST:PORT?tls=true, with more hosts after commas');
  return z.NEVER;
});

/** The text of such a place: settings are printed as they were given. */
export const logUrl = z.string().superRefine((url, context) => {
  for (const { message } of logPlace.safeParse(url).error?.issues ?? []) context.addIssue(message);
});
