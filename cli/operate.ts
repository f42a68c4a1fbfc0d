import { request } from 'node:http';
import { text } from 'node:stream/consumers';
import { z } from 'zod';
import { adminSocketIn } from '../main/admin-socket.ts';
import { openOperations } from '../main/open-operations.ts';
import { operations, type AnswerOf, type OperationName, type OperationsDeps } from '../main/operations.ts';
import type { Configuration } from '../schemas/configuration.ts';

const clock = { now: () => Date.now(), monotonic: () => performance.now() };
const problem = z.object({ detail: z.string() });

/** Asks the server that runs on the data; where none runs, takes their lock and does it here. */
export const operate = async <Name extends OperationName>(
  configuration: Configuration,
  name: Name,
  given: object,
): Promise<AnswerOf<Name>> => {
  const asked = await askServer(configuration.data, name, given);
  if (asked !== undefined) {
    if (asked.status === 200) return JSON.parse(asked.body) as AnswerOf<Name>;
    throw new Error(problem.parse(JSON.parse(asked.body)).detail);
  }
  await using stack = new AsyncDisposableStack();
  const warn = (details: object, message: string): void => {
    process.stderr.write(`${message}: ${JSON.stringify(details)}\n`);
  };
  const deps = await openOperations(configuration, clock, warn, stack);
  const run: (deps: OperationsDeps, given: unknown) => Promise<unknown> = operations[name];
  return (await run(deps, given)) as AnswerOf<Name>;
};

interface Answered {
  readonly status: number;
  readonly body: string;
}

/** Undefined: nobody listens there. */
const askServer = (data: string, name: OperationName, given: object): Promise<Answered | undefined> =>
  new Promise((resolve, reject) => {
    const asking = request({
      socketPath: adminSocketIn(data),
      path: `/${name}`,
      method: 'POST',
      headers: { 'content-type': 'application/json' },
    });
    asking.on('response', (response) => {
      text(response).then((body) => resolve({ status: response.statusCode ?? 0, body }), reject);
    });
    asking.on('error', (error) => {
      // EINVAL: the path is longer than the system takes, so no server could listen there either.
      const nobody = ['ENOENT', 'ECONNREFUSED', 'EINVAL'].includes('code' in error ? String(error.code) : '');
      if (nobody) resolve(undefined);
      else reject(error);
    });
    asking.end(JSON.stringify(given));
  });
