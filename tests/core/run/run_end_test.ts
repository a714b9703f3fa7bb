import assert from "node:assert/strict";
import type { Driver } from "../../../core/driver/driver.ts";
import { DriverError } from "../../../core/errors.ts";
import { workflow } from "../../../core/workflow.ts";
import { gate, onCommit, settle, setup } from "../setup.ts";

Deno.test("code that differs from its journal writes none of its other operations", async () => {
  const { world } = await setup();
  const before = workflow("flow", async (ctx) => {
    await ctx.setEvent("", 1).catch(() => {});
    await ctx.send("nobody", () => {}).catch(() => {});
    await ctx.step("charge", () => {});
    await ctx.recv("go");
  });
  const after = workflow("flow", async (ctx) => {
    await Promise.all([ctx.writeStream("log", "new"), ctx.step("refund", () => {})]);
  });
  const old = world.isolate(0, [before]);
  const handle = await old.parley.start(before, undefined);
  await world.until(old.parley.idle());
  const renewed = world.isolate(1, [after]);
  await renewed.parley.send(handle.workflowId, null, { topic: "go" });
  await world.until(renewed.parley.idle());
  assert.equal((await handle.status()).problem?.name, "NonDeterminismError");
  assert.equal((await handle.readStream("log", { wait: false }).collect()).nextOffset, 0);
});

Deno.test("a run ends if its workflow is cancelled while it reports a difference in the code", async () => {
  const { world, driver, clock } = await setup();
  const before = workflow("flow", async (ctx) => {
    await ctx.step("charge", () => {});
    await ctx.recv("go");
  });
  const after = workflow("flow", async (ctx) => {
    await ctx.step("refund", () => {});
  });
  const old = world.isolate(0, [before]);
  const handle = await old.parley.start(before, undefined, { workflowId: "w" });
  await world.until(old.parley.idle());
  const late = onCommit(driver, async ({ transition }) => {
    if (transition?.to === "park") await driver.control({ workflowId: "w", action: "cancel" });
  });
  const renewed = world.isolate(1, [after], { driver: late });
  await renewed.parley.send("w", null, { topic: "go" });
  const start = clock.now();
  await world.until(renewed.parley.idle());
  assert(clock.now() - start < 1_000, "nothing waits for abandoned code");
  assert.equal((await handle.status()).status, "CANCELLED");
});

Deno.test("a permanent fault of the store ends the run, is reported once, and leaves no timer", async () => {
  const { world, clock, driver } = await setup();
  let reason: unknown;
  let isAway = false;
  const { open, opened } = gate();
  const flow = workflow("flow", async (ctx) => {
    ctx.signal.addEventListener("abort", () => reason = ctx.signal.reason);
    void ctx.recv("never");
    void ctx.step("in flight", () => new Promise(() => {}), { timeout: "1h" });
    void ctx.step("retrying", () => Promise.reject(new Error("no")), { retries: 5, delay: "1h" });
    await ctx.step("step", () => opened);
  });
  const away = onCommit(driver, () => {
    if (isAway) throw new DriverError("away", { retryable: false });
  });
  const { parley, errors } = world.isolate(0, [flow], { driver: away, hotWait: "1h", budget: "1h" });
  await parley.start(flow, undefined);
  await settle();
  isAway = true;
  open();
  await settle();
  await parley.idle();
  assert.deepEqual(errors.map((error) => (error as Error).message), ["away"]);
  assert(reason !== undefined);
  assert.equal(clock.pending, 0);
});

Deno.test("an unreadable page of the journal ends the run, is reported once, and nothing is sent after it", async () => {
  const { world, clock, driver } = await setup();
  const flow = workflow("flow", async (ctx) => {
    for (let n = 0; n < 1_100; n++) void ctx.writeStream("log", n);
    await ctx.recv("go");
    await ctx.recv("again");
  });
  const { parley } = world.isolate(0, [flow]);
  const handle = await parley.start(flow, undefined);
  await world.until(parley.idle());
  const broken: Driver = {
    ...driver,
    readJournal: () => Promise.reject(new DriverError("torn page", { retryable: false })),
  };
  const other = world.isolate(1, [flow], { driver: broken });
  await other.parley.send(handle.workflowId, null, { topic: "go" });
  await world.until(other.parley.idle());
  assert.deepEqual(other.errors.map((error) => (error as Error).message), ["torn page"]);
  assert.equal(clock.pending, 0);
  const { calls } = other.driver;
  await world.pass(60_000);
  assert.equal(other.driver.calls, calls);
  assert.equal((await handle.status()).status, "PENDING");
});

