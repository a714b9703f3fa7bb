/**
 * What an invocation of a worker may fetch, and what it does: counted on its way out.
 *
 * @module
 */

import assert from "node:assert/strict";
import { delay, systemClock } from "../../core/time/clock.ts";
import { ask, follow, FREE, MAX_REQUESTS, type Site, SPEED, startAt, startScribe } from "../support/workerd/limits.ts";
import type { Count, RunningWorker } from "../support/workerd/mod.ts";

/** Five minutes, in the worker's time. */
const FIVE_MINUTES_MS = 300_000 / SPEED;

const PATIENCE_MS = 10_000;

function assertWithin(counts: readonly Count[]): void {
  const worst = (of: (count: Count) => number) => Math.max(...counts.map(of));
  assert(counts.length > 0);
  assert(worst(({ requests }) => requests) <= FREE.requests, JSON.stringify(counts));
  assert(worst(({ mostWaiting }) => mostWaiting) <= FREE.waiting, JSON.stringify(counts));
}

/** Registers the tests, over one store. */
export async function limits(store: string, site: Site, { polls }: { polls: boolean }): Promise<void> {
  const limited = await startAt(site, { maxRequests: MAX_REQUESTS });
  Deno.test.afterAll(async () => {
    await limited[Symbol.asyncDispose]();
    await site.dispose();
  });
  const test = (name: string, run: () => Promise<void>) =>
    Deno.test({ name: `${store}: ${name}`, fn: run, sanitizeOps: false, sanitizeResources: false });

  test("a reader of five minutes stays within 50 requests and 6 connections an invocation, and misses nothing", async () => {
    const tell = await startScribe(site, "five-minutes");
    limited.outgoing.take();
    const following = follow(limited, "/workflows/five-minutes/streams/log", { forMs: FIVE_MINUTES_MS + PATIENCE_MS });
    for (let value = 0; value < 6; value++) {
      await delay(systemClock, FIVE_MINUTES_MS / 6);
      await tell(value);
    }
    await tell("stop");
    const { values, connections } = await following;
    const counts = limited.outgoing.take();
    assert.deepEqual(values, [0, 1, 2, 3, 4, 5]);
    assertWithin(counts);
    assert(counts.every(({ requests }) => requests <= MAX_REQUESTS + 8), JSON.stringify(counts));
    console.log(`${store}: ${connections} connections, requests: ${counts.map(({ requests }) => requests).join(", ")}`);
  });

  test("a request that waits for a minute is answered before its requests run out", async () => {
    const tell = await startScribe(site, "waits");
    limited.outgoing.take();
    for (const path of ["/workflows/waits/result", "/workflows/waits/events/none", "/workflows/waits/streams/log"]) {
      const response = await ask(limited, `${path}?wait=1m`);
      assert.equal(response.status, path.endsWith("log") ? 200 : 408, await response.text());
    }
    assertWithin(limited.outgoing.take());
    await tell("stop");
  });

  test("a workflow of 100 steps goes on from invocation to invocation, each within its requests", async () => {
    limited.outgoing.take();
    const body = JSON.stringify({ workflow: "stepper", input: 100, workflowId: "steps" });
    assert.equal((await ask(limited, "/workflows", { method: "POST", body })).status, 201);
    const result = await site.outside.handle("steps").result({ timeout: PATIENCE_MS });
    assert.equal(result, 100);
    const counts = limited.outgoing.take();
    assertWithin(counts);
    assert(counts.length >= 3, JSON.stringify(counts));
    console.log(`${store}: 100 steps, requests: ${counts.map(({ requests }) => requests).join(", ")}`);
  });

  test("a cron sweep takes what is due and stays within its requests; a send continues a workflow in an invocation of its own", async () => {
    const waiting = Array.from({ length: 5 }, (_, n) => `due-${n}`);
    for (const workflowId of waiting) await site.outside.start("listener", null, { workflowId, enqueue: true });
    limited.outgoing.take();
    await limited.scheduled();
    for (const workflowId of waiting) assert.equal((await site.outside.handle(workflowId).status()).status, "PENDING");
    assertWithin(limited.outgoing.take());
    const body = JSON.stringify({ message: "hello", topic: "news" });
    assert.equal((await ask(limited, "/workflows/due-0/messages", { method: "POST", body })).status, 201);
    assert.equal(await site.outside.handle("due-0").result({ timeout: PATIENCE_MS }), "hello");
    const [sending, continuing, ...others] = limited.outgoing.take();
    // The send and the call of the wake; the claim, the message and the end.
    assert.deepEqual([sending?.requests, continuing?.requests, others], [2, 3, []]);
  });

  if (!polls) return;
  unlimited(test, site);
  cutOff(test, site);
}

/** Without `maxRequests`: what the tests above would find if nothing kept the limits. */
function unlimited(test: (name: string, run: () => Promise<void>) => void, site: Site): void {
  test("without maxRequests a reader of five minutes is one invocation of far more than 50 requests", async () => {
    const worker: RunningWorker = await startAt(site);
    try {
      const tell = await startScribe(site, "unlimited");
      const { connections } = await follow(worker, "/workflows/unlimited/streams/log", { forMs: FIVE_MINUTES_MS });
      const [first] = worker.outgoing.take();
      assert(connections <= 2 && first!.requests > 2 * FREE.requests, JSON.stringify(first));
      console.log(`without maxRequests: ${first!.requests} requests`);
      // It says why there is no push, once in an isolate.
      assert.equal(worker.logs.filter((it) => it.includes("there is no push")).length, 1, worker.logs.join("\n"));
      await tell("stop");
    } finally {
      await worker[Symbol.asyncDispose]();
    }
  });
}

/** Why `waitUntil` has to be passed. */
function cutOff(test: (name: string, run: () => Promise<void>) => void, site: Site): void {
  test("without waitUntil a run is cut off when its invocation has answered", async () => {
    const worker = await startAt(site, { waitUntil: false });
    try {
      const body = JSON.stringify({ workflow: "stepper", input: 100, workflowId: "cut-off" });
      assert.equal((await ask(worker, "/workflows", { method: "POST", body })).status, 201);
      // With it, 100 steps take less.
      await delay(systemClock, 1_000);
      const requests = worker.outgoing.count().requests;
      await delay(systemClock, 300);
      assert.deepEqual([(await site.outside.handle("cut-off").status()).status, worker.outgoing.count().requests], [
        "PENDING",
        requests,
      ]);
    } finally {
      await worker[Symbol.asyncDispose]();
    }
  });
}
