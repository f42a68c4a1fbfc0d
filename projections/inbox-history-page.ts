import type { Message, MessagePage, PageFrom } from './inbox.ts';

/** UTF-16 units of text after which a page ends before its limit, so that long texts make short pages. */
export const pageText = 1_048_576;

/** UTF-16 units of its text. */
export const lengthOf = ({ content }: Pick<Message, 'content'>): number =>
  content?.type === 'text' ? content.text.length : 0;

/** Whether a page that was asked for from `from` reaches to the ends of what its reader may see: after `visibleFrom`, up to `seq`. */
export const endsOf = (
  messages: readonly Message[],
  { from }: PageFrom,
  { seq, visibleFrom }: { readonly seq: number; readonly visibleFrom: number },
): Pick<MessagePage, 'isFirst' | 'isLast'> => {
  const [first, last] = [messages[0], messages.at(-1)];
  const none = seq <= visibleFrom;
  return {
    isFirst: none || (first === undefined ? from === 'before' : first.seq === visibleFrom + 1),
    isLast: none || (last === undefined ? from === 'after' : last.seq === seq),
  };
};
