/**
 * Who may do what.
 *
 * @module
 */

import type { Context } from "hono";
import { ValidationError } from "../../core/errors.ts";
import { checkToken } from "../protocol.ts";

/**
 * What a request wants to do. A closed list: a new route must be one of these.
 *
 * @category Auth
 */
export type Action =
  | "start"
  | "list"
  | "info"
  | "result"
  | "cancel"
  | "resume"
  | "send"
  | "event"
  | "stream"
  | "sweep"
  | "wake";

/** Everything that can be asked of the adapter. */
export const ACTIONS = Object.keys(
  {
    start: true,
    list: true,
    info: true,
    result: true,
    cancel: true,
    resume: true,
    send: true,
    event: true,
    stream: true,
    sweep: true,
    wake: true,
  } satisfies Record<Action, true>,
) as readonly Action[];

/**
 * What a request wants to do, and with what.
 *
 * @category Auth
 */
export interface AuthRequest {
  /** What it wants to do. */
  action: Action;
  /** With which workflow; not there where it concerns none, or more than one. */
  workflowId?: string;
  /** With which event, stream or topic. */
  key?: string;
}

/**
 * Says whether a request may go on. It is asked once for each workflow that a request concerns, before anything is read or written, and before the
 * request is validated. What it throws is an answer if it is Hono's `HTTPException`, and otherwise a fault of the server.
 *
 * @category Auth
 */
export type Auth = (c: Context, request: AuthRequest) => boolean | Promise<boolean>;

/** Why a request was refused: nobody is known by its credentials, or who is may not do this. Set by whoever knows. */
const KNOWN = "parley.known";

/** Says that the credentials are good, whatever they allow: the refusal is then a 403 and not a 401. */
export function markKnown(c: Context): void {
  c.set(KNOWN, true);
}

/** Whether the credentials of a refused request are good. */
export function isKnown(c: Context): boolean {
  return c.get(KNOWN) === true;
}

/** Those that can tell by the headers alone whether anybody is there. */
const RECOGNISERS = new WeakMap<Auth, (c: Context) => Promise<boolean>>();

/** Says how to tell whether a request has good credentials, whatever they allow: one without them has its body left unread. */
export function recognising<A extends Auth>(auth: A, recognises: (c: Context) => Promise<boolean>): A {
  RECOGNISERS.set(auth, recognises);
  return auth;
}

/** Whether the credentials of a request are known not to be good. Of an auth of the owner's own nothing is known before it is asked. */
export async function isStranger(c: Context, auth: Auth): Promise<boolean> {
  const recognises = RECOGNISERS.get(auth);
  return recognises !== undefined && !await recognises(c);
}

/** Reads the credentials of a request once, which may concern thousands of workflows: 10,000 took 0.9 s. */
export function oncePerRequest<T>(read: (c: Context) => Promise<T>): (c: Context) => Promise<T> {
  const known = new WeakMap<Context, Promise<T>>();
  return (c) => {
    const reading = known.get(c) ?? read(c);
    known.set(c, reading);
    return reading;
  };
}

/**
 * Allows everything to whoever has the token.
 *
 * @param token The token, or several while one is being replaced; each of visible ASCII characters. Compared in constant time.
 * @throws {ValidationError} If there is no token, or an empty one, as where the environment lacks it, or one that no header can carry.
 *
 * @example Ask for a token
 * ```ts
 * import { memoryDriver, Parley } from "@parley/parley";
 * import { bearer, parleyHttp } from "@parley/parley/http";
 *
 * const app = parleyHttp({ parley: new Parley({ driver: memoryDriver() }), auth: bearer("s3cret") });
 * const refused = await app.request("/workflows");
 * const allowed = await app.request("/workflows", { headers: { authorization: "Bearer s3cret" } });
 * console.log(refused.status, allowed.status); // 401 200
 * ```
 *
 * @category Auth
 */
export function bearer(token: string | string[]): Auth {
  const tokens = [token].flat();
  if (tokens.length === 0) throw new ValidationError("Making bearer auth: there must be a token");
  // A token that no header can carry would lock everybody out.
  for (const it of tokens) checkToken(it, "Making bearer auth");
  const allows = oncePerRequest(async (c) => {
    const given = bearerToken(c);
    if (given === undefined) return false;
    // All of them, so that the time does not tell which one it was.
    const matches = await Promise.all(tokens.map((it) => isSame(it, given)));
    return matches.includes(true);
  });
  return recognising((c) => allows(c), allows);
}

/**
 * Allows what any of these allows, asked in order.
 *
 * @param auth The ways to be allowed.
 * @category Auth
 */
export function anyOf(...auth: Auth[]): Auth {
  return recognising(
    async (c, request) => {
      for (const allows of auth) {
        if (await allows(c, request)) return true;
      }
      return false;
    },
    async (c) => {
      for (const it of auth) {
        if (!await isStranger(c, it)) return true;
      }
      return false;
    },
  );
}

/** The token of the `Authorization` header. */
export function bearerToken(c: Context): string | undefined {
  return /^Bearer +(\S+) *$/i.exec(c.req.header("authorization") ?? "")?.[1];
}

/** Compares digests under a key that nobody knows: how long that takes tells nothing of the texts, nor of their lengths. */
async function isSame(a: string, b: string): Promise<boolean> {
  const key = await crypto.subtle.generateKey({ name: "HMAC", hash: "SHA-256" }, false, ["sign", "verify"]);
  const encoder = new TextEncoder();
  return await crypto.subtle.verify(
    "HMAC",
    key,
    await crypto.subtle.sign("HMAC", key, encoder.encode(a)),
    encoder.encode(b),
  );
}
