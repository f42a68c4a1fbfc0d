/** The words of a command line make no sense; the usage is printed behind the message. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}
