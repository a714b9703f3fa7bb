/**
 * Values and times that a user gives.
 *
 * @module
 */

import { type Duration, toMilliseconds } from "../core/values/checks.ts";
import { wallClock } from "../core/time/clock.ts";
import { CliError } from "./exit_codes.ts";
import type { CliIo } from "./io.ts";

/** Matches an instant as ISO 8601 writes it. Without a zone, a time of day is local. */
const ISO = /^\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)?)?$/i;

/**
 * Reads an instant: `2027-01-31`, `2027-01-31T09:00Z`, epoch milliseconds, or a duration.
 *
 * @param what What the instant is for, in the error.
 * @param options `isPast`: whether a duration is taken as so long ago. If not, it is refused.
 * @returns Epoch milliseconds.
 * @throws {CliError} If it is none of these.
 */
export function parseInstant(text: string, what: string, { isPast }: { isPast: boolean }): number {
  // Fewer digits are seconds, which would be an instant in 1970.
  if (/^\d{12,16}$/.test(text)) return Number(text);
  if (ISO.test(text) && isDay(text.slice(0, 10))) {
    const ms = Date.parse(text);
    if (!Number.isNaN(ms)) return ms;
  }
  if (isPast && /^[\d.]+[a-z]+$/.test(text)) {
    return Math.max(0, wallClock.now() - toMilliseconds(text as Duration, what));
  }
  const also = isPast ? ", or so long ago, such as 2h" : "";
  throw new CliError(`Reading the ${what}: it must be an instant such as 2027-01-31T09:00Z${also}`);
}

/** Whether a day is in the calendar. Some runtimes take February 30 as March 2. */
function isDay(day: string): boolean {
  const ms = Date.parse(day);
  return !Number.isNaN(ms) && new Date(ms).toISOString().startsWith(day);
}

/**
 * Reads a value: JSON, or `-` for JSON on the standard input.
 *
 * @param what What the value is, in the error, which contains nothing of it.
 * @throws {CliError} If it is not JSON.
 */
export async function parseValue(text: string, what: string, io: Pick<CliIo, "readInput">): Promise<unknown> {
  const json = text === "-" ? await io.readInput() : text;
  try {
    return JSON.parse(json);
  } catch {
    // The runtime's own message quotes the text.
    throw new CliError(
      `Reading the ${what}: it must be JSON, such as '{"amount": 20}' or '"a text"', or - for the standard input`,
    );
  }
}
