/**
 * The address of a database at Upstash.
 *
 * @module
 */

import { ValidationError } from "../../../core/errors.ts";
import { hiddenValue } from "../../hidden_value.ts";
import type { UpstashCredentials } from "./transport.ts";

/** The REST API of a database. */
export interface RestAddress {
  /** Without a slash at the end. */
  readonly url: string;
  /** The headers of every request. */
  readonly headers: Readonly<Record<string, string>>;
}

/**
 * Reads a URL and a token.
 *
 * @throws {ValidationError} If either is invalid. The message contains neither.
 */
export function readRestAddress({ url, token }: UpstashCredentials): RestAddress {
  return { url: readUrl(url), headers: { Authorization: `Bearer ${readToken(token)}` } };
}

function readUrl(text: unknown): string {
  const url = typeof text === "string" ? URL.parse(text) : null;
  // A user or a query may be a secret that the caller expects to be sent, and fetch refuses a user.
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
