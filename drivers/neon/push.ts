/**
 * Push from a database at Neon, over a WebSocket that an isolate shares.
 *
 * @module
 */

import type { Clock } from "../../core/time/clock.ts";
import type { Driver, Watch } from "../../core/driver/driver.ts";
import { ValidationError } from "../../core/errors.ts";
import type { OpenListening } from "../postgres/push/push.ts";
import type { PushConnection } from "../push.ts";
import type { NeonAddress } from "./address.ts";
import { listenOverWebSocket } from "./session.ts";

/** Options of {@linkcode neonPush}. */
export interface NeonPushOptions {
  /** Whether there must be push. Default wherever it works. */
  readonly wanted: boolean | undefined;
  /** How long opening and each query may take, in milliseconds. */
  readonly timeoutMs: number;
  readonly clock: Clock;
  /** The connections of the isolate that are in use, by what they connect to. */
  readonly pushes: Map<string, PushConnection>;
  /** What the push is for. Two with the same address and use share a connection. */
  readonly use: string;
  /** Makes the push over a function that opens its connection. */
  readonly make: (open: OpenListening) => PushConnection;
}

/**
 * Makes push for an address. `watch` is absent if it is not wanted, and `push` is `null` where
 * there is none.
 *
 * @throws {ValidationError} If it is wanted where it cannot work.
 */
export function neonPush(
  address: NeonAddress,
  { wanted, timeoutMs, clock, pushes, use, make }: NeonPushOptions,
): { watch?: NonNullable<Driver["watch"]>; push: PushConnection | null } {
  if (wanted === false) return { push: null };
  const websocket = websocketFor(address);
  if (typeof websocket === "string") {
    if (wanted) throw new ValidationError(`Using Neon with push: ${websocket}`);
    return { watch: () => watchNothing(websocket), push: null };
  }
  const session = { login: address.login, websocket, timeoutMs, clock };
  const push = make((channels, { notified }, stop) => listenOverWebSocket(session, channels, notified, stop));
  const key = JSON.stringify([address.login, websocket, timeoutMs, use]);
  return { watch: (...watched) => watchShared(pushes, key, push, watched), push };
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
  if (!said.has(obstacle)) reportNeonPush(`there is no push, so waits poll: ${obstacle}, or say \`push: false\``);
  said.add(obstacle);
  return NOT_WATCHED;
}

/** Warns of a problem of push. */
export function reportNeonPush(problem: string): void {
  console.warn(`Parley on Neon: ${problem}`);
}
