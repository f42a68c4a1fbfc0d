import { z } from 'zod';

/** Of a server: where it stands, in the words of its operator. */
export const regionName = z.string().regex(/^[a-z0-9-]{1,32}$/, 'must be small letters, digits and hyphens');

/** A client that gets nowhere with so many asks again. */
export const mostServers = 8;

/** Where a client opens its socket. */
export const serversRoute = {
  path: '/v1/servers',
  summary: 'Servers that take sockets now, the one to try first in front',
  query: z.strictObject({
    /** Where the client is; unless given, where the server is that was asked. */
    region: regionName.optional(),
  }),
  answer: z.strictObject({
    servers: z
      .array(z.strictObject({ url: z.string(), region: z.string().nullable() }))
      .max(mostServers)
      .readonly(),
    /** The list may be older than a second. */
    stale: z.boolean(),
  }),
} as const;

export type ServersAnswer = z.infer<typeof serversRoute.answer>;
