import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { drainSeconds, planted, root, startProblems, unknownHealthPaths } from './deploy-files.ts';
import {
  applied,
  exampleSecret,
  kustomization,
  named,
  startedBy,
  typeProblems,
  type Manifest,
} from './deploy-kubernetes-files.ts';
import { liberties, lost, openings, probedPaths, probeProblems, scaleProblems } from './deploy-kubernetes-checks.ts';

const manifests = applied();

/** With one field of one manifest set to something else. */
const change = (kind: string, name: string, path: string, value: unknown): readonly Manifest[] =>
  planted(manifests, (copies) => {
    const keys = path.split('.');
    const last = keys.pop() ?? '';
    let at: unknown = copies.find(named(kind, name));
    for (const key of keys) at = (at as Record<string, unknown>)[key];
    (at as Record<string, unknown>)[last] = value;
  });
const inPod = (name: string, path: string, value: unknown, kind = 'Deployment') =>
  change(kind, name, `spec.template.spec.${path}`, value);
const inContainer = (name: string, path: string, value: unknown) => inPod(name, `containers.0.${path}`, value);

/** What an operator would fill in. */
const secret = {
  'token-secret': 'x'.repeat(32),
  'internal-token': 'y'.repeat(32),
  'event-log-url': 'esdb://parley:password@eventstore:2113?tls=true',
  'accounts-url': 'cassandra://parley:password@a,b,c/parley?dc=dc1&rf=3',
  'inbox-url': 'cassandra://parley:password@a,b,c/parley?dc=dc1&rf=3',
  'search-url': 'https://parley:password@elasticsearch:9200',
  'bus-url': 'rediss://parley:password@redis:6379/0',
};

