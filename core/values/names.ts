/**
 * Which IDs, names, keys and schemas are legal.
 *
 * @module
 */

import { quote, ValidationError } from "../errors.ts";

/** In characters (code points), so at most 1,020 bytes of UTF-8. */
const LONGEST_NAME = 255;

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
      `Reading the ${what}: it is of type ${typeof name}, and must be a string of 1 to ${LONGEST_NAME} characters`,
    );
  }
  // The first test keeps a text of megabytes from being spread only to be refused.
  if (name === "" || name.length > 2 * LONGEST_NAME || [...name].length > LONGEST_NAME) {
    throw new ValidationError(
      `Reading the ${what}: it has ${name.length} UTF-16 units, and must have 1 to ${LONGEST_NAME} characters`,
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
