/**
 * The pauses between retries.
 *
 * @module
 */

/**
 * Varies a pause, so that pauses that begin together do not end together.
 *
 * @param ms The pause in milliseconds.
 * @param spread The fraction of the pause by which it varies at most, in both directions. Default a
 * quarter.
 */
export function jitter(ms: number, spread: number = 0.25): number {
  return ms * (1 - spread + 2 * spread * Math.random());
}

/**
 * Returns the pause before a retry, in milliseconds. Pauses grow up to a limit. Each of them varies
 * as {@linkcode jitter} says.
 *
 * @param repeats The number of earlier retries.
 * @param options `firstMs`: the first pause. `maxMs`: the limit. `factor`: the growth from one
 * pause to the next, default 2. `spread`: see {@linkcode jitter}.
 */
export function backoffMs(
  repeats: number,
  { firstMs, maxMs, factor = 2, spread }: { firstMs: number; maxMs: number; factor?: number; spread?: number },
): number {
  return jitter(Math.min(firstMs * factor ** Math.min(repeats, 20), maxMs), spread);
}
