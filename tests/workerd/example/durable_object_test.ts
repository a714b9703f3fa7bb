import assert from "node:assert/strict";
import { delay, systemClock } from "../../../core/time/clock.ts";
import { ask, follow, order, pay, startShop, test } from "./shop.ts";

const folder = await Deno.makeTempDir();
let worker = await startShop("wrangler.jsonc", { folder });
Deno.test.afterAll(async () => {
  await worker[Symbol.asyncDispose]();
  await Deno.remove(folder, { recursive: true });
});

/** How long the alarm may take on a busy machine. */
const MAX_LATE_MS = 10_000;

const PAID = ["You ordered A lamp", "Waiting for your payment", "A lamp is on its way"];

/** Kills the worker's process, and after a while starts another one over the same files. */
async function restart({ afterMs }: { afterMs: number }): Promise<void> {
  await worker[Symbol.asyncDispose]();
  await delay(systemClock, afterMs);
  worker = await startShop("wrangler.jsonc", { folder });
}

const show = (id: string) => ask(worker, `/workflows/${id}`);

test("the example over a Durable Object: an order is placed, paid by webhook and followed to its end", async () => {
  const placed = await order(worker, "A lamp");
  assert.match(await (await worker.fetch(placed.pay)).text(), /payment\.paid/);
  const values = await follow(worker, placed.id, async (value) => {
    if (value.startsWith("Waiting")) await pay(worker, placed);
  });
  assert.deepEqual(values, PAID);
  // It needs no other machine.
  assert.deepEqual([worker.outgoing.count().requests, worker.outgoing.refused, worker.logs], [0, [], []]);
});

test("the example over a Durable Object: what is not signed is refused, and a token shows one order alone", async () => {
  const { id } = await order(worker, "<b>");
  const body = JSON.stringify({ type: "payment.paid", data: { orderId: id } });
  assert.equal((await worker.fetch("/webhook", { method: "POST", body })).status, 401);
  const page = await (await worker.fetch(`/orders/${id}`)).text();
  const token = /token=([^"&]+)/.exec(page)![1]!;
  for (const path of [`/workflows/${id}`, "/workflows", `/workflows/other/streams/progress`]) {
    assert.equal((await worker.fetch(`/parley${path}?token=${token}`)).status, 403, path);
  }
  assert.equal((await worker.fetch("/parley/workflows")).status, 401);
  // The inspector: everybody may load the page, and the server says what its user may do.
  const inspector = await worker.fetch("/parley/inspector");
  assert.match(await inspector.text(), /^<!doctype html>/);
  assert.match(inspector.headers.get("content-security-policy")!, /^default-src 'none'; script-src 'sha256-/);
  const allowed = async (query: string) => await worker.fetch(`/parley/inspector/actions?${query}`);
  assert.equal((await allowed("")).status, 401);
  assert.deepEqual(await (await allowed(`token=${token}`)).json(), { actions: [] });
  const { entries } = await ask(worker, `/workflows/${id}/history`) as { entries: { kind: string; state: string }[] };
  assert.deepEqual([entries.at(-1)?.kind, entries.at(-1)?.state], ["recv", "waiting"]);
});

test("the example over a Durable Object: the alarm ends an order that nobody pays, at its deadline", async () => {
  const { id } = await order(worker, "A vase", { patience: 1 });
  const began = performance.now();
  await delay(systemClock, 1_500);
  while ((await show(id)).endedAt === undefined && performance.now() - began < MAX_LATE_MS) {
    await delay(systemClock, 500);
  }
  const { status, output, createdAt, endedAt } = await show(id);
  assert.deepEqual([status, output], ["SUCCESS", "It was not paid, so nothing was sent"]);
  const lateMs = Number(endedAt) - Number(createdAt) - 1_000;
  assert(lateMs >= 0, `${-lateMs} ms early`);
  console.log(
    `a deadline of 1 s, ended by the alarm: ${lateMs} ms from the order to the wait, and from the deadline on`,
  );
});

test("the example over a Durable Object: an order outlives its process, and so does a deadline meanwhile", async () => {
  const placed = await order(worker, "A lamp");
  const forgotten = await order(worker, "A vase", { patience: 2 });
  for (const { id } of [placed, forgotten]) while (!(await show(id)).waiting) await delay(systemClock, 20);
  await follow(worker, placed.id, async (value) => {
    if (value.startsWith("Waiting")) await restart({ afterMs: 2_000 });
  }).catch(() => {}); // its connection broke
  const values = await follow(worker, placed.id, async (value) => {
    if (value.startsWith("Waiting")) await pay(worker, placed);
  });
  assert.deepEqual(values, PAID);
  assert.deepEqual((await follow(worker, forgotten.id)).at(-1), "It was not paid, so nothing was sent");
  assert.equal((await show(forgotten.id)).status, "SUCCESS");
  assert.deepEqual([worker.outgoing.count().requests, worker.logs], [0, []]);
});
