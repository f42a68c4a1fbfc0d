import { message, openClient, outcomeOf } from './client.fixture.ts';

/** Appends one event, with the id given, in a process of its own: says what came of it, and goes on until it is ended. */
const [url = '', id = ''] = process.argv.slice(2);
const client = openClient(url);
console.log(await outcomeOf(client.appendToStream('a', message(0, id))));
setInterval(() => undefined, 1_000);
