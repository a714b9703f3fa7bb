import assert from "node:assert/strict";
import { stream } from "../../core/channel.ts";
import type { CommitRequest, Driver } from "../../core/driver.ts";
import { DriverError } from "../../core/errors.ts";
import type { StandardSchemaV1 } from "../../core/standard_schema.ts";
import { workflow } from "../../core/workflow.ts";
import { countedWatches, gate, settle, setup } from "./setup.ts";

/** A schema whose answer the test gives. */
function gatedSchema(): { schema: StandardSchemaV1<unknown, number>; answer: (isGood: boolean) => void } {
  const { open, opened } = gate<boolean>();
  const validate = async (value: unknown) => await opened ? { value: value as number } : { issues: [{ message: "no" }] };
  return { schema: { "~standard": { version: 1, vendor: "test", validate } }, answer: open };
}

/** Tells of each commit, and may hold it up. */
function onCommit(driver: Driver, tell: (request: CommitRequest) => void | Promise<void>): Driver {
  return { ...driver, commit: async (request) => (await tell(request), await driver.commit(request)) };
}

Deno.test("a run suspends at once when hotWait is 0, and leaves no timer", async () => {
  const { world, clock } = await setup();
  const flow = workflow("flow", async (ctx) => await ctx.recv("never"));
  const { parley } = world.isolate(0, [flow]);
  const handle = await parley.start(flow, undefined);
  await settle();
  assert.deepEqual((await handle.status()).waiting, { operations: ['recv "never"'] });
  assert.equal(clock.pending, 0);
});

Deno.test("a run stays in memory for hotWait from when it only waits, and anew after each operation", async () => {
  const { world, clock } = await setup();
  const flow = workflow("flow", async (ctx) => {
    const never = ctx.recv("never");
    await ctx.recv("go");
    await ctx.step("slow", () => new Promise<void>((open) => clock.after(1_000, open)));
    await never;
  });
  const { parley } = world.isolate(0, [flow], { hotWait: "2s" });
  const handle = await parley.start(flow, undefined);
  await world.pass(900);
  await handle.send(null, { topic: "go" });
  // The step is done at 1.9 s: the two seconds begin again there.
  await world.pass(2_900);
  assert.equal((await handle.status()).waiting, undefined);
  await world.pass(150);
  assert.deepEqual((await handle.status()).waiting?.operations, ['recv "never"']);
  assert.equal(clock.pending, 0);
});

Deno.test("a message that comes while a suspend waits for its turn keeps the run going", async () => {
  const { world, driver } = await setup();
  const { open, opened } = gate();
  let held = false;
  const flow = workflow("flow", async (ctx) => {
    void ctx.recv("never");
    await ctx.recv("go");
    await ctx.step("step", () => {});
    return "done";
  });
  const slow = onCommit(driver, ({ operations, transition }) => {
    if (held || transition || !operations.some(({ label }) => label === 'recv "go"')) return;
    held = clockIsAt >= 900;
    if (held) return opened;
  });
  let clockIsAt = 0;
  const { parley } = world.isolate(0, [flow], { hotWait: "1s", driver: slow });
  const handle = await parley.start(flow, undefined);
  await world.pass(900);
  clockIsAt = 900;
  await handle.send(null, { topic: "go" });
  // The look that takes the message is under way when the idle timer fires.
  await world.pass(200);
  assert(held);
  open();
  await settle();
  assert.equal((await handle.status()).output, "done");
});

Deno.test("a run whose budget is 0 still gets on by one operation, also through a replay that takes long", async () => {
  const { world } = await setup();
  let runs = 0;
  const flow = workflow("flow", async (ctx) => {
    runs++;
    for (let n = 0; n < 4; n++) await ctx.step(`${n}`, () => {});
    return runs;
  });
  const { parley } = world.isolate(0, [flow], { budget: 0 });
  const handle = await parley.start(flow, undefined);
  await settle(200);
  assert.equal((await handle.status()).output, 4);
});

Deno.test("a run that only waits suspends when its budget is used up, and a run that ends leaves no timer for it", async () => {
  const { world, clock } = await setup();
  const flow = workflow("flow", async (ctx, waits: boolean) => {
    await ctx.step("progress", () => {});
    if (waits) await ctx.recv("never");
  });
  const { parley } = world.isolate(0, [flow], { hotWait: "1h", budget: "5s" });
  const handle = await parley.start(flow, true);
  await world.pass(4_900);
  assert.equal((await handle.status()).waiting, undefined);
  await world.pass(100);
  assert.deepEqual((await handle.status()).waiting?.operations, ['recv "never"']);
  assert.equal(clock.pending, 0);
  await parley.start(flow, false);
  await settle();
  assert.equal(clock.pending, 0);
});

Deno.test("now() is the store's time, not that of a clock that stands still", async () => {
  const { world } = await setup();
  const { open, opened } = gate();
  const flow = workflow("flow", async (ctx) => {
    const before = await ctx.now();
    await ctx.step("wait", () => opened);
    return await ctx.now() - before;
  });
  const { parley } = world.isolate(0, [flow], { clock: { now: () => 0, after: () => () => {} }, lease: "1h" });
  const handle = await parley.start(flow, undefined);
  await world.pass(60_000);
  open();
  await settle();
  const { output, createdAt } = await handle.status();
  assert.equal(output, 60_000);
  assert(createdAt > 0);
});

