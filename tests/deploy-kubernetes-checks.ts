import { z } from 'zod';
import { drainSeconds, read } from './deploy-files.ts';
import {
  environmentsIn,
  isOurs,
  isPicked,
  named,
  picks,
  serviceIn,
  workloadsIn,
  type Manifest,
  type Workload,
} from './deploy-kubernetes-files.ts';

const portsOf = (workload: Workload): ReadonlyMap<string | number, number> =>
  new Map<string | number, number>(
    workload.pod.spec.containers[0].ports.flatMap(({ name, containerPort }) => [
      [name, containerPort],
      [containerPort, containerPort],
    ]),
  );

export const probeProblems = (given: readonly Manifest[]): readonly string[] => {
  const environments = environmentsIn(given);
  return workloadsIn(given)
    .filter((workload) => isOurs(workload) && workload.kind !== 'Job')
    .flatMap((workload) => {
      const { name, pod } = workload;
      const [container] = pod.spec.containers;
      const ports = portsOf(workload);
      const listens = Number(environments.get(name)?.['PARLEY_PORT']);
      const waits = Number(container.lifecycle?.preStop.exec.command[1] ?? 0);
      return [
        ...(['startupProbe', 'livenessProbe', 'readinessProbe'] as const).flatMap((probe) => {
          const asked = container[probe]?.httpGet;
          if (asked === undefined) return [`${name}: no ${probe}`];
          return ports.has(asked.port) ? [] : [`${name}: ${probe} on ${asked.port}`];
        }),
        ...(container.livenessProbe?.httpGet?.path === '/readyz'
          ? [`${name}: is started again for a server that is away`]
          : []),
        ...(ports.get('http') === listens ? [] : [`${name}: listens on ${listens}, not ${ports.get('http')}`]),
        ...(pod.spec.terminationGracePeriodSeconds > waits + drainSeconds ? [] : [`${name}: is killed in its drain`]),
      ];
    });
};

export const probedPaths = (given: readonly Manifest[]): readonly string[] =>
  workloadsIn(given).flatMap(({ pod }) => {
    const [{ startupProbe, livenessProbe, readinessProbe }] = pod.spec.containers;
    return [startupProbe, livenessProbe, readinessProbe].flatMap((probe) => probe?.httpGet?.path ?? []);
  });

export const liberties = (given: readonly Manifest[]): readonly string[] =>
  workloadsIn(given).flatMap(({ name, pod: { spec } }) => {
    const [{ securityContext, resources }] = spec.containers;
    return [
      ...(spec.securityContext?.runAsNonRoot === true ? [] : [`${name} may be root`]),
      ...(securityContext.readOnlyRootFilesystem ? [] : [`${name} can write its root`]),
      ...(!securityContext.allowPrivilegeEscalation ? [] : [`${name} may gain privileges`]),
      ...(JSON.stringify(securityContext['capabilities']) === '{"drop":["ALL"]}' ? [] : [`${name} has capabilities`]),
      ...['cpu', 'memory']
        .filter((limit) => resources?.limits[limit] === undefined)
        .map((limit) => `${name} has no limit of ${limit}`),
      ...(spec.automountServiceAccountToken ? [`${name} holds a token of the cluster`] : []),
      ...(spec.enableServiceLinks ? [`${name} gets variables of other services`] : []),
    ];
  });

const backend = z.object({ name: z.string(), port: z.object({ name: z.string() }) });
const ingressSpec = z.looseObject({
  rules: z.array(
    z.looseObject({
      http: z.object({ paths: z.array(z.looseObject({ path: z.string(), backend: z.object({ service: backend }) })) }),
    }),
  ),
});
const ingressPaths = (given: readonly Manifest[]) =>
  given
    .filter(({ kind }) => kind === 'Ingress')
    .flatMap(({ spec }) => ingressSpec.parse(spec).rules.flatMap(({ http }) => http.paths));

const autoscalerSpec = z.looseObject({
  scaleTargetRef: z.object({ apiVersion: z.string(), kind: z.string(), name: z.string() }),
  maxReplicas: z.int(),
  metrics: z.tuple([
    z.looseObject({
      pods: z.object({ metric: z.object({ name: z.string() }), target: z.looseObject({ averageValue: z.string() }) }),
    }),
  ]),
});
const autoscalers = (given: readonly Manifest[]) =>
  given.filter(({ kind }) => kind === 'HorizontalPodAutoscaler').map(({ spec }) => autoscalerSpec.parse(spec));

