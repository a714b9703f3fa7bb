/**
 * The shop of `examples/checkout` on a store in memory, for its tests.
 *
 * @module
 */

import assert from "node:assert/strict";
import { setTimeout as delay } from "node:timers/promises";
import type { Hono } from "hono";
import { memoryDriver, Parley } from "@parley/parley";
import { createApp } from "../../examples/checkout/app.ts";
import { Ledger } from "../../examples/checkout/ledger.ts";
import { FakeProvider, sign } from "../../examples/checkout/provider.ts";
import { checkoutWorkflow } from "../../examples/checkout/workflow.ts";

/** What the provider signs with. */
export const SECRET = btoa("a secret of the payment provider");

/** The shop on a store in memory. `readers`: how many watch the store for a workflow's progress right now. */
export interface TestShop extends AsyncDisposable {
  app: Hono;
  ledger: Ledger;
  parley: Parley;
  readers(): number;
}

export function openShop({ latencyMs = 0 }: { latencyMs?: number } = {}): TestShop {
  let readers = 0;
  const memory = memoryDriver();
  const driver: typeof memory = {
    ...memory,
    watch(target, listener) {
      const watch = memory.watch!(target, listener);
      if (target === "due" || target.startsWith("inbox:")) return watch;
      readers++;
      return {
        get live() {
          return watch.live;
        },
        close: () => (readers--, watch.close()),
      };
    },
  };
  const ledger = new Ledger();
  const provider = new FakeProvider({ ledger, secret: SECRET, latencyMs });
  const parley = new Parley({ driver, workflows: [checkoutWorkflow(provider)] });
  const app = createApp({ parley, provider, secret: SECRET, tokenSecret: "a secret of the shop" });
  return { app, ledger, parley, readers: () => readers, [Symbol.asyncDispose]: () => parley[Symbol.asyncDispose]() };
}

export function order(app: Hono, id: string, keepFor = 300): Response | Promise<Response> {
  return app.request("/checkout", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ id, item: "lamp", quantity: 2, keepFor, customer: "Ada" }),
  });
}

export async function deliver(
  app: Hono,
  orderId: string,
  options: { id?: string; at?: number; secret?: string; body?: string } = {},
): Promise<Response> {
  const { id = "evt_1", at = Date.now(), secret = SECRET } = options;
  const { body = JSON.stringify({ type: "payment.paid", data: { orderId } }) } = options;
  return await app.request("/webhook", { method: "POST", headers: sign(secret, id, body, new Date(at)), body });
}

export async function resultOf({ parley }: TestShop, orderId: string): Promise<unknown> {
  return await parley.handle(orderId).result({ timeout: "10s" });
}

export async function until(holds: () => boolean): Promise<void> {
  for (let tries = 0; !holds(); tries++) {
    assert.ok(tries < 1_000, "it never became true");
    await delay(5);
  }
}