describe('deploy/kubernetes', () => {
  test('is what the API of Kubernetes knows', () => {
    const example = exampleSecret();
    const right = example === undefined ? [] : [...manifests, example];
    const wrong = [
      ...change('Deployment', 'gateway', 'spec.template.spec.terminationGracePeriod', 40).filter(
        named('Deployment', 'gateway'),
      ),
      ...change('PodDisruptionBudget', 'proxy', 'spec.selector', 'proxy').filter(named('PodDisruptionBudget', 'proxy')),
      ...change('Job', 'migrate', 'spec.template', undefined).filter(named('Job', 'migrate')),
    ];
    // Together, for the types are what takes time.
    expect(typeProblems([...right, ...wrong])).toEqual([
      expect.stringContaining('"terminationGracePeriod"'),
      expect.stringContaining("Type 'string'"),
      expect.stringContaining("'template' is missing"),
    ]);
  });

  test('is applied whole, but for the example of the secrets, which says nothing', () => {
    const files = readdirSync(join(root, 'deploy/kubernetes')).map((file) => `kubernetes/${file}`);
    expect([...kustomization.resources, 'kubernetes/secrets.example.yaml'].toSorted()).toEqual(files.toSorted());
    const generated = z
      .array(z.object({ name: z.string(), files: z.array(z.string()) }))
      .parse(kustomization.configMapGenerator);
    expect(
      generated.flatMap(({ files: from }) => from).filter((file) => !existsSync(join(root, 'deploy', file))),
    ).toEqual([]);
    expect(Object.keys(exampleSecret()?.stringData ?? {})).toEqual(Object.keys(secret));
    expect(Object.values(exampleSecret()?.stringData ?? {}).join('')).toBe('');
    expect(manifests.filter(({ kind }) => kind === 'Secret')).toEqual([]);
  });

  test('gives each process what it starts with', () => {
    const problems = (given: readonly Manifest[], values: Readonly<Record<string, string>> = secret) =>
      startedBy(given, values).flatMap(startProblems);
    expect(
      startedBy(manifests, secret)
        .map(({ name }) => name)
        .toSorted(),
    ).toEqual(['command-side', 'gateway', 'migrate', 'projections', 'query-api', 'router']);
    expect(problems(manifests)).toEqual([]);
    const setting = (name: string, value: string) => change('ConfigMap', 'configuration', `data.${name}`, value);
    expect(problems(setting('PARLEY_RETENTION', '90d'))).toContain(
      'gateway: PARLEY_RETENTION: there is no such setting',
    );
    expect(problems(setting('PARLEY_ROUTERS', ''))).toEqual([expect.stringMatching(/^gateway: PARLEY_ROUTERS/)]);
    expect(problems(manifests, { ...secret, 'search-url': 'https://opensearch:9200/_all' })).toHaveLength(6);
    expect(problems(inPod('query-api', 'volumes', []))).toContain(
      'query-api: PARLEY_BUS_FILE: /run/secrets/parley/bus-url is not mounted',
    );
    expect(problems(inContainer('query-api', 'command', ['node', 'main/query.ts']))).toEqual([
      'query-api: there is no process main/query.ts',
    ]);
  });

  test('probes what there is, where it listens, and leaves time for the drain', async () => {
    expect(probeProblems(manifests)).toEqual([]);
    expect(probeProblems(inContainer('gateway', 'livenessProbe', { httpGet: { path: '/livez', port: 8081 } }))).toEqual(
      ['gateway: livenessProbe on 8081'],
    );
    expect(probeProblems(inContainer('gateway', 'readinessProbe', undefined))).toEqual(['gateway: no readinessProbe']);
    expect(probeProblems(inContainer('gateway', 'livenessProbe.httpGet.path', '/readyz'))).toEqual([
      'gateway: is started again for a server that is away',
    ]);
    expect(probeProblems(inContainer('gateway', 'ports.0.containerPort', 80))).toEqual([
      'gateway: listens on 8080, not 80',
    ]);
    expect(probeProblems(inPod('gateway', 'terminationGracePeriodSeconds', drainSeconds + 5))).toEqual([
      'gateway: is killed in its drain',
    ]);
    expect(await unknownHealthPaths(probedPaths(manifests))).toEqual([]);
    expect(
      await unknownHealthPaths(probedPaths(inContainer('gateway', 'startupProbe.httpGet.path', '/healthz'))),
    ).toEqual(['/healthz']);
  });

  test('lets no process be root, write its root, hold rights, or read variables of other services', () => {
    expect(liberties(manifests)).toEqual([]);
    expect(liberties(inPod('proxy', 'securityContext.runAsNonRoot', false))).toEqual(['proxy may be root']);
    expect(liberties(inContainer('proxy', 'securityContext.readOnlyRootFilesystem', false))).toEqual([
      'proxy can write its root',
    ]);
    expect(liberties(inContainer('proxy', 'securityContext.capabilities', {}))).toEqual(['proxy has capabilities']);
    expect(liberties(inContainer('proxy', 'resources.limits', { memory: '1Gi' }))).toEqual([
      'proxy has no limit of cpu',
    ]);
    expect(liberties(inPod('proxy', 'automountServiceAccountToken', undefined))).toEqual([
      'proxy holds a token of the cluster',
    ]);
    // PARLEY_SOMETHING_SERVICE_HOST would be a setting that does not exist.
    expect(liberties(inPod('proxy', 'enableServiceLinks', undefined))).toEqual([
      'proxy gets variables of other services',
    ]);
  });

  test('picks pods that are there, by ports that they have', () => {
    expect(lost(manifests)).toEqual([]);
    expect(lost(change('PodDisruptionBudget', 'router', 'spec.selector.matchLabels', { app: 'router' }))).toEqual([
      'PodDisruptionBudget router picks nothing',
    ]);
    expect(lost(change('NetworkPolicy', 'services', 'spec.podSelector.matchLabels', { app: 'parley' }))).toEqual([
      'NetworkPolicy services picks nothing',
    ]);
    expect(lost(change('Service', 'query-api', 'spec.ports.0.targetPort', 'https'))).toEqual([
      'Service query-api: no port https',
    ]);
    expect(lost(manifests.filter((one) => !named('PodDisruptionBudget', 'gateway')(one)))).toEqual([
      'gateway: no budget',
    ]);
    expect(lost(change('HorizontalPodAutoscaler', 'gateway', 'spec.scaleTargetRef.name', 'gateways'))).toEqual([
      'autoscaler of gateways',
    ]);
    expect(lost(change('ConfigMap', 'configuration', 'data.PARLEY_ROUTERS', 'http://router-2.router:8080'))).toEqual([
      'no process at router-2.router:8080',
    ]);
    const environment = [{ name: 'GATEWAYS', value: 'gateways.parley.svc.cluster.local:8080' }];
    expect(lost(inContainer('proxy', 'env', environment))).toEqual([
      'no service gateways.parley.svc.cluster.local:8080',
    ]);
    expect(lost(change('Ingress', 'parley', 'spec.rules.0.http.paths.0.backend.service.name', 'front'))).toEqual([
      'Ingress to front:http',
    ]);
  });

  test('keeps everybody from the services who is neither one of them nor Prometheus, and clients from /internal', () => {
    expect(openings(manifests)).toEqual([]);
    expect(openings(manifests.filter((one) => !named('NetworkPolicy', 'nobody-comes-in')(one)))).toEqual([
      'who is not named comes in',
    ]);
    expect(openings(change('NetworkPolicy', 'services', 'spec.ingress.0.from', [{ podSelector: {} }]))).toEqual([
      'services are open to {"podSelector":{}}',
    ]);
    expect(openings(change('Ingress', 'parley', 'spec.rules.0.http.paths.0.path', '/'))).toEqual([
      'Ingress hands on /',
    ]);
    expect(openings(change('Service', 'gateway', 'spec.type', 'LoadBalancer'))).toEqual([
      'Service gateway is a LoadBalancer',
    ]);
  });

  test('scales gateways by a metric that they have, as far as the proxies reach', () => {
    expect(scaleProblems(manifests)).toEqual([]);
    const autoscaler = (path: string, value: unknown) => change('HorizontalPodAutoscaler', 'gateway', path, value);
    expect(scaleProblems(autoscaler('spec.metrics.0.pods.metric.name', 'parley_connections'))).toEqual([
      'no metric parley_connections',
    ]);
    expect(scaleProblems(autoscaler('spec.maxReplicas', 64))).toEqual(['640000 sockets through proxies for 40000']);
  });
});
