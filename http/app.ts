/**
 * The adapter: a Hono app with every operation, which the user mounts.
 *
 * @module
 */

import { type Context, Hono, type Next } from "hono";
import { cors } from "hono/cors";
import { addInspector } from "./inspector/inspector.ts";
import { isEncoded } from "./wire/encoding.ts";
import { type ParleyHttpOptions, toSettings } from "./options.ts";
import { goneResponse, isReportable, refusal, toResponse } from "./wire/problem.ts";
import { ROUTES } from "./routes/mod.ts";
import { toPattern } from "./routes/route.ts";

/**
 * Headers that a page of another origin may read, in addition to those that every page may read.
 */
const EXPOSED = [
  "etag",
  "location",
  "retry-after",
  "stream-closed",
  "stream-cursor",
  "stream-next-offset",
  "stream-up-to-date",
  "www-authenticate",
];

/**
 * Creates a Hono app with a route for every operation of `Client`, and routes for schedulers.
 *
 * @param options What the app serves, to whom, and its limits.
 * @returns The app. Mount it with `app.route("/parley", parleyHttp({ ... }))`.
 * @throws {ValidationError} If there is no `auth`, or another option is not legal.
 *
 * @example Start a workflow over HTTP
 * ```ts
 * import { memoryDriver, Parley, workflow } from "@parley/parley";
 * import { bearer, parleyHttp } from "@parley/parley/http";
 * import { Hono } from "hono";
 *
 * const greet = workflow("greet", (_ctx, name: string) => `Hello ${name}`);
 * const parley = new Parley({ driver: memoryDriver(), workflows: [greet] });
 * const app = new Hono().route("/parley", parleyHttp({ parley, auth: bearer("s3cret") }));
 *
 * const headers = { authorization: "Bearer s3cret", "content-type": "application/json" };
 * const body = JSON.stringify({ workflow: "greet", input: "Ada", workflowId: "g" });
 * await app.request("/parley/workflows", { method: "POST", headers, body });
 * const result = await app.request("/parley/workflows/g/result?wait=5s", { headers });
 * console.log(await result.json()); // Hello Ada
 * ```
 *
 * @category Adapter
 */
export function parleyHttp(options: ParleyHttpOptions): Hono {
  const settings = toSettings(options);
  const app = new Hono();
  // The types of older versions of Hono take no asynchronous function here.
  const allow = settings.cors && cors({ exposeHeaders: EXPOSED, ...settings.cors } as Parameters<typeof cors>[0]);
  // CORS is set per path and not for the whole app. An app that is mounted at / must not change the
  // routes of others.
  if (allow) {
    for (const path of new Set(ROUTES.map(({ spec }) => toPattern(spec.path)))) {
      app.use(path, varying, allow);
    }
  }
  for (const { spec, serve } of ROUTES) app.on(spec.method, toPattern(spec.path), serve(settings));
  if (settings.inspector) addInspector(app, settings);
  app.notFound((c) => toResponse(refusal("no_such_route", `There is no ${c.req.method} of this path`)));
  app.onError((error, c) => {
    const { signal } = c.req.raw;
    // The client has gone away, which is no error.
    if (signal.aborted && error === signal.reason) return goneResponse();
    if (isReportable(error)) settings.report(error);
    return toResponse(error, { encoded: isEncoded(c) });
  });
  return app;
}

/**
 * Restores `Vary: accept`, because some versions of Hono's `cors` replace it with a `Vary` of their
 * own.
 */
async function varying(c: Context, next: Next): Promise<void> {
  await next();
  const vary = c.res.headers.get("vary");
  if (vary !== null && vary !== "*" && !/\baccept\b(?!-)/i.test(vary)) c.res.headers.set("vary", `${vary}, accept`);
}
