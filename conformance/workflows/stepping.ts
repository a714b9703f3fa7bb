/**
 * Rules for steps: tries, time limits, and which calls a step may make.
 *
 * @module
 */

import assert from "node:assert/strict";
import { ContextError, FatalError } from "../../core/errors.ts";
import type { StepContext } from "../../core/step_context.ts";
import { workflow } from "../../core/workflow.ts";
import type { Rules } from "../suite.ts";
import type { World } from "./world.ts";

/** Steps. */
export const stepping: Rules<World> = {
  "a failed step is tried again as its options say, and its last error is recorded": async (world) => {
    const tries: [attempt: number, at: number][] = [];
    const start = world.harness.clock.now();
    const flow = workflow("flow", async (ctx) => {
      const options = { retries: 4, delay: "1s", backoff: 3, maxDelay: "5s" } as const;
      await ctx.step("failing", ({ attempt }) => {
        tries.push([attempt, world.harness.clock.now() - start]);
        throw new Error(`try ${attempt}`);
      }, options).catch((error) => assert.equal(error.message, "try 5"));
      return await ctx.step(
        "second time lucky",
        ({ attempt }) => attempt === 2 ? "done" : Promise.reject(new Error()),
        { retries: 1, delay: 0 },
      );
    });
    const { parley } = world.isolate(0, [flow], { hotWait: "1m" });
    const handle = await parley.start(flow, undefined);
    assert.equal(await world.until(handle.result()), "done");
    assert.deepEqual(tries.map(([attempt]) => attempt), [1, 2, 3, 4, 5]);
    const pauses = tries.slice(1).map(([, at], index) => at - tries[index]![1]);
    assert.deepEqual(pauses, [1_000, 3_000, 5_000, 5_000]);
  },

  "a FatalError, or an error that retryIf refuses, ends a step at once": async (world) => {
    let tries = 0;
    const seen: unknown[] = [];
    const failing = (error: Error) => () => (tries++, Promise.reject(error));
    const flow = workflow("flow", async (ctx) => {
      const codes: unknown[] = [];
      const keep = (error: unknown) =>
        void codes.push(error instanceof FatalError ? "fatal" : (error as Error).message);
      const retries = { retries: 5, delay: 0 };
      await ctx.step("fatal", failing(new FatalError("no such account")), retries).catch(keep);
      await ctx.step("refused", failing(new Error("declined")), {
        ...retries,
        retryIf: (error) => (seen.push(error), (error as Error).message !== "declined"),
      }).catch(keep);
      await ctx.step("allowed", failing(new Error("busy")), { ...retries, retries: 1, retryIf: () => true }).catch(
        keep,
      );
      await ctx.step("broken", failing(new Error("busy")), {
        ...retries,
        retryIf: () => {
          throw new Error("retryIf is broken");
        },
      }).catch(keep);
      await ctx.recv();
      return codes;
    });
    const { parley } = world.isolate(0, [flow]);
    const handle = await parley.start(flow, undefined);
    await world.pass(10_000);
    await world.until(world.isolate(1, [flow]).parley.send(handle.workflowId, "go"));
    assert.deepEqual(await world.until(handle.result()), ["fatal", "declined", "busy", "retryIf is broken"]);
    assert.equal(tries, 5, "a replay tries nothing again");
    assert.equal(seen.length, 1);
  },

  "a try that takes longer than its timeout is aborted and counts as failed": async (world) => {
    const reasons: unknown[] = [];
    const flow = workflow("flow", async (ctx) =>
      await ctx.step("slow", ({ signal, attempt }) => {
        if (attempt === 2) return "fast";
        return new Promise<string>(() => signal.addEventListener("abort", () => reasons.push(signal.reason.code)));
      }, { timeout: "1s", retries: 1 }));
    const { parley } = world.isolate(0, [flow]);
    const handle = await parley.start(flow, undefined);
    assert.equal(await world.until(handle.result()), "fast");
    assert.deepEqual(reasons, ["timeout"]);
    const strict = workflow(
      "strict",
      async (ctx) => await ctx.step("slow", () => new Promise(() => {}), { timeout: 10 }),
    );
    const other = await world.isolate(1, [strict]).parley.start(strict, undefined);
    const { cause } = await world.until(other.result().then(() => assert.fail(), (error) => error));
    assert.deepEqual([cause.code, cause.operation, cause.timeoutMs], ["timeout", 'step "slow"', 10]);
  },

  "a message sent from a step is sent once, however often the step is tried": async (world) => {
    const collect = workflow("collect", async (ctx) => [await ctx.recv(), await ctx.recv("t"), await ctx.recv()]);
    const flow = workflow("flow", async (ctx) => {
      return await ctx.step("sending", async (step) => {
        const receipts = [];
        for (const topic of ["", "t", ""]) {
          receipts.push(await step.send("collect", `${topic} in try ${step.attempt}`, { topic }));
        }
        if (step.attempt < 3) throw new Error("again");
        return receipts.map(({ duplicate }) => duplicate);
      }, { retries: 2, delay: 0 });
    });
    const { parley } = world.isolate(0, [flow, collect]);
    const handle = await parley.start(collect, undefined, { workflowId: "collect" });
    const sender = await parley.start(flow, undefined);
    assert.deepEqual(await world.until(sender.result()), [false, false, false]);
    assert.deepEqual(await world.until(handle.result()), [" in try 1", "t in try 1", " in try 1"]);
  },

  "the stream writes of a step that is tried again appear again, in the order written": async (world) => {
    const flow = workflow("flow", async (ctx) => {
      await ctx.step("writing", async (step) => {
        await Promise.all([1, 2].map((n) => step.writeStream("log", [step.attempt, n])));
        await step.setEvent("attempt", step.attempt);
        if (step.attempt === 1) throw new Error("again");
      }, { retries: 1, delay: 0 });
    });
    const { parley } = world.isolate(0, [flow]);
    const handle = await parley.start(flow, undefined);
    await world.until(handle.result());
    assert.deepEqual((await handle.readStream("log").collect()).values, [[1, 1], [1, 2], [2, 1], [2, 2]]);
    assert.equal(await handle.getEvent("attempt", { timeout: 0 }), 2);
  },

  "the workflow's operations are refused inside a step, and take no position": async (world) => {
    let left: StepContext | undefined;
    const flow = workflow("flow", async (ctx) => {
      const errors = await ctx.step("nested", async (step) => {
        left = step;
        await Promise.resolve();
        const calls = [() => ctx.recv(), () => ctx.setEvent("e", 1), () => ctx.step("inner", () => 1), () => ctx.now()];
        return await Promise.all(
          calls.map((call) => call().then(() => "done", (error) => error instanceof ContextError)),
        );
      });
      const beside = await Promise.all([ctx.step("one", () => 1), ctx.now()]);
      return [errors, beside.length];
    });
    const { parley } = world.isolate(0, [flow]);
    const handle = await parley.start(flow, undefined);
    assert.deepEqual(await world.until(handle.result()), [[true, true, true, true], 2]);
    await assert.rejects(left!.writeStream("log", 1), { code: "invalid_context" });
  },

  "an operation after the workflow's code has returned is refused": async (world) => {
    const late: unknown[] = [];
    const flow = workflow("flow", (ctx) => {
      setTimeoutOn(world.harness.clock, () => void ctx.setEvent("late", 1).catch((error) => late.push(error.code)));
    });
    const { parley } = world.isolate(0, [flow]);
    const handle = await parley.start(flow, undefined);
    await world.until(handle.result());
    await world.pass(1_000);
    await world.until(parley.idle());
    assert.deepEqual(late, ["invalid_context"]);
    await assert.rejects(handle.getEvent("late", { timeout: 0 }), { code: "workflow_ended" });
  },
};

function setTimeoutOn(clock: { after(ms: number, run: () => void): unknown }, run: () => void): void {
  clock.after(500, run);
}