Deno.test("operations with an asynchronous schema keep their place among the others", async () => {
  const { world } = await setup();
  const { schema, answer } = gatedSchema();
  const flow = workflow("flow", async (ctx) => {
    await Promise.all([ctx.writeStream(stream("log", schema), 1), ctx.writeStream("log", 2), ctx.closeStream("log")]);
  });
  const { parley } = world.isolate(0, [flow]);
  const handle = await parley.start(flow, undefined);
  await settle();
  answer(true);
  await settle();
  assert.deepEqual(await handle.readStream("log").collect(), { values: [1, 2], closed: true, nextOffset: 2 });
});

Deno.test("a run suspends also when the last that happened was a refusal", async () => {
  const { world } = await setup();
  const { schema, answer } = gatedSchema();
  const flow = workflow("flow", async (ctx) => {
    await Promise.all([ctx.recv("never"), ctx.writeStream(stream("log", schema), 1).catch(() => {})]);
  });
  const { parley } = world.isolate(0, [flow]);
  const handle = await parley.start(flow, undefined);
  await settle();
  assert.equal((await handle.status()).waiting, undefined);
  answer(false);
  await settle();
  assert.deepEqual((await handle.status()).waiting?.operations, ['recv "never"']);
});

Deno.test("an operation that nobody awaits and that fails is no unhandled rejection", async () => {
  const { world } = await setup();
  const unhandled: unknown[] = [];
  const onUnhandled = (event: PromiseRejectionEvent) => (event.preventDefault(), unhandled.push(event.reason));
  globalThis.addEventListener("unhandledrejection", onUnhandled);
  try {
    const flow = workflow("flow", async (ctx) => {
      void ctx.recv("never", { timeout: 0 });
      void ctx.send("nobody", 1);
      void ctx.setEvent("", 1);
      void ctx.writeStream("log", () => {});
      void ctx.step("failing", () => Promise.reject(new Error("no")));
      void ctx.step("inside", () => ctx.recv("never"));
      await ctx.sleep(0);
      await ctx.recv("hot");
    });
    const { parley } = world.isolate(0, [flow], { hotWait: "1h" });
    const handle = await parley.start(flow, undefined);
    await settle();
    await handle.cancel();
    await world.until(parley.idle());
    await new Promise<void>((resolve) => setTimeout(resolve));
  } finally {
    globalThis.removeEventListener("unhandledrejection", onUnhandled);
  }
  assert.deepEqual(unhandled, []);
});

Deno.test("code that differs from its journal writes nothing of what it called beside that", async () => {
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
  await world.isolate(1, [after]).parley.send(handle.workflowId, null, { topic: "go" });
  const error = await world.until(handle.result().catch((error) => error));
  assert.equal(error.cause?.code, "non_determinism");
  assert.equal((await handle.readStream("log").collect()).nextOffset, 0);
});

Deno.test("a run that finds its workflow cancelled while it reports other code is over", async () => {
  const { world, driver } = await setup();
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
    if (transition?.to === "end") await driver.control({ workflowId: "w", action: "cancel" });
  });
  const renewed = world.isolate(1, [after], { driver: late });
  await renewed.parley.send("w", null, { topic: "go" });
  await world.until(renewed.parley.idle());
  assert.equal((await handle.status()).status, "CANCELLED");
});

