import { expect, test } from 'vitest';
import { decideErasure } from './erase-user.ts';
import { evolveUserSettings } from './user-settings.ts';

const recording = { time: 1, link: 'link' };
const registered = evolveUserSettings(
  undefined,
  { type: 'user-registered', kind: 'person', issuer: 'https://issuer.test', subject: 'ada' },
  recording,
);

test('a user is erased once, and again is unchanged', () => {
  const decision = decideErasure(registered);
  expect(decision).toEqual({ outcome: 'events', events: [{ type: 'user-erased' }] });
  const erased = evolveUserSettings(registered, { type: 'user-erased' }, recording);
  expect(decideErasure(erased)).toEqual({ outcome: 'unchanged' });
});

test('who was never registered is not erased', () => {
  expect(decideErasure(undefined)).toMatchObject({ outcome: 'rejected', rejection: { code: 'user_not_found' } });
});
