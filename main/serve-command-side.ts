import { commandSide } from '../command-side/command-side.ts';
import { serveCommandLinks } from '../command-side/serve-command-links.ts';
import { readModelState } from '../projections/read-model-states.ts';
import { askInbox } from './ask-inbox.ts';
import { openShared } from './open-bus.ts';
import { forgetErased, openServiceBase } from './service-base.ts';
import { requireShared } from './service-requirements.ts';
import type { Serve } from './start-process.ts';
import { tokenIssuer } from './token-issuer.ts';

/** Commands of users over REST, and those that gateways hand over. One of several; none of them is special. */
export const serveCommandSide: Serve = async (configuration, clock, stack, stopping) => {
  const { inboxOn, internalToken } = requireShared(configuration);
  const base = await openServiceBase(configuration, clock, stack, stopping);
  forgetErased(base, stack);
  const { inbox, progress } = await askInbox(inboxOn, base, stack);
  const { newRateLimit, state, metrics } = await openShared(configuration.bus, base, stack);
  const commands = commandSide({ ...base, inbox, newRateLimit, issuer: tokenIssuer(configuration) });
  stack.defer(() => commands.close());
  await base.server.register(commands.plugin);
  const links = serveCommandLinks({ ...base, commands, internalToken });
  stack.defer(() => links.close());
  links.attach(base.server.server);

  let handedOver = 'ok';
  const address = await base.listen({
    metrics: [...commands.metrics, ...links.metrics, ...metrics],
    readiness: () => ({ ...commands.ready().checks, log: base.logState(), handedOver }),
    readModels: () => ({ inbox: readModelState(progress) }),
    servers: state,
  });
  stack.defer(() => {
    handedOver = 'draining';
    return links.drain();
  });
  return { address, failed: base.failed };
};
