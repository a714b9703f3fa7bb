/**
 * Random numbers that are the same each time for the same seed.
 *
 * @module
 */

/** A source of numbers. */
export interface Random {
  /** The next number, at least `least` and less than `most`. */
  between(least: number, most: number): number;
}

/** A source that a seed determines: mulberry32, which is random enough for tests. */
export function seeded(seed: number): Random {
  let state = seed | 0;
  const next = () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  return { between: (least, most) => least + next() * (most - least) };
}
