import assert from "node:assert/strict";
import type { ClaimRequest, Driver } from "../../../core/driver/driver.ts";
import { Parley } from "../../../core/parley.ts";
import { workflow } from "../../../core/workflow.ts";
import { memoryDriver, memoryDriverOver, memoryStore } from "../../../drivers/memory/mod.ts";
import { ManualClock } from "../../../testing/mod.ts";
import { gate, settle } from "../setup.ts";

/** An isolate whose thread a test can block. Its own clock then stands still, and the store's goes on. */
function blockable() {
  const [storeClock, clock] = [new ManualClock(), new ManualClock()];
  const { watch: _, ...inner } = memoryDriverOver(memoryStore({ clock: storeClock }));
  const claims: ClaimRequest[] = [];
  const driver: Driver = { ...inner, claim: (request) => (claims.push(request), inner.claim(request)) };
  const pass = async (ms: number) => {
    for (let passed = 0; passed < ms; passed += 100) {
      await storeClock.advance(100);
      await clock.advance(100);
    }
  };
  return { driver, clock, claims, block: (ms: number) => storeClock.advance(ms), pass };
}

Deno.test("work() beside a step that blocks the thread for three leases executes the workflow once", async () => {
  const { driver, clock, block, pass } = blockable();
  const { open, opened } = gate();
  let runs = 0;
  const flow = workflow("flow", async (ctx) => (runs++, await ctx.step("blocks", () => opened)));
  const parley = new Parley({ driver, workflows: [flow], clock });
  const controller = new AbortController();
  const working = parley.work({ signal: controller.signal });
  const handle = await parley.start(flow, undefined, { enqueue: true });
  await pass(1_000);
  assert.equal(runs, 1);
  await block(90_000);
  await pass(30_000);
  assert.equal((await handle.status()).recoveryAttempts, 0);
  open();
  await pass(1_000);
  assert.deepEqual([runs, (await handle.status()).status], [1, "SUCCESS"]);
  controller.abort();
  await settle();
  await working;
});

Deno.test("a claim by due time excludes workflows that run here, until their runs have let go of them", async () => {
  const { driver, clock, claims, pass } = blockable();
  const { open, opened } = gate();
  const flow = workflow("flow", async (ctx) => await ctx.step("slow", () => opened));
  await using parley = new Parley({ driver, workflows: [flow], clock });
  await parley.start(flow, undefined, { workflowId: "w" });
  await settle();
  await parley.sweep();
  open();
  await pass(100);
  await parley.sweep();
  assert.deepEqual(claims.map(({ except }) => except), [["w"], []]);
});

Deno.test("a lease that may have expired is renewed before other workflows are claimed", async () => {
  const { driver, clock, block } = blockable();
  const { open, opened } = gate();
  const flow = workflow("flow", async (ctx) => await ctx.step("slow", () => opened));
  const calls: string[] = [];
  const told: Driver = {
    ...driver,
    commit: (request) => (calls.push("renew"), driver.commit(request)),
    claim: (request) => (calls.push("claim"), driver.claim(request)),
  };
  await using parley = new Parley({ driver: told, workflows: [flow], clock });
  await parley.start(flow, undefined);
  await settle();
  await parley.sweep();
  assert.deepEqual(calls, ["claim"]);
  await block(90_000);
  clock.set(clock.now() + 90_000);
  await parley.sweep();
  await settle();
  assert.deepEqual(calls.toSorted(), ["claim", "claim", "renew"]);
  open();
  await settle();
});

Deno.test("a wake for a workflow that is being suspended continues it after the suspend", async () => {
  const { clock, driver } = blockable();
  const { open, opened } = gate();
  let held = false;
  // The suspend takes effect at once, and its answer comes late.
  const slow: Driver = {
    ...driver,
    commit: async (request) => {
      const result = await driver.commit(request);
      if (held && request.transition?.to === "suspend") await opened;
      return result;
    },
  };
  const flow = workflow("flow", async (ctx) => await ctx.recv<number>());
  await using parley = new Parley({ driver: slow, workflows: [flow], clock, hotWait: 0 });
  held = true;
  const handle = await parley.start(flow, undefined);
  await settle();
  await handle.send(7);
  await settle();
  held = false;
  open();
  await settle(60);
  await parley.idle();
  assert.equal((await handle.status()).output, 7);
});

Deno.test("a step that blocks the real thread beside work() runs once", async () => {
  let runs = 0;
  const flow = workflow("flow", async (ctx) => {
    await ctx.step("blocks", async () => {
      runs++;
      await new Promise((resolve) => setTimeout(resolve, 10));
      const until = performance.now() + 450;
      while (performance.now() < until);
      await new Promise((resolve) => setTimeout(resolve, 100));
    });
  });
  const parley = new Parley({ driver: memoryDriver(), workflows: [flow], lease: 150 });
  const controller = new AbortController();
  const working = parley.work({ signal: controller.signal });
  const handle = await parley.start(flow, undefined, { enqueue: true });
  await handle.result({ timeout: "5s" });
  controller.abort();
  await working;
  assert.deepEqual([runs, (await handle.status()).recoveryAttempts], [1, 0]);
});
