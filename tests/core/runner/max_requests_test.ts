import assert from "node:assert/strict";
import { Parley, TimeoutError, workflow } from "../../../mod.ts";
import { setup } from "../setup.ts";

const steps = workflow("steps", async (ctx, count: number) => {
  for (let step = 0; step < count; step++) await ctx.step(`step ${step}`, () => step);
  return count;
});
const listener = workflow("listener", async (ctx) => await ctx.recv());

Deno.test("maxRequests makes a run hand over after the current operation, and the next run goes on", async () => {
  const { world } = await setup();
  const woken: string[][] = [];
  const wake = (workflowIds: string[]) => Promise.resolve(void woken.push(workflowIds));
  const first = world.isolate(0, [steps], { maxRequests: 4, wake });
  await first.parley.start(steps, 9, { workflowId: "w" });
  await world.idle(first);
  // The start, three steps, and the hand-over.
  assert.deepEqual([first.driver.calls, woken, first.parley.spent.aborted], [5, [["w"]], true]);
  const second = world.isolate(1, [steps], { wake });
  assert.deepEqual(await world.until(second.parley.wake(["w"])), { claimed: 1, finished: 1, suspended: 0 });
  assert.equal(await second.parley.handle("w").result(), 9);
});

Deno.test("maxRequests of any size lets every run make progress", async () => {
  const { world } = await setup();
  const starting = world.isolate(0, [steps], { maxRequests: 1, wake: "none" });
  await starting.parley.start(steps, 5, { workflowId: "w" });
  await world.idle(starting);
  for (let runs = 0;; runs++) {
    assert(runs < 10, "the workflow does not end");
    const isolate = world.isolate(1, [steps], { maxRequests: 1, wake: "none" });
    const { finished } = await world.until(isolate.parley.sweep());
    if (finished === 1) break;
  }
  assert.equal(await starting.parley.handle("w").result(), 5);
});

Deno.test("maxRequests stops claims of a sweep, and an inline wake leaves the rest to a sweep", async () => {
  const { world } = await setup();
  const other = world.isolate(0, []);
  for (let n = 0; n < 40; n++) await other.parley.start("listener", null, { workflowId: `w${n}`, enqueue: true });
  const sweeping = world.isolate(1, [listener], { maxRequests: 2 });
  const { claimed } = await world.until(sweeping.parley.sweep());
  assert(claimed > 0 && claimed <= 16, `${claimed}`);
  await sweeping.parley.send("w0", "hello");
  await world.idle(sweeping);
  assert.equal((await sweeping.parley.handle("w0").status()).status, "PENDING");
});

Deno.test("maxRequests ends waits from outside that have a timeout", async () => {
  const { world } = await setup();
  const { parley, driver } = world.isolate(0, [listener], { maxRequests: 5 });
  const handle = await parley.start(listener, null);
  for (const wait of [() => handle.result({ timeout: "1m" }), () => parley.getEvent("w", "k")]) {
    await assert.rejects(world.until(wait()), TimeoutError);
  }
  assert(driver.calls <= 7, `${driver.calls} calls`);
});

Deno.test("maxRequests ends work() once its workflows are handed over", async () => {
  const { world, clock } = await setup();
  const other = world.isolate(0, [], { wake: "none" });
  for (let n = 0; n < 40; n++) await other.parley.start("steps", 3, { workflowId: `w${n}`, enqueue: true });
  const { parley, driver, errors } = world.isolate(1, [steps], { maxRequests: 10, wake: "none" });
  await world.until(parley.work({ signal: new AbortController().signal }));
  assert(driver.calls >= 10 && driver.calls <= 30, `${driver.calls} calls`);
  assert.deepEqual([errors, clock.pending], [[], 0]);
  const { workflows } = await other.parley.list({ status: "ENQUEUED", limit: 100 });
  assert(workflows.length >= 20, `${workflows.length} are left`);
});

Deno.test("maxRequests ends work() even while it waits", async () => {
  const { world } = await setup();
  const { parley } = world.isolate(1, [steps], { maxRequests: 3 });
  let ended = false;
  const working = parley.work({ signal: new AbortController().signal }).then(() => ended = true);
  await world.pass(100);
  await parley.list();
  assert.equal(ended, false);
  await parley.list();
  await world.until(working);
});

Deno.test("maxRequests must be a whole number of requests, 1 or more", async () => {
  const { driver } = await setup();
  for (const maxRequests of [0, -1, 1.5, NaN]) {
    assert.throws(() => new Parley({ driver, maxRequests }), { code: "invalid_value" });
  }
});
