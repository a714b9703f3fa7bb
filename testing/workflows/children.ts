/**
 * Rules for workflows that wait for others which they have started.
 *
 * @module
 */

import assert from "node:assert/strict";
import { workflow } from "../../core/workflow.ts";
import type { AddRule } from "../suite.ts";
import { World } from "./world.ts";

const CHILDREN = 20;

/** Waiting for many children. */
export function children(rule: AddRule): void {
  const part = workflow("part", async (ctx, n: number) => {
    await ctx.sleep(n * 1_000);
    return n * n;
  });

  rule("a workflow that waits for the results of all its children runs once more, however far apart they end", async (harness) => {
    const world = new World(harness);
    let runs = 0;
    const whole = workflow("whole", async (ctx) => {
      runs++;
      const started = await Promise.all(Array.from({ length: CHILDREN }, (_, n) => ctx.start(part, n + 1)));
      return (await ctx.results(started)).reduce((sum, square) => sum + square, 0);
    });
    const { parley } = world.isolate(0, [part, whole]);
    const handle = await parley.start(whole, undefined);
    const squares = Array.from({ length: CHILDREN }, (_, n) => (n + 1) ** 2);
    assert.equal(await world.until(handle.result()), squares.reduce((sum, it) => sum + it, 0));
    assert.equal(runs, 2);
  });

  rule("the first child that fails wakes a workflow that waits for all of them, and its error is recorded", async (harness) => {
    const world = new World(harness);
    let runs = 0;
    const fails = workflow("fails", async (ctx) => {
      await ctx.sleep("2s");
      throw new TypeError("no such part");
    });
    const whole = workflow("whole", async (ctx) => {
      runs++;
      const parts = await Promise.all([1, 3, 60].map((n) => ctx.start(part, n)));
      const broken = await ctx.start(fails, undefined);
      const reason = await ctx.results([...parts, broken]).catch((error) => error.cause.message);
      return [reason, await ctx.now()];
    });
    const { parley } = world.isolate(0, [part, fails, whole]);
    const handle = await parley.start(whole, undefined);
    const [reason] = await world.until(handle.result());
    assert.equal(reason, "no such part");
    assert.equal(runs, 2);
    await world.until(parley.idle());
  });

  rule("results() of no children is an empty list, and its timeout is recorded", async (harness) => {
    const world = new World(harness);
    const whole = workflow("whole", async (ctx) => {
      const none = await ctx.results([]);
      const slow = await ctx.start(part, 60);
      return [none, await ctx.results([slow], { timeout: "5s" }).catch((error) => error.code), await ctx.results([slow])];
    });
    const { parley } = world.isolate(0, [part, whole]);
    const handle = await parley.start(whole, undefined);
    assert.deepEqual(await world.until(handle.result()), [[], "timeout", [3_600]]);
  });
}
