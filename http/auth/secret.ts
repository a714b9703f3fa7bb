/**
 * Secrets that are fixed, or come with the request.
 *
 * @module
 */

import type { Context } from "hono";
import { ValidationError } from "../../core/errors.ts";

/**
 * A secret, or a function that returns it for a request. The function is for platforms whose
 * environment comes with the request, as with Cloudflare Workers: `(c) => c.env.PARLEY_SECRET`. If
 * it returns a secret that is not legal, the request fails and `onError` is told.
 *
 * @category Auth
 */
export type Secret<T extends string | string[]> = T | ((c: Context) => T | Promise<T>);

/**
 * Returns a function that has the prepared secret for a request. A fixed secret is prepared at once
 * and only once.
 *
 * @param prepare Checks the secret, and throws a `ValidationError` if it is not legal.
 */
export function secretFor<T extends string | string[], K>(
  secret: Secret<T>,
  prepare: (secret: T) => K,
): (c: Context) => K | Promise<K> {
  if (typeof secret !== "function") {
    const prepared = prepare(secret);
    return () => prepared;
  }
  return async (c) => {
    const given = await secret(c);
    try {
      return prepare(given);
    } catch (error) {
      // The mistake is the owner's. A ValidationError would blame the caller.
      throw error instanceof ValidationError ? new Error(error.message) : error;
    }
  };
}
