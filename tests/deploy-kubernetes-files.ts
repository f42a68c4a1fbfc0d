import { join } from 'node:path';
import ts from 'typescript';
import { parse, parseAllDocuments } from 'yaml';
import { z } from 'zod';
import { read, root, type Environment, type Started } from './deploy-files.ts';

const strings = z.record(z.string(), z.string());
const port = z.union([z.string(), z.int()]);
const probe = z.looseObject({ httpGet: z.object({ path: z.string(), port }).optional() }).optional();
const container = z.looseObject({
  name: z.string(),
  image: z.string(),
  command: z.array(z.string()).default([]),
  env: z.array(z.object({ name: z.string(), value: z.string() })).default([]),
  envFrom: z.array(z.object({ configMapRef: z.object({ name: z.string() }) })).default([]),
  ports: z.array(z.object({ name: z.string(), containerPort: z.int() })).default([]),
  startupProbe: probe,
  livenessProbe: probe,
  readinessProbe: probe,
  lifecycle: z.looseObject({ preStop: z.object({ exec: z.object({ command: z.array(z.string()) }) }) }).optional(),
  resources: z.looseObject({ limits: strings }).optional(),
  securityContext: z.looseObject({ readOnlyRootFilesystem: z.boolean(), allowPrivilegeEscalation: z.boolean() }),
  volumeMounts: z.array(z.looseObject({ name: z.string(), mountPath: z.string() })).default([]),
});
const pod = z.looseObject({
  metadata: z.object({ labels: strings }),
  spec: z.looseObject({
    enableServiceLinks: z.boolean().default(true),
    automountServiceAccountToken: z.boolean().default(true),
    terminationGracePeriodSeconds: z.int().default(30),
    securityContext: z.looseObject({ runAsNonRoot: z.boolean() }).optional(),
    containers: z.tuple([container]),
    volumes: z.array(z.looseObject({ name: z.string(), secret: z.looseObject({ secretName: z.string() }).optional() })),
  }),
});
const selector = z.object({ matchLabels: strings.default({}) });
const manifest = z.looseObject({
  apiVersion: z.string(),
  kind: z.string(),
  metadata: z.looseObject({ name: z.string() }),
  data: strings.optional(),
  stringData: strings.optional(),
  spec: z.looseObject({}).optional(),
});
export type Manifest = z.infer<typeof manifest>;
export type Pod = z.infer<typeof pod>;
export interface Workload {
  readonly name: string;
  readonly kind: string;
  readonly replicas: number | undefined;
  readonly pod: Pod;
}

export const named =
  (kind: string, name: string) =>
  (one: Manifest): boolean =>
    one.kind === kind && one.metadata.name === name;

const documents = (file: string): readonly Manifest[] =>
  parseAllDocuments(read(file)).map((document) => manifest.parse(document.toJS()));

export const kustomization = z
  .looseObject({ resources: z.array(z.string()), configMapGenerator: z.array(z.looseObject({ name: z.string() })) })
  .parse(parse(read('deploy/kustomization.yaml')));
export const applied = (): readonly Manifest[] =>
  kustomization.resources.flatMap((file) => documents(`deploy/${file}`));
export const exampleSecret = (): Manifest | undefined => documents('deploy/kubernetes/secrets.example.yaml')[0];

const namespaceOf: Readonly<Record<string, string>> = { v1: 'core/v1' };

