const vocabulary = 60_000;

/** Pronounceable, of 3 to 9 letters, so that beginnings are shared as in a language. */
export const word = (rank: number): string => {
  const syllables = 'kalomitesuranivopedigabofulheyjancezo';
  let text = '';
  for (let rest = rank + 7; rest > 0; rest = Math.floor(rest / 18))
    text += syllables.slice((rest % 18) * 2, (rest % 18) * 2 + 2);
  return text + 'st'.slice(0, rank % 3);
};

/** Zipf's law, roughly: word `r` comes up about 1/(r+1) as often as word 0. `part` lies in [0, 1). */
export const rankOf = (part: number): number => Math.floor(Math.exp(part * Math.log(vocabulary))) - 1;

/** Words that come up as often as those of a language do, cut at 200 characters. */
export const textOf200 = (): string => {
  let text = '';
  while (text.length < 200) text += `${word(rankOf(Math.random()))} `;
  return text.slice(0, 200);
};
