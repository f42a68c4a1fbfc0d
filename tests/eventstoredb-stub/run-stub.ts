import { parseArgs } from 'node:util';
import { openControlDoor } from './control-door.ts';
import { startStub } from './start-stub.ts';

/**
 * `npm run eventstoredb:stub -- [--port N] [--file LOG] [--seed N] [--control N]`: prints its URL when it is ready, behind it
 * on the same line, with `--control`, where its faults are commanded. Ends with SIGTERM.
 */
const { values } = parseArgs({
  options: {
    port: { type: 'string', default: '0' },
    file: { type: 'string' },
    seed: { type: 'string', default: '1' },
    control: { type: 'string' },
  },
});
const stub = await startStub({
  port: Number(values.port),
  seed: Number(values.seed),
  ...(values.file !== undefined && { file: values.file }),
});
const door = values.control === undefined ? undefined : await openControlDoor(stub, Number(values.control));
console.log([stub.url, ...(door ? [door.url] : [])].join(' '));

const end = async (): Promise<void> => {
  await stub.resetSubscriptions();
  await door?.close();
  await stub.stop();
};
for (const signal of ['SIGTERM', 'SIGINT']) process.once(signal, () => void end());
