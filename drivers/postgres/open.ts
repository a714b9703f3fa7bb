/**
 * The driver, with internals that only tests set.
 *
 * @module
 */

import { type Clock, systemClock } from "../../core/time/clock.ts";
import type { Driver } from "../../core/driver/driver.ts";
import { type Duration, toPositiveMilliseconds } from "../../core/values/checks.ts";
import type { PushConnection, PushTiming } from "../push.ts";
import { sqlDriver } from "./driver.ts";
import { type Listen, listenThrough } from "./push/listen.ts";
import { openSqlPush, SQL_PUSH_TIMING } from "./push/push.ts";
import { isOneConnection } from "./prepared.ts";
import { clientQuery, type Queryable } from "./queryable.ts";
import { pushStatements } from "./calls/statements.ts";

/**
 * Options of {@linkcode postgresDriver}.
 *
 * @category Driver
 */
export interface PostgresDriverOptions {
  /**
   * The schema's name, 1 to 63 bytes. Default `"parley"`. It is quoted, so any name that Postgres
   * allows is possible, and upper case stays upper case.
   */
  schema?: string;
  /**
   * How long the client may take for an answer, 1 ms or more. This includes waiting for a
   * connection. Default `"10s"`.
   */
  requestTimeout?: Duration;
  /**
   * Whether, and through what, the database sends hints of changes while something waits. Default
   * `false`: waits poll.
   *
   * - `true`: through the client. It must be a `Pool` of node-postgres, which opens one more
   *   connection for this, or a `PGlite`.
   * - A `Pool` or a `PGlite`: through this one. A `Pool` that nothing else uses has no connection
   *   of its own.
   * - A function that listens, as `sql.listen` of postgres.js and of Bun.
   *
   * A pooler in transaction mode passes no hints on. Then a warning says so, and waits poll.
   */
  listen?: boolean | Queryable | Listen;
  /**
   * Whether a `Pool` or a `Client` of node-postgres prepares each statement once for a connection.
   * Default `true` for these clients. The server then parses and plans less.
   *
   * A pooler in transaction mode must know of prepared statements, as PgBouncer does from 1.21 on. If
   * a connection does not keep them, the driver notices and stops preparing. `false` spares it the
   * attempt.
   */
  prepare?: boolean;
}

/** Internals that tests set. */
export interface PostgresInternals {
  readonly clock?: Clock;
  readonly timing?: PushTiming;
}

/** Makes the driver and its push, which is `null` where it is off. */
export function openPostgres(
  queryable: Queryable,
  { schema = "parley", requestTimeout = "10s", listen = false, prepare }: PostgresDriverOptions = {},
  { clock = systemClock, timing = SQL_PUSH_TIMING }: PostgresInternals = {},
): { driver: Driver; push: PushConnection | null } {
  const timeoutMs = toPositiveMilliseconds(requestTimeout, "requestTimeout");
  const query = clientQuery(queryable, timeoutMs, clock, prepare);
  const max = maxOf(queryable);
  const sql = sqlDriver(query, {
    store: "Postgres",
    schema,
    connections: max ?? (isOneConnection(queryable) ? 1 : DEFAULT_CONNECTIONS),
    // A pool sends a statement over any free connection. Another client may be in a transaction.
    isAlone: max !== null,
  });
  if (listen === false) return { driver: sql, push: null };
  const push = openSqlPush({
    open: listenThrough(listen === true ? queryable : listen, { query, timeoutMs, clock }),
    statements: pushStatements(schema),
    timing,
    clock,
    migrate: sql.migrate,
    report: (problem) => console.warn(`Parley on Postgres: ${problem}`),
  });
  return { driver: { ...sql, watch: (...watched) => push.watch(...watched) }, push };
}

/** The default of node-postgres, postgres.js and Bun's SQL. */
const DEFAULT_CONNECTIONS = 10;

/** How many connections a client has, if it says so as a `Pool` of node-postgres does. */
function maxOf(queryable: Queryable): number | null {
  const { options } = queryable as { options?: { max?: unknown } };
  const max = options?.max;
  return typeof max === "number" && max >= 1 ? max : null;
}
