import { openEventstoredbLogStore } from '../event-log/eventstoredb-log-store.ts';
import type { LogStore } from '../event-log/log-store.ts';
import type { Caller } from '../command-side/command-gateway.ts';
import type { ConversationId } from '../schemas/ids.ts';
import { accepted, CommandsUnderTest } from '../tests/commands-under-test.ts';
import { startStubProcess } from '../tests/eventstoredb-stub/stub-process.ts';
import type { BenchOptions } from './options.ts';
import { textOf200 } from './words.ts';

const window = 4;
const pairs = 200;
const groups = 10;
const groupSize = 16;

interface Talk {
  readonly conversation: ConversationId;
  readonly senders: readonly Caller[];
}

/** How many appends the log's store was given, and of how many events. */
class Counted {
  appends = 0;
  events = 0;

  over(store: LogStore): LogStore {
    return {
      ...store,
      append: (request) => {
        this.appends++;
        this.events += request.events.length;
        return store.append(request);
      },
    };
  }
}

const openTalks = async (
  commands: CommandsUnderTest,
  count: number,
  members: number,
  open: (people: readonly Caller[]) => Promise<ConversationId>,
): Promise<Talk[]> => {
  const talks: Talk[] = [];
  for (let talk = 0; talk < count; talk++) {
    const senders: Caller[] = [];
    for (let one = 0; one < members; one++) senders.push(await commands.user(`of ${members}: ${talk} ${one}`));
    talks.push({ conversation: await open(senders), senders });
  }
  return talks;
};

/** Everybody keeps `window` messages under way. The process has no sockets and no read models: its CPU is the command side's. */
const drive = async (
  commands: CommandsUnderTest,
  talks: readonly Talk[],
  counted: Counted,
  seconds: number,
): Promise<object> => {
  let until = performance.now() + 3_000;
  let sent = 0;
  const send = async (sender: Caller, conversation: ConversationId): Promise<void> => {
    while (performance.now() < until) {
      accepted(await commands.handler.submit(sender, commands.send(conversation, textOf200())));
      sent++;
    }
  };
  const all = (): Promise<unknown> =>
    Promise.all(
      talks.flatMap(({ conversation, senders }) =>
        senders.flatMap((sender) => Array.from({ length: window }, () => send(sender, conversation))),
      ),
    );
  // What is measured is compiled and warm.
  await all();
  [sent, counted.appends, counted.events] = [0, 0, 0];
  const cpuBefore = process.cpuUsage();
  const from = performance.now();
  until = from + seconds * 1_000;
  await all();
  const took = (performance.now() - from) / 1_000;
  const cpu = process.cpuUsage(cpuBefore);
  return {
    messages_per_s: Math.round(sent / took),
    appends_per_s: Math.round(counted.appends / took),
    events_an_append: Number((counted.events / counted.appends).toFixed(1)),
    cpu_us_a_message: Math.round((cpu.user + cpu.system) / sent),
  };
};

/**
 * The command side alone over EventStoreDB's protocol: the server for tests in another process, or a real one at
 * PARLEY_TEST_EVENTSTOREDB_URL.
 */
export const benchAppends = async ({ quick }: BenchOptions): Promise<object> => {
  const given = process.env['PARLEY_TEST_EVENTSTOREDB_URL'];
  const stub = given === undefined ? await startStubProcess() : undefined;
  try {
    const url = given ?? stub?.url ?? '';
    const prefix = given === undefined ? '' : `bench-${Date.now()}-`;
    const store = await openEventstoredbLogStore({ url, prefix, warn: () => undefined });
    const counted = new Counted();
    await using commands = await CommandsUnderTest.open({
      store: (sqlite) => {
        void sqlite.close();
        return counted.over(store);
      },
    });
    const seconds = quick ? 5 : 15;
    const two = await openTalks(commands, pairs, 2, ([ann, ben]) => {
      if (ann === undefined || ben === undefined) throw new Error('a pair is two');
      return commands.direct(ann, ben);
    });
    const many = await openTalks(commands, groups, groupSize, ([first, ...others]) => {
      if (first === undefined) throw new Error('a group has members');
      return commands.group(first, ...others);
    });
    const result = {
      pairs: await drive(commands, two, counted, seconds),
      groups_of_16: await drive(commands, many, counted, seconds),
    };
    console.table(result);
    return result;
  } finally {
    await stub?.kill('SIGTERM');
  }
};
