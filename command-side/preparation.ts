import { busy, refused } from './answers.ts';
import type { CommandAnswer } from './command-gateway.ts';

/** What takes reading or waiting before a command is ready for its turn. */
export interface Preparation {
  readonly answer: (answer: CommandAnswer) => void;
  /** Must not throw. */
  run(): Promise<void>;
}

export interface Preparations {
  /** Whether something is being prepared in the lane: what comes now has to wait behind it. */
  has(lane: string): boolean;
  add(lane: string, preparation: Preparation): void;
}

/** At most so many under way, one lane's in their order, so that its commands reach their queue as they came. */
export const preparations = (most = 10_000): Preparations => {
  /** The last one of each lane. */
  const lanes = new Map<string, Promise<void>>();
  let underWay = 0;

  return {
    has: (lane) => lanes.size > 0 && lanes.has(lane),
    add(lane, preparation) {
      if (underWay >= most) {
        preparation.answer(refused(busy('preparation')));
        return;
      }
      underWay++;
      const mine = (lanes.get(lane) ?? Promise.resolve())
        .then(() => preparation.run())
        .finally(() => {
          underWay--;
          if (lanes.get(lane) === mine) lanes.delete(lane);
        });
      lanes.set(lane, mine);
    },
  };
};
