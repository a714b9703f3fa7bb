/**
 * The adapter for the suites: each request says by which driver it reaches its store, and with which options it is served.
 *
 * @module
 */

import type { Driver } from "@parley/parley/driver";
import { Parley, type Workflow, workflow, type WorkflowContext } from "@parley/parley";
import { anyOf, bearer, parleyHttp, scopedTokens } from "@parley/parley/http";
import { neonDriver } from "@parley/parley/neon";
import { upstashDriver } from "@parley/parley/upstash";
import { Hono } from "hono";
import { hooks } from "../../http/support/hooks.ts";
import type { ExecutionContext } from "./platform.ts";
import { WISH, type Wish } from "./wish.ts";

/** Those of the suites. A suite's own cannot be imported here: it needs `node:assert`. */
const WORKFLOWS: readonly Workflow<unknown, unknown>[] = [
  workflow("echo", (_ctx, input: unknown) => input),
  workflow("publisher", async (ctx, input: unknown) => {
    const { key } = (input ?? { key: "k" }) as { key: string };
    await Promise.all([ctx.setEvent(key, "an event"), ctx.writeStream(key, "a value")]);
    await ctx.recv("never");
  }),
  workflow("listener", async (ctx: WorkflowContext) => await ctx.recv("news")),
  workflow("failing", () => {
    throw new TypeError("it broke", { cause: new AggregateError([new Error("deep")], "several") });
  }),
];

function driverOf(store: Wish["store"]): Driver {
  return "neon" in store ? neonDriver(...store.neon) : upstashDriver(...store.upstash);
}

export default {
  async fetch(request: Request, env: unknown, ctx: ExecutionContext): Promise<Response> {
    const { store, options, hooks: settings, path, tokens, secret }: Wish = JSON.parse(request.headers.get(WISH)!);
    const parley = new Parley({
      driver: driverOf(store),
      workflows: WORKFLOWS,
      waitUntil: (work) => ctx.waitUntil(work),
      wake: "none",
      hotWait: 0,
    });
    const app = settings
      ? hooks(parley, settings)
      : parleyHttp({ ...options, parley, auth: anyOf(bearer(tokens), scopedTokens(secret)) });
    const response = await new Hono().route(path, app).fetch(request, env as Record<string, unknown>, ctx);
    // The suites wait for what they have set off by the `idle()` of their own process, which knows nothing of what runs here.
    if (request.method === "POST") await parley.idle();
    return response;
  },
};
