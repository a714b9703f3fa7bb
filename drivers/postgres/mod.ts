/**
 * A driver for PostgreSQL 14 and later, through any client that answers a query: PGlite,
 * node-postgres, and others.
 *
 * @module
 */

import { systemClock } from "../../core/time/clock.ts";
import type { Driver } from "../../core/driver/driver.ts";
import { type Duration, toPositiveMilliseconds } from "../../core/values/checks.ts";
import { sqlDriver } from "./driver.ts";
import { clientQuery, type Queryable } from "./queryable.ts";

export type { Queryable } from "./queryable.ts";

/**
 * Options of {@linkcode postgresDriver}.
 *
 * @category Driver
 */
export interface PostgresDriverOptions {
  /**
   * The schema's name, 1 to 63 bytes. Default `"parley"`. It is quoted, so it may be any name that
   * Postgres allows, and upper case stays upper case.
   */
  schema?: string;
  /**
   * How long the client may take for an answer, 1 ms or more. This includes waiting for a
   * connection. Default `"10s"`.
   */
  requestTimeout?: Duration;
}

/**
 * Makes a driver over a Postgres database.
 *
 * Each call is one statement in its own transaction, at the isolation level `read committed`, which
 * is the default of Postgres. The first call creates tables and functions, in a schema of their
 * own. The role must be allowed to create the schema, or objects in it. Several instances in
 * several processes may use one schema. Several schemas in one database do not see each other.
 *
 * A call that fails rejects with `DriverError`. If it is `retryable`, the same call may be made
 * again: the connection failed, the server stops or is out of resources, a time limit has passed,
 * or the outcome is unknown. For a client of the wrong shape there is a `ValidationError`, when the
 * driver is made or, if only an answer shows it, at the first answer.
 *
 * @param queryable The client. It belongs to the caller: the driver opens and closes nothing.
 * @param options The schema, and a time limit for the client's answers.
 * @returns The driver. It has no push, so waits poll.
 * @throws {ValidationError} If the client has no `query`, if Postgres cannot have a schema of that
 * name, or if the time limit is not valid.
 *
 * @example Store a workflow in Postgres, in this process
 * ```ts
 * import { postgresDriver } from "@parley/parley/postgres";
 * import { PGlite } from "@electric-sql/pglite";
 * import assert from "node:assert/strict";
 *
 * const database = new PGlite();
 * const driver = postgresDriver(database, { schema: "orders" });
 * const order = { workflowId: "order-1", name: "order", input: "null" };
 * await driver.create({ ...order, owner: crypto.randomUUID(), leaseMs: null });
 *
 * const workflow = await driver.readWorkflow("order-1");
 * assert.equal(workflow?.status, "ENQUEUED");
 * await database.close();
 * ```
 *
 * @category Driver
 */
export function postgresDriver(queryable: Queryable, options: PostgresDriverOptions = {}): Driver {
  const { schema = "parley", requestTimeout = "10s" } = options;
  const timeoutMs = toPositiveMilliseconds(requestTimeout, "requestTimeout");
  return sqlDriver(clientQuery(queryable, timeoutMs, systemClock), { store: "Postgres", schema });
}
