import assert from "node:assert/strict";
import type { Driver } from "../../../core/driver/driver.ts";
import { delay } from "../../../core/time/clock.ts";
import { toMilliseconds } from "../../../core/values/checks.ts";
import { DriverError } from "../../../core/errors.ts";
import { workflow } from "../../../core/workflow.ts";
import { countedWatches, gate, gatedWorkflow, ids, settle, setup } from "../setup.ts";

const waiting = workflow("waiting", async (ctx) => await ctx.recv<number>());

Deno.test("work() runs at most its concurrency at a time, and settles after the abort and the last run", async () => {
  const { world, clock, driver } = await setup();
  const { flow, open, at } = gatedWorkflow();
  const watches = countedWatches(driver);
  const { parley } = world.isolate(0, [flow], { driver: watches.driver, lease: "1h" });
  const controller = new AbortController();
  let ended = false;
  const working = parley.work({ signal: controller.signal, concurrency: 3 }).then(() => ended = true);
  for (const workflowId of ids(10)) await parley.start(flow, false, { workflowId, enqueue: true });
  await world.pass(1_000);
  assert.equal(at.now, 3);
  assert(watches.targets.has("due"));
  controller.abort();
  await world.pass(1_000);
  assert.deepEqual([ended, at.now], [false, 3]);
  open();
  await world.until(working);
  assert.deepEqual([at.most, at.ever], [3, 3]);
  assert.deepEqual([watches.open(), clock.pending], [0, 0]);
});

Deno.test("work() claims nothing while it is full, and goes on as soon as a slot is free", async () => {
  const { world, driver } = await setup();
  const { watch: _, ...poll } = driver;
  let claims = 0;
  const counting: Driver = { ...poll, claim: (request) => (claims++, driver.claim(request)) };
  const { flow, open, at } = gatedWorkflow();
  const { parley } = world.isolate(0, [flow], { driver: counting, lease: "1h" });
  for (const workflowId of ids(4)) await parley.start(flow, false, { workflowId, enqueue: true });
  const controller = new AbortController();
  const working = parley.work({ signal: controller.signal, concurrency: 2 });
  await settle();
  const before = claims;
  await world.pass(30_000);
  assert.equal(claims, before);
  open();
  await settle(100);
  assert.equal(at.ever, 4, "without waiting for a poll");
  controller.abort();
  await world.until(working);
});

Deno.test("work() claims several at a time while more are due, and waits only a moment for that", async () => {
  const { world, clock, driver } = await setup();
  let claims = 0;
  const counting: Driver = { ...driver, claim: (request) => (claims++, driver.claim(request)) };
  const flow = workflow("flow", async (ctx, ms: number) => await ctx.step("takes a while", () => delay(clock, ms)));
  const { parley } = world.isolate(0, [flow], { driver: counting, lease: "1h" });
  for (const [index, workflowId] of ids(400).entries()) {
    await parley.start(flow, index === 0 ? 5_000 : 10 + index % 37, { workflowId, enqueue: true });
  }
  const controller = new AbortController();
  const working = parley.work({ signal: controller.signal, concurrency: 40 });
  const startedAt = clock.now();
  const left = async () => (await parley.list({ status: "ENQUEUED" })).workflows.length;
  while (await left() > 0) {
    await clock.advance(1);
    await settle();
  }
  assert(claims <= 60, `${claims} claims`);
  assert(clock.now() - startedAt <= 500, `${clock.now() - startedAt} ms`);
  controller.abort();
  await world.until(working);
});

Deno.test("work() outlives faults of the store and reports them", async () => {
  const { world, driver } = await setup();
  let away = true;
  const flaky: Driver = {
    ...driver,
    claim: (request) => away ? Promise.reject(new DriverError("away", { retryable: false })) : driver.claim(request),
  };
  const { parley, errors } = world.isolate(0, [waiting], { driver: flaky });
  const controller = new AbortController();
  const working = parley.work({ signal: controller.signal });
  await world.pass(30_000);
  assert(errors.length >= 2);
  away = false;
  const handle = await world.isolate(1, []).parley.start("waiting", undefined, { enqueue: true });
  await world.untilTrue(async () => (await handle.status()).waiting !== undefined);
  controller.abort();
  await world.until(working);
});

