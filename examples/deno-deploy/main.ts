/**
 * Durable workflows on Deno Deploy, over a database at Neon. This file is the entry point; see
 * README.md.
 *
 * @module
 */

import { Parley } from "@parley/parley";
import { anyOf, bearer, parleyHttp, scopedTokens, standardWebhooks, webhook } from "@parley/parley/http";
import { neonDriver } from "@parley/parley/neon";
import { Hono } from "hono";
import * as v from "valibot";
import { page } from "./page.ts";
import { Order, order, payment, payUrl, progress } from "./workflow.ts";

/** A missing variable fails at once, and not at its first use. */
function env(name: string): string {
  const value = Deno.env.get(name);
  if (!value) throw new Error(`The environment must have ${name}`);
  return value;
}

const parley = new Parley({ driver: neonDriver(env("DATABASE_URL")), workflows: [order] });
const tokens = scopedTokens(env("TOKEN_SECRET"));

const app = new Hono();
app.get("/", (c) => c.html(page));

// Starts an order. The answer waits until there is a URL to pay at.
app.post("/orders", async (c) => {
  const input = v.safeParse(Order, await c.req.json().catch(() => undefined));
  if (!input.success) return c.json({ error: "An order must have an item" }, 400);
  const handle = await parley.start(order, input.output);
  const id = handle.workflowId;
  const token = await tokens.mint({ actions: ["stream"], workflowId: id, keys: [progress.name], expiresIn: "1h" });
  return c.json({
    id,
    payUrl: await handle.getEvent(payUrl, { timeout: "20s" }),
    // `EventSource` sends no headers, so the URL has a token that allows this stream alone.
    progress: `/parley/workflows/${id}/streams/${progress.name}?token=${token}`,
  }, 201);
});

// Takes deliveries of the payment provider as Standard Webhooks says. Each is verified, validated,
// and sent once, however often it comes.
app.post(
  "/webhook",
  webhook({
    parley,
    verify: standardWebhooks(env("WEBHOOK_SECRET")),
    schema: v.object({
      type: v.picklist(["payment.paid", "payment.failed"]),
      data: v.object({ orderId: v.pipe(v.string(), v.nonEmpty()) }),
    }),
    route: ({ type, data }) => ({
      workflowId: data.orderId,
      topic: payment,
      message: { paid: type === "payment.paid" },
    }),
  }),
);

// Every operation: for your other services (`connect`) with the token, and for browsers with a
// token that was minted for them.
app.route("/parley", parleyHttp({ parley, auth: anyOf(bearer(env("API_TOKEN")), tokens) }));

// The platform looks for this at the top level, before the server starts. It finds deadlines that
// passed, and workflows whose isolate was stopped.
Deno.cron("sweep", "* * * * *", async () => {
  await parley.sweep();
});
Deno.cron("purge", "0 3 * * *", async () => {
  while (await parley.purge({ olderThan: "30d" }) === 1_000);
});

Deno.serve(app.fetch);
