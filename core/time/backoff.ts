/**
 * Pauses between repeats.
 *
 * @module
 */

/** Varies a pause by up to a quarter, so that many that began together do not end together. */
export function jitter(ms: number): number {
  return ms * (0.75 + Math.random() / 2);
}

/**
 * The pause before a repeat, in milliseconds: it grows with each one, up to a limit, and varies by
 * up to a quarter.
 *
 * @param repeats How many repeats there were before.
 * @param options `firstMs`: the first pause. `maxMs`: the limit. `factor`: how much longer each
 * pause is; default 2.
 */
export function backoffMs(
  repeats: number,
  { firstMs, maxMs, factor = 2 }: { firstMs: number; maxMs: number; factor?: number },
): number {
  return jitter(Math.min(firstMs * factor ** Math.min(repeats, 20), maxMs));
}
