/**
 * The options of `parleyHttp` and their defaults.
 *
 * @module
 */

import type { Context } from "hono";
import { checkWholeNumber, type Duration, toMilliseconds, toPositiveMilliseconds } from "../core/values/checks.ts";
import { ValidationError } from "../core/errors.ts";
import type { Client } from "../core/client.ts";
import type { Auth } from "./auth/auth.ts";
import { quietly } from "./quietly.ts";
import { type ServedClient, toServedClient } from "./served_client.ts";

/**
 * Which pages of other origins may call. These are the options of Hono's `cors`, whose
 * documentation says more about each.
 *
 * @category Adapter
 */
export interface CorsOptions {
  /** The allowed origins. A function takes the origin and returns it, or nothing to refuse it. */
  origin:
    | string
    | string[]
    | ((origin: string, c: Context) => Promise<string | undefined | null> | string | undefined | null);
  /** The allowed methods. Default those of the adapter and more. */
  allowMethods?: string[];
  /** The headers that a request may have. Default those that the request asks for. */
  allowHeaders?: string[];
  /** How long a browser may cache the answer to a preflight, in seconds. */
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
  /**
   * The `Parley` to serve, or another client, such as one from `connect`. Also a function that
   * returns one for a request. On Cloudflare Workers, each request needs its own `Parley`. A route
   * whose operation the client lacks answers 501.
   */
  parley: Partial<Client> | ((c: Context) => Partial<Client>);
  /** Who may do what. There is no default. */
  auth: Auth;
  /** Options of Hono's `cors`, to admit pages of other origins. Default: none are admitted. */
  cors?: CorsOptions;
  /**
   * The longest time that one request waits for a result, an event or a stream value. Default
   * `"60s"`.
   */
  maxWait?: Duration;
  /**
   * The longest time that a stream's connection stays open; more than 0. The client then reconnects
   * and continues. Default `"5m"`.
   */
  maxConnection?: Duration;
  /**
   * How long a connection may be silent before it carries a comment; more than 0. Default `"8s"`,
   * because Bun cuts an idle connection after 10 s and proxies cut it later.
   */
  heartbeat?: Duration;
  /** The largest body of a request, in bytes. Default 2 MiB. */
  bodyLimit?: number;
  /** How long the body of a request may take to arrive; more than 0. Default `"30s"`. */
  bodyTimeout?: Duration;
  /**
   * Whether to serve the inspector at `/inspector`: a page that shows workflows and repairs them.
   * Everybody may load the page; what it shows needs a token. Default `false`.
   */
  inspector?: boolean;
  /** Receives every error that the caller did not cause. Default `console.error`. */
  onError?: (error: unknown) => void;
}

/** The checked options. */
export interface Settings {
  readonly parley: ServedClient | ((c: Context) => ServedClient);
  readonly auth: Auth;
  readonly cors: CorsOptions | undefined;
  readonly maxWaitMs: number;
  readonly maxConnectionMs: number;
  readonly heartbeatMs: number;
  readonly bodyLimit: number;
  readonly bodyTimeoutMs: number;
  readonly inspector: boolean;
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
    inspector = false,
    onError = (error) => console.error(error),
  } = options;
  if (typeof auth !== "function") {
    throw new ValidationError(
      "Making the HTTP adapter: it must have an auth, such as bearer(token), scopedTokens(secret) or a function",
    );
  }
  checkBodyLimit(bodyLimit);
  return {
    parley: typeof parley === "function" ? (c) => toServedClient(parley(c)) : toServedClient(parley),
    auth,
    cors,
    maxWaitMs: toMilliseconds(maxWait, "maxWait"),
    maxConnectionMs: toPositiveMilliseconds(maxConnection, "maxConnection"),
    heartbeatMs: toPositiveMilliseconds(heartbeat, "heartbeat"),
    bodyLimit,
    bodyTimeoutMs: toPositiveMilliseconds(bodyTimeout, "bodyTimeout"),
    inspector,
    report: quietly(onError),
  };
}

/** Checks a limit of bodies. @throws {ValidationError} If it is not a number of bytes. */
export function checkBodyLimit(bodyLimit: number): void {
  checkWholeNumber(bodyLimit, "bodyLimit", 1);
}
