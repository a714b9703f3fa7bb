/**
 * A driver for PostgreSQL 14 and later, through any client that answers a query: PGlite,
 * node-postgres, and others.
 *
 * @module
 */

import type { Driver } from "../../core/driver/driver.ts";
import { openPostgres, type PostgresDriverOptions } from "./open.ts";
import type { Queryable } from "./queryable.ts";

export type { Listen } from "./push/listen.ts";
export type { PostgresDriverOptions } from "./open.ts";
export type { Queryable } from "./queryable.ts";

/**
 * Makes a driver over a Postgres database.
 *
 * Each call is one statement in its own transaction. The isolation level is `read committed`, the
 * default of Postgres. Commits and starts of workflows that wait for a connection share a
 * statement. The first call creates tables and functions, in a schema of their own. The role must
 * be allowed to create the schema, or objects in it. Several instances in several processes may use
 * one schema. Several schemas in one database do not see each other.
 *
 * A call that fails rejects with `DriverError`. If the error is `retryable`, the same call may be
 * made again. Reasons are a failed connection, a server that stops or is out of resources, a time
 * limit, or an unknown outcome. A client of the wrong shape gets a `ValidationError`, either when
 * the driver is made or at the first answer.
 *
 * Without `listen`, waits poll. With it, the database tells them what has changed, while something
 * waits. The driver then listens on one connection for all waits. The connection opens about 0.1 s
 * after the first wait has begun, and closes about 1 s after the last one has ended. Hints are only
 * an optimisation. Whenever the connection is down, waits poll, and the driver opens it again.
 *
 * @param queryable The client. It belongs to the caller. Apart from the connection that listens,
 * the driver opens and closes nothing.
 * @param options The schema, a time limit for the client's answers, and `listen`.
 * @returns The driver.
 * @throws {ValidationError} If the client has no `query`, or the client of `listen` cannot listen.
 * Also if Postgres cannot have a schema of that name, or the time limit is not valid.
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
 * @example Let the database wake waits
 * ```ts ignore
 * // Ignored: it needs a server.
 * import { Parley, workflow } from "@parley/parley";
 * import { postgresDriver } from "@parley/parley/postgres";
 * import pg from "pg";
 *
 * const greet = workflow("greet", async (ctx) => `Hello, ${await ctx.recv<string>()}`);
 * const pool = new pg.Pool({ connectionString: Deno.env.get("DATABASE_URL") });
 * const parley = new Parley({ driver: postgresDriver(pool, { listen: true }), workflows: [greet] });
 * const greeting = await parley.start(greet, undefined);
 * console.log(await greeting.result()); // once another process has sent a name
 * ```
 *
 * @category Driver
 */
export function postgresDriver(queryable: Queryable, options: PostgresDriverOptions = {}): Driver {
  return openPostgres(queryable, options).driver;
}
