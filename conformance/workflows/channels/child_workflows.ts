/**
 * Rules for workflows that wait for the workflows that they have started.
 *
 * @module
 */

import assert from "node:assert/strict";
import { workflow } from "../../../core/workflow.ts";
import type { Rules } from "../../suite.ts";
import type { World } from "../world.ts";

const CHILDREN = 20;

const part = workflow("part", async (ctx, n: number) => {
  await ctx.sleep(n * 1_000);
  return n * n;
});

/** Waiting for many children. */
export const childWorkflows: Rules<World> = {
  "a workflow that waits for the results of all its children runs once more, however far apart they end": async (
    world,
  ) => {
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
  },

  "the first child that fails wakes a workflow that waits for all of them, and its error is recorded": async (
    world,
  ) => {
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
  },

  "a workflow that has stopped waiting for one list of results goes on with the next": async (world) => {
    const fails = workflow("fails", async (ctx) => {
      await ctx.sleep("1s");
      throw new Error("no such part");
    });
    const whole = workflow("whole", async (ctx) => {
      const [slow, broken, two, three] = [
        await ctx.start(part, 3_600),
        await ctx.start(fails, undefined),
        await ctx.start(part, 2),
        await ctx.start(part, 3),
      ];
      const first = await ctx.results([slow, broken]).catch((error) => error.code);
      return [first, await ctx.results([two, three])];
    });
    const { parley } = world.isolate(0, [part, fails, whole]);
    const handle = await parley.start(whole, undefined);
    assert.deepEqual(await world.until(handle.result()), ["workflow_failed", [4, 9]]);
  },

  "each of several lists of results that are waited for at once lets its workflow go on": async (world) => {
    const whole = workflow("whole", async (ctx) => {
      const [slow, one, two] = [await ctx.start(part, 3_600), await ctx.start(part, 1), await ctx.start(part, 2)];
      return [
        await Promise.race([ctx.results([slow]), ctx.results([one, two])]),
        await Promise.race([ctx.results([two, one]), ctx.results([slow])]),
      ];
    });
    const { parley } = world.isolate(0, [part, whole]);
    const handle = await parley.start(whole, undefined);
    assert.deepEqual(await world.until(handle.result()), [[1, 4], [4, 1]]);
  },

  "results() of no children is an empty list, and its timeout is recorded": async (world) => {
    const whole = workflow("whole", async (ctx) => {
      const none = await ctx.results([]);
      const slow = await ctx.start(part, 60);
      return [
        none,
        await ctx.results([slow], { timeout: "5s" }).catch((error) => error.code),
        await ctx.results([slow]),
      ];
    });
    const { parley } = world.isolate(0, [part, whole]);
    const handle = await parley.start(whole, undefined);
    assert.deepEqual(await world.until(handle.result()), [[], "timeout", [3_600]]);
  },

  "a wait for a child that is gone, or for an event of a child that ended without it, rejects and is recorded": async (
    world,
  ) => {
    const quick = workflow("quick", () => "done");
    const failing = workflow("failing", () => {
      throw new Error("failed");
    });
    const codeOf = (wait: Promise<unknown>) => wait.then((value) => value, (error) => [error.code, error.status]);
    const whole = workflow("whole", async (ctx) => {
      const gone = await ctx.start(quick, undefined, { workflowId: "gone" });
      const failed = await ctx.start(failing, undefined, { workflowId: "failed" });
      await gone.result();
      await ctx.recv("purged");
      const found = [
        await codeOf(gone.result()),
        await codeOf(gone.getEvent("state")),
        await codeOf(ctx.getEvent("gone", "state")),
      ];
      found.push(await codeOf(failed.getEvent("state")), await codeOf(ctx.results([gone])));
      await ctx.recv("replayed");
      return found;
    });
    const { parley } = world.isolate(0, [quick, failing, whole]);
    const handle = await parley.start(whole, undefined);
    await world.until(parley.idle());
    await world.pass(60_000);
    // The other child stays, because nobody has asked for its result.
    assert.equal(await parley.purge({ olderThan: "1s" }), 1);
    for (const topic of ["purged", "replayed"]) {
      await handle.send(null, { topic });
      await world.until(parley.idle());
    }
    const notFound = ["workflow_not_found", undefined];
    assert.deepEqual(await world.until(handle.result()), [
      notFound,
      notFound,
      notFound,
      ["workflow_ended", "ERROR"],
      notFound,
    ]);
  },

  "a wait for an event of a workflow that ends without it rejects at the end": async (world) => {
    const flow = workflow("flow", async (ctx) => {
      return await ctx.getEvent("other", "state").catch((error) => [error.code, error.status]);
    });
    const other = workflow("other", async (ctx) => await ctx.recv());
    const { parley } = world.isolate(0, [flow, other]);
    for (const ending of ["SUCCESS", "CANCELLED"]) {
      await parley.start(other, undefined, { workflowId: "other" });
      const handle = await parley.start(flow, undefined);
      await world.until(parley.idle());
      if (ending === "CANCELLED") await parley.cancel("other");
      else await parley.send("other", null);
      assert.deepEqual(await world.until(handle.result()), ["workflow_ended", ending]);
      await world.until(parley.idle());
      await world.pass(1_000);
      await parley.purge({ olderThan: "1s" });
    }
  },
};
