/**
 * The steps of every request:
 *
 * 1. Authenticate the caller.
 * 2. Read the body as JSON.
 * 3. Authorise the caller, once for all that the request concerns.
 * 4. Check the input.
 * 5. Run the route. Values in the body are decoded only now, on their way into the store.
 *
 * @module
 */

import type { Context } from "hono";
import type { HTTPException } from "hono/http-exception";
import type * as v from "valibot";
import type { ParleyErrorCode } from "../../core/errors.ts";
import { untrustedValue } from "../wire/untrusted_value.ts";
import { EncodedValue, validate } from "../../core/values/values.ts";
import { checkName } from "../../core/values/checks.ts";
import { type Action, type AuthRequest, isKnown, isStranger } from "../auth/auth.ts";
import { decoded, readBody, type RequestBody } from "../wire/request.ts";
import type { Settings } from "../options.ts";
import type { ServedClient } from "../served_client.ts";
import { fromSegment } from "../segment.ts";
import { type HttpErrorCode, refusal } from "../wire/problem.ts";

/** Any schema. */
type Schema<Output = unknown> = v.GenericSchema<unknown, Output>;

/** An answer, for the documentation. */
export interface DescribedAnswer {
  /** When the route gives it. */
  readonly description: string;
  /** Its JSON. */
  readonly schema?: Schema;
  /** Its content types; default JSON, plain or in the library's own encoding. */
  readonly content?: readonly string[];
  /** Noteworthy headers and their meaning. */
  readonly headers?: Readonly<Record<string, string>>;
}

/** A route, as the server and the documentation see it. */
export interface RouteSpec<Query, Body> {
  /** The method. `HEAD` is served wherever `GET` is. */
  readonly method: "get" | "post" | "delete";
  /** The path. `:id` is a workflow's ID, `:key` that of an event or a stream. */
  readonly path: string;
  /** The action that the caller must be allowed. */
  readonly action: Action;
  /** What it does, in one line. */
  readonly summary: string;
  /** The parameters after the `?`. */
  readonly query?: Schema<Query>;
  /** The parameters that may occur several times. The schema gets a list of each. */
  readonly lists?: readonly string[];
  /** The headers that it reads, and their meaning. */
  readonly headers?: Readonly<Record<string, string>>;
  /** The schema of the body. */
  readonly body?: Schema<Body>;
  /** Whether a request without a content type is one without a body. Default `false`. */
  readonly isBodyOptional?: boolean;
  /** The answers that are no errors. */
  readonly responses: Readonly<Record<number, DescribedAnswer>>;
  /** The errors that it may answer with, in addition to those of every route. */
  readonly errors?: readonly (ParleyErrorCode | HttpErrorCode)[];
  /**
   * What the request concerns, if the path does not say it all. The body is not checked yet. The
   * action is that of the route, unless a concern has its own.
   */
  readonly concerns?: (
    request: { c: Context; workflowId: string | undefined; body: unknown },
  ) => (Omit<AuthRequest, "action"> & { action?: Action })[];
}

/** A request that passed all checks. */
export interface RouteRequest<Query, Body> {
  readonly c: Context;
  readonly parley: ServedClient;
  readonly settings: Settings;
  /** From the path; empty if the path has none. */
  readonly workflowId: string;
  /** From the path; empty if the path has none. */
  readonly key: string;
  readonly query: Query;
  /**
   * The body. Its values may still be encoded: {@linkcode RouteRequest.toValue} returns what
   * `Parley` takes.
   */
  readonly body: Body;
  /** A value of the body, as `Parley` takes it. */
  readonly toValue: (member: unknown) => unknown;
}

/** A route, with the function that serves it. */
export interface Route {
  readonly spec: RouteSpec<unknown, unknown>;
  readonly serve: (settings: Settings) => (c: Context) => Promise<Response>;
}

/** Makes a route. */
export function route<Query = unknown, Body = unknown>(
  spec: RouteSpec<Query, Body>,
  run: (request: RouteRequest<Query, Body>) => Response | Promise<Response>,
): Route {
  return { spec, serve: (settings) => async (c) => await run(await admit(spec, c, settings)) };
}

/**
 * The prefix of the adapter's own parameters. The path of the mount may also have an `id` or a
 * `key`, and Hono would prefer that.
 */
const OWN_PARAMETER = "_parley_own_";

