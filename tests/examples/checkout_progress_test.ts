import assert from "node:assert/strict";
import type { Hono } from "hono";
import { deliver, openShop, order, resultOf } from "./checkout_shop.ts";

/** Where an order's progress is, as its page is told. */
async function progressUrl(app: Hono, orderId: string): Promise<string> {
  return (await (await app.request(`/orders/${orderId}`)).json()).progress;
}

/** What is sent there to its end. */
async function progressOf(app: Hono, orderId: string, lastEventId?: string): Promise<string> {
  const headers = { accept: "text/event-stream", ...(lastEventId !== undefined && { "last-event-id": lastEventId }) };
  const response = await app.request(await progressUrl(app, orderId), { headers });
  assert.equal(response.headers.get("content-type"), "text/event-stream");
  return await response.text();
}

function idsOf(sse: string): string[] {
  return [...sse.matchAll(/^id: (.*)$/gm)].map(([, id]) => id!);
}

Deno.test("the progress of an order is a stream with its offsets, and then its end", async () => {
  await using shop = openShop();
  await order(shop.app, "o-1");
  const live = progressOf(shop.app, "o-1");
  await deliver(shop.app, "o-1");
  const sent = await live;
  assert.deepEqual(idsOf(sent), ["0", "1", "2", "3", "4", "end:5"]);
  assert.match(sent, /\n\nid: 0\ndata: \{"stage":"placed",.*\}\n\n/);
  // When a page that is cut off comes back differs, so that not all come at once.
  const withoutRetry = (text: string) => text.replace(/^retry: \d+$/m, "retry");
  assert.equal(
    withoutRetry(await progressOf(shop.app, "o-1")),
    withoutRetry(sent),
    "the same, for one who comes later",
  );
});

Deno.test("the progress of an order carries on after Last-Event-ID", async () => {
  await using shop = openShop();
  await order(shop.app, "o-1");
  await deliver(shop.app, "o-1");
  await resultOf(shop, "o-1");
  assert.deepEqual(idsOf(await progressOf(shop.app, "o-1", "2")), ["3", "4", "end:5"]);
});

Deno.test("the token for the progress of an order is good for nothing else", async () => {
  await using shop = openShop();
  await Promise.all([order(shop.app, "o-1"), order(shop.app, "o-2")]);
  const url = new URL(await progressUrl(shop.app, "o-1"), "http://shop.test");
  const status = async (path: string, init: RequestInit = {}) => {
    const response = await shop.app.request(`${path}${url.search}`, init);
    await response.body?.cancel();
    return response.status;
  };
  assert.equal(await status(url.pathname), 200);
  assert.equal(await status(url.pathname.replace("o-1", "o-2")), 403);
  assert.equal(await status(url.pathname.replace("progress", "other")), 403);
  assert.equal(await status("/parley/workflows/o-1"), 403);
  assert.equal(await status("/parley/workflows/o-1/cancel", { method: "POST" }), 401, "links do no harm");
  assert.equal((await shop.app.request(url.pathname)).status, 401);
});
