/**
 * The driver with everything that tests set and users do not.
 *
 * @module
 */

import { type Clock, systemClock } from "../../core/time/clock.ts";
import type { Driver, Watch } from "../../core/driver/driver.ts";
import { type Duration, toMilliseconds } from "../../core/values/checks.ts";
import { ValidationError } from "../../core/errors.ts";
import { sqlDriver } from "../postgres/driver.ts";
import { NEON_LIMITS } from "../postgres/limits.ts";
import { pushStatements } from "../postgres/statements.ts";
import { type Address, type Endpoint, readAddress } from "./address.ts";
import { httpQuery } from "./http.ts";
import { openPush, type Push, type PushTiming, TIMING } from "./push.ts";

/** Options of `neonDriver`. */
export interface NeonDriverOptions {
  /** The schema's name, 1 to 63 bytes. Default `"parley"`. It is quoted, so any name that Postgres allows will do. */
  schema?: string;
  /**
   * Whether the database tells of changes, with `LISTEN` over a WebSocket, while somebody waits. Default: where that can work, which is not on a
   * `-pooler` host, nor in a runtime where a WebSocket is missing or ends with the request that opened it.
   */
  push?: boolean;
  /** How long a request may take until its whole answer is here, 1 ms or more. Default `"10s"`. */
  requestTimeout?: Duration;
  /** Another proxy than Neon's own, as for tests. Default: that of the connection string's host. */
  endpoint?: Endpoint;
}

/** What tests set. */
export interface NeonInternals {
  readonly clock?: Clock;
  readonly timing?: PushTiming;
  /** Those of the isolate that are in use, by what they connect to. Default: none, as if the driver had an isolate of its own. */
  readonly pushes?: Map<string, Push>;
}

/** The driver and its push, which is `null` where it is off. */
export function openNeon(
  connectionString: string,
  { schema = "parley", push: wanted, requestTimeout = "10s", endpoint }: NeonDriverOptions = {},
  { clock = systemClock, timing = TIMING, pushes = new Map() }: NeonInternals = {},
): { driver: Driver; push: Push | null } {
  const address = readAddress(connectionString, endpoint);
  const timeoutMs = readTimeout(requestTimeout);
  const sql = sqlDriver(httpQuery(address, timeoutMs, clock), { store: "Neon", schema, limits: NEON_LIMITS });
  if (wanted === false) return { driver: sql, push: null };
  const websocket = websocketFor(address);
  if (typeof websocket === "string") {
    if (wanted) throw new ValidationError(`Using Neon with push: ${websocket}`);
    return { driver: { ...sql, watch: () => watchNothing(websocket) }, push: null };
  }
  const push = openPush({
    session: { login: address.login, websocket, timeoutMs, clock },
    statements: pushStatements(schema),
    timing,
    migrate: sql.migrate,
    report: say,
  });
  const key = JSON.stringify([address.login, websocket, timeoutMs, schema]);
  return { driver: { ...sql, watch: (...watched) => watchShared(pushes, key, push, watched) }, push };
}

/** Watches with the push that is in use, or else with the one given, which is in use from then on until its connection is closed. */
function watchShared(pushes: Map<string, Push>, key: string, push: Push, watched: Parameters<Push["watch"]>): Watch {
  const used = pushes.get(key);
  if (used) return used.watch(...watched);
  const watch = push.watch(...watched);
  pushes.set(key, push);
  push.idle.then(() => pushes.delete(key));
  return watch;
}

function readTimeout(requestTimeout: Duration): number {
  const ms = toMilliseconds(requestTimeout, "requestTimeout");
  if (ms > 0) return ms;
  throw new ValidationError(`Reading the requestTimeout ${requestTimeout}: it must be 1 ms or more`);
}

/** Where hints come from, or why they cannot. */
function websocketFor({ isPooled, websocket }: Address): URL | string {
  if (isPooled) return "a -pooler host cannot LISTEN; use the connection string of the direct host";
  if (websocket === null) return "the endpoint has no websocket";
  if (typeof WebSocket === "undefined") return "this runtime has no WebSocket";
  // Cloudflare Workers and Vercel's edge functions name themselves so.
  const isWorkers = globalThis.navigator?.userAgent === "Cloudflare-Workers";
  return isWorkers || "EdgeRuntime" in globalThis
    ? "in this runtime a WebSocket ends with the request that opened it"
    : websocket;
}

const NOT_WATCHED: Watch = { live: false, close() {} };
const said = new Set<string>();

/** Waits poll. That is worth a word only once somebody waits, and not with each driver of an isolate. */
function watchNothing(obstacle: string): Watch {
  if (!said.has(obstacle)) say(`there is no push, so waits poll: ${obstacle}, or say \`push: false\``);
  said.add(obstacle);
  return NOT_WATCHED;
}

function say(problem: string): void {
  console.warn(`Parley on Neon: ${problem}`);
}
