/**
 * Values as plain JSON.
 *
 * @module
 */

import type { HTTPException } from "hono/http-exception";
import { toPlainValue } from "../../core/values/plain_value.ts";
import { PARLEY_JSON } from "../protocol.ts";
import { refusal } from "./problem.ts";

/**
 * A value as JSON text, as near as JSON can show it. A part that JSON does not know, or that
 * contains itself, becomes text, a list, an object or `null`.
 *
 * @throws {HTTPException} 406, if the value is nested too deep or is too large.
 */
export function plainText(value: unknown): string {
  return JSON.stringify(toPlainValue(value, notPlain)) ?? "null";
}

function notPlain(reason: string): HTTPException {
  return refusal(
    "not_acceptable",
    `Writing the answer as JSON: ${reason}; read it with connect(), or send "Accept: ${PARLEY_JSON}"`,
  );
}