export const lost = (given: readonly Manifest[]): readonly string[] => {
  const workloads = workloadsIn(given);
  const budgeted = given.filter(({ kind }) => kind === 'PodDisruptionBudget').map(({ metadata }) => metadata.name);
  const pools = workloads.find(({ name }) => name === 'proxy')?.pod.spec.containers[0].env ?? [];
  const reached = new Set(
    workloads
      .filter(({ kind }) => kind === 'StatefulSet')
      .flatMap(({ name, replicas = 0 }) =>
        Array.from({ length: replicas }, (_, index) => `${name}-${index}.${name}:8080`),
      ),
  );
  const { data = {} } = given.find(named('ConfigMap', 'configuration')) ?? {};
  return [
    ...given.flatMap((one) => {
      const labels = picks(one);
      if (labels === undefined) return [];
      const picked = workloads.filter(({ pod }) => isPicked(labels, pod));
      if (picked.length === 0) return [`${one.kind} ${one.metadata.name} picks nothing`];
      const targets = one.kind === 'Service' ? (serviceIn(given, one.metadata.name)?.ports ?? []) : [];
      return targets
        .filter(({ targetPort }) => !picked.every((workload) => portsOf(workload).has(targetPort)))
        .map(({ targetPort }) => `Service ${one.metadata.name}: no port ${targetPort}`);
    }),
    ...workloads
      // One process may go whenever its machine goes.
      .filter(({ name, replicas, kind }) => kind !== 'Job' && replicas !== 1 && !budgeted.includes(name))
      .map(({ name }) => `${name}: no budget`),
    ...autoscalers(given)
      .filter(({ scaleTargetRef: { kind, name } }) => !given.some(named(kind, name)))
      .map(({ scaleTargetRef }) => `autoscaler of ${scaleTargetRef.name}`),
    ...[data['PARLEY_COMMAND_SIDES'], data['PARLEY_ROUTERS']]
      .flatMap((list) => list?.split(',') ?? [])
      .map((url) => new URL(url).host)
      .filter((host) => !reached.has(host))
      .map((host) => `no process at ${host}`),
    ...pools
      .map(({ value }) => /^([\w-]+)\.parley\.svc\.cluster\.local:(\d+)$/.exec(value) ?? [value])
      .filter(([, name = '', port]) => serviceIn(given, name)?.ports[0]?.port !== Number(port))
      .map(([address]) => `no service ${address}`),
    ...ingressPaths(given)
      .map(({ backend: { service } }) => service)
      .filter(({ name, port }) => serviceIn(given, name)?.ports.some((one) => one.name === port.name) !== true)
      .map(({ name, port }) => `Ingress to ${name}:${port.name}`),
  ];
};

const policySpec = z.looseObject({
  ingress: z.array(z.looseObject({ from: z.array(z.unknown()).default([]) })).default([]),
});
const known = [
  { podSelector: { matchLabels: { 'app.kubernetes.io/part-of': 'parley' } } },
  { namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'monitoring' } } },
].map((peer) => JSON.stringify(peer));

export const openings = (given: readonly Manifest[]): readonly string[] => {
  const policies = given.filter(({ kind }) => kind === 'NetworkPolicy');
  const closed = policies.some(
    (one) => JSON.stringify(picks(one)) === '{}' && policySpec.parse(one.spec).ingress.length === 0,
  );
  const services = policies
    .filter(({ metadata }) => metadata.name !== 'proxy')
    .flatMap(({ spec }) =>
      policySpec.parse(spec).ingress.flatMap(({ from }) => from.map((peer) => JSON.stringify(peer))),
    );
  return [
    ...(closed ? [] : ['who is not named comes in']),
    ...services.filter((peer) => !known.includes(peer)).map((peer) => `services are open to ${peer}`),
    ...ingressPaths(given)
      .filter(({ path }) => path !== '/v1/')
      .map(({ path }) => `Ingress hands on ${path}`),
    ...given
      .filter(
        ({ kind, spec }) =>
          kind === 'Service' && !['ClusterIP', undefined].includes(spec?.['type'] as string | undefined),
      )
      .map(({ metadata, spec }) => `Service ${metadata.name} is a ${String(spec?.['type'])}`),
  ];
};

const maxConnections = Number(/^ {4}maxconn (\d+)$/m.exec(read('deploy/proxy/haproxy.cfg'))?.[1]);

export const scaleProblems = (given: readonly Manifest[]): readonly string[] => {
  const proxies = workloadsIn(given).find(({ name }) => name === 'proxy')?.replicas ?? 0;
  return autoscalers(given).flatMap(({ maxReplicas, metrics: [{ pods }] }) => {
    const sockets = maxReplicas * Number(pods.target.averageValue);
    return [
      ...(read('realtime/realtime.ts').includes(`gauge('${pods.metric.name}'`)
        ? []
        : [`no metric ${pods.metric.name}`]),
      ...(sockets <= proxies * maxConnections
        ? []
        : [`${sockets} sockets through proxies for ${proxies * maxConnections}`]),
    ];
  });
};
