/**
 * The options of `parleyHttp`, and what they default to.
 *
 * @module
 */

import type { Context } from "hono";
import { checkWholeNumber, type Duration, toMilliseconds, toPositiveMilliseconds } from "../core/values/checks.ts";
import { ValidationError } from "../core/errors.ts";
import type { Parley } from "../core/parley.ts";
import type { Auth } from "./auth/auth.ts";
import { quietly } from "./quietly.ts";

/**
 * Who may call from pages of other origins; the options of Hono's `cors`, which says more of each.
 *
 * @category Adapter
 */
export interface CorsOptions {
  /** The origins that are let in; a function gets the origin and answers with it, or with nothing. */
  origin:
    | string
    | string[]
    | ((origin: string, c: Context) => Promise<string | undefined | null> | string | undefined | null);
  /** The methods that are allowed. Default those of the adapter and more. */
  allowMethods?: string[];
  /** The headers that a request may have. Default those that it asks for. */
  allowHeaders?: string[];
  /** For how many seconds a browser may keep the answer to a preflight. */
  maxAge?: number;
  /** Whether a page may send cookies. */
  credentials?: boolean;
  /** The headers that a page may read. Default those that the adapter sets. */
  exposeHeaders?: string[];
}

/**
 * Options of `parleyHttp`.
 *
 * @category Adapter
 */
export interface ParleyHttpOptions {
  /** What is served, or how to get it for a request: on Cloudflare Workers a `Parley` is made for each. */
  parley: Parley | ((c: Context) => Parley);
  /** Who may do what. Nothing is open by default. */
  auth: Auth;
  /** Options of Hono's `cors`, to let pages of other origins in. Default: they are not. */
  cors?: CorsOptions;
  /** The longest that one request waits for a result, an event or a stream value. Default `"60s"`. */
  maxWait?: Duration;
  /** The longest that a stream's connection is kept; the client connects again where it left off. More than 0. Default `"5m"`. */
  maxConnection?: Duration;
  /** After how long without a value a connection carries a comment; more than 0. Default `"8s"`: Bun cuts what is idle after 10 s, proxies later. */
  heartbeat?: Duration;
  /** The largest body of a request, in bytes. Default 2 MiB. */
  bodyLimit?: number;
  /** How long the body of a request may take to come; more than 0. Default `"30s"`. */
  bodyTimeout?: Duration;
  /** Gets every error that the caller did not cause. Default `console.error`. */
  onError?: (error: unknown) => void;
}

/** The options, checked. */
export interface Settings {
  readonly parley: Parley | ((c: Context) => Parley);
  readonly auth: Auth;
  readonly cors: CorsOptions | undefined;
  readonly maxWaitMs: number;
  readonly maxConnectionMs: number;
  readonly heartbeatMs: number;
  readonly bodyLimit: number;
  readonly bodyTimeoutMs: number;
  readonly report: (error: unknown) => void;
}

/**
 * Checks the options and fills in the defaults.
 *
 * @throws {ValidationError} If there is no `auth`, or another option is not legal.
 */
export function toSettings(options: ParleyHttpOptions): Settings {
  const {
    parley,
    auth,
    cors,
    maxWait = "60s",
    maxConnection = "5m",
    heartbeat = "8s",
    bodyLimit = 2 * 2 ** 20,
    bodyTimeout = "30s",
    onError = (error) => console.error(error),
  } = options;
  if (typeof auth !== "function") {
    throw new ValidationError(
      "Making the HTTP adapter: it must have an auth, as bearer(token), scopedTokens(secret) or a function",
    );
  }
  checkBodyLimit(bodyLimit);
  return {
    parley,
    auth,
    cors,
    maxWaitMs: toMilliseconds(maxWait, "maxWait"),
    maxConnectionMs: toPositiveMilliseconds(maxConnection, "maxConnection"),
    heartbeatMs: toPositiveMilliseconds(heartbeat, "heartbeat"),
    bodyLimit,
    bodyTimeoutMs: toPositiveMilliseconds(bodyTimeout, "bodyTimeout"),
    report: quietly(onError),
  };
}

/** @throws {ValidationError} If it is not a number of bytes. */
export function checkBodyLimit(bodyLimit: number): void {
  checkWholeNumber(bodyLimit, "bodyLimit", 1);
}