/** The path of a route, for Hono. */
export function toPattern(path: string): string {
  return path.replace(/:(\w+)/g, `:${OWN_PARAMETER}$1`);
}

/** A parameter of the path; `undefined` if the route has none of this name. */
function segment(c: Context, name: string): string | undefined {
  const text = decoded(() => c.req.param(`${OWN_PARAMETER}${name}`));
  return text === undefined ? undefined : fromSegment(text);
}

/** The parameters after the `?`, with a list of each of those that may occur several times. */
function parameters(c: Context, lists: readonly string[] = []): Record<string, unknown> {
  return decoded(() => ({
    ...c.req.query(),
    ...Object.fromEntries(lists.map((name) => [name, c.req.queries(name) ?? []])),
  }));
}

async function admit<Query, Body>(
  spec: RouteSpec<Query, Body>,
  c: Context,
  settings: Settings,
): Promise<RouteRequest<Query, Body>> {
  const { action, concerns } = spec;
  const [id, key] = [segment(c, "id"), segment(c, "key")];
  const path = { ...(id !== undefined && { workflowId: id }), ...(key !== undefined && { key }) };
  // If the path says it all, nothing is read for callers without permission. Otherwise nothing is
  // read for callers with bad credentials.
  if (!concerns) await authorise(c, settings, { action, ...path });
  else if (await isStranger(c, settings.auth)) throw unauthorized();
  const hasBody = spec.body && !(spec.isBodyOptional && c.req.header("content-type") === undefined);
  const read = hasBody && await tryTo(() => readBody(c, { bytes: settings.bodyLimit, ms: settings.bodyTimeoutMs }));
  const json = read ? read.value?.json : undefined;
  for (const concern of concerns?.({ c, workflowId: id, body: json }) ?? []) {
    await authorise(c, settings, { action, ...concern });
  }
  // Only a caller with permission learns what is wrong with the body.
  if (read && read.failed) throw read.error;
  if (id !== undefined) checkName(id, "workflow ID");
  if (key !== undefined) checkName(key, `${action} key`);
  const body = spec.body && await validate(spec.body, json, "request's body");
  const query = spec.query && await validate(spec.query, parameters(c, spec.lists), "request's query");
  const parley = typeof settings.parley === "function" ? settings.parley(c) : settings.parley;
  return {
    c,
    parley,
    settings,
    workflowId: id ?? "",
    key: key ?? "",
    query: query as Query,
    body: body as Body,
    toValue: (member) => {
      const value = read && read.value?.isEncoded ? toEncoded(member, settings) : member;
      return parley.needsDecoded && EncodedValue.is(value) ? value.decode("request's value") : value;
    },
  };
}

/**
 * The most JSON of a value, relative to the largest body. An honest value takes at most four times
 * the length of its encoding. A value with repeated parts may take more.
 */
const MAX_EXPANSION = 4;
/** The least limit of a value's JSON, in characters. */
const MIN_JSON_LIMIT = 8 * 2 ** 20;

function toEncoded(member: unknown, { bodyLimit }: Settings): unknown {
  // JSON has no `undefined`, so the body lacks this member.
  return member === undefined ? undefined : untrustedValue(member, Math.max(MIN_JSON_LIMIT, MAX_EXPANSION * bodyLimit));
}

async function authorise(c: Context, { auth }: Settings, request: AuthRequest): Promise<void> {
  if (await auth(c, request) === true) return;
  if (isKnown(c)) throw refusal("forbidden", `The credentials do not allow the action ${request.action} here`);
  throw unauthorized();
}

/** The answer to a caller without good credentials. */
export function unauthorized(): HTTPException {
  return refusal("unauthorized", "The request must have credentials that are valid", {
    headers: { "www-authenticate": 'Bearer realm="parley"' },
  });
}

type Attempt = { failed: false; value: RequestBody } | { failed: true; error: unknown; value?: undefined };

async function tryTo(read: () => Promise<RequestBody>): Promise<Attempt> {
  try {
    return { failed: false, value: await read() };
  } catch (error) {
    return { failed: true, error };
  }
}

/** The members that are given, as options that know no `undefined`. */
export function given<T extends object>(members: T): { [Key in keyof T]?: Exclude<T[Key], undefined> } {
  const present = Object.entries(members).filter(([, value]) => value !== undefined);
  return Object.fromEntries(present) as { [Key in keyof T]?: Exclude<T[Key], undefined> };
}
