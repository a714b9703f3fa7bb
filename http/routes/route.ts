/**
 * What happens to every request, in this order: the caller is asked who they are, the body is read, the caller is asked about what it concerns, the body is
 * made into values, the input is checked, the work is done.
 *
 * @module
 */

import type { Context } from "hono";
import type { HTTPException } from "hono/http-exception";
import type * as v from "valibot";
import type { ParleyErrorCode } from "../../core/errors.ts";
import { checkName } from "../../core/values/checks.ts";
import type { Parley } from "../../core/parley.ts";
import { validate } from "../../core/values/values.ts";
import { type Action, type AuthRequest, isKnown, isStranger } from "../auth/auth.ts";
import { checkBody, readBody } from "../wire/encoding.ts";
import type { Settings } from "../options.ts";
import { fromSegment, toParameter } from "../path.ts";
import { type HttpErrorCode, refusal } from "../wire/problem.ts";

/** Any schema. */
type Schema<Output = unknown> = v.GenericSchema<unknown, Output>;

/** An answer, for the documentation. */
export interface Described {
  /** When it is given. */
  readonly description: string;
  /** What its JSON is. */
  readonly schema?: Schema;
  /** Its content types; default `application/json`. */
  readonly content?: readonly string[];
  /** Headers worth telling of, and what they mean. */
  readonly headers?: Readonly<Record<string, string>>;
}

/** What a route is; the same for who serves it and who documents it. */
export interface RouteSpec<Query, Body> {
  /** The method; `HEAD` is served wherever `GET` is. */
  readonly method: "get" | "post";
  /** The path. `:id` is a workflow's ID, `:key` that of an event or a stream. */
  readonly path: string;
  /** What the caller must be allowed. */
  readonly action: Action;
  /** What it does, in a line. */
  readonly summary: string;
  /** The parameters after the `?`. */
  readonly query?: Schema<Query>;
  /** The headers that it reads, and what they mean. */
  readonly headers?: Readonly<Record<string, string>>;
  /** The body. */
  readonly body?: Schema<Body>;
  /** The answers that are no errors. */
  readonly responses: Readonly<Record<number, Described>>;
  /** The errors that it may meet, beside those that every route may. */
  readonly errors?: readonly (ParleyErrorCode | HttpErrorCode)[];
  /** What the request concerns, where the path does not tell; the body is not checked yet. */
  readonly concerns?: (
    request: { c: Context; workflowId: string | undefined; body: unknown },
  ) => Omit<AuthRequest, "action">[];
}

/** A request that may go on. */
export interface Call<Query, Body> {
  readonly c: Context;
  readonly parley: Parley;
  readonly settings: Settings;
  /** Of the path; empty where it has none. */
  readonly workflowId: string;
  /** Of the path; empty where it has none. */
  readonly key: string;
  readonly query: Query;
  readonly body: Body;
}

/** A route, with what serves it. */
export interface Route {
  readonly spec: RouteSpec<unknown, unknown>;
  readonly serve: (c: Context, settings: Settings) => Promise<Response>;
}

/** Makes a route. */
export function route<Query = unknown, Body = unknown>(
  spec: RouteSpec<Query, Body>,
  run: (call: Call<Query, Body>) => Response | Promise<Response>,
): Route {
  return { spec, serve: (c, settings) => serve(spec, run, c, settings) };
}

async function serve<Query, Body>(
  spec: RouteSpec<Query, Body>,
  run: (call: Call<Query, Body>) => Response | Promise<Response>,
  c: Context,
  settings: Settings,
): Promise<Response> {
  const id = segment(c, "id");
  const key = segment(c, "key");
  const authoriseFor = asker(spec, c, settings, {
    ...(id !== undefined && { workflowId: id }),
    ...(key !== undefined && { key }),
  });
  if (spec.body && await isStranger(c, settings.auth)) throw unauthorized();
  // Where the path says it all, nothing is read for those who may not.
  if (!spec.concerns) await authoriseFor(undefined);
  const sent = spec.body
    ? await attempt(() => readBody(c, { bytes: settings.bodyLimit, ms: settings.bodyTimeoutMs }))
    : undefined;
  await authoriseFor(sent instanceof Failed ? undefined : sent?.outline);
  if (sent instanceof Failed) throw sent.error;
  const body = sent?.value();
  // The value may be another than it seemed. Nothing new is asked of an honest one.
  if (sent) await authoriseFor(body);
  checkBody(body, settings.bodyLimit);
  if (id !== undefined) checkName(id, "workflow ID");
  if (key !== undefined) checkName(key, `${spec.action} key`);
  const checked = spec.body ? await validate(spec.body, body, "request's body") : undefined;
  const query = spec.query ? await validate(spec.query, c.req.query(), "request's query") : undefined;
  return await run({
    c,
    parley: settings.parley(c),
    settings,
    workflowId: id ?? "",
    key: key ?? "",
    query: query as Query,
    body: checked as Body,
  });
}

/** Asks who is there about all that a body concerns, and about nothing twice. */
function asker<Query, Body>(
  { action, concerns }: RouteSpec<Query, Body>,
  c: Context,
  settings: Settings,
  path: Omit<AuthRequest, "action">,
): (body: unknown) => Promise<void> {
  const asked = new Set<string>();
  return async (body) => {
    for (const concern of concerns?.({ c, workflowId: path.workflowId, body }) ?? [path]) {
      const question = JSON.stringify([concern.workflowId, concern.key]);
      if (!asked.has(question)) await authorise(c, settings, { action, ...concern });
      asked.add(question);
    }
  };
}

async function authorise(c: Context, { auth }: Settings, request: AuthRequest): Promise<void> {
  if (await auth(c, request) === true) return;
  if (isKnown(c)) throw refusal("forbidden", `The credentials do not allow to ${request.action} this`);
  throw unauthorized();
}

function unauthorized(): HTTPException {
  return refusal("unauthorized", "The request must have credentials that are valid", {
    headers: { "www-authenticate": 'Bearer realm="parley"' },
  });
}

/** Of the path of the route; `undefined` where it has none of this name. */
function segment(c: Context, name: string): string | undefined {
  const decoded = c.req.param(toParameter(name));
  return decoded === undefined ? undefined : fromSegment(decoded);
}

/** What went wrong before anybody was asked who they are: it is told to those alone who may know. */
class Failed {
  constructor(readonly error: unknown) {}
}

async function attempt<T>(read: () => Promise<T>): Promise<T | Failed> {
  try {
    return await read();
  } catch (error) {
    return new Failed(error);
  }
}