Deno.test("a loop that swallows its errors after a cancel lets other work go on, and its run ends", async () => {
  const { world, clock } = await setup();
  let turns = 0;
  const flow = workflow("flow", async (ctx) => {
    for (;;) {
      await ctx.recv("never").catch(() => {});
      assert(++turns < 100_000, "no other work runs");
    }
  });
  const { parley } = world.isolate(0, [flow], { hotWait: "1h" });
  const handle = await parley.start(flow, undefined);
  await settle();
  await handle.cancel();
  await world.until(parley.idle());
  assert(turns < 2_000, `${turns} turns`);
  assert.equal(clock.pending, 0);
});

Deno.test("code that hangs outside of an operation does not keep a cancelled run forever", async () => {
  const { world, clock } = await setup();
  const flow = workflow("flow", async (ctx) => {
    await ctx.setEvent("state", 1);
    await new Promise(() => {});
  });
  const { parley } = world.isolate(0, [flow], { lease: "10s" });
  const handle = await parley.start(flow, undefined);
  await settle();
  await handle.cancel();
  await world.until(parley.idle());
  assert.equal(clock.pending, 0);
});

Deno.test("the code of a run whose store is gone gets no answer, not even from an aborted step", async () => {
  const { world } = await setup();
  const seen: unknown[] = [];
  const flow = workflow("flow", async (ctx) => {
    const note = (error: unknown) => void seen.push(error);
    void ctx.step(
      "slow",
      ({ signal }) => new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason))),
    ).catch(
      note,
    );
    void ctx.recv("never").catch(note);
    await ctx.setEvent("state", 1).catch(note);
  });
  const { parley, driver, errors } = world.isolate(0, [flow]);
  await parley.start(flow, undefined);
  driver.kill();
  await world.until(parley.idle());
  await settle();
  assert.deepEqual(seen, []);
  assert.equal(errors.length, 1);
});

/** The driver, with pages of the journal that arrive after the code has gone on as far as it can. */
function withLatePages(driver: Driver): Driver {
  return { ...driver, readJournal: async (request) => (await settle(3_000), await driver.readJournal(request)) };
}

Deno.test("a race has the same winner on replay if its loser is on a late page of the journal", async () => {
  const { world, driver } = await setup();
  let isHeld = true;
  const flow = workflow("flow", async (ctx) => {
    for (let n = 0; n < 999; n++) void ctx.writeStream("log", n);
    const both = [ctx.step("winner", () => "winner"), ctx.step("loser", () => "loser")];
    const winner = await Promise.race(both);
    // The first run dies between its last record and its end.
    if (isHeld) await Promise.all(both).then(() => new Promise(() => {}));
    return winner;
  });
  const dying = world.isolate(0, [flow], { lease: "10s" });
  await dying.parley.start(flow, undefined, { workflowId: "w" });
  await settle(1_200);
  dying.driver.kill();
  isHeld = false;
  await world.pass(10_001);
  const { parley } = world.isolate(1, [flow], { driver: withLatePages(driver) });
  await world.until(parley.sweep());
  const { status, output } = await parley.handle("w").status();
  assert.deepEqual([status, output], ["SUCCESS", "winner"]);
});

Deno.test("operations that nobody awaits are written before the end, even with late pages of the journal", async () => {
  const { world, driver } = await setup();
  const flow = workflow("flow", (ctx) => {
    for (let n = 0; n < 2_500; n++) void ctx.writeStream("log", n);
    return "returned";
  });
  // create, two commits of 1,000, and the last of 500 with the end
  const dying = world.isolate(0, [flow], { lease: "10s", faults: [{ call: 4, when: "before", what: "dies" }] });
  await dying.parley.start(flow, undefined, { workflowId: "w" });
  await world.until(dying.parley.idle());
  assert(dying.driver.dead);
  await world.pass(10_001);
  const { parley } = world.isolate(1, [flow], { driver: withLatePages(driver) });
  await world.until(parley.sweep());
  const handle = parley.handle("w");
  assert.equal(await world.until(handle.result()), "returned");
  assert.equal((await handle.readStream("log").collect()).nextOffset, 2_500);
});

