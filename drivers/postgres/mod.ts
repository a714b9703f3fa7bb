/**
 * A driver for PostgreSQL 14 and later, through any client that answers a query: PGlite, node-postgres, and others.
 *
 * @module
 */

import { systemClock } from "../../core/time/clock.ts";
import type { Driver } from "../../core/driver/driver.ts";
import type { Duration } from "../../core/values/checks.ts";
import { clientQuery, type Queryable, readTimeout } from "./client.ts";
import { sqlDriver } from "./driver.ts";

export type { Duration } from "../../core/values/checks.ts";
export type * from "../../core/driver/driver.ts";
export type { Queryable } from "./client.ts";

/** Options of {@linkcode postgresDriver}. */
export interface PostgresDriverOptions {
  /** The schema's name, 1 to 63 bytes. Default `"parley"`. It is quoted, so any name that Postgres allows will do, and upper case stays upper case. */
  schema?: string;
  /** How long the client may take for an answer, 1 ms or more, with the time that it waits for a connection. Default `"10s"`. */
  requestTimeout?: Duration;
}

/**
 * A driver over a Postgres database.
 *
 * Each call is one statement in a transaction of its own, at the isolation level `read committed`, which is the default
 * of Postgres. Tables and functions are created at first use, in a schema of their own; the role must be allowed to create
 * it, or objects in it. Several instances in several processes may use one schema, and several schemas in one database do
 * not see each other.
 *
 * Trouble rejects with `DriverError`. Where it is `retryable` the same call may be made again: the connection failed, the server
 * stops or is out of resources, a time limit has passed, or it is not known what became of the call. A client whose shape is wrong is refused with
 * `ValidationError` when the driver is made or, where only an answer shows it, at its first answer.
 *
 * @param queryable The client. It stays the caller's: the driver opens and closes nothing.
 * @param options The schema, and a time limit for the client's answers.
 * @returns The driver. It has no push: waits poll.
 * @throws {ValidationError} If the client has no `query`, if Postgres cannot have a schema of that name, or if the time limit is none.
 *
 * @example Store a workflow in Postgres, in this process
 * ```ts
 * import { postgresDriver } from "@parley/parley/postgres";
 * import { PGlite } from "@electric-sql/pglite";
 * import assert from "node:assert/strict";
 *
 * const database = new PGlite();
 * const driver = postgresDriver(database, { schema: "orders" });
 * await driver.create({ workflowId: "order-1", name: "order", input: "null", owner: crypto.randomUUID(), leaseMs: null });
 *
 * const workflow = await driver.readWorkflow("order-1");
 * assert.equal(workflow?.status, "ENQUEUED");
 * await database.close();
 * ```
 */
export function postgresDriver(queryable: Queryable, options: PostgresDriverOptions = {}): Driver {
  const { schema = "parley", requestTimeout = "10s" } = options;
  return sqlDriver(clientQuery(queryable, readTimeout(requestTimeout), systemClock), { store: "Postgres", schema });
}
