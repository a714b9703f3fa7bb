import assert from "node:assert/strict";
import { deliver, openShop, order, resultOf, until } from "./checkout_shop.ts";

Deno.test("GET / shows the shop with all it needs", async () => {
  await using shop = openShop();
  const response = await shop.app.request("/");
  assert.equal(response.status, 200);
  const page = await response.text();
  assert.match(page, /action="\/checkout"/);
  assert.doesNotMatch(page, /(src|href)="(https?:)?\/\//, "no resource from elsewhere");
});

Deno.test("POST /checkout redirects to the payment page", async () => {
  await using shop = openShop();
  const response = await order(shop.app, "o-1");
  assert.equal(response.status, 303);
  const url = new URL(response.headers.get("location")!);
  const page = await shop.app.request(url.pathname);
  assert.equal(page.status, 200);
  assert.match(await page.text(), /€98\.00/);
});

Deno.test("POST /checkout takes a form and makes up an ID", async () => {
  await using shop = openShop();
  const response = await shop.app.request("/checkout", {
    method: "POST",
    body: new URLSearchParams({ item: "chair", quantity: "3" }),
  });
  assert.equal(response.status, 303);
  const { workflows: [workflow] } = await shop.parley.list({ include: "values" });
  assert.deepEqual((await shop.parley.list()).workflows.length, 1);
  assert.equal((workflow!.input as { cents: number }).cents, 3 * 12_900);
});

Deno.test("POST /checkout orders once when it is sent twice", async () => {
  await using shop = openShop();
  const [first, second] = await Promise.all([order(shop.app, "o-1"), order(shop.app, "o-1")]);
  assert.equal(first.headers.get("location"), second.headers.get("location"));
  assert.equal(shop.ledger.tally("o-1", "session").attempts, 1);
});

Deno.test("POST /checkout answers 400 when the order makes no sense", async () => {
  await using shop = openShop();
  const headers = { "content-type": "application/json" };
  for (
    const body of [
      "{",
      "[]",
      "{}",
      `{"item":"boat"}`,
      `{"item":"lamp","quantity":0}`,
      `{"item":"lamp","quantity":1.5}`,
      `{"item":"lamp","keepFor":301}`,
      `{"item":"lamp","id":"a/b"}`,
    ]
  ) {
    const response = await shop.app.request("/checkout", { method: "POST", headers, body });
    assert.equal(response.status, 400, body);
    await response.text();
  }
  assert.equal((await shop.parley.list()).workflows.length, 0);
});

Deno.test("POST /webhook has a paid order charged and shipped once", async () => {
  await using shop = openShop();
  await order(shop.app, "o-1");
  assert.deepEqual(await (await deliver(shop.app, "o-1")).json(), { received: true, duplicate: false });
  assert.equal((await resultOf(shop, "o-1") as { outcome: string }).outcome, "shipped");
  assert.deepEqual(shop.ledger.tally("o-1", "charge"), { effects: 1, attempts: 1, cents: 9_800 });
  assert.equal(shop.ledger.tally("o-1", "shipment").effects, 1);
});

Deno.test("POST /webhook keeps a payment that comes before the workflow waits", async () => {
  await using shop = openShop({ latencyMs: 100 });
  const ordered = order(shop.app, "o-1");
  await until(() => shop.readers() > 0);
  assert.equal((await deliver(shop.app, "o-1")).status, 200);
  assert.equal(shop.ledger.tally("o-1", "session").effects, 0, "it was early");
  await ordered;
  assert.equal((await resultOf(shop, "o-1") as { outcome: string }).outcome, "shipped");
});

Deno.test("POST /webhook takes a delivery once when it comes several times, also after the order's end", async () => {
  await using shop = openShop();
  await order(shop.app, "o-1");
  const answers = await Promise.all([1, 2, 3].map(async () => await (await deliver(shop.app, "o-1")).json()));
  assert.deepEqual(answers.map(({ duplicate }) => duplicate).sort(), [false, true, true]);
  await resultOf(shop, "o-1");
  assert.equal((await deliver(shop.app, "o-1")).status, 200, "a duplicate");
  const late = await deliver(shop.app, "o-1", { id: "evt_2" });
  assert.deepEqual([late.status, await late.json()], [200, { received: true, ignored: true }]);
  assert.equal(shop.ledger.tally("o-1", "charge").attempts, 1);
});

Deno.test("POST /webhook answers 401 when the signature is not the provider's of just now", async () => {
  await using shop = openShop();
  await order(shop.app, "o-1");
  const bad = [
    deliver(shop.app, "o-1", { secret: btoa("another secret") }),
    deliver(shop.app, "o-1", { at: Date.now() - 301_000 }),
    shop.app.request("/webhook", { method: "POST", body: "{}" }),
  ];
  for (const [index, answer] of (await Promise.all(bad)).entries()) {
    assert.equal(answer.status, 401, `delivery ${index}`);
  }
});

Deno.test("POST /webhook answers 400 when the body is signed and wrong, and 404 when there is no such order", async () => {
  await using shop = openShop();
  for (
    const body of [
      "",
      "{",
      "null",
      `{"type":"refund","data":{"orderId":"o-1"}}`,
      `{"type":"payment.paid","data":{"orderId":""}}`,
    ]
  ) {
    assert.equal((await deliver(shop.app, "o-1", { body })).status, 400, body);
  }
  assert.equal((await deliver(shop.app, "nobody's")).status, 404);
});

Deno.test("GET /orders/:id tells where an order is", async () => {
  await using shop = openShop();
  assert.equal((await shop.app.request("/orders/o-1")).status, 404);
  await order(shop.app, "o-1");
  const info = async () => {
    const { progress: _, ...info } = await (await shop.app.request("/orders/o-1")).json();
    return info;
  };
  assert.deepEqual(await info(), { orderId: "o-1", status: "PENDING" });
  await deliver(shop.app, "o-1", { body: JSON.stringify({ type: "payment.declined", data: { orderId: "o-1" } }) });
  await resultOf(shop, "o-1");
  assert.deepEqual(await info(), { orderId: "o-1", status: "SUCCESS", outcome: "declined" });
});

Deno.test("GET /orders/:id shows an order as abandoned when nobody paid in time", async () => {
  await using shop = openShop();
  await order(shop.app, "o-1", 1);
  await resultOf(shop, "o-1");
  assert.equal((await (await shop.app.request("/orders/o-1")).json()).outcome, "abandoned");
  assert.equal(shop.ledger.tally("o-1", "charge").attempts, 0);
});

Deno.test("POST /orders/:id/cancel ends an order that waits", async () => {
  await using shop = openShop();
  await order(shop.app, "o-1");
  const cancel = async (id: string) => (await shop.app.request(`/orders/${id}/cancel`, { method: "POST" })).status;
  assert.equal(await cancel("o-1"), 200);
  assert.deepEqual(await resultOf(shop, "o-1"), { outcome: "cancelled" });
  assert.equal(await cancel("o-1"), 200, "a second click");
  assert.equal(await cancel("o-2"), 404);
  await order(shop.app, "o-2");
  await deliver(shop.app, "o-2");
  await resultOf(shop, "o-2");
  assert.equal(await cancel("o-2"), 409, "it is on its way");
});

Deno.test("POST /pay/:session delivers a signed webhook and sends the customer back", async () => {
  await using shop = openShop();
  const path = new URL((await order(shop.app, "o-1")).headers.get("location")!).pathname;
  const decide = (decision: string) =>
    shop.app.request(path, { method: "POST", body: new URLSearchParams({ decision }) });
  assert.equal((await decide("perhaps")).status, 400);
  const answer = await decide("paid");
  assert.deepEqual([answer.status, answer.headers.get("location")], [303, "http://localhost/?order=o-1"]);
  assert.equal((await decide("declined")).status, 303, "a second click changes nothing");
  assert.equal((await resultOf(shop, "o-1") as { outcome: string }).outcome, "shipped");
  assert.equal((await shop.app.request("/pay/nothing")).status, 404);
  assert.equal(
    (await shop.app.request("/pay/nothing", { method: "POST", body: new URLSearchParams({ decision: "paid" }) }))
      .status,
    404,
  );
});
