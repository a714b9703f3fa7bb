/**
 * Where an adapter is, and what a request shows it.
 *
 * @module
 */

import { ValidationError } from "../core/errors.ts";

/** Whether it can be a token: nothing but visible ASCII characters passes a header unchanged, as a line's end from a file of secrets would not. */
export function isToken(token: unknown): token is string {
  return typeof token === "string" && /^[\x21-\x7e]+$/.test(token);
}

/**
 * The URL that an adapter is mounted at, without a slash at its end.
 *
 * @param doing What it is for, for the error, which does not have the URL: there may be a password in it.
 * @throws {ValidationError} If no adapter can be there.
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
