import assert from "node:assert/strict";
import { workflow } from "../../../core/workflow.ts";
import { gate, settle, setup } from "../setup.ts";

Deno.test("close() waits for a running step until the timeout, then aborts its signal and hands over", async () => {
  for (const [options, limitMs] of [[undefined, 10_000], [{ timeout: "3s" }, 3_000], [{ timeout: 0 }, 0]] as const) {
    const { world, clock } = await setup();
    const reasons: unknown[] = [];
    let tries = 0;
    const flow = workflow("flow", async (ctx) =>
      await ctx.step("slow", ({ signal }) => {
        signal.addEventListener("abort", () => reasons.push(signal.reason));
        return ++tries === 1 ? new Promise<string>(() => {}) : "done";
      }));
    const { parley, errors } = world.isolate(0, [flow]);
    const handle = await parley.start(flow, undefined, { workflowId: "w" });
    await settle();
    let closed = false;
    const closing = (options ? parley.close(options) : parley[Symbol.asyncDispose]()).then(() => closed = true);
    await settle();
    if (limitMs > 0) {
      await world.pass(limitMs - 1);
      assert.deepEqual([closed, reasons.length], [false, 0]);
      await world.pass(1);
    }
    await settle();
    assert.deepEqual([closed, reasons.length, clock.pending], [true, 1, 0]);
    await closing;
    const other = world.isolate(1, [flow]);
    assert.deepEqual(await world.until(other.parley.sweep()), { claimed: 1, finished: 1, suspended: 0 });
    const { output, recoveryAttempts } = await other.parley.handle("w").status();
    assert.deepEqual([output, recoveryAttempts, tries], ["done", 0, 2]);
    assert.deepEqual(errors, []);
    await handle.result();
  }
});

Deno.test("close() hands over at once during the pause between two tries of a step", async () => {
  const { world, clock } = await setup();
  const flow = workflow(
    "flow",
    async (ctx) => await ctx.step("flaky", () => Promise.reject(new Error("no")), { retries: 5, delay: "1h" }),
  );
  const { parley } = world.isolate(0, [flow], { hotWait: "2h" });
  await parley.start(flow, undefined);
  await settle();
  await parley.close();
  assert.equal(clock.pending, 0);
});

Deno.test("close() does not wait forever for code that awaits something other than an operation", async () => {
  const { world } = await setup();
  const flow = workflow("flow", async (ctx) => {
    await ctx.step("first", () => {});
    await new Promise(() => {});
  });
  const { parley, errors } = world.isolate(0, [flow], { wake: "none" });
  await parley.start(flow, undefined);
  await settle();
  const closing = parley.close({ timeout: "5s" });
  await world.pass(5_000);
  await world.until(closing);
  assert.deepEqual(errors, []);
  assert.equal((await world.until(world.isolate(1, [flow]).parley.list({ status: "PENDING" }))).workflows.length, 1);
});

Deno.test("close() keeps what was written before its timeout, and ignores later writes", async () => {
  const { world } = await setup();
  const { open, opened } = gate();
  let late: Promise<unknown> | undefined;
  const flow = workflow("flow", async (ctx) => {
    await ctx.step("publishes", async (step) => {
      await step.writeStream("log", "before");
      await opened;
      late = step.writeStream("log", "after").then(() => "written", (error) => error.code);
      await late;
    });
  });
  const { parley } = world.isolate(0, [flow]);
  const handle = await parley.start(flow, undefined, { workflowId: "w" });
  await settle();
  const closing = parley.close({ timeout: 0 });
  await world.until(closing);
  open();
  await settle();
  assert.deepEqual((await handle.readStream("log", { wait: false }).collect()).values, ["before"]);
});

Deno.test("close() ends a cancelled run whose code does not end", async () => {
  const { world } = await setup();
  const flow = workflow("flow", async (ctx) => {
    await ctx.recv().catch(() => {});
    await new Promise(() => {});
  });
  const { parley } = world.isolate(0, [flow], { hotWait: "1h" });
  const handle = await parley.start(flow, undefined);
  await settle();
  await handle.cancel();
  await settle();
  await world.until(parley.close({ timeout: "1s" }));
  assert.equal((await handle.status()).status, "CANCELLED");
});

Deno.test("close() may be called twice, and the shorter timeout counts", async () => {
  const { world, clock } = await setup();
  const flow = workflow("flow", async (ctx) => await ctx.step("slow", () => new Promise(() => {})));
  const { parley } = world.isolate(0, [flow]);
  await parley.start(flow, undefined);
  await settle();
  const first = parley.close({ timeout: "1h" });
  await settle();
  await parley.close({ timeout: 0 });
  await first;
  assert.equal(clock.pending, 0);
  await assert.rejects(parley.close({ timeout: -1 }), { code: "invalid_value" });
});

Deno.test("close() waits for a call of wake, at most until a second after its timeout", async () => {
  const { world, clock } = await setup();
  const flow = workflow("flow", async (ctx) => await ctx.step("slow", () => new Promise(() => {})));
  const woken: string[][] = [];
  const { parley, errors } = world.isolate(0, [flow], {
    wake: (workflowIds) => {
      woken.push(workflowIds);
      return new Promise(() => {});
    },
  });
  await parley.start(flow, undefined, { workflowId: "w" });
  await settle();
  let closed = false;
  const closing = parley.close({ timeout: "5s" }).then(() => closed = true);
  await world.pass(5_999);
  assert.deepEqual([woken, closed], [[["w"]], false]);
  await world.pass(1);
  await closing;
  assert.deepEqual([clock.pending, errors], [0, []]);
});

Deno.test("close() during a replay leaves the rest of the code to the next run", async () => {
  const { world } = await setup();
  const { open, opened } = gate();
  let runs = 0;
  const flow = workflow("flow", async (ctx) => {
    runs++;
    const work = async () => {
      await ctx.step("first", () => {});
      if (runs === 2) await opened;
      await ctx.step("second", () => {});
      return await ctx.recv("go");
    };
    return await Promise.race([ctx.recv("stop"), work()]);
  });
  const { parley } = world.isolate(0, [flow]);
  const handle = await parley.start(flow, undefined);
  await world.until(parley.idle());
  const closing = world.isolate(1, [flow], { hotWait: "5s" });
  await closing.parley.send(handle.workflowId, "gone", { topic: "go" });
  await settle();
  assert.equal(runs, 2);
  await closing.parley.close();
  assert.deepEqual([closing.errors, (await handle.status()).problem], [[], undefined]);
  open();
  await world.until(parley.sweep());
  assert.equal(await world.until(handle.result()), "gone");
});
