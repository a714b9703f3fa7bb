import assert from "node:assert/strict";
import { Slots } from "../../../core/runner/slots.ts";
import { type Workflow, workflow } from "../../../core/workflow.ts";
import { ids, settle, setup } from "../setup.ts";

/** A workflow that starts itself as a child, to some depth, and waits for the child's result. */
function nested(): Workflow<number, number> {
  const flow: Workflow<number, number> = workflow("nested", async (ctx, depth: number) => {
    if (depth === 0) return 0;
    const child = await ctx.start(flow, depth - 1);
    return await child.result() + 1;
  });
  return flow;
}

Deno.test("64 nested children need no hot waits of their parents, whichever call runs them", async () => {
  for (const how of ["inline", "work", "sweep"] as const) {
    const { world, clock, driver } = await setup();
    const { watch: _, ...poll } = driver;
    const flow = nested();
    const options = { driver: poll, hotWait: "2s", wake: how === "inline" ? "inline" : "none" } as const;
    const { parley } = world.isolate(0, [flow], options);
    const start = clock.now();
    const controller = new AbortController();
    const working = how === "work" ? parley.work({ signal: controller.signal }) : undefined;
    const handle = await parley.start(flow, 64, { enqueue: how === "sweep" });
    if (how === "sweep") void parley.sweep({ limit: 1_000 });
    const result = await world.until(handle.result());
    assert.equal(result, 64);
    assert(clock.now() - start < 500, `${how}: ${clock.now() - start} ms`);
    controller.abort();
    await working;
    await world.until(parley.idle());
  }
});

Deno.test("under work(), workflows that only wait free their slots at once", async () => {
  const { world, clock } = await setup();
  const flow = workflow("flow", async (ctx) => {
    await ctx.step("first", () => {});
    await ctx.recv();
  });
  const { parley } = world.isolate(0, [flow], { hotWait: "2s" });
  for (const workflowId of ids(200)) await parley.start(flow, undefined, { workflowId, enqueue: true });
  const start = clock.now();
  const controller = new AbortController();
  const working = parley.work({ signal: controller.signal });
  await world.untilTrue(async () => {
    const { workflows } = await parley.list({ status: "ENQUEUED", limit: 1 });
    return workflows.length === 0;
  });
  assert(clock.now() - start < 500, `${clock.now() - start} ms`);
  controller.abort();
  await world.until(working);
});

Deno.test("at most 100 runs wait in memory, and those that have waited longest suspend", async () => {
  const { world } = await setup();
  const flow = workflow("flow", async (ctx) => await ctx.recv());
  const { parley } = world.isolate(0, [flow], { hotWait: "1h" });
  for (const workflowId of ids(130)) {
    await parley.start(flow, undefined, { workflowId });
    await settle();
  }
  await settle(60);
  const { workflows } = await parley.list({ limit: 200 });
  const suspended = workflows.filter(({ waiting }) => waiting).map(({ workflowId }) => workflowId);
  assert.deepEqual(new Set(suspended), new Set(ids(30)));
  await parley.send("w0", "suspended");
  await parley.send("w129", "hot");
  await settle(60);
  for (const workflowId of ["w0", "w129"]) assert.equal((await parley.handle(workflowId).status()).status, "SUCCESS");
  await parley[Symbol.asyncDispose]();
});

Deno.test("a run that continues takes a slot again", async () => {
  const { world, driver } = await setup();
  const { watch: _, ...poll } = driver;
  let busy = 0;
  let release = () => {};
  const flow = workflow("flow", async (ctx) => {
    await ctx.recv();
    await ctx.step("slow", () => new Promise<void>((resolve) => (busy++, release = resolve)));
  });
  const { parley } = world.isolate(0, [flow], { driver: poll, hotWait: "1h", lease: "1h" });
  const controller = new AbortController();
  for (const workflowId of ["a", "b"]) await parley.start(flow, undefined, { workflowId, enqueue: true });
  const working = parley.work({ signal: controller.signal, concurrency: 1 });
  await world.pass(1_000);
  assert.equal((await parley.list({ status: "ENQUEUED" })).workflows.length, 0, "both wait");
  await parley.send("a", 1);
  await world.pass(100);
  await parley.start(flow, undefined, { workflowId: "c", enqueue: true });
  await world.pass(2_000);
  assert.equal((await parley.list({ status: "ENQUEUED" })).workflows.length, 1, "the slot is taken");
  release();
  await world.pass(100);
  assert.equal((await parley.list({ status: "ENQUEUED" })).workflows.length, 0);
  assert.equal(busy, 1);
  controller.abort();
  await settle();
  await parley[Symbol.asyncDispose]();
  await working;
});

Deno.test("Slots reports when a slot is free, and counts each run once", () => {
  let told = 0;
  const slots = new Slots(2, () => told++);
  const [first, second] = [slots.take(), slots.take()];
  assert.equal(slots.free, 0);
  first.setWaiting(true);
  first.setWaiting(true);
  assert.deepEqual([slots.free, told], [1, 1]);
  const third = slots.take();
  first.setWaiting(false);
  assert.equal(slots.free, 0);
  third.end();
  third.end();
  third.setWaiting(false);
  assert.equal(slots.free, 0, "three slots were held");
  second.setWaiting(true);
  second.end();
  assert.deepEqual([slots.free, told], [1, 3]);
});
