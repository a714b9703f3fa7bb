/**
 * A client of running DBOS apps, from anywhere: it sends messages, reads events and streams, and
 * starts workflows through the app's system database, also over HTTP from the edge.
 *
 * @module
 */

import type { PushConnection } from "../drivers/push.ts";
import type { Queryable } from "../drivers/postgres/queryable.ts";
import type { DbosClient } from "./client.ts";
import { Known, openDbosAtNeon, openDbosOverQueryable } from "./open.ts";
import type { DbosNeonOptions, DbosQueryableOptions } from "./options.ts";

export type { DbosClient } from "./client.ts";
export type { DbosNeonOptions, DbosOptions, DbosQueryableOptions, DbosStartOptions } from "./options.ts";
export type { DbosDecoders } from "./values/values.ts";

/** What this isolate knows of databases, and its connections for push. */
const known = new Known();
const pushes = new Map<string, PushConnection>();

/**
 * Makes a client of the workflows of a DBOS app, in any of its languages. It needs the system
 * database of the app, and no code in the app.
 *
 * Each operation is one statement. The first one that depends on the version of DBOS asks the
 * database what it has, once for an isolate. The client holds no connection while nothing waits, so
 * there is nothing to close.
 *
 * Messages and inputs are written as DBOS's portable JSON. A workflow that this client starts
 * writes everything so, too. What an app in TypeScript or Go writes in its default format is read
 * here. Other formats are not, unless `decoders` has theirs: such a value rejects with
 * `UnreadableValueError`, or is left out and named.
 *
 * These differ from workflows of Parley:
 *
 * - `start` puts the workflow into a queue, which the app looks at each second.
 * - `send` to a workflow that has ended succeeds, and the message stays unread. A key that was used
 *   with another topic is a duplicate.
 * - Versions of events count the operations that have set them.
 * - A `DELAYED` workflow is shown as `ENQUEUED`.
 * - `resume` takes no `from`, and `list` neither `problem` nor `due`.
 *
 * @param database A client of PostgreSQL, such as a `Pool` of node-postgres; or the connection
 * string that Neon shows.
 * @param options The schema, the default queue, time limits, and how waits hear from the app.
 * @returns The client.
 * @throws {ValidationError} If the connection string or an option is not legal.
 *
 * @example Send to a workflow of a DBOS app, and follow its stream
 * ```ts ignore
 * // Ignored: it needs a DBOS app.
 * import { dbosClient } from "@parley/parley/dbos";
 *
 * const dbos = dbosClient(Deno.env.get("DBOS_SYSTEM_DATABASE_URL")!);
 * await dbos.send("order-1", { paid: true }, { topic: "payment", idempotencyKey: "delivery-7" });
 * for await (const step of dbos.readStream("order-1", "progress")) console.log(step);
 * ```
 *
 * @category DBOS
 */
export function dbosClient(database: string, options?: DbosNeonOptions): DbosClient;
/** Makes a client over a client of PostgreSQL. */
export function dbosClient(database: Queryable, options?: DbosQueryableOptions): DbosClient;
export function dbosClient(
  database: Queryable | string,
  options: DbosQueryableOptions & DbosNeonOptions = {},
): DbosClient {
  return typeof database === "string"
    ? openDbosAtNeon(database, options, { known, pushes }).client
    : openDbosOverQueryable(database, options, { known }).client;
}
