/**
 * A shop with webhooks.
 *
 * @module
 */

import assert from "node:assert/strict";
import { Hono } from "hono";
import * as v from "valibot";
import { webhook, type WebhookOptions } from "../../../http/mod.ts";
import type { Parley, ParleyOptions } from "../../../mod.ts";
import type { Harness } from "../../../conformance/mod.ts";
import { World } from "../../../conformance/workflows/world.ts";
import { listener } from "./setup.ts";

/** In every payload, and in the secret: no answer may have it. */
export const CANARY = "canary-4711";

const PaymentEvent = v.object({ type: v.picklist(["paid", "noise"]), order: v.string(), text: v.optional(v.string()) });
type PaymentEvent = v.InferOutput<typeof PaymentEvent>;

/** A shop with webhooks at `/hook` and `/other`. The ID of a delivery is in a header; without one it is not valid. */
export function shop(
  harness: Harness,
  options: Partial<WebhookOptions<PaymentEvent>> & { driver?: Partial<ParleyOptions["driver"]> } = {},
) {
  const { driver, ...rest } = options;
  const world = new World({ ...harness, drivers: [{ ...harness.drivers[0], ...driver }, harness.drivers[1]] });
  const { parley } = world.isolate(0, [listener], { wake: "none" });
  const errors: unknown[] = [];
  const handler = webhook<PaymentEvent>({
    parley,
    verify: ({ headers }) => headers.has("x-id") ? { id: headers.get("x-id")! } : undefined,
    schema: PaymentEvent,
    route: ({ type, order, text = "" }) =>
      type === "paid" ? { workflowId: order, topic: "news", message: { paid: true, text } } : undefined,
    onError: (error) => errors.push(error),
    ...rest,
  });
  const app = new Hono().post("/hook", handler).post("/other", handler);
  const deliver = async (
    event: unknown,
    { id = "d1" as string | null, path = "/hook", raw }: { id?: string | null; path?: string; raw?: BodyInit } = {},
  ) => {
    const headers = { ...(id !== null && { "x-id": id }) };
    const body = raw ?? JSON.stringify(event);
    const response = await world.until(Promise.resolve(app.request(path, { method: "POST", headers, body })));
    const text = await response.text();
    assert.doesNotMatch(text, new RegExp(CANARY));
    return { status: response.status, headers: response.headers, body: JSON.parse(text) };
  };
  return { world, parley, app, errors, deliver };
}

export const paid = { type: "paid", order: CANARY, text: CANARY };

/** Starts the workflow that waits for the message. */
export async function order(parley: Parley): Promise<void> {
  await parley.start(listener, undefined, { workflowId: CANARY, enqueue: true });
}

/** Lets the workflow run, and says whether it has got its message. */
export async function isReceived(world: World): Promise<boolean> {
  const { parley } = world.isolate(1, [listener]);
  await world.until(parley.sweep());
  return (await parley.handle(CANARY).status()).status === "SUCCESS";
}
