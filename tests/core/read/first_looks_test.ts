import assert from "node:assert/strict";
import { nextTask } from "../../../core/time/clock.ts";
import type { Watch, WatchTarget } from "../../../core/driver/driver.ts";
import { workflow } from "../../../mod.ts";
import { gate, settle, setup } from "../setup.ts";
import { makeLooks as make, WAITERS, waits } from "./looks_setup.ts";

for (const [name, wait] of Object.entries(waits)) {
  const found = name === "result()" ? "ended" : "set";
  const message = name === "result()" ? "end" : "set";

  Deno.test(`1,000 waiters of one ${name} that begin one after the other look four at a time`, async () => {
    const { parley, send, at, driver } = await make();
    await send(message);
    const held = gate();
    at.readEvent = async (request) => (await held.opened, await driver.readEvent(request));
    at.readWorkflow = async (workflowId) => (await held.opened, await driver.readWorkflow(workflowId));
    const waiting: Promise<unknown>[] = [];
    for (let n = 0; n < WAITERS; n++) {
      waiting.push(wait(parley));
      await nextTask();
    }
    assert.equal(at.reads, 4);
    held.open();
    assert.deepEqual(new Set(await Promise.all(waiting)), new Set([found]));
    assert.equal(at.reads, 5);
  });

  Deno.test(`a waiter of ${name} does not get what a look has found that was sent before it began`, async () => {
    const { world, parley, send, at, driver } = await make();
    const held = gate();
    const early = async <T>(read: Promise<T>) => {
      const result = await read;
      await held.opened;
      return result;
    };
    at.readEvent = (request) => early(driver.readEvent(request));
    at.readWorkflow = (workflowId) => early(driver.readWorkflow(workflowId));
    const first = wait(parley);
    await settle();
    await send(message);
    Object.assign(at, { readEvent: driver.readEvent, readWorkflow: driver.readWorkflow });
    const second = wait(parley);
    // No time passes, so no poll can have found it.
    assert.equal(await second, found);
    held.open();
    assert.equal(await world.until(first), found);
  });
}

/** An isolate whose driver has push that is not connected, with a workflow that runs there until `finish`. */
async function makeUnconnected() {
  const { world, driver } = await setup();
  const watched = new Set<Watch>();
  const watch = (target: WatchTarget): Watch => {
    const it: Watch = { live: false, close: () => void watched.delete(it) };
    // A run watches its inbox too, when a step takes long.
    if (target !== "due" && target !== "inbox:w") watched.add(it);
    return it;
  };
  const { open: finish, opened } = gate();
  const flow = workflow("flow", async (ctx) => {
    await ctx.setEvent("state", 1);
    await ctx.step("step", () => opened);
    await ctx.sleep("1h");
  });
  const { parley } = world.isolate(1, [flow], { driver: { ...driver, watch }, hotWait: 0 });
  const handle = await parley.start(flow, undefined, { workflowId: "w" });
  await settle();
  return { world, parley, handle, open: () => watched.size, finish };
}

Deno.test("push does not connect for an event or a stream that the first look finds", async () => {
  const { parley, handle, open, finish } = await makeUnconnected();
  // A watch that lasts beyond the look would make the driver connect.
  const watched: number[] = [];
  const wait = async (waiting: Promise<unknown>) => {
    const done = waiting.then(() => true);
    for (let isDone = false; !isDone; isDone = await Promise.race([done, nextTask().then(() => false)])) {
      watched.push(open());
    }
  };
  await wait(handle.getEvent("state"));
  await wait(handle.watchEvent("state")[Symbol.asyncIterator]().next());
  await wait(handle.readStream("log", { wait: false }).collect());
  assert.deepEqual(new Set(watched), new Set([0]));
  finish();
  await parley.close({ timeout: 0 });
});

const here: Record<string, (handle: Awaited<ReturnType<typeof makeUnconnected>>["handle"]) => Promise<unknown>> = {
  "result()": (handle) => handle.result(),
  "getEvent()": (handle) => handle.getEvent("other", { timeout: "1h" }),
  "watchEvent()": (handle) => handle.watchEvent("other")[Symbol.asyncIterator]().next(),
};

for (const [name, wait] of Object.entries(here)) {
  Deno.test(`${name} of a workflow that runs here connects push after some seconds, or when the run is over`, async () => {
    for (const isLong of [true, false]) {
      const { world, parley, handle, open, finish } = await makeUnconnected();
      const waiting = wait(handle).catch((error) => error.code);
      await world.pass(1_000);
      assert.equal(open(), 0);
      if (!isLong) finish();
      await world.pass(isLong ? 6_000 : 1_500);
      assert.equal(open(), 1);
      finish();
      await settle();
      await handle.cancel();
      const end = await world.until(waiting);
      if (name === "watchEvent()") assert.deepEqual(end, { done: true, value: undefined });
      else assert.equal(end, name === "result()" ? "workflow_cancelled" : "workflow_ended");
      assert.equal(open(), 0);
      await parley.close({ timeout: 0 });
    }
  });
}

/** A workflow that sets the events that it receives, in an isolate whose reads are counted. */
async function makeOwn() {
  const made = await make();
  const flow = workflow("own", async (ctx) => {
    for (;;) {
      const message = await ctx.recv<{ set?: unknown[]; inStep?: unknown; isLast?: boolean }>();
      await Promise.all((message.set ?? []).map((value) => ctx.setEvent("state", value)));
      if (message.inStep) await ctx.step("step", (step) => step.setEvent("state", message.inStep));
      if (message.isLast) return;
    }
  });
  const isolate = () => made.world.isolate(1, [flow], { driver: made.counted, hotWait: "1h" }).parley;
  const parley = isolate();
  const handle = await parley.start(flow, undefined, { workflowId: "own" });
  await settle();
  return { ...made, parley, handle, isolate };
}

Deno.test("an event that a run of this isolate sets is not read by those who wait for it", async () => {
  const { handle, at } = await makeOwn();
  const after = (version: number) => handle.getEventEntry("state", { after: version, timeout: "1h" });
  const during = async (waits: Promise<unknown>[], message: unknown) => {
    await settle();
    const before = at.reads;
    await handle.send(message);
    const found = await Promise.all(waits);
    assert.equal(at.reads, before);
    return found;
  };
  const both = await during([handle.getEvent("state", { timeout: "1h" }), after(0)], { set: ["a", "b"] });
  assert.deepEqual(both, ["b", { version: 2, value: "b" }]);
  assert.deepEqual(await during([after(2)], { inStep: "c" }), [{ version: 3, value: "c" }]);
  assert.deepEqual(await during([after(3)], { set: ["d"], isLast: true }), [{ version: 4, value: "d" }]);
  assert.deepEqual(await after(3), { version: 4, value: "d" });
});

Deno.test("an event is read if an earlier run may have set it, because its version is not known", async () => {
  const { world, handle, parley, isolate, at } = await makeOwn();
  await handle.send({ set: ["a"] });
  await settle();
  await world.until(parley.close({ timeout: 0 }));
  const next = isolate();
  void next.wake(["own"]);
  await settle(60);
  const waiting = next.getEventEntry("own", "state", { after: 1, timeout: "1h" });
  await settle();
  const before = at.reads;
  await next.send("own", { set: ["b"], isLast: true });
  assert.deepEqual(await waiting, { version: 2, value: "b" });
  assert.equal(at.reads - before, 1);
});
