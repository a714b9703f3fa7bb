/**
 * The options of `dbosClient`, and of its starts.
 *
 * @module
 */

import type { StartOptions } from "../core/client.ts";
import type { Duration } from "../core/values/checks.ts";
import type { Endpoint } from "../drivers/neon/address.ts";
import type { Listen } from "../drivers/postgres/push/listen.ts";
import type { Queryable } from "../drivers/postgres/queryable.ts";
import type { DbosDecoders } from "./values/values.ts";

/**
 * Options of `dbosClient`, for every kind of database.
 *
 * @category DBOS
 */
export interface DbosOptions {
  /** The schema of DBOS in the system database, 1 to 63 bytes. Default `"dbos"`. */
  schema?: string;
  /**
   * The queue of starts that name none. Default the internal queue of DBOS, which every app has and
   * takes workflows from each second.
   */
  queue?: string;
  /** How long a statement may take, 1 ms or more. Default `"10s"`. */
  requestTimeout?: Duration;
  /**
   * The largest size of a message, or of all arguments of a start together, in bytes. Above 0.
   * Default 1 MiB.
   */
  maxValueBytes?: number;
  /**
   * Decodes the values of other formats, by the name that DBOS keeps beside each value. `""` is the
   * name of values without one.
   */
  decoders?: DbosDecoders;
}

/**
 * Options of `dbosClient` over a client of PostgreSQL.
 *
 * @category DBOS
 */
export interface DbosQueryableOptions extends DbosOptions {
  /**
   * Whether, and through what, waits hear from the app. Default `false`: they poll. The values are
   * those of `listen` of `postgresDriver`.
   */
  listen?: boolean | Queryable | Listen;
  /** Whether a `Pool` of node-postgres prepares each statement once for a connection. Default `true`. */
  prepare?: boolean;
}

/**
 * Options of `dbosClient` over a database at Neon.
 *
 * @category DBOS
 */
export interface DbosNeonOptions extends DbosOptions {
  /** Whether waits hear from the app, over a WebSocket. Default wherever this works. */
  push?: boolean;
  /** A proxy in place of Neon's own, for example in tests. */
  endpoint?: Endpoint;
}

/**
 * Options of a start of a DBOS workflow. The app takes it from its queue, so `enqueue` has no effect.
 *
 * @category DBOS
 */
export interface DbosStartOptions extends StartOptions {
  /** The queue, which an app must have registered. Default the `queue` of the client. */
  queue?: string;
  /** The priority in the queue, 0 to 2,147,483,647. Lower comes first. Default 0. */
  priority?: number;
  /** The partition of a partitioned queue, which needs one. */
  partitionKey?: string;
  /** How long the workflow may take once it runs. DBOS then cancels it. Default no limit. */
  runTimeout?: Duration;
  /** The class of the workflow's method. Default a workflow that is a function. */
  className?: string;
  /** The configured instance that the workflow belongs to. Default none. */
  configName?: string;
  /** The only version of the app that may run it. Default the newest. */
  applicationVersion?: string;
  /** The only app that may run it, where several share the database. Default any. */
  applicationName?: string;
  /** The arguments, if there are several. The input must then be `undefined`. */
  positionalArgs?: readonly unknown[];
  /** Arguments by name, for a workflow in Python. */
  namedArgs?: Readonly<Record<string, unknown>>;
}
