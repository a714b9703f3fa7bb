import assert from "node:assert/strict";
import type { Hono } from "hono";
import { deliver, openShop, order, resultOf, until } from "./checkout_shop.ts";

/** What `GET /orders/:id/progress` sends to its end. */
async function progressOf(app: Hono, orderId: string, lastEventId?: string): Promise<string> {
  const response = await app.request(`/orders/${orderId}/progress`, { headers: lastEventId ? { "last-event-id": lastEventId } : {} });
  assert.equal(response.headers.get("content-type"), "text/event-stream");
  return await response.text();
}

function idsOf(sse: string): string[] {
  return [...sse.matchAll(/^id: (.*)$/gm)].map(([, id]) => id!);
}

Deno.test("GET /orders/:id/progress sends the stream with its offsets, and then its end", async () => {
  await using shop = openShop();
  assert.equal((await shop.app.request("/orders/o-1/progress")).status, 404);
  await order(shop.app, "o-1");
  const live = progressOf(shop.app, "o-1");
  await deliver(shop.app, "o-1");
  const sent = await live;
  assert.deepEqual(idsOf(sent), ["0", "1", "2", "3", "4"]);
  assert.match(sent, /^id: 0\ndata: \{"stage":"placed",.*\}\n\n/);
  assert.ok(sent.endsWith("event: end\ndata: {}\n\n"));
  assert.equal(await progressOf(shop.app, "o-1"), sent, "the same, for one who comes later");
});

Deno.test("GET /orders/:id/progress carries on after Last-Event-ID", async () => {
  await using shop = openShop();
  await order(shop.app, "o-1");
  await deliver(shop.app, "o-1");
  await resultOf(shop, "o-1");
  assert.deepEqual(idsOf(await progressOf(shop.app, "o-1", "2")), ["3", "4"]);
  assert.equal(await progressOf(shop.app, "o-1", "4"), "event: end\ndata: {}\n\n");
  for (const id of ["-1", "x", "1.5", "9".repeat(40)]) {
    assert.equal((await shop.app.request("/orders/o-1/progress", { headers: { "last-event-id": id } })).status, 400, id);
  }
});

Deno.test("GET /orders/:id/progress sends comments while nothing happens", async () => {
  await using shop = openShop({ heartbeatMs: 100 });
  await order(shop.app, "o-1", 1);
  const sent = await progressOf(shop.app, "o-1");
  assert.ok(sent.split("\n\n").filter((frame) => frame === ":").length > 2, sent);
  assert.deepEqual(idsOf(sent), ["0", "1", "2"]);
});

Deno.test("GET /orders/:id/progress leaves nothing behind when its reader is cancelled", async () => {
  await using shop = openShop();
  await order(shop.app, "o-1");
  for (let reads = 0; reads < 3; reads++) {
    const response = await shop.app.request("/orders/o-1/progress");
    const reader = response.body!.getReader();
    for (let read = 0; read < reads; read++) await reader.read();
    assert.equal(shop.readers(), reads > 0 ? 1 : 0);
    const last = reads === 2 ? reader.read() : undefined;
    await reader.cancel();
    await last;
    assert.equal(shop.readers(), 0, `cancelled after ${reads} reads`);
  }
});

Deno.test("GET /orders/:id/progress leaves nothing behind when its connection is cut", async () => {
  await using shop = openShop();
  await order(shop.app, "o-1");
  await using server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, shop.app.fetch);
  const gone = new AbortController();
  const response = await fetch(`http://127.0.0.1:${server.addr.port}/orders/o-1/progress`, { signal: gone.signal });
  const reader = response.body!.getReader();
  await reader.read();
  await until(() => shop.readers() === 1);
  gone.abort();
  await assert.rejects(async () => {
    while (!(await reader.read()).done);
  });
  await until(() => shop.readers() === 0);
});