Deno.test("work() without push finds a workflow that becomes due within about a second", async () => {
  const { world, driver } = await setup();
  const { watch: _, ...poll } = driver;
  const sleeper = workflow("sleeper", async (ctx) => await ctx.sleep("1m"));
  const { parley } = world.isolate(0, [sleeper], { driver: poll });
  const controller = new AbortController();
  const working = parley.work({ signal: controller.signal });
  const handle = await parley.start(sleeper, undefined, { enqueue: true });
  for (let passed = 0; passed < 62_000; passed += 100) await world.pass(100);
  assert.equal((await handle.status()).status, "SUCCESS");
  controller.abort();
  await world.until(working);
});

Deno.test("disposing ends work(), suspends waits at once, claims nothing more and leaves no timer", async () => {
  const { world, clock, driver } = await setup();
  let claims = 0;
  const counting: Driver = { ...driver, claim: (request) => (claims++, driver.claim(request)) };
  const { parley } = world.isolate(0, [waiting], { driver: counting, hotWait: "1h" });
  const working = parley.work({ signal: new AbortController().signal });
  const handle = await parley.start(waiting, undefined);
  await settle();
  assert.equal((await handle.status()).waiting, undefined);
  await parley[Symbol.asyncDispose]();
  await working;
  assert.deepEqual((await handle.status()).waiting?.operations, ['recv ""']);
  const before = claims;
  await handle.send(1);
  assert.equal((await parley.sweep()).claimed, 0);
  await settle();
  assert.equal(claims, before);
  assert.equal(clock.pending, 0);
});

Deno.test("idle() settles only after the work that its runs caused", async () => {
  const { world } = await setup();
  const relay = workflow("relay", async (ctx, next: string | null) => {
    const value = await ctx.recv<number>();
    if (next !== null) await ctx.send(next, value + 1);
    return value;
  });
  const { parley } = world.isolate(0, [relay]);
  for (let n = 0; n < 10; n++) await parley.start(relay, n < 9 ? `r${n + 1}` : null, { workflowId: `r${n}` });
  await world.until(parley.idle());
  await parley.send("r0", 0);
  await parley.idle();
  assert.equal((await parley.handle("r9").status()).output, 9);
});

Deno.test("disposing still calls wake for workflows that its runs hand over", async () => {
  const { world } = await setup();
  const woken: string[] = [];
  const { open, opened } = gate();
  const flow = workflow("flow", async (ctx) => {
    await ctx.step("first", () => opened);
    await ctx.step("second", () => {});
  });
  const { parley } = world.isolate(0, [flow], {
    wake: (workflowIds) => Promise.resolve(void woken.push(...workflowIds)),
  });
  await parley.start(flow, undefined, { workflowId: "w" });
  await settle();
  const disposing = parley[Symbol.asyncDispose]();
  open();
  await disposing;
  assert.deepEqual(woken, ["w"]);
});

Deno.test("work() continues a sleep on time, also with push", async () => {
  const { world } = await setup();
  const sleeper = workflow("sleeper", async (ctx) => await ctx.sleep("3s"));
  const { parley } = world.isolate(0, [sleeper]);
  const controller = new AbortController();
  const working = parley.work({ signal: controller.signal });
  await world.pass(5_000);
  const handle = await parley.start(sleeper, undefined, { enqueue: true });
  for (let passed = 0; passed < 3_200; passed += 100) await world.pass(100);
  assert.equal((await handle.status()).status, "SUCCESS");
  controller.abort();
  await world.until(working);
});

Deno.test("work() without push finds what its own isolate makes due, even without inline wakes", async () => {
  const { world, driver, clock } = await setup();
  const { watch: _, ...poll } = driver;
  const { parley } = world.isolate(0, [waiting], { driver: poll, wake: "none" });
  const handle = await parley.start(waiting, undefined);
  await world.until(parley.idle());
  const controller = new AbortController();
  const working = parley.work({ signal: controller.signal });
  await settle();
  const start = clock.now();
  await handle.send(5);
  await settle();
  assert.deepEqual([(await handle.status()).output, clock.now() - start], [5, 0]);
  controller.abort();
  await world.until(working);
});

