/**
 * Permissions of callers.
 *
 * @module
 */

import type { Context } from "hono";
import { ValidationError } from "../../core/errors.ts";
import { type Secret, secretFor } from "./secret.ts";
import { checkToken } from "../protocol.ts";

/**
 * What a request wants to do. The list is closed: a new route uses one of these.
 *
 * `inspect` is to see the journal, messages, events and streams of a workflow. `cancel` of a
 * workflow includes its children.
 *
 * @category Auth
 */
export type Action =
  | "start"
  | "list"
  | "info"
  | "inspect"
  | "result"
  | "cancel"
  | "resume"
  | "delete"
  | "send"
  | "event"
  | "stream"
  | "sweep"
  | "wake";

/** Every action of the adapter. */
export const ACTIONS = Object.keys(
  {
    start: true,
    list: true,
    info: true,
    inspect: true,
    result: true,
    cancel: true,
    resume: true,
    delete: true,
    send: true,
    event: true,
    stream: true,
    sweep: true,
    wake: true,
  } satisfies Record<Action, true>,
) as readonly Action[];

/**
 * What a request wants to do, and with which workflow.
 *
 * @category Auth
 */
export interface AuthRequest {
  /** The action. */
  action: Action;
  /** The workflow; missing if the request concerns none, or more than one. */
  workflowId?: string;
  /** The key of the event or stream, or the topic. */
  key?: string;
}

/**
 * Decides whether a request is allowed. The adapter asks once for each workflow that a request
 * concerns. It asks before it validates the request, and before it reads or writes anything. If the
 * function throws Hono's `HTTPException`, that is the answer. Any other error is a fault of the
 * server.
 *
 * @category Auth
 */
export type Auth = (c: Context, request: AuthRequest) => boolean | Promise<boolean>;

/**
 * Marks a request whose credentials are good. A refusal then means that the credentials do not
 * allow the action.
 */
const KNOWN = "parley.known";

/** Marks the credentials as good, whatever they allow. A refusal is then a 403 and not a 401. */
export function markKnown(c: Context): void {
  c.set(KNOWN, true);
}

/** Whether the credentials of a refused request are good. */
export function isKnown(c: Context): boolean {
  return c.get(KNOWN) === true;
}

/** The auths that recognise good credentials by the headers alone. */
const RECOGNISERS = new WeakMap<Auth, (c: Context) => Promise<boolean>>();

/**
 * Registers how an auth recognises good credentials, whatever they allow. The body of a request
 * without good credentials is not read.
 */
export function recognising<A extends Auth>(auth: A, recognises: (c: Context) => Promise<boolean>): A {
  RECOGNISERS.set(auth, recognises);
  return auth;
}

/**
 * Whether the credentials of a request are known to be bad. For an auth of the user's own, nothing
 * is known before it decides.
 */
export async function isStranger(c: Context, auth: Auth): Promise<boolean> {
  const recognises = RECOGNISERS.get(auth);
  return recognises !== undefined && !await recognises(c);
}

/**
 * Reads the credentials once per request. A request may concern thousands of workflows, and reading
 * them 10,000 times took 0.9 s.
 */
export function oncePerRequest<T>(read: (c: Context) => Promise<T>): (c: Context) => Promise<T> {
  const known = new WeakMap<Context, Promise<T>>();
  return (c) => {
    const reading = known.get(c) ?? read(c);
    known.set(c, reading);
    return reading;
  };
}

/**
 * Allows everything to callers with the token.
 *
 * @param token The token, or several during a rotation, or a function of the context that returns
 * them. Each must be of visible ASCII characters. They are compared in constant time.
 * @throws {ValidationError} If there is no token, as when an environment variable is missing. Also
 * if a token is empty or cannot be sent in a header.
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
export function bearer(token: Secret<string | string[]>): Auth {
  const tokensFor = secretFor(token, checkedTokens);
  const allows = oncePerRequest(async (c) => {
    const given = bearerToken(c);
    if (given === undefined) return false;
    const tokens = await tokensFor(c);
    // All tokens are compared, so that the time does not show which one matched.
    const matches = await Promise.all(tokens.map((it) => isSame(it, given)));
    return matches.includes(true);
  });
  return recognising((c) => allows(c), allows);
}

function checkedTokens(token: string | string[]): string[] {
  const tokens = [token].flat();
  if (tokens.length === 0) throw new ValidationError("Making bearer auth: there must be a token");
  // A token that no header can carry would lock everybody out.
  for (const it of tokens) checkToken(it, "Making bearer auth");
  return tokens;
}

/**
 * Allows what any of these auths allows. They are asked in order.
 *
 * @param auth The auths.
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

/**
 * Compares digests under a random key, so that the time shows nothing about the texts or their
 * lengths.
 */
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
