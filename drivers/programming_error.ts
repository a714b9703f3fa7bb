/**
 * Mistakes in the code of a client, which would occur again.
 *
 * @module
 */

import { DriverError } from "../core/errors.ts";

/**
 * Words of a `TypeError` with which `fetch`, or reading the body of its answer, says that the
 * network failed.
 */
const NETWORK = /fetch|network|connection|sending request|load failed|terminated|\bbody\b|\bstream\b/i;

/** Tells whether an error is a mistake in the code of a client or of a driver. */
export function isProgrammingError(error: unknown): error is Error {
  if (!(error instanceof Error) || !/^(TypeError|ReferenceError)$/.test(error.name)) return false;
  // When the network fails, `fetch` also throws a TypeError. It has a cause in Node, a code in Bun,
  // and only a text elsewhere.
  return error.cause === undefined && !("code" in error) && !NETWORK.test(error.message);
}

/**
 * Makes the error for a call that failed because of such a mistake. The error and its cause show
 * the place of the mistake, and not its text.
 *
 * @param call The store and the call, as in `Postgres: commit`.
 */
export function programmingError(call: string, error: Error): DriverError {
  return new DriverError(`${call} failed (${error.name} in the client or the driver)`, {
    retryable: false,
    cause: withoutMessage(error),
  });
}

/**
 * Keeps where an error was thrown. Its message may quote a value, as in
 * `Cannot create property 'a' on string '...'`.
 */
function withoutMessage(error: Error): Error {
  const cause = new Error(`a ${error.name}, whose message may have data in it`);
  cause.name = error.name;
  const frames = (error.stack ?? "").split("\n").filter((line) => /^\s+at /.test(line));
  cause.stack = [`${cause.name}: ${cause.message}`, ...frames].join("\n");
  return cause;
}
