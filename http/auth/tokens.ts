/**
 * Tokens for a browser: signed, short-lived and narrow.
 *
 * @module
 */

import type { Context } from "hono";
import * as v from "valibot";
import { wallClock } from "../../core/time/clock.ts";
import { type Duration, toPositiveMilliseconds } from "../../core/values/checks.ts";
import { ValidationError } from "../../core/errors.ts";
import { type Action, ACTIONS, type Auth, bearerToken, markKnown, oncePerRequest, recognising } from "./auth.ts";
import { type Secret, secretFor } from "./secret.ts";
import { readToken, signToken } from "./jwt.ts";
import { decoded } from "../wire/request.ts";

/** Distinguishes these tokens from those that another service signs with the same secret. */
const AUDIENCE = "parley";

/** Methods that change nothing, so that a link with a token in it can do no harm. */
const SAFE = new Set(["GET", "HEAD"]);

/** A secret with too few bits can be guessed from one token. */
const MIN_SECRET_LENGTH = 16;

/**
 * What a token allows.
 *
 * @category Auth
 */
export interface Scope {
  /** The allowed actions. */
  actions: Action[];
  /**
   * The only workflow that it allows. Default any. Omit the member for the default, because
   * `undefined` is refused.
   */
  workflowId?: string;
  /**
   * The only events, streams and topics that it allows. Default any. Omit the member for the
   * default, because `undefined` is refused.
   */
  keys?: string[];
  /** How long the token is valid from now; more than 0. */
  expiresIn: Duration;
}

const Claims = v.object({
  aud: v.literal(AUDIENCE),
  exp: v.number(),
  actions: v.array(v.picklist(ACTIONS)),
  workflowId: v.optional(v.string()),
  keys: v.optional(v.array(v.string())),
});

/**
 * Allows what a token says, if the token was minted with the same secret. The token comes in the
 * `Authorization` header. Since a browser's `EventSource` sends no headers, a `GET` may also carry
 * it in the parameter `token`.
 *
 * @param secret At least 16 characters, or a function of the context that returns them. With a
 * function, `mint` needs the context.
 * @returns The auth, with `mint`.
 * @throws {ValidationError} If the secret is too short.
 *
 * @example A token with which a browser reads one stream, and nothing else
 * ```ts
 * import { scopedTokens } from "@parley/parley/http";
 *
 * const tokens = scopedTokens("a secret from the environment");
 * const token = await tokens.mint({
 *   actions: ["stream"],
 *   workflowId: "order-1",
 *   keys: ["progress"],
 *   expiresIn: "15m",
 * });
 * console.log(token.split(".").length); // 3
 * ```
 *
 * @category Auth
 */
export function scopedTokens(
  secret: Secret<string>,
): Auth & { mint(scope: Scope, c?: Context): Promise<string> } {
  const secretOf = secretFor(secret, checkedSecret);
  const claimsOf = oncePerRequest(async (c) => {
    const token = bearerToken(c) ?? (SAFE.has(c.req.method) ? decoded(() => c.req.query("token")) : undefined);
    return token === undefined ? undefined : await read(token, await secretOf(c));
  });
  const auth: Auth = async (c, request) => {
    const claims = await claimsOf(c);
    if (!claims) return false;
    markKnown(c);
    const { actions, workflowId, keys } = claims;
    return actions.includes(request.action) && (workflowId === undefined || workflowId === request.workflowId) &&
      (keys === undefined || (request.key !== undefined && keys.includes(request.key)));
  };
  recognising(auth, async (c) => await claimsOf(c) !== undefined);
  return Object.assign(auth, { mint });

  async function mint(scope: Scope, c?: Context): Promise<string> {
    if (typeof secret !== "function") return await mintWith(scope, checkedSecret(secret));
    if (c === undefined) {
      throw new ValidationError(
        "Minting a token: the secret is a function, so there must be the context of the request",
      );
    }
    return await mintWith(scope, await secretOf(c));
  }
}

function checkedSecret(secret: string): string {
  if (typeof secret === "string" && secret.length >= MIN_SECRET_LENGTH) return secret;
  throw new ValidationError(`Making scoped tokens: the secret must have at least ${MIN_SECRET_LENGTH} characters`);
}

/**
 * Mints a token. It refuses a restriction without a value, such as a missing ID, because the token
 * would then allow everything.
 */
async function mintWith(scope: Scope, secret: string): Promise<string> {
  const { actions, workflowId, keys, expiresIn } = scope;
  const unknown = actions.find((action) => !ACTIONS.includes(action));
  if (unknown !== undefined || actions.length === 0) {
    throw new ValidationError(`Minting a token: its actions must be some of ${ACTIONS.join(", ")}`);
  }
  const open = (["workflowId", "keys"] as const).find((name) =>
    Object.hasOwn(scope, name) && (scope[name] ?? undefined) === undefined
  );
  if (open !== undefined) {
    throw new ValidationError(
      `Minting a token whose ${open} has no value: it must have one, or be left out to allow any`,
    );
  }
  const ms = toPositiveMilliseconds(expiresIn, "expiresIn");
  const exp = Math.ceil((wallClock.now() + ms) / 1_000);
  return await signToken({
    aud: AUDIENCE,
    exp,
    actions,
    ...(workflowId !== undefined && { workflowId }),
    ...(keys && { keys }),
  }, secret);
}

/** The claims of a token, if it is one of these and has not expired. */
async function read(token: string, secret: string): Promise<v.InferOutput<typeof Claims> | undefined> {
  const { success, output } = v.safeParse(Claims, await readToken(token, secret));
  return success && output.exp > wallClock.now() / 1_000 ? output : undefined;
}
