/**
 * Checks of what callers pass: IDs, names, keys, schemas, whole numbers and durations.
 *
 * @module
 */

import { quote, ValidationError } from "../errors.ts";

/** In characters (code points), so at most 1,020 bytes of UTF-8. */
const MAX_NAME_LENGTH = 255;

/**
 * Refuses what cannot be an ID, a name or a key.
 *
 * @param name The text. Lone surrogates are refused too: they have no UTF-8, so two different ones would be the same in a store.
 * @param what What it is, as in `workflow ID`.
 * @throws {ValidationError} If it is not a string of 1 to 255 characters of well-formed Unicode without NUL.
 */
export function checkName(name: unknown, what: string): asserts name is string {
  if (typeof name !== "string") {
    throw new ValidationError(
      `Reading the ${what}: it is of type ${typeof name}, and must be a string of 1 to ${MAX_NAME_LENGTH} characters`,
    );
  }
  // The first test keeps a text of megabytes from being spread only to be refused.
  if (name === "" || name.length > 2 * MAX_NAME_LENGTH || [...name].length > MAX_NAME_LENGTH) {
    throw new ValidationError(
      `Reading the ${what}: it has ${name.length} UTF-16 units, and must have 1 to ${MAX_NAME_LENGTH} characters`,
    );
  }
  if (name.includes("\0") || !name.isWellFormed()) {
    throw new ValidationError(`Reading the ${what} ${quote(name)}: it must be well-formed Unicode without NUL`);
  }
}

/**
 * Refuses what is no Standard Schema where it is defined, and not where the first value comes.
 *
 * @param schema The schema; `undefined`: there is none.
 * @param what What it belongs to, as in `topic "payment"`.
 * @throws {ValidationError} If it does not implement version 1 of Standard Schema.
 */
export function checkSchema(schema: unknown, what: string): void {
  if (schema === undefined) return;
  const isHolder = (typeof schema === "object" && schema !== null) || typeof schema === "function";
  const standard: unknown = isHolder ? Reflect.get(schema, "~standard") : undefined;
  if (
    typeof standard === "object" && standard !== null && "version" in standard && standard.version === 1 &&
    "validate" in standard
  ) {
    if (typeof standard.validate === "function") return;
  }
  throw new ValidationError(
    `Defining the ${what}: its schema does not implement Standard Schema, version 1, and must. Schemas of Valibot, Zod (3.24 on) and ArkType do; ` +
      "one of Effect does as Schema.standardSchemaV1(schema); one of TypeBox, or a JSON Schema, needs an adapter",
  );
}

/**
 * Refuses what is no whole number between two others.
 *
 * @param number The number.
 * @param what What it is, as in `limit of the list`.
 * @param least The lowest that is legal.
 * @param most The highest that is legal.
 * @throws {ValidationError} If it is not legal.
 */
export function checkWholeNumber(number: unknown, what: string, least: number, most: number = Infinity): void {
  if (Number.isSafeInteger(number) && (number as number) >= least && (number as number) <= most) return;
  const limit = most < Infinity ? `, at most ${most}` : "";
  throw new ValidationError(`Reading the ${what} ${number}: it must be a whole number, ${least} or more${limit}`);
}

/**
 * Milliseconds, or a number with its unit: `"250ms"`, `"30s"`, `"5m"`, `"1.5h"`, `"7d"`. Never negative.
 *
 * @category Values
 */
export type Duration = number | `${number}${"ms" | "s" | "m" | "h" | "d"}`;

const UNIT_MS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** One thousand years. Longer ones are mistakes, and could not be added to an instant without loss. */
export const MAX_DURATION_MS: number = 1_000 * 365.25 * UNIT_MS.d;

/**
 * Reads a duration.
 *
 * @param duration The duration.
 * @param what What it is for, as in `timeout`; used in the error.
 * @returns Whole milliseconds, rounded up, so that something is never waited for too short.
 * @throws {ValidationError} If it is negative, not finite, without a unit or longer than 1,000 years.
 */
export function toMilliseconds(duration: Duration, what: string): number {
  const ms = typeof duration === "number" ? duration : parseDuration(duration);
  if (!(ms >= 0 && ms <= MAX_DURATION_MS)) {
    const shown = typeof duration === "string" ? quote(duration) : String(duration);
    throw new ValidationError(
      `Reading the ${what} ${shown}: it must be 0 or more milliseconds, or a number with ms, s, m, h or d, and at most 1,000 years`,
    );
  }
  return Math.ceil(ms);
}

/**
 * Reads a duration of 1 ms or more. See {@linkcode toMilliseconds}.
 *
 * @throws {ValidationError} If it is not such a duration.
 */
export function toPositiveMilliseconds(duration: Duration, what: string): number {
  const ms = toMilliseconds(duration, what);
  if (ms > 0) return ms;
  throw new ValidationError(`Reading the ${what} ${duration}: it must be 1 ms or more`);
}

function parseDuration(text: unknown): number {
  const match = typeof text === "string" ? /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/.exec(text) : null;
  return match ? Number(match[1]) * UNIT_MS[match[2] as keyof typeof UNIT_MS] : NaN;
}
