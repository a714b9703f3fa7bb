/**
 * What the suites of the adapter share: an app over a harness's store, and requests whose answers are checked against the documentation.
 *
 * @module
 */

import assert from "node:assert/strict";
import { Hono } from "hono";
import * as v from "valibot";
import type { Driver } from "../../../core/driver/driver.ts";
import { bearer, type ParleyHttpOptions } from "../../../http/mod.ts";
import { toDocument } from "../../../http/routes/document.ts";
import type { Route } from "../../../http/routes/route.ts";
import { ROUTES } from "../../../http/routes/mod.ts";
import { ProblemBody } from "../../../http/routes/schemas.ts";
import { type Parley, type Workflow, workflow } from "../../../mod.ts";
import type { Harness } from "../../../conformance/mod.ts";
import { World } from "../../../conformance/workflows/world.ts";
import { mount } from "./mount.ts";

/** The token that all requests have, unless they say otherwise. */
export const TOKEN = "a-token";

/** Returns what it gets. */
export const echo: Workflow<unknown, unknown> = workflow("echo", (_ctx, input: unknown) => input);

/** Waits for ever, and publishes before that. */
export const publisher: Workflow<{ key: string } | undefined, void> = workflow(
  "publisher",
  async (ctx, { key }: { key: string } = { key: "k" }) => {
    await Promise.all([ctx.setEvent(key, "an event"), ctx.writeStream(key, "a value")]);
    await ctx.recv("never");
  },
);

/** Returns the first message of the topic `news`. */
export const listener: Workflow<unknown, unknown> = workflow("listener", async (ctx) => await ctx.recv("news"));

/** Throws an error with another as its cause. */
export const failing: Workflow<unknown, void> = workflow("failing", () => {
  throw new TypeError("it broke", { cause: new AggregateError([new Error("deep")], "several") });
});

/** A request's parts. */
export interface Asked {
  token?: string | null;
  /** As JSON. */
  body?: unknown;
  /** As it is, in place of `body`. */
  raw?: BodyInit;
  headers?: Record<string, string>;
  signal?: AbortSignal;
}

/** An app, mounted at `/parley`. */
export interface Served {
  readonly world: World;
  readonly parley: Parley;
  readonly app: Hono;
  /** What was reported to the adapter's `onError`. */
  readonly errors: unknown[];
  /** Makes a request, and checks its answer. */
  call(line: string, asked?: Asked): Promise<Response>;
  /** The body of an answer that must have the status. */
  json(line: string, status: number, asked?: Asked): Promise<Record<string, unknown>>;
}

/** Serves a harness's store. */
export function serve(
  harness: Harness,
  options: Partial<ParleyHttpOptions> & { driver?: (driver: Driver) => Driver } = {},
): Served {
  const { driver = (it) => it, ...rest } = options;
  const world = new World({ ...harness, drivers: [driver(harness.drivers[0]), harness.drivers[1]] });
  const { parley } = world.isolate(0, [echo, publisher, listener, failing], { wake: "none" });
  const errors: unknown[] = [];
  const adapter = mount(harness, { parley, auth: bearer(TOKEN), onError: (error) => errors.push(error) }, rest);
  const app = new Hono().route("/parley", adapter);
  const call = async (line: string, asked: Asked = {}) => {
    const response = await world.until(Promise.resolve(app.request(toRequest(line, asked))));
    await checkAnswer(line, response.clone());
    return response;
  };
  const json = async (line: string, status: number, asked?: Asked) => {
    const response = await call(line, asked);
    const text = await response.text();
    assert.equal(response.status, status, `${line}: ${text}`);
    return text === "" ? {} : JSON.parse(text);
  };
  return { world, parley, app, errors, call, json };
}

/** A request from a line such as `GET /workflows`. */
export function toRequest(line: string, { token = TOKEN, body, raw, headers, signal }: Asked = {}): Request {
  const [method = "", path = ""] = line.split(" ");
  const data = raw ?? (body === undefined ? undefined : JSON.stringify(body));
  return new Request(`http://localhost${path.startsWith("/parley") ? path : `/parley${path}`}`, {
    method,
    headers: {
      ...(token !== null && { authorization: `Bearer ${token}` }),
      ...(data !== undefined && { "content-type": "application/json" }),
      ...headers,
    },
    ...(data !== undefined && { body: data }),
    ...(signal && { signal }),
  });
}

/** The route of a request, if there is one. */
export function routeOf(line: string): Route | undefined {
  const [method = "", path = ""] = line.split(/[ ?]/);
  const wanted = method === "HEAD" ? "get" : method.toLowerCase();
  return ROUTES.find(({ spec }) => spec.method === wanted && toPattern(spec.path).test(path.replace(/^\/parley/, "")));
}

/** A line for a route, with the same ID and key for each. */
export function lineOf({ spec }: Route, { id = "w", key = "k" }: { id?: string; key?: string } = {}): string {
  return `${spec.method.toUpperCase()} ${spec.path.replace(":id", id).replace(":key", key)}`;
}

/** Whether an answer is one that the documentation has. */
async function checkAnswer(line: string, response: Response): Promise<void> {
  const route = routeOf(line);
  if (!route || line.startsWith("OPTIONS")) return;
  const { paths } = toDocument([route], "") as {
    paths: Record<string, Record<string, { responses: Record<string, unknown> }>>;
  };
  const [operation] = Object.values(paths).flatMap((path) => Object.values(path));
  assert(operation?.responses[response.status], `${line} answered with ${response.status}, which is not documented`);
  if (line.startsWith("HEAD")) return;
  const type = response.headers.get("content-type");
  if (response.status >= 400) {
    assert.equal(type, "application/problem+json");
    const problem = v.parse(ProblemBody, await response.json());
    assert.equal(problem.status, response.status);
  } else if (type === "application/json") {
    const { schema } = route.spec.responses[response.status]!;
    if (schema) v.parse(schema, await response.json());
  }
}

function toPattern(path: string): RegExp {
  return new RegExp(`^${path.replace(".", "\\.").replace(/:\w+/g, "[^/]+")}$`);
}
