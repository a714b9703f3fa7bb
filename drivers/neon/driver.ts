/**
 * The driver, with internals that only tests set.
 *
 * @module
 */

import { type Clock, systemClock } from "../../core/time/clock.ts";
import type { Driver } from "../../core/driver/driver.ts";
import { type Duration, toPositiveMilliseconds } from "../../core/values/checks.ts";
import { sqlDriver } from "../postgres/driver.ts";
import { NEON_LIMITS } from "../postgres/limits.ts";
import { openSqlPush, SQL_PUSH_TIMING } from "../postgres/push/push.ts";
import { pushStatements } from "../postgres/calls/statements.ts";
import type { PushConnection, PushTiming } from "../push.ts";
import { type Endpoint, readNeonAddress } from "./address.ts";
import { httpQuery } from "./http.ts";
import { neonPush, reportNeonPush } from "./push.ts";

/**
 * Options of `neonDriver`.
 *
 * @category Driver
 */
export interface NeonDriverOptions {
  /**
   * The schema's name, 1 to 63 bytes. Default `"parley"`. It is quoted, so it may be any name that
   * Postgres allows.
   */
  schema?: string;
  /**
   * Whether the database sends hints of changes, with `LISTEN` over a WebSocket, while something
   * waits. Default: wherever this works. It does not work on a `-pooler` host, or in a runtime
   * without WebSockets. It also fails where a WebSocket ends with the request that opened it.
   */
  push?: boolean;
  /**
   * How long a request may take until its whole answer has arrived, 1 ms or more. Default `"10s"`.
   */
  requestTimeout?: Duration;
  /**
   * A proxy in place of Neon's own, for example in tests. Default: the one that belongs to the host
   * of the connection string.
   */
  endpoint?: Endpoint;
}

/** Internals that tests set. */
export interface NeonInternals {
  readonly clock?: Clock;
  readonly timing?: PushTiming;
  /**
   * The connections of the isolate that are in use, by what they connect to. Default: none, as if
   * the isolate had no other driver.
   */
  readonly pushes?: Map<string, PushConnection>;
}

/** Cloudflare lets an invocation have 6 connections that wait for an answer. */
const MAX_REQUESTS = 6;

/** Makes the driver and its push, which is `null` where it is off. */
export function openNeon(
  connectionString: string,
  { schema = "parley", push: wanted, requestTimeout = "10s", endpoint }: NeonDriverOptions = {},
  { clock = systemClock, timing = SQL_PUSH_TIMING, pushes = new Map() }: NeonInternals = {},
): { driver: Driver; push: PushConnection | null } {
  const address = readNeonAddress(connectionString, endpoint);
  const timeoutMs = toPositiveMilliseconds(requestTimeout, "requestTimeout");
  const sql = sqlDriver(httpQuery(address, timeoutMs, clock), {
    store: "Neon",
    schema,
    limits: NEON_LIMITS,
    connections: MAX_REQUESTS,
    isAlone: true,
  });
  const { watch, push } = neonPush(address, {
    wanted,
    timeoutMs,
    clock,
    pushes,
    use: schema,
    make: (open) =>
      openSqlPush({
        open,
        statements: pushStatements(schema),
        timing,
        clock,
        migrate: sql.migrate,
        report: reportNeonPush,
      }),
  });
  return { driver: { ...sql, ...(watch && { watch }) }, push };
}
