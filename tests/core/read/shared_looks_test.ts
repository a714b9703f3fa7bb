import assert from "node:assert/strict";
import { delay } from "../../../core/time/clock.ts";
import type { Driver } from "../../../core/driver/driver.ts";
import { DriverError } from "../../../core/errors.ts";
import { SharedLooks, SharingWaiter } from "../../../core/read/shared_looks.ts";
import { Subscriptions } from "../../../core/time/subscriptions.ts";
import { waitFor } from "../../../core/time/wait.ts";
import { workflow } from "../../../mod.ts";
import { countListeners, gate, onCommit, settle, setup } from "../setup.ts";
import { makeLooks as make, WAITERS, waits } from "./looks_setup.ts";

for (const [name, wait] of Object.entries(waits)) {
  const found = name === "result()" ? "ended" : "set";
  const message = name === "result()" ? "end" : "set";

  Deno.test(`1,000 waiters of one ${name} that begin together make two looks, and share each poll`, async () => {
    const { world, parley, send, at, during } = await make();
    const waiting = Promise.all(Array.from({ length: WAITERS }, () => wait(parley)));
    await settle();
    assert.equal(at.reads, 2);
    await world.pass(10_000);
    const polls = await during(() => world.pass(20_000));
    assert(polls <= 40 && polls >= 15, `${polls} reads in 20 s`);
    await send(message);
    const last = await during(async () => assert.deepEqual(new Set(await world.until(waiting)), new Set([found])));
    assert(last <= 2, `${last} reads at the end`);
  });

  Deno.test(`1,000 waiters of one ${name} share a subscription, and one look after a hint`, async () => {
    using listeners = countListeners();
    const { parley, send, at, open, clock } = await make({ push: true });
    const waiting = Promise.all(Array.from({ length: WAITERS }, () => wait(parley)));
    await settle();
    assert.deepEqual([at.reads, open()], [2, 1]);
    await send(message);
    // No time has passed, so only a hint can have led to the look.
    assert.deepEqual(new Set(await waiting), new Set([found]));
    assert(at.reads <= 2 + 4, `${at.reads} reads`);
    await settle();
    assert.deepEqual([listeners.left(), open(), clock.pending], [0, 0, 0]);
  });

  Deno.test(`a late waiter of ${name} looks by itself, and misses nothing that a shared look finds`, async () => {
    const { parley, send, at, driver } = await make({ push: true });
    const first = wait(parley);
    await settle();
    const held = gate();
    const hold = <A extends unknown[], R>(read: (...args: A) => Promise<R>) => async (...args: A) => {
      const result = await read(...args);
      await held.opened;
      return result;
    };
    Object.assign(at, { readEvent: hold(driver.readEvent), readWorkflow: hold(driver.readWorkflow) });
    const late = wait(parley);
    await settle();
    Object.assign(at, { readEvent: driver.readEvent, readWorkflow: driver.readWorkflow });
    await send(message);
    await settle();
    assert.equal(await first, found);
    const last = wait(parley);
    assert.equal(await last, found);
    held.open();
    // No time has passed since, so no poll can have found it.
    assert.equal(await late, found);
  });

  Deno.test(`a waiter of ${name} that leaves during a shared look does not affect the others`, async () => {
    const { parley, send, at, driver } = await make({ push: true });
    const leaving = new AbortController();
    const gone = wait(parley, leaving.signal).catch((error) => error);
    const stays = wait(parley);
    await settle();
    const held = gate();
    at.readEvent = async (request) => (await held.opened, await driver.readEvent(request));
    at.readWorkflow = async (workflowId) => (await held.opened, await driver.readWorkflow(workflowId));
    await send(message);
    await settle();
    leaving.abort("gone");
    assert.equal(await gone, "gone");
    held.open();
    assert.equal(await stays, found);
  });

  Deno.test(`waiters of one ${name} share the pauses of an outage, which is reported once`, async () => {
    const { world, parley, send, at, during, driver, errors } = await make();
    const waiting = Promise.all(Array.from({ length: 100 }, () => wait(parley)));
    await settle();
    const away = new DriverError("away", { retryable: true });
    Object.assign(at, { readEvent: () => Promise.reject(away), readWorkflow: () => Promise.reject(away) });
    await world.pass(30_000);
    // A look makes several requests within two seconds before it fails.
    const reads = await during(() => world.pass(60_000));
    assert(reads <= 60 && reads >= 5, `${reads} reads in 60 s`);
    Object.assign(at, { readEvent: driver.readEvent, readWorkflow: driver.readWorkflow });
    await send(message);
    assert.deepEqual(new Set(await world.until(waiting)), new Set([found]));
    assert.deepEqual(errors, [away]);
  });
}

