import { parseArgs } from 'node:util';
import { startStub } from './start-stub.ts';

/** `npm run eventstoredb:stub -- --port N [--file LOG]`: says its URL when it is ready, and ends with SIGTERM. */
const { values } = parseArgs({ options: { port: { type: 'string', default: '0' }, file: { type: 'string' } } });
const stub = await startStub({ port: Number(values.port), ...(values.file !== undefined && { file: values.file }) });
console.log(stub.url);
for (const signal of ['SIGTERM', 'SIGINT']) process.once(signal, () => void stub.stop());
