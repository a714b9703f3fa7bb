/**
 * A database client, checked and with a time limit.
 *
 * @module
 */

import type { Clock } from "../../core/time/clock.ts";
import { ValidationError } from "../../core/errors.ts";
import { withTimeLimit } from "../../core/time/time_limit.ts";
import { isProgrammingError } from "../programming_error.ts";
import { NoAnswerError } from "./driver_error.ts";
import { preparing } from "./prepared.ts";
import type { RunQuery } from "./calls/sql_calls.ts";

/**
 * A live database client. PGlite's `PGlite` and node-postgres' `Pool` have this shape.
 * `docs/postgres.md` shows how to adapt other clients.
 *
 * @category Driver
 */
export interface Queryable {
  /**
   * Sends one statement, outside of any transaction, with text parameters.
   *
   * @param text The statement. Its parameters are `$1`, `$2`, and so on.
   * @param params The values of the parameters.
   * @returns The rows, each with a member for each column.
   */
  query(text: string, params?: unknown[]): Promise<{ rows: Record<string, unknown>[] }>;
}

/** Shown in errors about a client of another shape. */
export const GUIDE = "docs/postgres.md shows how to make one of each client";

/**
 * Makes a function that sends a statement through a client.
 *
 * A client of the wrong shape is refused here or, if only an answer shows it, at its first answer.
 * An answer that comes after the time limit is ignored.
 *
 * @param queryable The client.
 * @param timeoutMs How long an answer may take, in milliseconds.
 * @param prepare Whether the client prepares statements: see {@linkcode preparing}.
 * @throws {ValidationError} If the client has no `query` method.
 */
export function clientQuery(
  queryable: Queryable,
  timeoutMs: number,
  clock: Clock,
  prepare?: boolean,
): RunQuery {
  checkClient(queryable);
  const client = preparing(queryable, prepare);
  const limit = { ms: timeoutMs, clock, error: () => new NoAnswerError(timeoutMs) };
  let hasAnswered = false;
  return async (text, params, stop) => {
    let answer: unknown;
    try {
      answer = await withTimeLimit({ ...limit, stop }, () => client.query(text, params));
    } catch (error) {
      // A method that was separated from its object throws such an error.
      if (hasAnswered || !isProgrammingError(error)) throw error;
      throw new ValidationError(
        `Using a Postgres client: its query method threw a ${error.name} at the first call; it must be a ` +
          "method of the client, as in " +
          `{ query: (text, params) => client.query(text, params) }`,
      );
    }
    const rows = checkAnswer(answer);
    hasAnswered = true;
    return { rows };
  };
}

/** Types do not help callers in JavaScript. */
function checkClient(client: unknown): void {
  const isHolder = typeof client === "object" && client !== null || typeof client === "function";
  const found = !isHolder
    ? client === null ? "null" : `a ${typeof client}`
    : typeof Reflect.get(client, "then") === "function"
    ? "a promise, which must be awaited first"
    : typeof Reflect.get(client, "query") !== "function"
    ? "an object without a query method"
    : null;
  if (found === null) return;
  throw new ValidationError(
    `Using a Postgres client: it is ${found}; it must have query(text, params), which answers with { rows }; ${GUIDE}`,
  );
}

function checkAnswer(answer: unknown): Record<string, unknown>[] {
  const rows = typeof answer === "object" && answer !== null ? Reflect.get(answer, "rows") : undefined;
  if (Array.isArray(rows)) return rows;
  const found = Array.isArray(answer)
    ? "an array"
    : typeof answer === "object" && answer !== null
    ? "an object without rows"
    : `${answer}`;
  throw new ValidationError(
    `Using a Postgres client: its query method answered with ${found}; it must answer with { rows }; ${GUIDE}`,
  );
}
