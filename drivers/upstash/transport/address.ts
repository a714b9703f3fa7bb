/**
 * Where a database at Upstash is reached.
 *
 * @module
 */

import { ValidationError } from "../../../core/errors.ts";
import { hiddenValue } from "../../hidden_value.ts";

/** Where a database is reached, and with which headers. */
export interface Address {
  /** Without a slash at the end. */
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
}

/**
 * Reads a URL and a token.
 *
 * @throws {ValidationError} If either is not what it must be. The message has nothing of them.
 */
export function readAddress({ url, token }: { readonly url: string; readonly token: string }): Address {
  return { url: readUrl(url), headers: { Authorization: `Bearer ${readToken(token)}` } };
}

function readUrl(text: unknown): string {
  const url = typeof text === "string" ? URL.parse(text) : null;
  // A user or a query may be a secret that somebody expects to be used, and fetch refuses the first.
  const isBare = url && url.username === "" && url.password === "" && url.search === "" && url.hash === "";
  if (isBare && /^https?:$/.test(url.protocol) && url.hostname !== "") {
    return `${url.origin}${url.pathname.replace(/\/+$/, "")}`;
  }
  throw new ValidationError(
    `Reading the url of Upstash, ${hiddenValue(text)}: it must be that of the REST API, https://HOST`,
  );
}

function readToken(text: unknown): string {
  if (typeof text === "string" && /^[\x21-\x7e]+$/.test(text)) return text;
  throw new ValidationError(
    `Reading the token of Upstash, ${
      hiddenValue(text)
    }: it must be that of the REST API, without spaces or line breaks`,
  );
}