/** What the API of Kubernetes would refuse, by its types. */
export const typeProblems = (manifests: readonly Manifest[]): readonly string[] => {
  const source = manifests
    .map((one, index) => {
      const path = namespaceOf[one.apiVersion] ?? one.apiVersion.replace('.k8s.io', '');
      return `import type { ${one.kind} as Kind${index} } from 'kubernetes-types/${path}';
export const manifest${index}: Kind${index} = ${JSON.stringify(one)};`;
    })
    .join('\n');
  const file = join(root, 'deploy', 'manifests.ts');
  const options = {
    noEmit: true,
    strict: true,
    skipLibCheck: true,
    types: [],
    lib: ['lib.es5.d.ts'],
    module: ts.ModuleKind.Preserve,
  };
  const host = ts.createCompilerHost(options);
  const onDisk = host.getSourceFile.bind(host);
  host.getSourceFile = (name, ...more) =>
    name === file ? ts.createSourceFile(name, source, ts.ScriptTarget.ESNext) : onDisk(name, ...more);
  const program = ts.createProgram([file], options, host);
  return ts
    .getPreEmitDiagnostics(program)
    .map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, ' ').replaceAll(/\s+/g, ' '));
};

const running = z.looseObject({ replicas: z.int().optional(), template: pod });

export const workloadsIn = (manifests: readonly Manifest[]): readonly Workload[] =>
  manifests
    .filter(({ kind }) => ['Deployment', 'StatefulSet', 'Job'].includes(kind))
    .map(({ kind, metadata: { name }, spec }) => {
      const { replicas, template } = running.parse(spec);
      return { name, kind, replicas, pod: template };
    });

export const isOurs = ({ pod: { spec } }: Workload): boolean => spec.containers[0].image === 'parley';

const configurationOf = ({ pod: { spec } }: Workload, manifests: readonly Manifest[]): Record<string, string> => {
  const [{ env, envFrom }] = spec.containers;
  const shared = envFrom.map(({ configMapRef: { name } }) => manifests.find(named('ConfigMap', name))?.data ?? {});
  const own = env.map(({ name, value }) => [name, value] as const);
  return Object.fromEntries([...shared.flatMap((data) => Object.entries(data)), ...own]);
};

/** What each of our processes finds in its environment. */
export const environmentsIn = (manifests: readonly Manifest[]): ReadonlyMap<string, Environment> =>
  new Map(
    workloadsIn(manifests)
      .filter(isOurs)
      .map((workload) => [workload.name, configurationOf(workload, manifests)]),
  );

/** Processes of our image, as they would start with a secret of these values. */
export const startedBy = (
  manifests: readonly Manifest[],
  secret: Readonly<Record<string, string>>,
): readonly Started[] =>
  workloadsIn(manifests)
    .filter(isOurs)
    .map((workload) => {
      const { containers, volumes } = workload.pod.spec;
      const [{ command, volumeMounts }] = containers;
      return {
        name: workload.name,
        words: command.slice(1),
        environment: configurationOf(workload, manifests),
        readFile(path) {
          const mount = volumeMounts.find(({ mountPath }) => path.startsWith(`${mountPath}/`));
          const volume = volumes.find(({ name }) => name === mount?.name);
          const value =
            mount && volume?.secret?.secretName === 'parley'
              ? secret[path.slice(mount.mountPath.length + 1)]
              : undefined;
          if (value === undefined) throw new Error(`${path} is not mounted`);
          return value;
        },
      };
    });

const serviceSpec = z.looseObject({
  selector: strings,
  ports: z.array(z.looseObject({ name: z.string(), port: z.int(), targetPort: port })),
});
export const serviceIn = (manifests: readonly Manifest[], name: string): z.infer<typeof serviceSpec> | undefined => {
  const found = manifests.find((one) => one.kind === 'Service' && one.metadata.name === name);
  return found === undefined ? undefined : serviceSpec.parse(found.spec);
};

const selecting = z.looseObject({ selector: selector.optional(), podSelector: selector.optional() });
/** The labels by which a manifest picks pods; undefined: it picks none. */
export const picks = ({ kind, spec }: Manifest): Readonly<Record<string, string>> | undefined => {
  if (kind === 'Service') return serviceSpec.parse(spec).selector;
  const { selector: pods, podSelector } = selecting.parse(spec ?? {});
  return (pods ?? podSelector)?.matchLabels;
};

export const isPicked = (labels: Readonly<Record<string, string>>, { metadata }: Pod): boolean =>
  Object.entries(labels).every(([name, value]) => metadata.labels[name] === value);
