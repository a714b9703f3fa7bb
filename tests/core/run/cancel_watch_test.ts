import assert from "node:assert/strict";
import { workflow } from "../../../core/workflow.ts";
import { countedWatches, gate, settle, setup } from "../setup.ts";

/** A workflow whose step ends when its signal aborts, and the reason that the step got. */
function stepping() {
  const told: { code?: string }[] = [];
  const flow = workflow("flow", async (ctx) => {
    await ctx.step(
      "slow",
      ({ signal }) =>
        new Promise((_, reject) => signal.addEventListener("abort", () => reject(told[0] = signal.reason))),
    );
  });
  return { flow, told };
}

Deno.test("cancel() from another isolate reaches a running step with the next hint, if there is push", async () => {
  const { world, clock } = await setup();
  const { flow, told } = stepping();
  const { parley } = world.isolate(0, [flow]);
  const handle = await parley.start(flow, undefined);
  await world.pass(3_000);
  const start = clock.now();
  await world.isolate(1, []).parley.cancel(handle.workflowId);
  await settle();
  assert.deepEqual([told[0]?.code, clock.now() - start], ["workflow_cancelled", 0]);
  await world.until(parley.idle());
  assert.equal(clock.pending, 0);
});

Deno.test("cancel() from another isolate in the first second of a step reaches it after that second", async () => {
  const { world } = await setup();
  const { flow, told } = stepping();
  const { parley } = world.isolate(0, [flow]);
  const handle = await parley.start(flow, undefined);
  await settle();
  await world.isolate(1, []).parley.cancel(handle.workflowId);
  await world.pass(1_000);
  await settle();
  assert.equal(told[0]?.code, "workflow_cancelled");
  await world.until(parley.idle());
});

Deno.test("cancel() from another isolate without push reaches a running step with the next lease renewal", async () => {
  const { world, driver, clock } = await setup();
  const { watch: _, ...poll } = driver;
  const { flow, told } = stepping();
  const { parley } = world.isolate(0, [flow], { driver: poll });
  const handle = await parley.start(flow, undefined);
  await settle();
  await world.isolate(1, []).parley.cancel(handle.workflowId);
  await world.pass(9_999);
  assert.equal(told.length, 0);
  await world.pass(1);
  await settle();
  assert.equal(told[0]?.code, "workflow_cancelled");
  await world.until(parley.idle());
  assert.equal(clock.pending, 0);
});

Deno.test("a short step does not subscribe, and a longer step leaves no subscription", async () => {
  const { world, driver, clock } = await setup();
  const watches = countedWatches(driver, { live: true });
  const gates = [gate(), gate(), gate()];
  const flow = workflow("flow", async (ctx) => {
    await ctx.step("short", () => gates[0]!.opened);
    await Promise.all([ctx.step("long", () => gates[1]!.opened), ctx.step("longer", () => gates[2]!.opened)]);
  });
  const { parley } = world.isolate(0, [flow], { driver: watches.driver });
  await parley.start(flow, undefined, { workflowId: "w" });
  await world.pass(999);
  gates[0]!.open();
  await settle();
  await world.pass(999);
  assert.equal(watches.targets.size, 0);
  await world.pass(1);
  assert.deepEqual([watches.open(), [...watches.targets]], [1, ["inbox:w"]]);
  gates[1]!.open();
  await settle();
  assert.equal(watches.open(), 1);
  gates[2]!.open();
  await world.until(parley.idle());
  assert.deepEqual([watches.open(), clock.pending], [0, 0]);
});

Deno.test("a workflow that gets many messages during a step looks at most once a second", async () => {
  const { world } = await setup();
  const { opened, open } = gate();
  const flow = workflow("flow", async (ctx) => await ctx.step("slow", () => opened));
  const { parley, driver } = world.isolate(0, [flow]);
  await parley.start(flow, undefined, { workflowId: "w" });
  await world.pass(1_500);
  const before = driver.calls;
  const other = world.isolate(1, []).parley;
  for (let n = 0; n < 100; n++) {
    await other.send("w", n);
    await world.pass(50);
  }
  const looks = driver.calls - before;
  assert(looks >= 3 && looks <= 6, `${looks} looks in 5 s`);
  open();
  await world.until(parley.idle());
});
