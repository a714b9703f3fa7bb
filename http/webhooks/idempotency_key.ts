/**
 * The header `Idempotency-Key`.
 *
 * @module
 */

import type { Context } from "hono";
import { ValidationError } from "../../core/errors.ts";

/**
 * Reads the header.
 *
 * @returns `undefined` where there is none.
 * @throws {ValidationError} If it is not ASCII: clients send what is not as UTF-8 or as ISO 8859-1, and nobody can tell which, so that two of them would
 * mean one key and get two.
 */
export function idempotencyKeyOf(c: Context): string | undefined {
  const header = c.req.header("idempotency-key");
  if (header === undefined || /^[\t\x20-\x7e]*$/.test(header)) return header;
  throw new ValidationError("Reading the header Idempotency-Key: it must be ASCII; put what is not into the body");
}
