import assert from "node:assert/strict";
import { schedule, stream, topic, workflow } from "../../mod.ts";
import { testParley } from "../../testing/mod.ts";

const payment = topic<number>("payment");

Deno.test("advance() runs each sleep, timeout and retry at its time", async () => {
  const log: [string, number][] = [];
  const start = Date.UTC(2026, 0, 1);
  const flow = workflow("flow", async (ctx) => {
    const note = (what: string) => void log.push([what, parley.clock.now() - start]);
    await ctx.sleep("90m");
    await ctx.step("slept", () => note("slept"));
    const late = await ctx.recv(payment, { timeout: "1d" }).then(() => "received", () => "timed out");
    await ctx.step("flaky", ({ attempt }) => {
      note(`try ${attempt}, ${late}`);
      if (attempt < 3) throw new Error("busy");
    }, { retries: 2, delay: "10s", backoff: 2 });
    return await ctx.now() - start;
  });
  const parley = testParley({ workflows: [flow], start });
  const handle = await parley.start(flow, undefined);
  await parley.advance("3d");
  const timedOut = 90 * 60_000 + 86_400_000;
  assert.deepEqual(log, [
    ["slept", 90 * 60_000],
    ["try 1, timed out", timedOut],
    ["try 2, timed out", timedOut + 10_000],
    ["try 3, timed out", timedOut + 30_000],
  ]);
  assert.equal(await handle.result(), timedOut + 30_000);
  assert.equal(parley.clock.now(), start + 3 * 86_400_000);
});

Deno.test("steps are replaced by name, in children too, and others run their own code", async () => {
  const child = workflow("child", async (ctx) => await ctx.step("ask", () => "real"));
  const flow = workflow("flow", async (ctx) => {
    const { step } = ctx;
    const lines = stream<string>("lines");
    const through = await step("through", async (it) => {
      await it.writeStream(lines, "written");
      return 1;
    });
    const kept = await step("kept", () => "kept");
    return [through, kept, await (await ctx.start(child, undefined)).result(), ctx.workflowId, ctx.signal.aborted];
  });
  const attempts: number[] = [];
  const parley = testParley({
    workflows: [flow, child],
    steps: {
      ask: () => Promise.resolve("replaced"),
      misspelt: () => {},
      through: async ({ attempt, signal }, code) => {
        assert.equal(signal.aborted, false);
        attempts.push(attempt);
        return await code() as number + 1;
      },
    },
  });
  const handle = await parley.start(flow, undefined, { workflowId: "w" });
  assert.deepEqual(await handle.result(), [2, "kept", "replaced", "w", false]);
  assert.deepEqual(attempts, [1]);
  assert.deepEqual(parley.unusedSteps, ["misspelt"]);
  assert.deepEqual(await handle.readStream("lines", { wait: false }).collect(), {
    values: ["written"],
    closed: true,
    nextOffset: 1,
  });
});

Deno.test("a replacement that throws fails the step, with its retries", async () => {
  const flow = workflow("flow", async (ctx) => await ctx.step("charge", () => "charged", { retries: 1, delay: "1h" }));
  let tries = 0;
  const parley = testParley({
    workflows: [flow],
    steps: {
      charge: () => {
        tries++;
        throw new RangeError("declined");
      },
    },
  });
  const handle = await parley.start(flow, undefined);
  await parley.advance("59m");
  assert.equal(tries, 1);
  await parley.advance("1m");
  assert.equal(tries, 2);
  const { status, error } = await handle.status();
  assert.deepEqual([status, error?.name, error?.message], ["ERROR", "RangeError", "declined"]);
});

Deno.test("a message comes at its time, and what waits for it goes on", async () => {
  const flow = workflow("flow", async (ctx) => await ctx.recv(payment, { timeout: "1h" }).catch(() => "late"));
  const parley = testParley({ workflows: [flow] });
  for (const [workflowId, after] of [["in time", 3_599_999], ["late", 3_600_001]] as const) {
    const handle = await parley.start(flow, undefined, { workflowId });
    parley.clock.after(after, () => void parley.send(workflowId, 1, { topic: payment }).catch(() => {}));
    await parley.advance("2h");
    assert.equal(await handle.result(), workflowId === "late" ? "late" : 1);
  }
});

Deno.test("schedules, delayed and enqueued starts run at their times", async () => {
  const ran: [string, string][] = [];
  const job = workflow(
    "job",
    (_ctx, name: string) => void ran.push([name, new Date(parley.clock.now()).toISOString()]),
  );
  const daily = schedule("daily", "30 9 * * *", job, { input: "daily", timeZone: "Europe/Berlin" });
  const parley = testParley({ workflows: [job], schedules: [daily], start: new Date("2026-03-27T12:00:00Z") });
  await parley.start(job, "enqueued", { enqueue: true });
  await parley.start(job, "delayed", { delay: "36h" });
  await parley.start(job, "at", { at: new Date("2026-03-28T00:00:00Z") });
  await parley.advance("2d");
  assert.deepEqual(ran, [
    ["enqueued", "2026-03-27T12:00:00.000Z"],
    ["at", "2026-03-28T00:00:00.000Z"],
    ["daily", "2026-03-28T08:30:00.000Z"],
    ["delayed", "2026-03-29T00:00:00.000Z"],
    ["daily", "2026-03-29T07:30:00.000Z"], // summer time has begun
  ]);
});

Deno.test("steps that take real time are awaited, and one that hangs lets its timeout pass", async () => {
  const flow = workflow("flow", async (ctx) => {
    await ctx.sleep("1h");
    const text = await ctx.step("read", async () => await Deno.readTextFile(new URL(import.meta.url)));
    const hung = await ctx.step("hang", () => new Promise<never>(() => {}), { timeout: "5m" }).catch((error) => error);
    return [text.length > 100, (hung as Error).name, parley.clock.now() - started];
  });
  const parley = testParley({ workflows: [flow] });
  const started = parley.clock.now();
  const handle = await parley.start(flow, undefined);
  await parley.advance("1d");
  assert.deepEqual(await handle.result(), [true, "TimeoutError", 65 * 60_000]);
});

Deno.test("advance() takes a duration, and leaves what is due later", async () => {
  const flow = workflow("flow", async (ctx) => await ctx.sleep("1h"));
  const parley = testParley({ workflows: [flow] });
  await assert.rejects(parley.advance("soon" as "1s"), { code: "invalid_value" });
  await assert.rejects(parley.advance(-1), { code: "invalid_value" });
  assert.throws(() => testParley({ workflows: [flow], start: new Date("nonsense") }), { code: "invalid_value" });
  const handle = await parley.start(flow, undefined);
  await parley.advance(3_599_999);
  assert.equal((await handle.status()).status, "PENDING");
  await parley.advance(1);
  assert.equal((await handle.status()).status, "SUCCESS");
});