Deno.test("a wait that begins while others get their result does not get it, and is woken later", async () => {
  const { clock, driver } = await setup();
  const { watch: _, ...polling } = driver;
  const host = { driver: polling, clock, hints: new Subscriptions() };
  const looks = new SharedLooks();
  let state: { value: string } | null = null;
  const wait = () => {
    const waiter = new SharingWaiter<{ value: string } | null>(host, looks, {
      name: "result:w",
      target: "result:w",
      read: () => Promise.resolve(state),
    });
    const look = async () => (await waiter.read())?.value;
    return waitFor(host, look, { target: "result:w", timeoutMs: null, waiter, operation: "result" });
  };
  const first = wait();
  await settle();
  const give = looks.giving("result:w");
  const second = wait();
  give({ value: "given" });
  assert.equal(await first, "given");
  await settle();
  state = { value: "found" };
  host.hints.notify(["result:w"]);
  assert.equal(await second, "found");
  assert.equal(clock.pending, 0);
});

Deno.test("waiters of one event keep their own versions and timeouts", async () => {
  const { world, parley, send } = await make();
  const after = (version: number) => parley.getEventEntry("w", "state", { after: version, timeout: "1h" });
  await send("a");
  const [second, third] = [after(1), parley.getEventEntry("w", "state", { after: 1, timeout: "1h" }).then(after2)];
  function after2({ version }: { version: number }) {
    return after(version);
  }
  const late = parley.getEventEntry("w", "state", { after: 1, timeout: 3_000 }).catch((error) => error.code);
  await world.pass(3_000);
  assert.equal(await late, "timeout");
  await send("b");
  assert.deepEqual(await world.until(second), { version: 2, value: "b" });
  await world.pass(1_000);
  await assert.rejects(after(3), { code: "version_out_of_range" });
  await send("c");
  assert.deepEqual(await world.until(third), { version: 3, value: "c" });
});

const ends: Record<string, { code: () => unknown; result: unknown }> = {
  "an output": { code: () => ({ at: new Date(0) }), result: { at: new Date(0) } },
  "no output": { code: () => {}, result: undefined },
  "an error": { code: () => Promise.reject(new Error("no")), result: "no" },
};

for (const [name, { code, result }] of Object.entries(ends)) {
  Deno.test(`a result of this isolate that is ${name} is not read, and not kept`, async () => {
    for (const push of [true, false]) {
      const { world, counted, at, during, clock } = await make({ push });
      // The end of the workflow takes longer than the first polls.
      const slow = onCommit(counted, async () => await delay(clock, 500));
      const { parley } = world.isolate(1, [workflow("own", code)], { driver: slow });
      const handle = await parley.start("own", undefined, { workflowId: "own" });
      const read = () => handle.result().catch((error) => error.cause.message);
      const results = [read(), read(), parley.result("own").catch((error) => error.cause.message)];
      assert.deepEqual(await world.until(Promise.all(results)), [result, result, result]);
      assert.equal(at.reads, 0);
      assert.equal(await during(async () => assert.deepEqual(await read(), result)), 1);
      await world.pass(1);
      await parley.purge({ olderThan: 0 });
      await assert.rejects(handle.result(), { code: "workflow_not_found" });
      await settle();
      assert.equal(clock.pending, 0);
    }
  });
}

/** A workflow in the middle of a step, whose result is awaited in the same isolate. */
async function makeStep() {
  const made = await make();
  const { open, opened } = gate();
  const flow = workflow("step", (ctx) => ctx.step("step", () => opened));
  const { parley } = made.world.isolate(1, [flow], { driver: made.counted });
  const handle = await parley.start(flow, undefined, { workflowId: "step" });
  await settle();
  return { ...made, parley, handle, finish: open };
}

Deno.test("result() with a timeout of 0 looks once, even if the workflow runs here", async () => {
  const { handle, during, finish } = await makeStep();
  assert.equal(await during(() => assert.rejects(handle.result({ timeout: 0 }), { code: "timeout" })), 1);
  finish();
});

Deno.test("result() of a workflow that runs here polls, and so sees a cancel elsewhere", async () => {
  const { world, handle, driver, clock, finish } = await makeStep();
  const result = handle.result().catch((error) => error.code);
  await driver.control({ workflowId: "step", action: "cancel" });
  const start = clock.now();
  assert.equal(await world.until(result), "workflow_cancelled");
  assert(clock.now() - start < 100);
  finish();
});

Deno.test("result() looks at once when the run here finds that the workflow is cancelled or taken over", async () => {
  const { handle, parley, driver, at, finish } = await makeStep();
  const result = handle.result().catch((error) => error.code);
  await driver.control({ workflowId: "step", action: "cancel" });
  finish();
  // No time passes, so no poll can find it.
  assert.equal(await result, "workflow_cancelled");
  assert.equal(at.reads, 1);
  await parley.close({ timeout: 0 });
});

