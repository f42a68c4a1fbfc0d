import { z } from 'zod';
import { clusterUrl, clusterUrlShape, type ClusterUrl } from './cluster-url.ts';

/** Where a store is that may be in files here or on a cluster of its own. */
export type StorePlace =
  { readonly in: 'sqlite'; readonly directory: string } | { readonly in: 'cassandra'; readonly cluster: ClusterUrl };

const sqlite = /^sqlite:([^?#]+)$/;

export const storePlace = z.string().transform((url, context): StorePlace => {
  const directory = sqlite.exec(url)?.[1];
  if (directory !== undefined) return { in: 'sqlite', directory };
  const cluster = clusterUrl.safeParse(url);
  if (cluster.success) return { in: 'cassandra', cluster: cluster.data };
  context.addIssue(`must be sqlite:DIRECTORY or ${clusterUrlShape}`);
  return z.NEVER;
});

/** The text of such a place: settings are printed as they were given. */
export const storeUrl = z.string().superRefine((url, context) => {
  for (const { message } of storePlace.safeParse(url).error?.issues ?? []) context.addIssue(message);
});
