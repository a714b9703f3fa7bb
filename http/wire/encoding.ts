/**
 * Bodies of answers: plain JSON for curl and browsers, or the library's own encoding, in which
 * values come back equal.
 *
 * @module
 */

import type { Context } from "hono";
import { encodeValue, envelope } from "../envelope.ts";
import { PARLEY_JSON, PARLEY_NDJSON } from "../protocol.ts";
import { preferred } from "./negotiate.ts";
import { plainText } from "./plain_json.ts";

/** Turns a value into a member of a body. */
export type Show = (value: unknown) => unknown;

/** Whether the caller accepts the library's own encoding, and prefers it to JSON. */
export function isEncoded(c: Context): boolean {
  const type = preferred(c, ["application/json", PARLEY_JSON, PARLEY_NDJSON]);
  return type !== undefined && type !== "application/json";
}

/** Answers with a body, in the encoding that the caller prefers. */
export function answer(
  c: Context,
  body: (show: Show) => unknown,
  options: { status?: number; headers?: Record<string, string> } = {},
): Response {
  const { status = 200, headers = {} } = options;
  const type = isEncoded(c) ? PARLEY_JSON : "application/json";
  return new Response(bodyText(type, body), {
    status,
    headers: { "content-type": type, "cache-control": "no-store", vary: "accept", ...headers },
  });
}

/** The text of a body, or of one line of it. */
export function bodyText(type: string, body: (show: Show) => unknown): string {
  return type === PARLEY_JSON || type === PARLEY_NDJSON
    ? envelope(body(encodeValue))
    : plainText(body((value) => value));
}
