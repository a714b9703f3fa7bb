/**
 * A driver for PostgreSQL 15 and later, through any client that answers a query: PGlite, node-postgres, and others.
 *
 * @module
 */

import type { Driver } from "../../core/driver.ts";
import { sqlDriver } from "./driver.ts";

export type * from "../../core/driver.ts";

/** A live database client. PGlite's `PGlite` and node-postgres' `Pool` are ones as they are. */
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

/**
 * A driver over a Postgres database.
 *
 * Each call is one statement in a transaction of its own, at the isolation level `read committed`, which is the default
 * of Postgres. Tables and functions are created at first use, in a schema of their own; the role must be allowed to create
 * it, or objects in it. Several instances in several processes may use one schema, and several schemas in one database do
 * not see each other.
 *
 * Trouble rejects with `DriverError`. Where it is `retryable` the same call may be made again: the connection failed, the server
 * stops or is out of resources, or it is not known what became of the call.
 *
 * @param queryable The client. It stays the caller's: the driver opens and closes nothing.
 * @param options `schema`: the name of the schema, 1 to 63 bytes; `"parley"` otherwise. It is quoted, so any name that
 * Postgres allows will do, and upper case stays upper case.
 * @returns The driver. It has no push: waits poll.
 * @throws {ValidationError} If Postgres cannot have a schema of that name.
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
export function postgresDriver(queryable: Queryable, options: { schema?: string } = {}): Driver {
  const { schema = "parley" } = options;
  return sqlDriver((text, params) => queryable.query(text, params), { store: "Postgres", schema });
}
