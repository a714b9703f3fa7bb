/**
 * Whole numbers that callers give.
 *
 * @module
 */

import { ValidationError } from "../errors.ts";

/**
 * Refuses what is no whole number between two others.
 *
 * @param number The number.
 * @param what What it is, as in `limit of the list`.
 * @param least The lowest that is legal.
 * @param most The highest that is legal.
 * @throws {ValidationError} If it is not legal.
 */
export function checkWhole(number: unknown, what: string, least: number, most: number = Infinity): void {
  if (Number.isSafeInteger(number) && (number as number) >= least && (number as number) <= most) return;
  const limit = most < Infinity ? `, at most ${most}` : "";
  throw new ValidationError(`Reading the ${what} ${number}: it must be a whole number, ${least} or more${limit}`);
}
