import type { AppendFault } from './faults.ts';

/** One append, as far as a fault can touch it. */
export interface Attempt<Answer> {
  /** Writes it, or finds why it must not be. */
  settle(): Answer;
  answer(answer: Answer): void;
  answerLate(answer: Answer): void;
  /** Where one call has many appends, the server can answer one more than there were. */
  answerAgain(answer: Answer | 'stranger'): void;
  timeOut(): void;
  refuseNotReady(): void;
  cut(): void;
  reset(): void;
  /** To all that comes the same way. */
  deafen(): void;
}

/** Settles and answers an append, in the way the fault says. */
export const undergo = <Answer>(fault: AppendFault | undefined, attempt: Attempt<Answer>): void => {
  switch (fault) {
    case undefined:
      attempt.answer(attempt.settle());
      return;
    case 'not-ready':
      attempt.refuseNotReady();
      return;
    case 'timed-out-written':
      attempt.settle();
      attempt.timeOut();
      return;
    case 'timed-out-unwritten':
      attempt.timeOut();
      return;
    case 'unanswered-written':
      attempt.settle();
      return;
    case 'unanswered-unwritten':
      return;
    case 'cut-written':
      attempt.settle();
      attempt.cut();
      return;
    case 'cut-unwritten':
      attempt.cut();
      return;
    case 'reset-written':
      attempt.settle();
      attempt.reset();
      return;
    case 'reset-unwritten':
      attempt.reset();
      return;
    case 'deafening':
      attempt.deafen();
      return;
    case 'late':
      attempt.answerLate(attempt.settle());
      return;
    case 'answered-twice': {
      const answer = attempt.settle();
      attempt.answer(answer);
      attempt.answerAgain(answer);
      return;
    }
    case 'answered-by-stranger':
      attempt.answer(attempt.settle());
      attempt.answerAgain('stranger');
      return;
  }
};
