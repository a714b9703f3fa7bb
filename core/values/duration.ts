/**
 * Lengths of time as people write them.
 *
 * @module
 */

import { quote, ValidationError } from "../errors.ts";

/** Milliseconds, or a number with its unit: `"250ms"`, `"30s"`, `"5m"`, `"1.5h"`, `"7d"`. Never negative. */
export type Duration = number | `${number}${"ms" | "s" | "m" | "h" | "d"}`;

const UNIT_MS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** One thousand years. Longer ones are mistakes, and could not be added to an instant without loss. */
export const LONGEST_MS: number = 1_000 * 365.25 * UNIT_MS.d;

/**
 * Reads a duration.
 *
 * @param duration The duration.
 * @param what What it is for, as in `timeout`; used in the error.
 * @returns Whole milliseconds, rounded up, so that something is never waited for too short.
 * @throws {ValidationError} If it is negative, not finite, without a unit or longer than 1,000 years.
 */
export function toMilliseconds(duration: Duration, what: string): number {
  const ms = typeof duration === "number" ? duration : parse(duration);
  if (!(ms >= 0 && ms <= LONGEST_MS)) {
    const shown = typeof duration === "string" ? quote(duration) : String(duration);
    throw new ValidationError(
      `Reading the ${what} ${shown}: it must be 0 or more milliseconds, or a number with ms, s, m, h or d, and at most 1,000 years`,
    );
  }
  return Math.ceil(ms);
}

function parse(text: unknown): number {
  const match = typeof text === "string" ? /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/.exec(text) : null;
  return match ? Number(match[1]) * UNIT_MS[match[2] as keyof typeof UNIT_MS] : NaN;
}
