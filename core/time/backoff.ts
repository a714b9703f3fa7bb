/**
 * The pauses between retries.
 *
 * @module
 */

/** Varies a pause by up to a quarter, so that pauses that begin together do not end together. */
export function jitter(ms: number): number {
  return ms * (0.75 + Math.random() / 2);
}

/**
 * Returns the pause before a retry, in milliseconds. Pauses grow up to a limit, and vary by up to a
 * quarter.
 *
 * @param repeats The number of earlier retries.
 * @param options `firstMs`: the first pause. `maxMs`: the limit. `factor`: the growth from one
 * pause to the next, default 2.
 */
export function backoffMs(
  repeats: number,
  { firstMs, maxMs, factor = 2 }: { firstMs: number; maxMs: number; factor?: number },
): number {
  return jitter(Math.min(firstMs * factor ** Math.min(repeats, 20), maxMs));
}
