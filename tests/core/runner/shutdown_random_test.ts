import assert from "node:assert/strict";
import { delay } from "../../../core/time/clock.ts";
import { type Workflow, workflow } from "../../../core/workflow.ts";
import type { Isolate } from "../../../conformance/workflows/world.ts";
import { seeded } from "../../support/random.ts";
import { settle, setup } from "../setup.ts";

const RUNS = 60;
const WORKFLOWS = 6;

/**
 * One random story. Isolates join, work, close and die. Meanwhile, workflows get messages, are
 * cancelled, and are resumed.
 */
async function story(seed: number): Promise<void> {
  const source = seeded(seed);
  const int = (most: number) => Math.floor(source.between(0, most));
  const random = { int, pick: <T>(items: readonly T[]): T => items[int(items.length)]! };
  const { world, clock } = await setup();
  const cancelled = new Set<string>();
  const child = workflow("child", async (ctx, n: number) => (await ctx.sleep("2s"), n));
  const flow: Workflow<string, number[]> = workflow("flow", async (ctx) => {
    const first = await ctx.step("slow", ({ signal }) => delay(clock, 700, signal).then(() => 1));
    const flaky = await ctx.step("flaky", ({ attempt }) => attempt < 3 ? Promise.reject(new Error("no")) : attempt, {
      retries: 5,
      delay: "1s",
    });
    const message = await ctx.recv<number>("go");
    const started = await ctx.start(child, 4);
    const late = await ctx.recv<number>("late", { timeout: "5s" }).catch(() => 5);
    return [first, flaky, message, await started.result(), late];
  });
  const isolates: (Isolate & { ending?: Promise<unknown> })[] = [];
  const endings: Promise<unknown>[] = [];
  const join = () => {
    const wake = random.pick(["inline", "none"] as const);
    const isolate = world.isolate(random.pick([0, 1]), [flow, child], {
      wake,
      hotWait: random.pick([0, 500, 3_000]),
      lease: "10s",
    });
    isolates.push(isolate);
    if (random.int(2) === 0) {
      endings.push(isolate.parley.work({ signal: new AbortController().signal, concurrency: 1 + random.int(3) }));
    }
    return isolate;
  };
  const leave = ({ parley, driver }: Isolate) => {
    if (random.int(5) === 0) driver.kill();
    endings.push(parley.close({ timeout: random.pick([0, 300, 5_000]) }));
  };
  const ids = Array.from({ length: WORKFLOWS }, (_, n) => `w${n}`);
  const starter = join();
  for (const workflowId of ids) {
    await starter.parley.start(flow, workflowId, { workflowId, enqueue: random.int(2) === 0 });
  }
  const outside = world.isolate(0, []).parley;
  const sent = new Set<string>();
  for (let action = 0; action < 60; action++) {
    const workflowId = random.pick(ids);
    switch (random.int(9)) {
      case 0:
        if (isolates.length < 3) join();
        break;
      case 1:
        if (isolates.length > 0) leave(isolates.splice(random.int(isolates.length), 1)[0]!);
        break;
      case 2:
        if (sent.has(workflowId)) break;
        sent.add(workflowId);
        await random.pick([outside, ...isolates.map(({ parley }) => parley)]).send(workflowId, 3, {
          topic: "go",
          idempotencyKey: "go",
        })
          .catch(() => sent.delete(workflowId));
        break;
      case 3:
        if (random.int(3) > 0) break;
        await outside.cancel(workflowId).then(() => cancelled.add(workflowId), () => {});
        break;
      case 4:
        if (cancelled.has(workflowId)) {
          await outside.resume(workflowId).then(() => cancelled.delete(workflowId), () => {});
        }
        break;
      case 5:
        for (const { parley } of isolates.slice(0, 1)) endings.push(parley.sweep().catch(() => {}));
        break;
      case 6:
        for (const { parley } of isolates.slice(0, 1)) endings.push(parley.wake([workflowId]).catch(() => {}));
        break;
      default:
        await world.pass(random.int(1_500));
    }
    if (random.int(2) === 0) await settle(random.int(6));
  }
  for (const isolate of isolates) leave(isolate);
  await world.until(Promise.all(endings));
  const last = world.isolate(1, [flow, child], { lease: "10s" });
  for (const workflowId of ids) {
    if (cancelled.has(workflowId)) await outside.resume(workflowId);
    if ((await outside.handle(workflowId).status()).status === "PENDING" || !sent.has(workflowId)) {
      await outside.send(workflowId, 3, { topic: "go", idempotencyKey: "go" }).catch(() => {});
    }
  }
  const controller = new AbortController();
  const working = last.parley.work({ signal: controller.signal });
  for (const workflowId of ids) {
    const output = await world.until(outside.handle(workflowId).result());
    assert.deepEqual(output, [1, 3, 3, 4, 5], `${workflowId} of seed ${seed}`);
  }
  controller.abort();
  await world.until(working);
  await world.until(last.parley.close());
  assert.equal(clock.pending, 0, `timers were left behind by seed ${seed}`);
}

Deno.test("isolates that join, work, close and die at random lose no workflow and leave nothing behind", async () => {
  const only = Deno.env.get("SHUTDOWN_SEED");
  for (let seed = 1; seed <= RUNS; seed++) if (!only || Number(only) === seed) await story(seed);
});
