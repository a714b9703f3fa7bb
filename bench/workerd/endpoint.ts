/**
 * A Worker with the HTTP endpoints of Parley over Upstash, as `docs/workers.md` shows it.
 *
 * @module
 */

import { Parley, workflow } from "@parley/parley";
import { bearer, parleyHttp } from "@parley/parley/http";
import { upstashDriver } from "@parley/parley/upstash";
import { type Context, Hono } from "hono";

/** What the main program sets. */
interface Env {
  readonly url: string;
  readonly token: string;
  readonly prefix: string;
}

/** Waits for its first message. */
const greet = workflow("greet", async (ctx) => `Hello, ${await ctx.recv<string>()}`);

function parleyOf({ env: { url, token, prefix }, executionCtx }: Context<{ Bindings: Env }>): Parley {
  return new Parley({
    driver: upstashDriver({ url, token }, { prefix }),
    workflows: [greet],
    waitUntil: (work) => executionCtx.waitUntil(work),
    // Whoever sends a message does not run its receiver.
    wake: "none",
    hotWait: 0,
  });
}

export default new Hono().route(
  "/parley",
  parleyHttp({ parley: parleyOf, auth: (c, request) => bearer(c.env.token)(c, request) }),
);
