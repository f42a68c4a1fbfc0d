import { expect, test } from 'vitest';
import { clusterUrl } from './cluster-url.ts';

test('a cluster is its hosts, who we are there, our keyspace and our data center', () => {
  const url = 'cassandra://ann:a%20%40%2Fsecret@10.0.0.1:9042,cassandra-2.example,[::1]:19042/parley?dc=fra1&rf=2';
  expect(clusterUrl.parse(url)).toEqual({
    hosts: ['10.0.0.1:9042', 'cassandra-2.example', '[::1]:19042'],
    credentials: { username: 'ann', password: 'a @/secret' },
    keyspace: 'parley',
    dataCenter: 'fra1',
    replicas: 2,
  });
  expect(clusterUrl.parse('cassandra://one/parley?dc=dc1')).toEqual({
    hosts: ['one'],
    credentials: undefined,
    keyspace: 'parley',
    dataCenter: 'dc1',
    replicas: 3,
  });
});

test.for([
  'cassandra://one/parley',
  'cassandra://one/parley?rf=3',
  'cassandra://one/parley?dc=dc1&rf=0',
  'cassandra://one/parley?dc=dc1&dc=dc2',
  'cassandra://one/parley?dc=dc1&tls=off',
  "cassandra://one/parley?dc=dc1'}",
  'cassandra://one/parley?dc=dc1#rest',
  'cassandra://one?dc=dc1',
  'cassandra://one/Parley?dc=dc1',
  'cassandra://one/parley;drop?dc=dc1',
  'cassandra://one/parley/more?dc=dc1',
  'cassandra://one,/parley?dc=dc1',
  'cassandra://one:70000/parley?dc=dc1',
  'cassandra://:secret@one/parley?dc=dc1',
  'cassandra://ann@one/parley?dc=dc1',
  'cassandra://ann:%zz@one/parley?dc=dc1',
  'cassandra:///parley?dc=dc1',
  'redis://one/parley?dc=dc1',
  '',
])('%s is refused with the shape it must have', (url) => {
  const parsed = clusterUrl.safeParse(url);
  expect(parsed.error?.issues.map(({ message }) => message)).toEqual([expect.stringMatching(/^must be cassandra:/)]);
});
