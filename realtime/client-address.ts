import type { IncomingMessage } from 'node:http';
import { BlockList, isIPv4, isIPv6 } from 'node:net';

/** Addresses and ranges such as `10.0.0.0/8`; what is neither was refused with the configuration. */
export const addressRanges = (ranges: readonly string[]): BlockList => {
  const list = new BlockList();
  for (const range of ranges) {
    const [address = '', bits] = range.split('/');
    const family = isIPv6(address) ? 'ipv6' : 'ipv4';
    if (bits === undefined) list.addAddress(address, family);
    else list.addSubnet(address, Number(bits), family);
  }
  return list;
};

const contains = (list: BlockList, address: string): boolean => list.check(address, isIPv6(address) ? 'ipv6' : 'ipv4');

const loopback = addressRanges(['127.0.0.0/8', '::1']);

/** Whether the address says nothing of who connects: on this machine are proxies, and the operator. */
export const isLoopback = (address: string): boolean => contains(loopback, address);

const plain = (address: string): string => (address.startsWith('::ffff:') ? address.slice(7) : address);

/**
 * Where a request comes from. A trusted proxy is believed about the address before it, so the client's is the last one in
 * X-Forwarded-For that is no proxy's: what stands before that, the client may have written itself.
 */
export const clientAddress = ({ socket, headers }: IncomingMessage, trusted: BlockList): string => {
  const forwarded = [headers['x-forwarded-for'] ?? []].flat().join(',').split(',');
  let address = plain(socket.remoteAddress ?? '');
  while (contains(trusted, address)) {
    const before = plain(forwarded.pop()?.trim() ?? '');
    if (!isIPv4(before) && !isIPv6(before)) break;
    address = before;
  }
  return address;
};

/** What one subscriber of a network is given: an IPv4 address, or the 64 bits before the interface of an IPv6 one. */
export const networkOf = (address: string): string => {
  if (!isIPv6(address)) return address;
  const [head = '', tail] = address.split('::');
  const groups = head === '' ? [] : head.split(':');
  const after = tail === undefined || tail === '' ? [] : tail.split(':');
  while (tail !== undefined && groups.length + after.length < 8) groups.push('0');
  return [...groups, ...after]
    .slice(0, 4)
    .map((group) => parseInt(group, 16).toString(16))
    .join(':');
};
