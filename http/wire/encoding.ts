/**
 * Values in bodies: plain JSON for curl and browsers, and the library's own encoding, in which what goes in comes out equal.
 *
 * @module
 */

import type { Context } from "hono";
import { wireCodec } from "../../core/values/codec.ts";
import { ValidationError } from "../../core/errors.ts";
import { type BodyLimits, readBytes } from "./request_body.ts";
import { PARLEY_JSON, PARLEY_NDJSON } from "../media_types.ts";
import { preferred } from "./negotiate.ts";
import { outline } from "./outline.ts";
import { NotPlainError, plainText as toText, toPlain } from "./plain_json.ts";
import { refusal } from "./problem.ts";

export { PARLEY_JSON, PARLEY_NDJSON };

/** Whether the caller takes the library's own encoding, and rather than JSON. */
export function isEncoded(c: Context): boolean {
  const type = preferred(c, ["application/json", PARLEY_JSON, PARLEY_NDJSON]);
  return type !== undefined && type !== "application/json";
}

/** Answers with a value, as the caller takes it. */
export function answer(
  c: Context,
  value: unknown,
  options: { status?: number; headers?: Record<string, string> } = {},
): Response {
  const { status = 200, headers = {} } = options;
  const encoded = isEncoded(c);
  return new Response(encoded ? wireCodec.encode(value) : plainText(value), {
    status,
    headers: {
      "content-type": encoded ? PARLEY_JSON : "application/json",
      "cache-control": "no-store",
      vary: "accept",
      ...headers,
    },
  });
}

/** A body that was read, and perhaps not made into values yet. */
export interface Body {
  /** What it seems to say of whom it concerns: enough to ask who may send it. */
  readonly outline: unknown;
  /** Makes its value. A few bytes of the library's own encoding can cost seconds here, as a map of keys that collide: not for everybody. */
  value(): unknown;
}

/**
 * Reads a body in either encoding.
 *
 * @param limits How many bytes it may have, and how long they may take.
 */
export async function readBody(c: Context, limits: BodyLimits): Promise<Body> {
  const type = c.req.header("content-type")?.split(";")[0]?.trim().toLowerCase();
  if (type !== "application/json" && type !== PARLEY_JSON) {
    throw refusal("unsupported_media_type", `Reading the body: its content type must be application/json`);
  }
  const bytes = await readBytes(c, limits, "body");
  // Fatal: a body that is not UTF-8 would be stored as something else.
  const text = legible(type, () => new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  const json: unknown = legible(type, () => JSON.parse(text));
  if (type === "application/json") return { outline: json, value: () => json };
  return { outline: outline(json), value: () => legible(type, () => wireCodec.decode(text)) };
}

function legible<T>(type: string, read: () => T): T {
  try {
    return read();
  } catch {
    throw new ValidationError(
      `Reading the body: it must be ${type === PARLEY_JSON ? "encoded as devalue does" : "JSON"}, in UTF-8`,
    );
  }
}

/** An honest body in JSON, however it is made up, costs at most four times its length to write again. One in the library's own encoding may have repeated parts. */
const EXPANSION = 4;
const SMALLEST_LIMIT = 8 * 2 ** 20;

/** Refuses a body that could never be shown as JSON, or would take a reader of its parts for ever: a few bytes may name a list of any length. */
export function checkBody(body: unknown, limit: number): void {
  try {
    toPlain(body, Math.max(SMALLEST_LIMIT, EXPANSION * limit));
  } catch (error) {
    throw error instanceof NotPlainError ? new ValidationError(`Reading the body: ${error.message}`) : error;
  }
}

/**
 * A value as JSON text, as near as JSON has it.
 *
 * @throws {HTTPException} 406, if there is no JSON for it within the limits.
 */
export function plainText(value: unknown): string {
  try {
    return toText(value);
  } catch (error) {
    if (!(error instanceof NotPlainError)) throw error;
    throw refusal("not_acceptable", `Writing the answer as JSON: ${error.message}; ask for it as ${PARLEY_JSON}`);
  }
}
