/**
 * Parts of a request's URL, as Hono decodes them.
 *
 * @module
 */

import { ValidationError } from "../../core/errors.ts";

/**
 * Reads a part of the URL. Old versions of Hono, such as 4.4, throw if the part cannot be decoded.
 * Newer versions leave it as it is.
 *
 * @param read Reads the part through Hono.
 * @throws {ValidationError} If Hono cannot decode it, which is the caller's fault.
 */
export function decoded<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof URIError)) throw error;
    throw new ValidationError("Reading the URL: it must be UTF-8 that is percent-encoded");
  }
}
