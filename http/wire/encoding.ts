/**
 * Bodies of answers, in a content type that the caller accepts: plain JSON for curl and browsers, or
 * the library's own encoding, in which values come back equal.
 *
 * @module
 */

import type { Context } from "hono";
import { encodeValue, envelope } from "../envelope.ts";
import { PARLEY_JSON, PARLEY_NDJSON } from "../protocol.ts";
import { plainText } from "./plain_json.ts";
import { refusal } from "./problem.ts";

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

/** One range of an `Accept` header. */
interface Range {
  readonly type: string;
  readonly q: number;
}

/**
 * Chooses a content type by the header `Accept` (RFC 9110). The highest quality counts first, then
 * the most exact range, then the order of `types`.
 *
 * @param c The request. A request without the header accepts any type.
 * @param types The available types, in the server's order of preference.
 * @returns One of them.
 * @throws {HTTPException} 406, if the request accepts none of them.
 */
export function negotiate<Type extends string>(c: Context, types: readonly [Type, ...Type[]]): Type {
  const type = preferred(c, types);
  if (type !== undefined) return type;
  throw refusal(
    "not_acceptable",
    `Reading the header Accept: it allows none of the types of this answer, and must allow one of ${types.join(", ")}`,
  );
}

/** Like {@linkcode negotiate}, but returns `undefined` if the request accepts none of them. */
export function preferred<Type extends string>(c: Context, types: readonly [Type, ...Type[]]): Type | undefined {
  const header = c.req.header("accept");
  const chosen = header === undefined ? types[0] : best(rangesOf(header), types);
  return types.find((it) => it === chosen);
}

/**
 * Parses the header. Hono's own parsers differ between versions. An invalid quality counts as the
 * highest.
 */
function rangesOf(header: string): Range[] {
  return header.split(",").map((range) => {
    const [type = "", ...parameters] = range.split(";").map((it) => it.trim());
    const [, q] = parameters.map((it) => /^q\s*=\s*([01](?:\.\d{0,3})?)$/i.exec(it)).find((it) => it !== null) ?? [];
    return { type, q: q === undefined ? 1 : Math.min(Number(q), 1) };
  });
}

function best(ranges: readonly Range[], types: readonly string[]): string {
  let chosen = { type: "", q: 0, exactness: 0 };
  for (const type of types) {
    const { q, exactness } = rate(type, ranges);
    if (q > chosen.q || (q === chosen.q && exactness > chosen.exactness && q > 0)) chosen = { type, q, exactness };
  }
  return chosen.type;
}

/**
 * The quality of a type, which is that of the most exact range that contains it. So `q=0` for the
 * type itself beats a wildcard.
 */
function rate(type: string, ranges: readonly Range[]): { q: number; exactness: number } {
  const wildcards = ["*/*", `${type.split("/")[0]}/*`, type];
  let rated = { q: 0, exactness: -1 };
  for (const range of ranges) {
    const exactness = wildcards.indexOf(range.type.toLowerCase());
    if (exactness > rated.exactness) rated = { q: range.q, exactness };
  }
  return rated;
}
