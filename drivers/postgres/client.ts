/**
 * A database client as the function that the driver needs: checked, and limited in time.
 *
 * @module
 */

import type { Clock } from "../../core/time/clock.ts";
import { type Duration, toMilliseconds } from "../../core/values/checks.ts";
import { ValidationError } from "../../core/errors.ts";
import type { RunQuery } from "./driver.ts";
import { isProgrammingError, NoAnswerError } from "./failure.ts";

/** A live database client. PGlite's `PGlite` and node-postgres' `Pool` are ones as they are; `docs/postgres.md` makes one of others. */
export interface Queryable {
  /**
   * Sends one statement, outside of any transaction, with text parameters.
   *
   * @param text The statement; its parameters are `$1`, `$2`, and so on.
   * @param params Their values.
   * @returns Its rows, each with a member for each column.
   */
  query(text: string, params?: unknown[]): Promise<{ rows: Record<string, unknown>[] }>;
}

/** Where clients of other shapes are made into a {@linkcode Queryable}. */
const GUIDE = "docs/postgres.md shows how to make one of each client";

/**
 * The function that sends a statement.
 *
 * A client of the wrong shape is refused as soon as that shows: here, or at its first answer. The client's late answer to a statement whose time is up
 * is not looked at.
 *
 * @param queryable The client.
 * @param timeoutMs How long an answer may take.
 * @throws {ValidationError} If it is no client.
 */
export function clientQuery(queryable: Queryable, timeoutMs: number, clock: Clock): RunQuery {
  checkClient(queryable);
  let hasAnswered = false;
  return async (text, params) => {
    let answer: unknown;
    try {
      answer = await within(timeoutMs, clock, () => queryable.query(text, params));
    } catch (error) {
      // A method that was taken off its object fails so.
      if (hasAnswered || !isProgrammingError(error)) throw error;
      throw new ValidationError(
        `Using a Postgres client: its query method threw a ${error.name} at the first call; it must be a method of the client, as in ` +
          `{ query: (text, params) => client.query(text, params) }`,
      );
    }
    const rows = checkAnswer(answer);
    hasAnswered = true;
    return { rows };
  };
}

/** How long an answer may take, in milliseconds. */
export function readTimeout(requestTimeout: Duration): number {
  const ms = toMilliseconds(requestTimeout, "requestTimeout");
  if (ms > 0) return ms;
  throw new ValidationError(`Reading the requestTimeout ${requestTimeout}: it must be 1 ms or more`);
}

/** Anything may come from JavaScript. */
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

/** What a call settles with, or {@linkcode NoAnswerError} if that takes longer than it may. What comes later is dropped, a rejection too. */
async function within<T>(ms: number, clock: Clock, call: () => T | PromiseLike<T>): Promise<T> {
  let stop: (() => void) | undefined;
  const late = new Promise<never>((_, reject) => stop = clock.after(ms, () => reject(new NoAnswerError(ms))));
  try {
    return await Promise.race([call(), late]);
  } finally {
    stop?.();
  }
}
