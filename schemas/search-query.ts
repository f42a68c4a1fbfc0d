/** More code points than this are refused: nobody types them, and each word costs a look-up. */
export const longestQuery = 1_000;

/** Highlights of one message: enough to show, and a bound for a text that is one word a thousand times. */
export const mostHighlights = 100;
