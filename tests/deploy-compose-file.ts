import { basename, join } from 'node:path';
import { readFileSync } from 'node:fs';
import { Ajv } from 'ajv';
import { parse } from 'yaml';
import { z } from 'zod';
import { read, type Started } from './deploy-files.ts';

const names = z.array(z.string()).default([]);
const service = z.looseObject({
  image: z.string(),
  command: names,
  user: z.string().optional(),
  read_only: z.boolean().default(false),
  environment: z.record(z.string(), z.string()).default({}),
  secrets: names,
  ports: names,
  volumes: names,
  cap_drop: names,
  security_opt: names,
  stop_grace_period: z.string().optional(),
  networks: z
    .union([
      z.array(z.string()),
      z.record(z.string(), z.object({ aliases: names, ipv4_address: z.string().optional() })),
    ])
    .transform((given) => (Array.isArray(given) ? Object.fromEntries(given.map((name) => [name, undefined])) : given)),
  deploy: z.object({ resources: z.object({ limits: z.record(z.string(), z.unknown()) }) }).optional(),
  healthcheck: z.object({ test: names, disable: z.boolean().optional() }).optional(),
  depends_on: z.record(z.string(), z.object({ condition: z.string() })).default({}),
});
const composeFile = z.looseObject({
  services: z.record(z.string(), service),
  secrets: z.record(z.string(), z.object({ file: z.string() })),
  networks: z.record(z.string(), z.object({ internal: z.boolean().optional() })),
  volumes: z.record(z.string(), z.null()),
});
export type ComposeFile = z.infer<typeof composeFile>;
export type ComposeService = z.infer<typeof service>;

/** As Docker does it where no variable is set. */
const interpolated = (text: string): string =>
  text.replaceAll(/\$\{\w+(?::?-([^}]*))?\}/g, (_, otherwise = '') => String(otherwise));

export const readCompose = (): unknown =>
  parse(read('docker-compose.yml'), (_, value: unknown) => (typeof value === 'string' ? interpolated(value) : value), {
    merge: true,
  });
export const asCompose = (given: unknown): ComposeFile => composeFile.parse(given);

export const composeSchema = (): ((given: unknown) => readonly string[]) => {
  const { $schema: _, ...schema } = JSON.parse(read('deploy/schemas/compose-spec.json')) as Record<string, unknown>;
  const validate = new Ajv({ strict: false, validateFormats: false }).compile(schema);
  return (given) =>
    validate(given) ? [] : (validate.errors ?? []).map((error) => `${error.instancePath} ${error.message}`);
};

export const isOurs = ({ image }: ComposeService): boolean => image.startsWith('parley:');

/** Services of our image, as they would start with the secrets that lie in `folder`. */
export const startedByCompose = ({ services, secrets }: ComposeFile, folder: string): readonly Started[] =>
  Object.entries(services)
    .filter(([, one]) => isOurs(one))
    .map(([name, { command, environment, secrets: mounted }]) => ({
      name,
      words: command.slice(1),
      environment,
      readFile(path) {
        const secret = mounted.find((one) => path === `/run/secrets/${one}`);
        const file = secret === undefined ? undefined : secrets[secret]?.file;
        if (file === undefined) throw new Error(`${path} is not mounted`);
        return readFileSync(join(folder, basename(file)), 'utf8');
      },
    }));

/** By which names a service is found in a network. */
export const namesIn = (network: string, { services }: ComposeFile): ReadonlyMap<string, readonly string[]> => {
  const found = new Map<string, string[]>();
  for (const [name, { networks }] of Object.entries(services)) {
    if (!(network in networks)) continue;
    for (const alias of [name, ...(networks[network]?.aliases ?? [])])
      found.set(alias, [...(found.get(alias) ?? []), name]);
  }
  return found;
};
