import type { Caller } from '../command-side/command-gateway.ts';
import { frameBytes, type Limits } from '../schemas/limits.ts';
import { encodeFrame } from './encode-frame.ts';

export const welcomeFrame = ({ userId, deviceId }: Caller, time: number, limits: Limits): Buffer => {
  const { textCharacters, groupMembers } = limits;
  const shown = { textCharacters, groupMembers, frameBytes: frameBytes(limits) };
  return encodeFrame({ type: 'welcome', protocol: 1, userId, deviceId, time, limits: shown });
};
