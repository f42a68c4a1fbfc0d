import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';
import { type Control, controls } from './control.ts';

interface Order {
  readonly control: keyof Control;
  readonly parameters: readonly unknown[];
}

type Act = (...parameters: readonly unknown[]) => Promise<unknown>;

/** Opens the faults of a server to other processes: `POST` with the name of a control and its parameters. */
export const openControlDoor = async (control: Control, port = 0): Promise<{ url: string; close(): Promise<void> }> => {
  const obey = async (request: IncomingMessage): Promise<unknown> => {
    const order = (await json(request)) as Order;
    if (!controls.includes(order.control)) throw new Error(`Unknown: ${order.control}`);
    return (control[order.control] as Act)(...order.parameters);
  };
  const door = createServer((request, response) => {
    obey(request).then(
      (result) => response.end(JSON.stringify(result ?? null)),
      (error: unknown) => response.writeHead(400).end(String(error)),
    );
  });
  door.listen(port, '127.0.0.1');
  await once(door, 'listening');
  return {
    url: `http://127.0.0.1:${(door.address() as AddressInfo).port}`,
    async close() {
      door.close();
      door.closeAllConnections();
      await once(door, 'close');
    },
  };
};

/** The faults of a server in another process. */
export const controlBehind = (url: string): Control => {
  const order =
    <Name extends keyof Control>(name: Name) =>
    async (...parameters: Parameters<Control[Name]>): Promise<Awaited<ReturnType<Control[Name]>>> => {
      const body = JSON.stringify({ control: name, parameters } satisfies Order);
      const answer = await fetch(url, { method: 'POST', body });
      if (!answer.ok) throw new Error(await answer.text());
      return (await answer.json()) as Awaited<ReturnType<Control[Name]>>;
    };
  return {
    behave: order('behave'),
    heal: order('heal'),
    befallNextAppends: order('befallNextAppends'),
    endSubscriptions: order('endSubscriptions'),
    resetSubscriptions: order('resetSubscriptions'),
    cutConnections: order('cutConnections'),
    cutOldestConnection: order('cutOldestConnection'),
    goDown: order('goDown'),
    comeUp: order('comeUp'),
    befallen: order('befallen'),
  };
};
