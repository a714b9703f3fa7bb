/**
 * The driver, with internals that only tests set.
 *
 * @module
 */

import { type Clock, systemClock } from "../../core/time/clock.ts";
import type { Driver, Watch } from "../../core/driver/driver.ts";
import { type Duration, toPositiveMilliseconds } from "../../core/values/checks.ts";
import { ValidationError } from "../../core/errors.ts";
import { sqlDriver } from "../postgres/driver.ts";
import { NEON_LIMITS } from "../postgres/limits.ts";
import { openSqlPush, SQL_PUSH_TIMING } from "../postgres/push/push.ts";
import { pushStatements } from "../postgres/calls/statements.ts";
import type { PushConnection, PushTiming } from "../push.ts";
import { type Endpoint, type NeonAddress, readNeonAddress } from "./address.ts";
import { httpQuery } from "./http.ts";
import { listenOverWebSocket } from "./session.ts";

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
  if (wanted === false) return { driver: sql, push: null };
  const websocket = websocketFor(address);
  if (typeof websocket === "string") {
    if (wanted) throw new ValidationError(`Using Neon with push: ${websocket}`);
    return { driver: { ...sql, watch: () => watchNothing(websocket) }, push: null };
  }
  const session = { login: address.login, websocket, timeoutMs, clock };
  const push = openSqlPush({
    open: (channel, { notified }, stop) => listenOverWebSocket(session, channel, notified, stop),
    statements: pushStatements(schema),
    timing,
    clock,
    migrate: sql.migrate,
    report: say,
  });
  const key = JSON.stringify([address.login, websocket, timeoutMs, schema]);
  return { driver: { ...sql, watch: (...watched) => watchShared(pushes, key, push, watched) }, push };
}

/**
 * Watches with the push that is in use. If there is none, the given one is in use until its
 * connection is closed.
 */
function watchShared(
  pushes: Map<string, PushConnection>,
  key: string,
  push: PushConnection,
  watched: Parameters<PushConnection["watch"]>,
): Watch {
  const used = pushes.get(key);
  if (used) return used.watch(...watched);
  const watch = push.watch(...watched);
  pushes.set(key, push);
  push.idle.then(() => pushes.delete(key));
  return watch;
}

/** Returns the URL that hints come from, or the reason why there are none. */
function websocketFor({ isPooled, websocket }: NeonAddress): URL | string {
  if (isPooled) return "a -pooler host cannot LISTEN; use the connection string of the direct host";
  if (websocket === null) return "the endpoint has no websocket";
  if (typeof WebSocket === "undefined") return "this runtime has no WebSocket";
  // This is how Cloudflare Workers and Vercel's edge functions are recognised.
  const isWorkers = globalThis.navigator?.userAgent === "Cloudflare-Workers";
  return isWorkers || "EdgeRuntime" in globalThis
    ? "in this runtime a WebSocket ends with the request that opened it"
    : websocket;
}

const NOT_WATCHED: Watch = { live: false, close() {} };
const said = new Set<string>();

/** Reports that waits poll: once something waits, and once per isolate. */
function watchNothing(obstacle: string): Watch {
  if (!said.has(obstacle)) say(`there is no push, so waits poll: ${obstacle}, or say \`push: false\``);
  said.add(obstacle);
  return NOT_WATCHED;
}

function say(problem: string): void {
  console.warn(`Parley on Neon: ${problem}`);
}
