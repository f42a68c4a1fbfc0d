import type { sendUnaryData } from '@grpc/grpc-js';
import messages from '@eventstore/db-client/generated/serverfeatures_pb.js';
import type { SupportedMethods } from '@eventstore/db-client/generated/serverfeatures_pb.js';
import type { Node } from './node.ts';

const supported: readonly (readonly [service: string, method: string, ...features: string[]])[] = [
  ['event_store.client.streams.streams', 'append'],
  ['event_store.client.streams.streams', 'batchappend', 'deadline_duration'],
  ['event_store.client.streams.streams', 'read', 'position', 'events'],
  ['event_store.client.streams.streams', 'delete'],
  ['event_store.client.streams.streams', 'tombstone'],
  ['event_store.client.server_features.serverfeatures', 'getsupportedmethods'],
];

export const getSupportedMethods =
  ({ faults, settings }: Node) =>
  (_call: unknown, callback: sendUnaryData<SupportedMethods>): void => {
    if (faults.behaviour.mute) return;
    const answer = new messages.SupportedMethods();
    answer.setEventStoreServerVersion(settings.version);
    for (const [service, name, ...features] of supported) {
      const method = new messages.SupportedMethod();
      method.setServiceName(service);
      method.setMethodName(name);
      method.setFeaturesList(features);
      answer.addMethods(method);
    }
    callback(null, answer);
  };
