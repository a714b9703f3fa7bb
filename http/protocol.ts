/**
 * What the adapter and its client agree on: content types, keys, paths and tokens.
 *
 * @module
 */

import { ValidationError } from "../core/errors.ts";

/**
 * The content type of the library's own bodies. They are JSON in which each value, such as an input
 * or a message, is encoded as devalue does. All other members are plain, so a body can be
 * authorised before any value is decoded.
 */
export const PARLEY_JSON = "application/vnd.parley+json";
/** Lines of {@linkcode PARLEY_JSON}. */
export const PARLEY_NDJSON = "application/vnd.parley+ndjson";

/**
 * The form of the keys of webhooks. No other message may have such a key, because it could replace
 * a delivery that is still to come.
 */
export const WEBHOOK_KEY = /^webhook:[0-9a-f]{64}$/;

/**
 * The part of an absolute URL before its path. A client may send any `Host`, and for some of them
 * `new URL()` throws.
 */
const AUTHORITY = /^[^/]*\/\/[^/]*/;

/**
 * The path of a request, in ASCII for use in a header. It begins with one slash, because two
 * slashes would name another server.
 */
export function pathOf(url: string): string {
  const [path = ""] = url.replace(AUTHORITY, "").split(/[?#]/, 1);
  return path.toWellFormed().replace(/^[\\/]+/, "/").replace(/[^\x21-\x7e]/gu, encodeURIComponent);
}

/**
 * The URL of a request. If its `Host` fits in no URL, the result has another host, because `new
 * Request()` refuses such a URL.
 */
export function toLegalUrl(url: string): string {
  return URL.canParse(url) ? url : url.replace(AUTHORITY, "http://host.invalid");
}

/**
 * Whether a value can be a token. Only visible ASCII characters pass a header unchanged. A newline
 * at the end of a file of secrets does not.
 */
export function isToken(token: unknown): token is string {
  return typeof token === "string" && /^[\x21-\x7e]+$/.test(token);
}

/**
 * Checks that a value can be a token.
 *
 * @param doing What the token is for. The error contains this, and omits the token.
 * @throws {ValidationError} If no header can carry the value.
 */
export function checkToken(token: unknown, doing: string): asserts token is string {
  if (isToken(token)) return;
  throw new ValidationError(`${doing}: the token must be a text of visible ASCII characters, and not empty`);
}

/**
 * The URL at which an adapter is mounted, without a trailing slash.
 *
 * @param doing What the URL is for. The error contains this, and omits the URL, which may contain a
 * password.
 * @throws {ValidationError} If no adapter can have this URL.
 */
export function toMountUrl(url: string, doing: string): string {
  const parsed = URL.parse(url);
  if (
    !parsed || !/^https?:$/.test(parsed.protocol) || parsed.search || parsed.hash || parsed.username || parsed.password
  ) {
    throw new ValidationError(
      `${doing}: the url must begin with http:// or https://, and have no parameters and no credentials`,
    );
  }
  return parsed.href.replace(/\/+$/, "");
}