Deno.test("a store that fails for good ends the run: told once, its signal aborted, no timer left", async () => {
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

Deno.test("a page of the journal that cannot be read ends the run: told once, nothing sent after it", async () => {
  const { world, clock, driver } = await setup();
  const flow = workflow("flow", async (ctx) => {
    for (let n = 0; n < 1_100; n++) void ctx.writeStream("log", n);
    await ctx.recv("go");
    await ctx.recv("again");
  });
  const { parley } = world.isolate(0, [flow]);
  const handle = await parley.start(flow, undefined);
  await world.until(parley.idle());
  const broken: Driver = { ...driver, readJournal: () => Promise.reject(new DriverError("torn page", { retryable: false })) };
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

Deno.test("waits in memory are looked at when there is a hint or a deadline, and polled as far as they can end early", async () => {
  const { world, driver } = await setup();
  const looks: string[][] = [];
  const { watch: _, ...poll } = onCommit(driver, ({ operations }) => void looks.push(operations.map(({ label }) => label)));
  const flow = workflow("flow", async (ctx, kind: string) => {
    if (kind === "sleep") await ctx.sleep("9s");
    if (kind === "timeout") await ctx.recv("never", { timeout: "9s" }).catch(() => {});
    if (kind === "stale") {
      await Promise.all([ctx.recv("go", { timeout: "2s" }), ctx.sleep("9s")]);
    }
  });
  const { parley } = world.isolate(0, [flow], { driver: poll, hotWait: "1h", lease: "1h" });
  const count = async (kind: string, during: (workflowId: string) => Promise<unknown> = () => Promise.resolve()) => {
    looks.length = 0;
    const { workflowId } = await parley.start(flow, kind);
    await settle();
    await during(workflowId);
    // In small steps: the store's clock goes ahead of the other by one.
    for (let passed = 0; passed < 8_900; passed += 100) await world.pass(100);
    const before = looks.length;
    await world.pass(200);
    assert.equal((await parley.handle(workflowId).status()).status, "SUCCESS", kind);
    return before;
  };
  assert.equal(await count("sleep"), 1);
  const polls = await count("timeout");
  assert(polls > 5 && polls < 30, `${polls} looks`);
  const stale = await count("stale", (workflowId) => parley.send(workflowId, 1, { topic: "go" }));
  assert(stale <= 3, `${stale} looks: the deadline of a wait that has ended counts no more`);
});

Deno.test("a wait that begins beside one that is looked at rarely ends at its own deadline", async () => {
  const { world, driver } = await setup();
  const { watch: _, ...poll } = driver;
  const { open, opened } = gate();
  const flow = workflow("flow", async (ctx) => {
    const long = ctx.sleep("1h");
    await ctx.step("wait", () => opened);
    return await Promise.race([ctx.sleep("100ms").then(() => "short"), long]);
  });
  const { parley } = world.isolate(0, [flow], { driver: poll, hotWait: "2h", lease: "3h" });
  const handle = await parley.start(flow, undefined);
  await world.pass(20_000);
  open();
  await settle();
  await world.pass(100);
  assert.equal((await handle.status()).output, "short");
});

Deno.test("a run that waits no more has no subscription, though a step goes on", async () => {
  const { world, driver } = await setup();
  const watches = countedWatches(driver);
  const { open, opened } = gate();
  const flow = workflow("flow", async (ctx) => {
    await Promise.all([ctx.recv("go"), ctx.getEvent("other", "e", { timeout: "1s" }).catch(() => {}), ctx.step("slow", () => opened)]);
  });
  const { parley } = world.isolate(0, [flow], { driver: watches.driver, hotWait: "1h" });
  const handle = await parley.start(flow, undefined, { workflowId: "w" });
  await settle();
  assert.deepEqual([...watches.targets].sort(), ["inbox:w", "outbox:other"]);
  assert.equal(watches.open(), 2);
  await handle.send(1, { topic: "go" });
  await world.pass(1_100);
  assert.equal(watches.open(), 0);
  open();
  await world.until(handle.result());
});

Deno.test("a loop that swallows what it gets after a cancel lets other work go on, and its run ends", async () => {
  const { world, clock } = await setup();
  let turns = 0;
  const flow = workflow("flow", async (ctx) => {
    for (;;) {
      await ctx.recv("never").catch(() => {});
      assert(++turns < 100_000, "nothing else gets a turn");
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

Deno.test("code that hangs in something that is no operation does not keep a cancelled run for ever", async () => {
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

Deno.test("the code of a run whose store is gone gets no answer, not even from a step that is aborted", async () => {
  const { world } = await setup();
  const seen: unknown[] = [];
  const flow = workflow("flow", async (ctx) => {
    const note = (error: unknown) => void seen.push(error);
    void ctx.step("slow", ({ signal }) => new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)))).catch(
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

/** The driver, whose pages of the journal come late: after the code has gone on as far as it can. */
function withLatePages(driver: Driver): Driver {
  return { ...driver, readJournal: async (request) => (await settle(3_000), await driver.readJournal(request)) };
}

Deno.test("a race whose loser is on a page of the journal that comes late ends as it did before", async () => {
  const { world, driver } = await setup();
  let isHeld = true;
  const flow = workflow("flow", async (ctx) => {
    for (let n = 0; n < 999; n++) void ctx.writeStream("log", n);
    const both = [ctx.step("winner", () => "winner"), ctx.step("loser", () => "loser")];
    const winner = await Promise.race(both);
    // The first run dies between what it recorded and its end.
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

Deno.test("operations that nobody awaits are written before the end also where pages of the journal come late", async () => {
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

Deno.test("a recorded start is replayed also where the child is not known", async () => {
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

Deno.test("a replay beside an open wait is not taken for a wait", async () => {
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

Deno.test("a new wait begins the back-off anew for all waits of its run", async () => {
  const { world, driver } = await setup();
  const { watch: _, ...poll } = driver;
  const { open, opened } = gate();
  const owner = workflow("owner", async (ctx) => await ctx.setEvent("state", 1));
  const flow = workflow("flow", async (ctx) => {
    void ctx.recv("never");
    await ctx.step("wait", () => opened);
    return await ctx.getEvent("owner", "state");
  });
  const { parley } = world.isolate(0, [flow], { driver: poll, hotWait: "1h", lease: "1h" });
  const handle = await parley.start(flow, undefined);
  for (let passed = 0; passed < 20_000; passed += 1_000) await world.pass(1_000);
  open();
  await settle();
  await world.isolate(1, [owner]).parley.start(owner, undefined, { workflowId: "owner" });
  // The first poll comes after 20 ms, give or take a quarter; without a new beginning it would be about a second.
  await world.pass(30);
  assert.equal((await handle.status()).output, 1);
});
