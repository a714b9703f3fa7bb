/**
 * The client, with internals that only tests set.
 *
 * @module
 */

import { checkWholeNumber, toPositiveMilliseconds } from "../core/values/checks.ts";
import { type Clock, systemClock } from "../core/time/clock.ts";
import { readNeonAddress } from "../drivers/neon/address.ts";
import { httpQuery } from "../drivers/neon/http.ts";
import { neonPush, reportNeonPush } from "../drivers/neon/push.ts";
import { listenThrough } from "../drivers/postgres/push/listen.ts";
import { clientQuery, type Queryable } from "../drivers/postgres/queryable.ts";
import type { PushConnection, PushTiming } from "../drivers/push.ts";
import { DbosCalls, type Shared } from "./calls.ts";
import { type DbosClient, SystemDatabaseClient } from "./client.ts";
import type { DbosNeonOptions, DbosOptions, DbosQueryableOptions } from "./options.ts";
import { DBOS_PUSH_TIMING, openDbosPush } from "./push.ts";
import type { OpenWatch } from "./reads.ts";
import { INTERNAL_QUEUE } from "./sql/writes.ts";

/** Internals that tests set. */
export interface DbosInternals {
  readonly clock?: Clock;
  readonly timing?: PushTiming;
  /** The connections of the isolate that are in use, by what they connect to. Default none. */
  readonly pushes?: Map<string, PushConnection>;
  /** What is known of each database, by a client or an address, and a schema. Default nothing. */
  readonly known?: Known;
}

/** What is known of each database in this isolate. Clients are often made for one request each. */
export class Known {
  readonly #queryables = new WeakMap<object, Map<string, Shared>>();
  readonly #addresses = new Map<string, Shared>();

  /** What is known of a schema of a database. */
  of(database: object | string, schema: string): Shared {
    if (typeof database === "string") return remember(this.#addresses, JSON.stringify([database, schema]));
    const schemas = this.#queryables.get(database) ?? new Map();
    this.#queryables.set(database, schemas);
    return remember(schemas, schema);
  }
}

function remember(known: Map<string, Shared>, key: string): Shared {
  const shared = known.get(key) ?? { floors: new Map() };
  known.set(key, shared);
  return shared;
}

/** Opens a client over a client of PostgreSQL. */
export function openDbosOverQueryable(
  queryable: Queryable,
  options: DbosQueryableOptions = {},
  { clock = systemClock, timing = DBOS_PUSH_TIMING, known = new Known() }: DbosInternals = {},
): { client: DbosClient; push: PushConnection | null } {
  const { schema = "dbos", requestTimeout = "10s", listen = false, prepare } = options;
  const timeoutMs = toPositiveMilliseconds(requestTimeout, "requestTimeout");
  const query = clientQuery(queryable, timeoutMs, clock, prepare);
  const push = listen === false ? null : openDbosPush(
    listenThrough(listen === true ? queryable : listen, { query, timeoutMs, clock }),
    { clock, timing, report: (problem) => console.warn(`Parley on DBOS: ${problem}`) },
  );
  const calls = new DbosCalls(query, { schema, clock, shared: known.of(queryable, schema) });
  const watch: OpenWatch = push && ((...watched) => push.watch(...watched));
  return { client: toClient(calls, watch, clock, options), push };
}

/** Opens a client over a database at Neon. */
export function openDbosAtNeon(
  connectionString: string,
  options: DbosNeonOptions = {},
  { clock = systemClock, timing = DBOS_PUSH_TIMING, pushes = new Map(), known = new Known() }: DbosInternals = {},
): { client: DbosClient; push: PushConnection | null } {
  const { schema = "dbos", requestTimeout = "10s", push: wanted, endpoint } = options;
  const address = readNeonAddress(connectionString, endpoint);
  const timeoutMs = toPositiveMilliseconds(requestTimeout, "requestTimeout");
  const { watch = null, push } = neonPush(address, {
    wanted,
    timeoutMs,
    clock,
    pushes,
    use: "DBOS",
    make: (open) => openDbosPush(open, { clock, timing, report: reportNeonPush }),
  });
  const place = JSON.stringify([address.http, address.connectionString]);
  const calls = new DbosCalls(httpQuery(address, timeoutMs, clock), { schema, clock, shared: known.of(place, schema) });
  return { client: toClient(calls, watch, clock, options), push };
}

function toClient(calls: DbosCalls, watch: OpenWatch, clock: Clock, options: DbosOptions): DbosClient {
  const { queue = INTERNAL_QUEUE, decoders = {}, maxValueBytes = 2 ** 20 } = options;
  checkWholeNumber(maxValueBytes, "maxValueBytes", 1);
  return new SystemDatabaseClient({ calls, watch, clock, decoders, queue, maxValueBytes });
}
