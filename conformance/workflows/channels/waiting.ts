/**
 * Rules for waits: they suspend, cost nothing meanwhile, and continue.
 *
 * @module
 */

import assert from "node:assert/strict";
import { topic } from "../../../core/channel.ts";
import { TimeoutError } from "../../../core/errors.ts";
import { workflow } from "../../../core/workflow.ts";
import type { Rules } from "../../suite.ts";
import type { World } from "../world.ts";

const flowOfOneWait = workflow(
  "flow",
  async (ctx, timeout: number | null) =>
    await ctx.recv<unknown>("news", timeout === null ? {} : { timeout }).catch((error) => (error as Error).name),
);

/** Waiting, suspending and continuing. */
export const waiting: Rules<World> = {
  "a wait stays in memory for hotWait and then suspends": async (world) => {
    const { parley, driver } = world.isolate(0, [flowOfOneWait], { hotWait: "2s" });
    const handle = await parley.start(flowOfOneWait, null);
    await world.pass(1_900);
    assert.equal((await handle.status()).waiting, undefined);
    await world.pass(200);
    await world.until(parley.idle());
    assert.deepEqual((await handle.status()).waiting, { operations: ['recv "news"'] });
    assert.equal((await handle.status()).status, "PENDING");
    const before = driver.calls;
    await world.pass(60_000);
    assert.equal(driver.calls, before, "a suspended wait makes no call");
    assert.equal(world.harness.clock.pending, 0, "a suspended wait holds no timer");
  },

  "a message that comes while the wait is in memory is received there": async (world) => {
    let runs = 0;
    const flow = workflow("flow", async (ctx) => (runs++, await ctx.recv<string>("news")));
    const { parley } = world.isolate(0, [flow], { hotWait: "10s" });
    const handle = await parley.start(flow, undefined);
    await world.pass(1_000);
    await world.isolate(1, []).parley.send(handle.workflowId, "hello", { topic: "news" });
    assert.equal(await world.until(handle.result()), "hello");
    assert.equal(runs, 1);
  },

  "the sender of a message continues the suspended workflow that waits for it": async (world) => {
    const starter = world.isolate(0, [flowOfOneWait]);
    const handle = await starter.parley.start(flowOfOneWait, null);
    await world.until(starter.parley.idle());
    const sender = world.isolate(1, [flowOfOneWait]);
    await sender.parley.send(handle.workflowId, "hello", { topic: "news" });
    await world.until(sender.parley.idle());
    assert.equal((await handle.status()).output, "hello");
  },

  "a message of another topic leaves a suspended workflow alone": async (world) => {
    const { parley } = world.isolate(0, [flowOfOneWait]);
    const handle = await parley.start(flowOfOneWait, null);
    await world.until(parley.idle());
    await handle.send("other", { topic: "other" });
    await handle.send("none");
    assert.deepEqual(await world.until(parley.sweep()), { claimed: 0, finished: 0, suspended: 0 });
  },

  "wake: none leaves due workflows to a sweep, and wake as a function gets their IDs": async (world) => {
    const woken: string[][] = [];
    const starter = world.isolate(0, [flowOfOneWait]);
    for (const workflowId of ["a", "b"]) await starter.parley.start(flowOfOneWait, null, { workflowId });
    await world.until(starter.parley.idle());

    const silent = world.isolate(1, [flowOfOneWait], { wake: "none" });
    await silent.parley.send("a", 1, { topic: "news" });
    await world.until(silent.parley.idle());
    assert.equal((await silent.parley.handle("a").status()).status, "PENDING");
    const calling = world.isolate(1, [flowOfOneWait], { wake: (ids) => Promise.resolve(void woken.push(ids)) });
    await calling.parley.send("b", 2, { topic: "news" });
    assert.deepEqual(woken, [["b"]]);

    assert.deepEqual(await world.until(silent.parley.wake(["b", "unknown"])), {
      claimed: 1,
      finished: 1,
      suspended: 0,
    });
    assert.deepEqual(await world.until(silent.parley.sweep()), { claimed: 1, finished: 1, suspended: 0 });
  },

  "a wake that fails is reported and does not fail the send": async (world) => {
    const starter = world.isolate(0, [flowOfOneWait]);
    const handle = await starter.parley.start(flowOfOneWait, null);
    await world.until(starter.parley.idle());
    const fault = new Error("no route");
    const sender = world.isolate(1, [], { wake: () => Promise.reject(fault) });
    await sender.parley.send(handle.workflowId, "hello", { topic: "news" });
    await world.until(sender.parley.idle());
    assert.deepEqual(sender.errors, [fault]);
    assert.equal((await world.until(starter.parley.sweep())).finished, 1);
  },

  "a timeout ends a suspended wait at its deadline, by the store's clock": async (world) => {
    const { parley } = world.isolate(0, [flowOfOneWait], { wake: "none" });
    const handle = await parley.start(flowOfOneWait, 60_000);
    await world.until(parley.idle());
    await world.pass(59_000);
    assert.equal((await world.until(parley.sweep())).claimed, 0);
    await world.pass(1_000);
    assert.equal((await world.until(parley.sweep())).finished, 1);
    assert.equal((await handle.status()).output, "TimeoutError");
  },

  "a suspended sleep ends on time without a sweep when the store's clock goes back meanwhile, also twice": async (
    world,
  ) => {
    const flow = workflow("flow", async (ctx) => (await ctx.sleep("20s"), "awake"));
    const isolate = world.isolate(0, [flow]);
    const handle = await isolate.parley.start(flow, undefined);
    await world.idle(isolate);
    const before = isolate.driver.calls;
    // The store's clock moves in one step, and then the isolate's clock.
    for (const ms of [-5_000, 15_000, 4_900, 200, -5_000, 4_900, 4_500]) await world.pass(ms);
    await world.idle(isolate);
    assert.deepEqual(
      [isolate.driver.calls - before, (await handle.status()).status],
      [2, "PENDING"],
      "one look at each deadline",
    );
    await world.pass(1_000);
    await world.idle(isolate);
    assert.equal((await handle.status()).output, "awake");
  },

  "after a crash only the rest of a timeout is waited": async (world) => {
    const dying = world.isolate(0, [flowOfOneWait], { hotWait: "1h", lease: "10s" });
    const handle = await dying.parley.start(flowOfOneWait, 30_000, { workflowId: "w" });
    await world.pass(5_000);
    dying.driver.kill();
    await world.pass(15_000);
    const other = world.isolate(1, [flowOfOneWait], { wake: "none" });
    assert.equal((await world.until(other.parley.sweep())).suspended, 1);
    const { waiting, createdAt } = await other.parley.handle("w").status();
    // The wait began in the first 5 s. A wait that began again at the take-over would have until 50
    // s.
    assert(
      waiting?.until !== undefined && waiting.until - createdAt <= 35_000,
      "the deadline is that of the first run",
    );
    await world.pass(15_000);
    assert.equal((await world.until(other.parley.sweep())).finished, 1);
    await assert.rejects(handle.status(), { code: "driver" });
  },

  "a workflow that one of several waits wakes goes on with the rest of the others' time": async (world) => {
    const flow = workflow("flow", async (ctx) => {
      const never = ctx.recv("never", { timeout: "30s" }).catch((error) => error instanceof TimeoutError);
      return [await ctx.recv("news"), await never];
    });
    const { parley } = world.isolate(0, [flow]);
    const handle = await parley.start(flow, undefined);
    await world.until(parley.idle());
    await world.pass(20_000);
    await handle.send("hello", { topic: "news" });
    await world.until(parley.idle());
    assert.equal((await handle.status()).status, "PENDING");
    await world.pass(10_100);
    await world.until(parley.sweep());
    assert.deepEqual((await handle.status()).output, ["hello", true]);
  },

  "a step in flight keeps a run that also waits from suspending": async (world) => {
    let open = () => {};
    const flow = workflow("flow", async (ctx) => {
      const step = ctx.step("slow", () => new Promise<string>((resolve) => open = () => resolve("stepped")));
      return [await step, await ctx.recv("news")];
    });
    const race = workflow("race", async (ctx) => {
      return await Promise.race([ctx.step("slow", () => new Promise(() => {})), ctx.recv("news")]);
    });
    const { parley } = world.isolate(0, [flow, race], { lease: "1h" });
    const handle = await parley.start(flow, undefined);
    const racing = await parley.start(race, undefined);
    await world.pass(10_000);
    for (const it of [handle, racing]) assert.equal((await it.status()).waiting, undefined);
    await racing.send("first", { topic: "news" });
    assert.equal(await world.until(racing.result()), "first");
    open();
    await handle.send("second", { topic: "news" });
    assert.deepEqual(await world.until(handle.result()), ["stepped", "second"]);
  },

  "a message that arrives while its receiver suspends is never missed": async (world) => {
    const news = topic<number>("news");
    const flow = workflow("flow", async (ctx) => {
      let sum = 0;
      for (let n = 0; n < 10; n++) sum += await ctx.recv(news);
      return sum;
    });
    const receiver = world.isolate(0, [flow]);
    const sender = world.isolate(1, []);
    const handles = [];
    for (let n = 0; n < 5; n++) handles.push(await receiver.parley.start(flow, undefined, { workflowId: `w${n}` }));
    for (let n = 0; n < 10; n++) {
      // No pause in between: a send meets its receiver while it looks, suspends, or is suspended.
      await Promise.all([
        ...handles.map(({ workflowId }) => sender.parley.send(workflowId, n, { topic: news })),
        world.until(receiver.parley.sweep()),
      ]);
    }
    await world.until(receiver.parley.sweep());
    for (const handle of handles) assert.equal(await world.until(handle.result()), 45);
  },

  "a sweep leaves workflows that it does not know to others, and says so once": async (world) => {
    const { parley: starter } = world.isolate(0, []);
    for (let n = 0; n < 3; n++) await starter.start("flow", null, { enqueue: true });
    const ignorant = world.isolate(1, [workflow("other", () => {})]);
    for (let sweeps = 0; sweeps < 2; sweeps++) assert.equal((await world.until(ignorant.parley.sweep())).claimed, 0);
    assert.equal(ignorant.errors.length, 1);
    assert.equal((ignorant.errors[0] as { code: string }).code, "unknown_workflow");
    assert.equal((await starter.list({ status: "ENQUEUED" })).workflows.length, 3);
  },

  "work() runs what becomes due until it is aborted": async (world) => {
    const { parley } = world.isolate(0, [flowOfOneWait]);
    const client = world.isolate(1, []).parley;
    const stopping = new AbortController();
    const working = parley.work({ signal: stopping.signal, concurrency: 2 });
    for (let n = 0; n < 5; n++) await client.start("flow", null, { workflowId: `w${n}`, enqueue: true });
    await client.start("flow", 5_000, { workflowId: "timed", enqueue: true });
    await world.untilTrue(async () => (await client.list({ status: "ENQUEUED" })).workflows.length === 0);
    for (let n = 0; n < 5; n++) await client.send(`w${n}`, n, { topic: "news" });
    for (let n = 0; n < 5; n++) assert.equal(await world.until(client.handle(`w${n}`).result()), n);
    assert.equal(await world.until(client.handle("timed").result()), "TimeoutError");
    stopping.abort();
    await world.until(working);
  },
};