Deno.test("a recorded start is replayed even if the child is unknown", async () => {
  const { world } = await setup();
  const child = workflow("child", () => 7);
  const flow = workflow("flow", async (ctx) => {
    const started = await ctx.start(child, undefined);
    await ctx.recv("go");
    return await started.result();
  });
  const knowing = world.isolate(0, [flow, child]);
  const handle = await knowing.parley.start(flow, undefined);
  await world.until(knowing.parley.idle());
  const ignorant = world.isolate(1, [flow]);
  await ignorant.parley.send(handle.workflowId, null, { topic: "go" });
  assert.equal(await world.until(handle.result()), 7);
});

Deno.test("a replay beside an open wait does not count as a wait", async () => {
  const { world } = await setup();
  const flow = workflow("flow", async (ctx) => {
    void ctx.recv("never");
    let sum = 0;
    for (let n = 0; n < 50; n++) sum += await ctx.step(`${n}`, () => n);
    await ctx.recv("go");
    return sum;
  });
  const { parley } = world.isolate(0, [flow]);
  const handle = await parley.start(flow, undefined);
  await world.until(parley.idle());
  await handle.send(null, { topic: "go" });
  assert.equal(await world.until(handle.result()), 1_225);
});

for (const [when, options] of [["its budget is used up", { budget: 0 }], ["its Parley is disposed of", {}]] as const) {
  Deno.test(`operations that nobody awaits are not lost when code returns while ${when}`, async () => {
    const { world } = await setup();
    const { open, opened } = gate();
    const flow = workflow("flow", async (ctx) => {
      await ctx.step("first", () => opened);
      void ctx.setEvent("state", "set");
      void ctx.writeStream("log", 1);
      return "returned";
    });
    const { parley } = world.isolate(0, [flow], { wake: "none", ...options });
    const handle = await parley.start(flow, undefined);
    await settle();
    const disposing = "budget" in options ? parley.idle() : parley[Symbol.asyncDispose]();
    open();
    await disposing;
    assert.equal((await handle.status()).status, "PENDING");
    assert.deepEqual(await world.until(world.isolate(1, [flow]).parley.sweep()), {
      claimed: 1,
      finished: 1,
      suspended: 0,
    });
    assert.deepEqual([(await handle.status()).output, await handle.getEvent("state", { timeout: 0 })], [
      "returned",
      "set",
    ]);
    assert.deepEqual((await handle.readStream("log").collect()).values, [1]);
  });
}

Deno.test("a run that has abandoned its code settles when its last commit fails, and reports it", async () => {
  for (const last of ["park", "yield"]) {
    const { world, clock, driver } = await setup();
    const flow = (name: string) =>
      workflow("flow", async (ctx) => {
        await ctx.step(name, () => {});
        void ctx.step("second", () => {});
        await ctx.recv("go");
        await ctx.step("third", () => {});
      });
    const old = world.isolate(0, [flow("charge")]);
    const { workflowId } = await old.parley.start("flow", undefined);
    await world.until(old.parley.idle());
    const away = onCommit(driver, ({ transition }) => {
      if (transition?.to === last) throw new DriverError("away", { retryable: false });
    });
    const { parley, errors } = world.isolate(1, [flow(last === "park" ? "refund" : "charge")], {
      driver: away,
      budget: 0,
      wake: "none",
    });
    await parley.send(workflowId, null, { topic: "go" });
    await world.until(parley.sweep());
    assert.deepEqual(errors.map((error) => (error as Error).message), ["away"], last);
    await world.until(parley[Symbol.asyncDispose]());
    assert.equal(clock.pending, 0);
  }
});

Deno.test("a workflow that throws a value that cannot be inspected ends with an error", async () => {
  const { world } = await setup();
  const flow = workflow("flow", async (ctx) => {
    const { proxy, revoke } = Proxy.revocable({}, {});
    revoke();
    await ctx.step("throwing", () => {
      throw proxy;
    }).catch(() => {});
    throw proxy;
  });
  const { parley } = world.isolate(0, [flow]);
  const handle = await parley.start(flow, undefined);
  await assert.rejects(world.until(handle.result()), { code: "workflow_failed" });
});
