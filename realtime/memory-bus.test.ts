import { busContract } from './bus.contract.ts';
import { memoryBus } from './memory-bus.ts';

busContract('memory', async () => {
  const bus = memoryBus(() => undefined);
  return { bus, otherEnd: bus, close: () => Promise.resolve() };
});