Deno.test("work() with push is on time for a deadline that another isolate has left since the last look", async () => {
  for (const sleep of ["3s", "9.9s", "10s", "10.5s", "11s", "12s", "25s"] as const) {
    const { world } = await setup();
    const sleeper = workflow("sleeper", async (ctx) => await ctx.sleep(sleep));
    const { parley } = world.isolate(0, [sleeper]);
    const controller = new AbortController();
    const working = parley.work({ signal: controller.signal });
    await world.pass(5_000);
    const other = world.isolate(1, [sleeper], { wake: "none" });
    const handle = await other.parley.start(sleeper, undefined);
    for (let passed = 0; passed < toMilliseconds(sleep, "sleep") + 100; passed += 100) await world.pass(100);
    assert.equal((await handle.status()).status, "SUCCESS", sleep);
    controller.abort();
    await world.until(working);
  }
});

/** A driver with push whose first claims leave the workflows that they would have leased. */
function leaving(driver: Driver, times: number): { driver: Driver; claims: () => number } {
  let claims = 0;
  const claim: Driver["claim"] = async (request) => {
    if (++claims > times) return await driver.claim(request);
    return { claimed: [], unknown: [], nextDueMs: null, now: 0, more: true };
  };
  return { driver: { ...driver, claim }, claims: () => claims };
}

Deno.test("a claim that has left workflows is repeated soon, by work(), sweep() and wakes", async () => {
  for (const how of ["work", "sweep", "wake", "send"] as const) {
    const { world, clock, driver } = await setup();
    const left = leaving(driver, 4);
    const { parley } = world.isolate(0, [waiting], { driver: left.driver, hotWait: 0 });
    const other = world.isolate(1, [waiting], { wake: "none" });
    const handle = await other.parley.start(waiting, undefined, { workflowId: "w" });
    await world.until(other.parley.idle());
    await (how === "send" ? parley : other.parley).send("w", 5);
    const start = clock.now();
    const controller = new AbortController();
    const working = how === "work" ? parley.work({ signal: controller.signal }) : undefined;
    if (how === "sweep") assert.equal((await world.until(parley.sweep())).finished, 1);
    if (how === "wake") assert.equal((await world.until(parley.wake(["w"]))).finished, 1);
    assert.equal(await world.until(handle.result()), 5);
    assert(clock.now() - start < 1_000, `${how}: ${clock.now() - start} ms`);
    controller.abort();
    await world.until(Promise.all([working, parley.idle()]));
  }
});

Deno.test("a claim that always leaves workflows is repeated with growing pauses, and sweep() gives up", async () => {
  const { world, clock, driver } = await setup();
  const left = leaving(driver, Infinity);
  const { parley } = world.isolate(0, [waiting], { driver: left.driver });
  const start = clock.now();
  assert.deepEqual(await world.until(parley.sweep()), { claimed: 0, finished: 0, suspended: 0 });
  assert.deepEqual(await world.until(parley.wake(["w"])), { claimed: 0, finished: 0, suspended: 0 });
  assert(left.claims() <= 22 && clock.now() - start < 15_000, `${left.claims()} claims in ${clock.now() - start} ms`);
  const controller = new AbortController();
  const working = parley.work({ signal: controller.signal });
  const before = left.claims();
  await world.pass(60_000);
  const claims = left.claims() - before;
  assert(claims > 30 && claims < 100, `${claims} in a minute`);
  controller.abort();
  await world.until(working);
});

Deno.test("sweep() whose claim fails rejects after its last run has ended", async () => {
  const { world, driver } = await setup();
  const { open, opened } = gate();
  const flow = workflow(
    "flow",
    async (ctx, quick: boolean) => await ctx.step("gate", () => quick ? undefined : opened),
  );
  let claims = 0;
  const claim: Driver["claim"] = (request) =>
    ++claims > 1 ? Promise.reject(new DriverError("no", { retryable: false })) : driver.claim(request);
  const { parley } = world.isolate(0, [flow], { driver: { ...driver, claim } });
  for (const workflowId of ids(20)) await parley.start(flow, workflowId === "w0", { workflowId, enqueue: true });
  let failed = false;
  const sweeping = assert.rejects(parley.sweep(), { code: "driver" }).then(() => failed = true);
  await world.untilTrue(() => claims === 2);
  await settle();
  assert.equal(failed, false);
  open();
  await world.until(sweeping);
  assert.equal((await parley.list({ status: "SUCCESS" })).workflows.length, 16);
});
