import fc from 'fast-check';
import { expect, test } from 'vitest';
import { commandId } from '../schemas/ids.ts';
import { newId } from '../tests/wire-client.ts';
import { Echoes } from './echoes.ts';

const frame = Buffer.from('the message');
const newCommandId = () => commandId.parse(newId());

test('an accepted send gets no message frame, whether its event or its answer comes first', () => {
  const echoes = new Echoes();
  const [early, late] = [newCommandId(), newCommandId()];
  echoes.sent(early);
  echoes.sent(late);
  expect(echoes.answered(early, true)).toBeUndefined();
  expect(echoes.passOver(early, frame)).toBe(true);
  expect(echoes.passOver(late, frame)).toBe(true);
  expect(echoes.held).toBe(1);
  expect(echoes.answered(late, true)).toBeUndefined();
  expect(echoes.held).toBe(0);
});

test('a send whose answer is a refusal although it is in the log gets its message after all', () => {
  const echoes = new Echoes();
  const id = newCommandId();
  echoes.sent(id);
  expect(echoes.passOver(id, frame)).toBe(true);
  expect(echoes.answered(id, false)).toBe(frame);
  expect(echoes.held).toBe(0);
  echoes.sent(id);
  echoes.answered(id, false);
  expect(echoes.passOver(id, frame)).toBe(false);
});

test('after a resume the event of an accepted send is a message, and one under way is still held back', () => {
  const echoes = new Echoes();
  const [resent, underWay] = [newCommandId(), newCommandId()];
  echoes.sent(resent);
  echoes.answered(resent, true);
  echoes.sent(underWay);
  echoes.forgetAnswered();
  expect(echoes.passOver(resent, frame)).toBe(false);
  expect(echoes.passOver(underWay, frame)).toBe(true);
});

test('messages sent on other sockets are never passed over, and what is remembered is bounded', () => {
  const echoes = new Echoes();
  expect(echoes.passOver(newCommandId(), frame)).toBe(false);
  const ids = Array.from({ length: 5_000 }, newCommandId);
  for (const id of ids) {
    echoes.sent(id);
    echoes.answered(id, true);
  }
  // Those of the latest sends, though the router is so far behind.
  expect(ids.filter((id) => echoes.passOver(id, frame))).toEqual(ids.slice(-2_048));
});

test('in any order of copies, answers and the event, the client gets accepted or the message, and nothing stays held', () => {
  const steps = fc.array(fc.constantFrom('send', 'accept', 'refuse', 'event'), { maxLength: 20 });
  fc.assert(
    fc.property(steps, (order) => {
      const echoes = new Echoes();
      const id = newCommandId();
      let [due, accepted, messages, events] = [0, 0, 0, 0];
      for (const step of order) {
        if (step === 'send') {
          echoes.sent(id);
          due++;
        } else if (step === 'event' && events === 0) {
          events++;
          if (!echoes.passOver(id, frame)) messages++;
        } else if (step !== 'event' && due > 0) {
          due--;
          if (step === 'accept') accepted++;
          if (echoes.answered(id, step === 'accept') !== undefined) messages++;
        }
      }
      while (due-- > 0) if (echoes.answered(id, false) !== undefined) messages++;
      expect(echoes.held).toBe(0);
      if (events > 0) expect(accepted + messages).toBeGreaterThan(0);
      expect(messages).toBeLessThanOrEqual(1);
    }),
  );
});
