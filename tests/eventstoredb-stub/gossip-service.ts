import { randomUUID } from 'node:crypto';
import type { sendUnaryData } from '@grpc/grpc-js';
import gossip from '@eventstore/db-client/generated/gossip_pb.js';
import type { ClusterInfo, MemberInfo } from '@eventstore/db-client/generated/gossip_pb.js';
import type { Endpoint } from './faults.ts';
import type { Node } from './node.ts';
import { uuidOf } from './wire.ts';

/** Who the cluster is, for a client that was given several hosts: this node, and its leader if that is another one. */
export const readGossip =
  ({ faults, port }: Node) =>
  (_call: unknown, callback: sendUnaryData<ClusterInfo>): void => {
    const { leader } = faults.behaviour;
    const { FOLLOWER, LEADER } = gossip.MemberInfo.VNodeState;
    const answer = new gossip.ClusterInfo();
    answer.addMembers(member({ host: '127.0.0.1', port }, leader ? FOLLOWER : LEADER));
    if (leader) answer.addMembers(member(leader, LEADER));
    callback(null, answer);
  };

const member = ({ host, port }: Endpoint, state: MemberInfo.VNodeState): MemberInfo => {
  const endpoint = new gossip.EndPoint();
  endpoint.setAddress(host);
  endpoint.setPort(port);
  const info = new gossip.MemberInfo();
  info.setInstanceId(uuidOf(randomUUID()));
  info.setTimeStamp(String(Date.now() * 10_000));
  info.setState(state);
  info.setIsAlive(true);
  info.setHttpEndPoint(endpoint);
  return info;
};
