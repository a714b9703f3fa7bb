/**
 * Values in bodies: plain JSON for curl and browsers, and the library's own encoding, in which what goes in comes out equal.
 *
 * @module
 */

import type { Context } from "hono";
import type { ContentfulStatusCode } from "hono/utils/http-status";
import { devalueCodec } from "../core/codec.ts";
import { ValidationError } from "../core/errors.ts";
import { PARLEY_JSON, PARLEY_NDJSON } from "./media_types.ts";
import { refusal } from "./problem.ts";

export { PARLEY_JSON, PARLEY_NDJSON };

/** Whether the caller takes the library's own encoding. */
export function isEncoded(c: Context): boolean {
  return c.req.header("accept")?.includes("application/vnd.parley+") ?? false;
}

/** Answers with a value, as the caller takes it. */
export function answer(
  c: Context,
  value: unknown,
  options: { status?: ContentfulStatusCode; headers?: Record<string, string> } = {},
): Response {
  const { status = 200, headers = {} } = options;
  const encoded = isEncoded(c);
  return new Response(encoded ? devalueCodec.encode(value) : plainText(value), {
    status,
    headers: { "content-type": encoded ? PARLEY_JSON : "application/json", "cache-control": "no-store", vary: "accept", ...headers },
  });
}

/** The value of a body in either encoding. */
export async function readBody(c: Context): Promise<unknown> {
  const type = c.req.header("content-type")?.split(";")[0]?.trim().toLowerCase();
  if (type !== "application/json" && type !== PARLEY_JSON) {
    throw refusal("unsupported_media_type", `Reading the body: its content type must be application/json`);
  }
  const text = await c.req.text();
  try {
    return type === PARLEY_JSON ? devalueCodec.decode(text) : JSON.parse(text);
  } catch {
    throw new ValidationError(`Reading the body: it must be ${type === PARLEY_JSON ? "encoded as devalue does" : "JSON"}`);
  }
}

/** A value as JSON text, as near as JSON has it: what JSON does not know becomes text, a list, an object or `null`. */
export function plainText(value: unknown): string {
  return JSON.stringify(value, toPlain) ?? "null";
}

/** `JSON.stringify` gives a value to its own `toJSON` first, so a `Date` or `URL` comes here as text. */
function toPlain(_key: string, value: unknown): unknown {
  if (typeof value === "bigint") return value.toString();
  if (value instanceof Error) return { name: value.name, message: value.message };
  if (value instanceof Set) return [...value];
  if (value instanceof Map) return [...value.keys()].every((key) => typeof key === "string") ? Object.fromEntries(value) : [...value];
  if (value instanceof RegExp) return String(value);
  if (ArrayBuffer.isView(value)) return toBase64(value);
  return value;
}

function toBase64(view: ArrayBufferView): string {
  const bytes = new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
  let binary = "";
  for (const byte of bytes) binary += String.fromCharCode(byte);
  return btoa(binary);
}
