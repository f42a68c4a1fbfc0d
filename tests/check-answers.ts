import { bodyKey, type LogFacts, type Violation } from './log-facts.ts';
import type { Answer, HistoryEntry, Operation } from './recorder.ts';

/** Commands that may change nothing and are then answered like a success. */
const mayChangeNothing = new Set(['start-direct', 'change-role']);

/** I1 and I2: what clients were answered, against the log and against each other. */
export const checkAnswers = (history: readonly HistoryEntry[], facts: LogFacts): Violation[] => {
  const violations: Violation[] = [];
  const firstAnswers = new Map<string, Answer>();
  const bodies = new Map<string, Set<string>>();
  const settledAs = new Map<string, 'written' | 'refused'>();

  for (const entry of history) {
    if (!isOperation(entry)) continue;
    const { is, id, answer, conversation } = entry;
    const key = `${answer?.conversationId ?? conversation ?? ''} ${id}`;
    if (is === 'invoke') bodies.set(key, (bodies.get(key) ?? new Set()).add(bodyOf(entry)));
    if (is === 'fail') settledAs.set(key, settledAs.get(key) ?? 'refused');
    else if (is === 'unknown' || is === 'ok') settledAs.set(key, 'written');
    if (is !== 'ok' || answer === undefined) continue;
    violations.push(...againstLog(entry, answer, facts));
    const first = firstAnswers.get(key);
    if (first === undefined) firstAnswers.set(key, answer);
    else if (!sameAnswer(first, answer)) {
      violations.push({ promise: 'I2', says: `${key} was answered with seq ${first.seq}, then ${answer.seq}` });
    }
  }
  for (const [id, conversation] of facts.conversations) {
    for (const message of conversation.messages) {
      const key = `${id} ${message.id}`;
      const sent = bodies.get(key);
      const original = `${message.by} ${message.contents[0] ?? ''}`;
      if (sent !== undefined && !sent.has(original)) {
        violations.push({ promise: 'I2', says: `${key} is in the log with a body nobody sent` });
      }
      if (settledAs.get(key) === 'refused') {
        violations.push({ promise: 'I1', says: `${key} was refused for good and is in the log` });
      }
    }
  }
  return violations;
};

const isOperation = (entry: HistoryEntry): entry is Operation =>
  entry.is === 'invoke' || entry.is === 'ok' || entry.is === 'fail' || entry.is === 'unknown';

const bodyOf = ({ user, content }: Operation): string => `${user} ${bodyKey(content ?? null)}`;

const sameAnswer = (one: Answer, other: Answer): boolean =>
  one.seq === other.seq && one.time === other.time && one.chain === other.chain;

const againstLog = ({ id, command, user, content }: Operation, answer: Answer, facts: LogFacts): Violation[] => {
  const at = `${answer.conversationId} ${id}`;
  const logged = facts.conversations.get(answer.conversationId)?.commands.get(id);
  if (logged === undefined) {
    return mayChangeNothing.has(command)
      ? []
      : [{ promise: 'I1', says: `${at} was acknowledged and is not in the log` }];
  }
  const violations: Violation[] = [];
  if (logged.by !== user) violations.push({ promise: 'I2', says: `${at} was acknowledged to somebody else` });
  if (logged.time !== answer.time || logged.link !== answer.chain || logged.message?.seq !== answer.seq) {
    violations.push({ promise: 'I1', says: `${at} was acknowledged as something else than the log has` });
  }
  if (content !== undefined && logged.message !== undefined && logged.message.contents[0] !== bodyKey(content)) {
    violations.push({ promise: 'I2', says: `${at} was acknowledged for another body` });
  }
  return violations;
};
