/**
 * Rules for the pauses between the tries of a step. The store counts the tries, and a pause is a
 * wait like any other.
 *
 * @module
 */

import assert from "node:assert/strict";
import type { StepOptions } from "../../../core/step_context.ts";
import { workflow } from "../../../core/workflow.ts";
import type { Rules } from "../../suite.ts";
import type { World } from "../world.ts";

/** A workflow with a step that fails, and a log of its tries. */
function failing(options: StepOptions, succeedsAt = Infinity) {
  const tries: number[] = [];
  let runs = 0;
  const flow = workflow("flow", async (ctx) => {
    runs++;
    const code = ({ attempt }: { attempt: number }) => {
      tries.push(attempt);
      if (attempt < succeedsAt) throw new Error(`try ${attempt}`);
      return `try ${attempt}`;
    };
    return await ctx.step("step", code, options).catch((error) => error.message);
  });
  return { flow, tries, runs: () => runs };
}

/** Steps that are tried again. */
export const pausing: Rules<World> = {
  "tries are counted over restarts, and a pause goes on where it was": async (world) => {
    const { flow, tries } = failing({ retries: 3, delay: "3s", backoff: 1 });
    const { parley } = world.isolate(1, []);
    const handle = await parley.start("flow", undefined, { enqueue: true });
    for (let lives = 0; lives < 12 && (await handle.status()).status !== "SUCCESS"; lives++) {
      const isolate = world.isolate(0, [flow], { lease: "2s", hotWait: "1h", wake: "none" });
      void isolate.parley.sweep().catch(() => {});
      await world.pass(1_000);
      isolate.driver.kill();
      await world.pass(1_001);
      await world.until(isolate.parley.idle());
    }
    assert.deepEqual(tries, [1, 2, 3, 4]);
    assert.equal((await handle.status()).output, "try 4");
  },

  "a pause suspends with its deadline, and the next run makes the next try then": async (world) => {
    const { flow, tries, runs } = failing({ retries: 2, delay: "10m" }, 3);
    const isolate = world.isolate(0, [flow], { wake: "none" });
    const { parley } = isolate;
    const handle = await parley.start(flow, undefined);
    await world.until(parley.idle());
    const { waiting, createdAt } = await handle.status();
    assert.deepEqual(waiting?.operations, ['step "step"']);
    const pauseMs = waiting!.until! - createdAt;
    assert(pauseMs >= 600_000 && pauseMs < 610_000, `${pauseMs}`);
    assert.equal((await world.until(parley.sweep())).claimed, 0);
    const { calls } = isolate.driver;
    await world.pass(590_000);
    assert.equal(isolate.driver.calls, calls, "a suspended pause makes no request");
    await world.pass(20_000);
    await world.until(parley.sweep());
    assert.deepEqual(tries, [1, 2]);
    await world.pass(1_200_000);
    await world.until(parley.sweep());
    assert.equal(await world.until(handle.result()), "try 3");
    assert.equal(runs(), 3);
  },

  "a pause in memory makes no request, and a run that is disposed of does not wait for its end": async (world) => {
    const { flow, tries, runs } = failing({ retries: 1, delay: "20m" });
    const isolate = world.isolate(0, [flow], { hotWait: "1h", lease: "6h", wake: "none" });
    const handle = await isolate.parley.start(flow, undefined);
    await world.untilTrue(() => tries.length === 1);
    await world.pass(1_000);
    const { calls } = isolate.driver;
    await world.pass(600_000);
    assert.equal(isolate.driver.calls, calls);
    const start = world.harness.clock.now();
    await world.until(isolate.parley[Symbol.asyncDispose]());
    assert(world.harness.clock.now() - start < 5_000, "it hands over at once");
    await world.pass(600_000);
    await world.until(world.isolate(1, [flow]).parley.sweep());
    assert.equal((await handle.status()).output, "try 2");
    assert.deepEqual([tries, runs()], [[1, 2], 2]);
  },

  "a run that stays in memory makes the next try at the end of a pause": async (world) => {
    const { flow, tries, runs } = failing({ retries: 2, delay: "5s" });
    const { parley } = world.isolate(0, [flow], { hotWait: "1m" });
    const handle = await parley.start(flow, undefined);
    assert.equal(await world.until(handle.result()), "try 3");
    assert.deepEqual([tries, runs()], [[1, 2, 3], 1]);
  },

  "a pause of 0 suspends nothing, and each try is counted": async (world) => {
    const { flow, tries, runs } = failing({ retries: 6, delay: 0 }, 6);
    const { parley } = world.isolate(0, [flow]);
    const handle = await parley.start(flow, undefined);
    assert.equal(await world.until(handle.result()), "try 6");
    assert.deepEqual([tries, runs()], [[1, 2, 3, 4, 5, 6], 1]);
  },

  "a deploy that lowers retries lets one more try tell how the step ends": async (world) => {
    const before = failing({ retries: 9, delay: "1m", backoff: 1 });
    const old = world.isolate(0, [before.flow], { wake: "none" });
    const handle = await old.parley.start(before.flow, undefined);
    await world.until(old.parley.idle());
    for (let tries = 2; tries <= 3; tries++) {
      await world.pass(60_000);
      await world.until(old.parley.sweep());
    }
    const after = failing({ retries: 0 });
    await world.pass(60_000);
    await world.until(world.isolate(1, [after.flow]).parley.sweep());
    assert.equal((await handle.status()).output, "try 4");
    assert.deepEqual([before.tries, after.tries], [[1, 2, 3], [4]]);
  },

  "a message is received during a pause, and the pause goes on": async (world) => {
    const tries: number[] = [];
    const flow = workflow("flow", async (ctx) => {
      const step = ctx.step(
        "step",
        ({ attempt }) => (tries.push(attempt), attempt < 2 ? Promise.reject(new Error("no")) : attempt),
        { retries: 1, delay: "1h" },
      );
      const messages = [await ctx.recv(), await ctx.recv()];
      const first = await Promise.race([step, ctx.recv("never")]);
      return [...messages, first];
    });
    const { parley } = world.isolate(0, [flow]);
    const handle = await parley.start(flow, undefined);
    for (const message of [1, 2]) {
      await world.until(parley.idle());
      await handle.send(message);
      await world.until(parley.idle());
      await world.pass(1_000_000);
    }
    await world.pass(2_000_000);
    await world.until(parley.sweep());
    assert.deepEqual(await world.until(handle.result()), [1, 2, 2]);
    assert.deepEqual(tries, [1, 2]);
  },

  "a budget that is used up lets the next run make the next try": async (world) => {
    const { flow, tries } = failing({ retries: 3, delay: "1s", backoff: 1 });
    const { parley } = world.isolate(0, [flow], { budget: 0, hotWait: "1h" });
    const handle = await parley.start(flow, undefined);
    assert.equal(await world.until(handle.result()), "try 4");
    assert.deepEqual(tries, [1, 2, 3, 4]);
  },

  "a cancel ends a pause at once": async (world) => {
    const { flow, tries } = failing({ retries: 3, delay: "1h" });
    const { parley } = world.isolate(0, [flow], { hotWait: "2h" });
    const handle = await parley.start(flow, undefined);
    await world.untilTrue(() => tries.length === 1);
    await handle.cancel();
    await world.until(parley.idle());
    assert.equal((await handle.status()).status, "CANCELLED");
    assert.deepEqual(tries, [1]);
  },
};
