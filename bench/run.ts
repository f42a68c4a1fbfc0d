/** `npm run bench -- NAME [--quick] [--json]`: measurements, each a file of this folder. */
import { parseArgs } from 'node:util';
import type { BenchOptions } from './options.ts';

const benches: Readonly<Record<string, (options: BenchOptions) => Promise<object>>> = {
  appends: async (options) => (await import('./appends.ts')).benchAppends(options),
  ceiling: async (options) => (await import('./ceiling.ts')).benchCeiling(options),
  chat: async (options) => (await import('./chat.ts')).benchChat(options),
  cold: async (options) => (await import('./cold.ts')).benchCold(options),
  'read-latency': async (options) => (await import('./read-latency.ts')).benchReadLatency(options),
  resume: async (options) => (await import('./resume.ts')).benchResume(options),
  'first-sync': async (options) => (await import('./first-sync.ts')).benchFirstSync(options),
  idle: async (options) => (await import('./idle.ts')).benchIdle(options),
  'slow-readers': async (options) => (await import('./slow-readers.ts')).benchSlowReaders(options),
  'hot-conversation': async (options) => (await import('./hot-conversation.ts')).benchHotConversation(options),
  'fan-out': async (options) => (await import('./fan-out.ts')).benchFanOut(options),
  'inbox-rate': async (options) => (await import('./inbox-rate.ts')).benchInboxRate(options),
  'index-rate': async (options) => (await import('./index-rate.ts')).benchIndexRate(options),
  'search-latency': async () => (await import('./search-latency.ts')).benchSearchLatency(),
  sizes: async (options) => (await import('./sizes.ts')).benchSizes(options),
  'slow-fsync': async (options) => (await import('./slow-fsync.ts')).benchSlowFsync(options),
};

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    quick: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    beside: { type: 'string' },
  },
});
const [name = ''] = positionals;
const bench = Object.hasOwn(benches, name) ? benches[name] : undefined;
if (bench === undefined || positionals.length !== 1) {
  console.error(`Usage: npm run bench -- ${Object.keys(benches).join('|')} [--quick] [--json]`);
  process.exit(2);
}
const result = await bench({ quick: values.quick, beside: values.beside });
if (values.json) console.log(JSON.stringify(result));
