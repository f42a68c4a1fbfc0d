import type { ServerFrameOf } from '../schemas/frames.ts';
import type { MessageView } from '../schemas/views.ts';
import type { Message } from './state.ts';

export const messageOfFrame = (frame: ServerFrameOf<'message'>): Message => ({
  seq: frame.seq,
  messageId: frame.messageId,
  by: frame.by,
  time: frame.time,
  version: 0,
  state: frame.hidden === true ? 'hidden' : 'shown',
  content: frame.content,
  replyTo: frame.replyTo ?? null,
});

export const messageOfView = ({ cut, editedAt, ...message }: MessageView): Message => message;
