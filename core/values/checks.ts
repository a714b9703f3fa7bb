/**
 * Checks of arguments: IDs, names, keys, schemas, whole numbers and durations.
 *
 * @module
 */

import { quote, ValidationError } from "../errors.ts";

/** The longest name, in code points. That is at most 1,020 bytes of UTF-8. */
const MAX_NAME_LENGTH = 255;

/**
 * Checks that a text can be an ID, a name or a key.
 *
 * Lone surrogates are refused. They have no UTF-8 form, so a store cannot tell them apart.
 *
 * @param name The text.
 * @param what What the text is, for the error, as in `workflow ID`.
 * @throws {ValidationError} If it is not a string of 1 to 255 characters of well-formed Unicode
 * without NUL.
 */
export function checkName(name: unknown, what: string): asserts name is string {
  if (typeof name !== "string") {
    throw new ValidationError(
      `Reading the ${what}: it is of type ${typeof name}, and must be a string of 1 to ${MAX_NAME_LENGTH} characters`,
    );
  }
  // The cheap length test comes first, so that a text of megabytes is not spread into an array.
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
 * Checks that a schema is a Standard Schema. So a wrong schema fails at its definition, and not at
 * its first value.
 *
 * @param schema The schema. `undefined` passes.
 * @param what What the schema belongs to, for the error, as in `topic "payment"`.
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
    `Defining the ${what}: its schema must implement Standard Schema, version 1. ` +
      "Schemas of Valibot, Zod (from 3.24) and ArkType do. " +
      "For Effect, pass Schema.standardSchemaV1(schema). TypeBox and JSON Schema need an adapter",
  );
}

/**
 * Checks that a number is whole and in a range.
 *
 * @param number The number.
 * @param what What the number is, for the error, as in `limit of the list`.
 * @param least The lowest legal number.
 * @param most The highest legal number.
 * @throws {ValidationError} If the number is not whole or not in the range.
 */
export function checkWholeNumber(number: unknown, what: string, least: number, most: number = Infinity): void {
  if (Number.isSafeInteger(number) && (number as number) >= least && (number as number) <= most) return;
  const limit = most < Infinity ? `, at most ${most}` : "";
  throw new ValidationError(`Reading the ${what} ${number}: it must be a whole number, ${least} or more${limit}`);
}

/**
 * A length of time from 0 to 1,000 years. It is a number of milliseconds, or a text with a unit,
 * such as `"250ms"`, `"30s"`, `"5m"`, `"1.5h"` or `"7d"`.
 *
 * @category Values
 */
export type Duration = number | `${number}${"ms" | "s" | "m" | "h" | "d"}`;

const UNIT_MS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** 1,000 years. A longer duration is a mistake. A much longer one would overflow an instant. */
export const MAX_DURATION_MS: number = 1_000 * 365.25 * UNIT_MS.d;

/**
 * Converts a duration to milliseconds.
 *
 * @param duration The duration.
 * @param what What the duration is for, used in the error, as in `timeout`.
 * @returns Whole milliseconds, rounded up, so that no wait is too short.
 * @throws {ValidationError} If the duration is negative, not finite, a text without a unit, or
 * longer than 1,000 years.
 */
export function toMilliseconds(duration: Duration, what: string): number {
  const ms = typeof duration === "number" ? duration : parseDuration(duration);
  if (!(ms >= 0 && ms <= MAX_DURATION_MS)) {
    const shown = typeof duration === "string" ? quote(duration) : String(duration);
    throw new ValidationError(
      `Reading the ${what} ${shown}: it must be 0 or more milliseconds, ` +
        "or a number with ms, s, m, h or d, and at most 1,000 years",
    );
  }
  return Math.ceil(ms);
}

/**
 * Converts a duration of 1 ms or more to milliseconds. See {@linkcode toMilliseconds}.
 *
 * @throws {ValidationError} If the duration is not legal, or is 0.
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

/** The largest instant that a `Date` can have. */
const MAX_INSTANT_MS = 8_640_000_000_000_000;

/**
 * Returns an instant in epoch milliseconds.
 *
 * @throws {ValidationError} If it is not an instant from 1970 on.
 */
export function toInstant(instant: Date | number, what: string): number {
  const ms = typeof instant === "number" ? instant : instant.getTime();
  checkWholeNumber(ms, what, 0, MAX_INSTANT_MS);
  return ms;
}
