/**
 * The adapter: every operation as a Hono app, to be mounted where the user likes.
 *
 * @module
 */

import { type Context, Hono, type Next } from "hono";
import { cors } from "hono/cors";
import { isEncoded } from "./wire/encoding.ts";
import { type ParleyHttpOptions, toSettings } from "./options.ts";
import { goneResponse, isReportable, refusal, toResponse } from "./wire/problem.ts";
import { ROUTES } from "./routes/mod.ts";
import { toPattern } from "./routes/route.ts";

/** What a page of another origin may read, beside what every page may. */
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
 * A Hono app with a route for every operation of `Client`, and those that schedulers call.
 *
 * @param options What is served, to whom, and with what limits.
 * @returns The app; `app.route("/parley", parleyHttp({ ... }))` mounts it.
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
 * await app.request("/parley/workflows", { method: "POST", headers, body: '{"workflow":"greet","input":"Ada","workflowId":"g"}' });
 * const result = await app.request("/parley/workflows/g/result?wait=5s", { headers });
 * console.log(await result.json()); // Hello Ada
 * ```
 *
 * @category Adapter
 */
export function parleyHttp(options: ParleyHttpOptions): Hono {
  const settings = toSettings(options);
  const app = new Hono();
  // Older versions of Hono take no function that takes its time.
  const allow = settings.cors && cors({ exposeHeaders: EXPOSED, ...settings.cors } as Parameters<typeof cors>[0]);
  // By path, and not for the whole app: one that is mounted at / must leave the routes of others alone.
  if (allow) {
    for (const path of new Set(ROUTES.map(({ spec }) => toPattern(spec.path)))) {
      app.use(path, varying, allow);
    }
  }
  for (const { spec, serve } of ROUTES) app.on(spec.method, toPattern(spec.path), serve(settings));
  app.notFound((c) => toResponse(refusal("no_such_route", `There is no ${c.req.method} of this path`)));
  app.onError((error, c) => {
    const { signal } = c.req.raw;
    // Nobody is there to read it, and nothing was wrong.
    if (signal.aborted && error === signal.reason) return goneResponse();
    if (isReportable(error)) settings.report(error);
    return toResponse(error, { encoded: isEncoded(c) });
  });
  return app;
}

/** Some versions of Hono's `cors` put their own `Vary` in the place of ours. */
async function varying(c: Context, next: Next): Promise<void> {
  await next();
  const vary = c.res.headers.get("vary");
  if (vary !== null && vary !== "*" && !/\baccept\b(?!-)/i.test(vary)) c.res.headers.set("vary", `${vary}, accept`);
}
