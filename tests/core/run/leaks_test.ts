import assert from "node:assert/strict";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { workflow } from "../../../core/workflow.ts";
import { countedWatches, countListeners, settle, setup } from "../setup.ts";

setFlagsFromString("--expose-gc");
const collectGarbage: () => void = runInNewContext("gc");

Deno.test("1,000 waits on one signal leave no listener, timer or subscription", async () => {
  using listeners = countListeners();
  const { world, clock, driver } = await setup();
  const watches = countedWatches(driver);
  const owner = workflow("owner", async (ctx) => {
    await ctx.recv();
    await ctx.setEvent("state", 1);
    await ctx.recv();
  });
  const { parley } = world.isolate(0, [owner], { driver: watches.driver });
  const handle = await parley.start(owner, undefined);
  await world.until(parley.idle());
  const { signal } = new AbortController();
  const waits = Array.from({ length: 1_000 }, (_, n) => {
    if (n % 4 === 0) return handle.getEvent("state", { signal });
    if (n % 4 === 1) return handle.getEvent("never", { signal, timeout: n }).catch((error) => error.code);
    if (n % 4 === 2) return handle.result({ signal, timeout: n }).catch((error) => error.code);
    return handle.readStream("log", { signal, wait: false }).collect();
  });
  await settle();
  assert(listeners.left() > 500);
  await handle.send(null);
  await world.until(Promise.all(waits));
  await settle();
  assert.deepEqual([listeners.left(), watches.open(), clock.pending], [0, 0, 0]);
});

Deno.test("a signal ends 1,000 waits with its reason, and leaves nothing", async () => {
  using listeners = countListeners();
  const { world, clock, driver } = await setup();
  const watches = countedWatches(driver);
  const { parley } = world.isolate(0, [], { driver: watches.driver });
  for (const keys of [1, 1_000]) {
    const controller = new AbortController();
    const { signal } = controller;
    const waits = Array.from(
      { length: 1_000 },
      (_, n) => parley.getEvent("w", `e${n % keys}`, { signal }).catch((error) => error),
    );
    await settle();
    assert.equal(watches.open(), keys);
    const reason = new Error("left");
    controller.abort(reason);
    assert.deepEqual(new Set(await Promise.all(waits)), new Set([reason]));
    await settle();
    assert.deepEqual([listeners.left(), watches.open(), clock.pending], [0, 0, 0]);
  }
});

Deno.test("workflows that use every operation leave no listener, timer or subscription, however they end", async () => {
  using listeners = countListeners();
  const { world, clock, driver } = await setup();
  const watches = countedWatches(driver);
  const child = workflow("child", async (ctx) => await ctx.sleep("1s"));
  const flow = workflow("flow", async (ctx, end: string) => {
    await Promise.race([
      ctx.recv("never", { timeout: "1h" }),
      ctx.step("step", () => {}, { timeout: "1h", retries: 3 }),
    ]);
    void ctx.step("late", () => new Promise(() => {}), { timeout: "1h" });
    void ctx.getEvent("nobody", "e", { timeout: "2h" });
    const { result } = await ctx.start(child, undefined);
    await Promise.all([result(), ctx.sleep("1s"), ctx.now(), ctx.uuid(), ctx.writable("log").close()]);
    if (end === "throw") throw new Error(end);
    if (end === "cancel") await ctx.recv("never");
  });
  const { parley } = world.isolate(0, [flow, child], { driver: watches.driver, hotWait: "2s", budget: "1h" });
  const handles = [];
  for (const end of ["return", "throw", "cancel"]) handles.push(await parley.start(flow, end));
  for (let passed = 0; passed < 10_000; passed += 500) await world.pass(500);
  await handles[2]!.cancel();
  await world.until(parley.idle());
  const statuses = await Promise.all(handles.map(async (handle) => (await handle.status()).status));
  assert.deepEqual(statuses, ["SUCCESS", "ERROR", "CANCELLED"]);
  await settle();
  assert.deepEqual([watches.open(), clock.pending], [0, 0]);
  // The step that never ends has its listener on its own signal, which nothing else refers to.
  assert(listeners.left() <= handles.length, `${listeners.left()} listeners`);
});

Deno.test("1,000 suspended workflows keep nothing of their runs in memory", async () => {
  const held: WeakRef<object>[] = [];
  const { world, clock, driver } = await setup();
  const watches = countedWatches(driver);
  const flow = workflow("flow", async (ctx, n: number) => {
    const local = { n };
    held.push(new WeakRef(local));
    await ctx.step("one", () => n, { timeout: "1h" });
    await Promise.all([ctx.recv("a"), ctx.recv("b", { timeout: "1h" }), ctx.getEvent("nobody", "e")]);
    return local;
  });
  const { parley } = world.isolate(0, [flow], { driver: watches.driver });
  for (let n = 0; n < 1_000; n++) await parley.start(flow, n);
  await world.until(parley.idle());
  const { workflows } = await parley.list({ limit: 1_000 });
  assert.equal(workflows.filter(({ waiting }) => waiting?.operations.length === 3).length, 1_000);
  assert.deepEqual([watches.open(), clock.pending], [0, 0]);
  // A target that a WeakRef has returned lives until the end of that task.
  for (let round = 0; round < 5; round++) {
    collectGarbage();
    await settle();
  }
  const alive = held.filter((it) => it.deref() !== undefined).length;
  assert.equal(held.length, 1_000);
  // The collector is not exact about references on the stack.
  assert(alive < 10, `${alive} of 1,000 are still in memory`);
});
