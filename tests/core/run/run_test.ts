import assert from "node:assert/strict";
import { stream } from "../../../core/channel.ts";
import type { Driver } from "../../../core/driver/driver.ts";
import type { StandardSchemaV1 } from "../../../core/standard_schema.ts";
import { workflow } from "../../../core/workflow.ts";
import { countedWatches, gate, onCommit, settle, setup } from "../setup.ts";

/** A schema whose answer comes from the test. */
function gatedSchema(): { schema: StandardSchemaV1<unknown, number>; answer: (isGood: boolean) => void } {
  const { open, opened } = gate<boolean>();
  const validate = async (value: unknown) =>
    await opened ? { value: value as number } : { issues: [{ message: "no" }] };
  return { schema: { "~standard": { version: 1, vendor: "test", validate } }, answer: open };
}

/** Holds the answers of commits back until the promise settles. */
function lateAnswers(driver: Driver, opened: Promise<unknown>): Driver {
  return {
    ...driver,
    commit: async (request) => {
      const result = await driver.commit(request);
      await opened;
      return result;
    },
  };
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

Deno.test("a run that only waits stays in memory for hotWait, which restarts after each operation", async () => {
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
  // The step ends at 1.9 s, and the two seconds restart there.
  await world.pass(2_900);
  assert.equal((await handle.status()).waiting, undefined);
  await world.pass(150);
  assert.deepEqual((await handle.status()).waiting?.operations, ['recv "never"']);
  assert.equal(clock.pending, 0);
});

Deno.test("a message that arrives while a suspend waits for its turn keeps the run going", async () => {
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
  // The idle timer fires during the look that takes the message.
  await world.pass(200);
  assert(held);
  open();
  await settle();
  assert.equal((await handle.status()).output, "done");
});

Deno.test("a run with a budget of 0 still makes one operation, even after a long replay", async () => {
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

Deno.test("a run that only waits suspends when its budget is used up, and the end of a run leaves no timer", async () => {
  for (const progress of [true, false]) {
    const { world, clock } = await setup();
    const flow = workflow("flow", async (ctx, waits: boolean) => {
      if (progress) await ctx.step("progress", () => {});
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
  }
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

Deno.test("operations with an asynchronous schema keep their places among the others", async () => {
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

Deno.test("a run also suspends after a refusal", async () => {
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

Deno.test("a run looks at its waits on a hint and at a deadline, and polls those that can end early", async () => {
  const { world, driver } = await setup();
  const looks: string[][] = [];
  const { watch: _, ...poll } = onCommit(
    driver,
    ({ operations }) => void looks.push(operations.map(({ label }) => label)),
  );
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
    // Small steps, because the store's clock goes ahead of the isolate's by one step.
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
  assert(stale <= 3, `${stale} looks: the deadline of an ended wait no longer counts`);
});

Deno.test("a message that arrives before the answer to a new wait is received with its hint", async () => {
  const { world, driver, clock } = await setup();
  const { open, opened } = gate();
  const flow = workflow("flow", async (ctx) => await ctx.recv());
  const { parley } = world.isolate(0, [flow], { driver: lateAnswers(driver, opened), hotWait: "1h" });
  const handle = await parley.start(flow, undefined);
  await settle();
  const start = clock.now();
  await world.isolate(1, []).parley.send(handle.workflowId, 7);
  await settle();
  open();
  await settle();
  const { status, output } = await handle.status();
  assert.deepEqual([status, output, clock.now() - start], ["SUCCESS", 7, 0]);
  assert.equal(clock.pending, 0);
});

Deno.test("a wait that begins beside a rarely polled wait ends at its own deadline", async () => {
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

Deno.test("a run that no longer waits has no subscription, even during a step", async () => {
  const { world, driver } = await setup();
  const watches = countedWatches(driver);
  const { open, opened } = gate();
  const flow = workflow("flow", async (ctx) => {
    await Promise.all([
      ctx.recv("go"),
      ctx.getEvent("other", "e", { timeout: "500ms" }).catch(() => {}),
      ctx.step("slow", () => opened),
    ]);
  });
  const { parley } = world.isolate(0, [flow], { driver: watches.driver, hotWait: "1h" });
  const handle = await parley.start(flow, undefined, { workflowId: "w" });
  await settle();
  assert.deepEqual([...watches.targets].sort(), ["event:other", "inbox:w"]);
  assert.equal(watches.open(), 2);
  await handle.send(1, { topic: "go" });
  await world.pass(600);
  assert.equal(watches.open(), 0);
  open();
  await world.until(handle.result());
});

Deno.test("push does not connect for a wait whose look has no answer yet", async () => {
  const { world, driver, clock } = await setup();
  const { open, opened } = gate();
  const push = { live: false };
  const watches = countedWatches(driver, push);
  const flow = workflow("flow", async (ctx) => await ctx.recv());
  const { parley } = world.isolate(0, [flow], { driver: lateAnswers(watches.driver, opened), hotWait: "1h" });
  const handle = await parley.start(flow, undefined, { workflowId: "w" });
  await settle();
  assert.equal(watches.open(), 0);
  // Push goes live for another wait, and the message comes before this wait listens to it.
  push.live = true;
  const start = clock.now();
  await world.isolate(1, []).parley.send("w", 7);
  open();
  await settle();
  const { status, output } = await handle.status();
  assert.deepEqual([status, output, clock.now() - start, watches.open()], ["SUCCESS", 7, 0, 0]);
});

Deno.test("a run that ends beside a new wait has no subscription", async () => {
  const { world, driver } = await setup();
  const watches = countedWatches(driver);
  const flow = workflow("flow", async (ctx) => {
    void ctx.recv("never");
    return await Promise.resolve(2);
  });
  const { parley } = world.isolate(0, [flow], { driver: watches.driver });
  const handle = await parley.start(flow, undefined, { workflowId: "w" });
  assert.equal(await world.until(handle.result()), 2);
  await world.until(parley.idle());
  assert.deepEqual([watches.open(), [...watches.targets].sort()], [0, ["result:w"]]);
});

Deno.test("a run that has received all beside a pause has no subscription", async () => {
  const { world, driver } = await setup();
  const watches = countedWatches(driver);
  const { open, opened } = gate();
  const flow = workflow("flow", async (ctx) => {
    const step = ctx.step("step", ({ attempt }) => attempt < 2 ? Promise.reject(new Error("no")) : attempt, {
      retries: 1,
      delay: "1h",
    });
    await ctx.step("other", () => opened);
    await ctx.recv();
    return await step;
  });
  const { parley } = world.isolate(0, [flow], { driver: watches.driver, hotWait: "2h" });
  const handle = await parley.start(flow, undefined, { workflowId: "w" });
  await handle.send(1);
  open();
  await settle();
  assert.equal(watches.open(), 0);
  await world.pass(3_600_000);
  assert.equal(await world.until(handle.result()), 2);
});

Deno.test("a new wait restarts the back-off for all waits of its run", async () => {
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
  // The first poll comes after 20 ms, give or take a quarter. Without the restart it would come after
  // about a second.
  await world.pass(30);
  assert.equal((await handle.status()).output, 1);
});

Deno.test("a run yields and does not suspend if an operation was left to the next run before the suspend's turn", async () => {
  const { world, driver } = await setup();
  const outside = gate();
  const { open, opened } = gate();
  let isHeld = false;
  const flow = workflow("flow", async (ctx) => {
    const never = ctx.recv("never");
    await ctx.step("progress", () => {});
    await Promise.race([outside.opened, never]);
    await ctx.step("last", () => {});
    return "done";
  });
  const slow = onCommit(driver, ({ transition }) => isHeld && !transition ? opened : undefined);
  const { parley } = world.isolate(0, [flow], { driver: slow, hotWait: "2s", budget: "1500ms", wake: "none" });
  const handle = await parley.start(flow, undefined);
  await world.pass(1_000);
  // The budget runs out during a look, and the suspend has to wait for that look.
  isHeld = true;
  await handle.send(1, { topic: "nobody waits for this" });
  await world.pass(1_100);
  outside.open();
  await settle();
  open();
  await world.until(parley.idle());
  assert.equal((await handle.status()).waiting, undefined);
  await world.until(world.isolate(1, [flow]).parley.sweep());
  assert.equal((await handle.status()).output, "done");
});
