/** The words of a command line make no sense; the usage is printed behind the message. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** What `parse` makes of the words; what it throws is a matter of usage. */
export const understood = <T>(parse: () => T): T => {
  try {
    return parse();
  } catch (cause) {
    throw new UsageError(cause instanceof Error ? cause.message : 'not understood', { cause });
  }
};