Deno.test("a failed or lost commit of an end gives no result", async () => {
  for (const after of [true, false]) {
    const { world, driver, counted, at } = await make();
    const down = new DriverError("down", { retryable: false });
    const flow = workflow("own", () => 1);
    const failing: Driver = {
      ...counted,
      commit: async (request) => (after && await driver.commit(request), Promise.reject(down)),
    };
    const first = world.isolate(1, [flow], { driver: failing });
    const result = (await first.parley.start(flow, undefined, { workflowId: "own" })).result();
    await settle();
    // The run has failed, so the waiter has looked at once.
    assert.equal(at.reads, 1);
    assert.deepEqual(first.errors, [down]);
    const other = world.isolate(0, [flow]);
    await world.pass(120_000);
    await world.until(other.parley.sweep());
    assert.equal(await world.until(result), 1);
  }
});

Deno.test("result() that begins after the end was sent does not get it, because the workflow may be another one", async () => {
  const { world, driver, counted, during } = await make();
  const { open, opened } = gate();
  const own = (output: number) => workflow("own", () => output);
  const slow: Driver = {
    ...counted,
    commit: async (request) => {
      const result = await driver.commit(request);
      await opened;
      return result;
    },
  };
  const { parley } = world.isolate(1, [own(1)], { driver: slow });
  const handle = await parley.start("own", undefined, { workflowId: "own" });
  const early = handle.result();
  await settle();
  await world.pass(1);
  const other = world.isolate(0, [own(2)]).parley;
  await other.purge({ olderThan: 0 });
  const again = await other.start("own", undefined, { workflowId: "own" });
  await world.until(again.result());
  const late = handle.result();
  await settle();
  const reads = await during(async () => {
    open();
    assert.deepEqual(await Promise.all([early, late]), [1, 2]);
  });
  assert.equal(reads, 1);
});

Deno.test("a commit here wakes only the readers whose part it changes, and a suspend none", async () => {
  const { world, counted, clock } = await make();
  const reads = { event: 0, result: 0, stream: 0 };
  const driver: Driver = {
    ...counted,
    readEvent: (request) => (reads.event++, counted.readEvent(request)),
    readWorkflow: (workflowId) => (reads.result++, counted.readWorkflow(workflowId)),
    readStream: (request) => (reads.stream++, counted.readStream(request)),
  };
  const flow = workflow("own", async (ctx) => {
    for (;;) {
      const message = await ctx.recv<string>();
      if (message === "event") await ctx.setEvent("other", 1);
      if (message === "stream") await ctx.writeStream("other", 1);
      if (message === "end") return 1;
    }
  });
  const { parley } = world.isolate(1, [flow], { driver });
  const handle = await parley.start(flow, undefined, { workflowId: "own" });
  await world.until(parley.idle());
  const waiting = [
    handle.result(),
    handle.getEvent("state", { timeout: "1h" }).catch((error) => error.code),
    handle.readStream("log").collect(),
    handle.watchEvent("state")[Symbol.asyncIterator]().next(),
  ];
  await settle();
  // The polls are now far apart. No time passes below.
  await world.pass(10_000);
  const start = clock.now();
  const during = async (message: string) => {
    const before = { ...reads };
    await handle.send(message);
    await settle(60);
    return [reads.event - before.event, reads.result - before.result, reads.stream - before.stream];
  };
  assert.deepEqual(await during("nothing"), [0, 0, 0]);
  assert.deepEqual(await during("event"), [2, 0, 0]);
  assert.deepEqual(await during("stream"), [0, 0, 1]);
  assert.deepEqual(await during("end"), [2, 0, 1]);
  const [result, event, log] = await Promise.all(waiting);
  assert.deepEqual([result, event, log], [1, "workflow_ended", { values: [], closed: true, nextOffset: 0 }]);
  assert.equal(clock.now(), start);
});

Deno.test("a parent in memory looks at its child's result when the child ends, not at its events and values", async () => {
  const { world, counted } = await make();
  let looks = 0;
  const driver = onCommit(counted, ({ workflowId }) => void (workflowId === "parent" && looks++));
  const child = workflow("child", async (ctx) => {
    for (let n = await ctx.recv<number>(); n > 0; n--) {
      await ctx.writeStream("log", n);
      await ctx.setEvent("state", n);
    }
    return "done";
  });
  const parent = workflow(
    "parent",
    async (ctx) => await (await ctx.start(child, undefined, { workflowId: "c" })).result(),
  );
  const { parley } = world.isolate(1, [parent, child], { driver, hotWait: "1h" });
  const handle = await parley.start(parent, undefined, { workflowId: "parent" });
  await settle(60);
  await world.pass(10_000);
  const before = looks;
  await parley.send("c", 10);
  await settle(200);
  // No time has passed: one look at the result, and the end.
  assert.equal(looks - before, 2);
  assert.equal(await handle.result(), "done");
});
