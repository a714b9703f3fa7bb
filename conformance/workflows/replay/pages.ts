/**
 * Rules for journals of several pages. On every replay, outcomes arrive in the recorded order,
 * whatever the size of a page.
 *
 * @module
 */

import assert from "node:assert/strict";
import { workflow, type WorkflowContext } from "../../../core/workflow.ts";
import { type Rules, rulesFor } from "../../suite.ts";
import type { World } from "../world.ts";

/** Sizes of pages that cut the journals below at every place. */
const PAGE_SIZES = [1, 2, 3, 4, 5, 1_000];
/** Two such values fill a page, because a page ends at about 1 MiB. */
const LARGE = "x".repeat(600_000);

/** Logs the order in which outcomes arrive, run by run. */
class Orders {
  readonly runs: string[][] = [];

  /** Begins the log of a run. */
  begin(): <T>(name: string, operation: Promise<T>) => Promise<T> {
    const order: string[] = [];
    this.runs.push(order);
    return async (name, operation) => {
      try {
        return await operation;
      } finally {
        order.push(name);
      }
    };
  }

  /** Asserts that each run began like the run before it. */
  check(): void {
    this.runs.reduce((before, order) => (assert.deepEqual(order.slice(0, before.length), before), order), []);
  }
}

/** Replaying page by page. */
export const pages: Rules<World> = {
  "a wait that began before 1,001 steps goes on after a replay of two pages": async (world) => {
    const flow = workflow("flow", async (ctx) => {
      const stop = ctx.recv("stop");
      for (let batch = 0; batch < 10; batch++) {
        await Promise.all(Array.from({ length: 100 }, (_, n) => ctx.step("add", () => n)));
      }
      await ctx.step("add", () => 1_001);
      const first = await Promise.race([stop, ctx.recv("other")]);
      return [first, await stop, await ctx.recv("last")];
    });
    const { parley } = world.isolate(0, [flow]);
    const handle = await parley.start(flow, undefined);
    for (const topic of ["other", "stop", "last"]) {
      await world.until(parley.idle());
      await handle.send(topic, { topic });
    }
    assert.deepEqual(await world.until(handle.result()), ["other", "stop", "last"]);
  },

  "results that fill several pages, asked for side by side beside an early wait, replay": async (world) => {
    const child = workflow("child", () => LARGE);
    const flow = workflow("flow", async (ctx) => {
      const stop = ctx.recv("stop");
      const children = [];
      for (let n = 0; n < 8; n++) children.push(await ctx.start(child, undefined, { workflowId: `child ${n}` }));
      let length = 0;
      for (const results of [children.slice(0, 4), children.slice(4)]) {
        for (const result of await Promise.all(results.map((it) => it.result()))) length += result.length;
      }
      return [length, await stop, await ctx.recv("last")];
    });
    const { parley } = world.isolate(0, [flow, child]);
    const handle = await parley.start(flow, undefined);
    for (const topic of ["stop", "last"]) {
      await world.until(parley.idle());
      await handle.send(topic, { topic });
    }
    assert.deepEqual(await world.until(handle.result()), [8 * LARGE.length, "stop", "last"]);
  },

  ...rulesFor(
    PAGE_SIZES,
    (pages) => ({
      [`a sleep that is a deadline for what comes after it holds on a replay by pages of ${pages}`]: async (world) => {
        const orders = new Orders();
        const flow = workflow("flow", async (ctx) => {
          const log = orders.begin();
          const deadline = log("deadline", ctx.sleep("1h").then(() => "too late"));
          for (let n = 0; n < 7; n++) await log(`step ${n}`, ctx.step("work", () => n));
          const first = await Promise.race([deadline, log("go", ctx.recv("go").then(() => "in time"))]);
          await log("after", ctx.step("after", () => {}));
          return [first, await log("last", ctx.recv("last"))];
        });
        const { parley } = world.isolate(0, [flow], { pages, wake: "none" });
        for (const workflowId of ["late", "in time"]) await parley.start(flow, undefined, { workflowId });
        await world.until(parley.idle());
        await parley.send("in time", null, { topic: "go" });
        await world.until(parley.sweep());
        await world.pass(3_600_000);
        await world.until(parley.sweep());
        for (const workflowId of ["late", "in time"]) await parley.send(workflowId, "last", { topic: "last" });
        await world.until(parley.sweep());
        assert.deepEqual((await parley.handle("late").status()).output, ["too late", "last"]);
        assert.deepEqual((await parley.handle("in time").status()).output, ["in time", "last"]);
      },

      [`steps and waits side by side arrive in the same order on every replay by pages of ${pages}`]: async (world) => {
        const orders = new Orders();
        const round = async (ctx: WorkflowContext, log: ReturnType<Orders["begin"]>, n: number) => {
          const name = (what: string) => `${what} ${n}`;
          const waits = ["a", "b", "c"].map((topic) => log(name(topic), ctx.recv(topic)));
          const steps = [1, 2].map((it) => log(name(`step ${it}`), ctx.step(`${it}`, () => it)));
          const late = log(name("timeout"), ctx.recv("never", { timeout: "10s" }).catch(() => "nothing"));
          await Promise.race(waits);
          await log(name("between"), ctx.setEvent("state", n));
          return await Promise.all([late, ...waits, ...steps]);
        };
        const flow = workflow("flow", async (ctx) => {
          const log = orders.begin();
          const early = log("early", ctx.recv("early"));
          const rounds = [await round(ctx, log, 0), await round(ctx, log, 1)];
          return [rounds, await early];
        });
        const { parley } = world.isolate(0, [flow], { pages, wake: "none" });
        const handle = await parley.start(flow, undefined);
        await world.until(parley.idle());
        for (const topic of ["b", "c", "c", "a", "", "b", "a", "early"]) {
          if (topic === "") await world.pass(10_000);
          else await handle.send(topic, { topic });
          await world.until(parley.sweep());
        }
        await world.pass(10_000);
        await world.until(parley.sweep());
        const round0 = ["nothing", "a", "b", "c", 1, 2];
        assert.deepEqual((await handle.status()).output, [[round0, round0], "early"]);
        assert(orders.runs.length > 5);
        orders.check();
      },
    }),
  ),

  "an outcome that a run records beside unread pages is delivered once, after the outcomes of those pages": async (
    world,
  ) => {
    const orders = new Orders();
    const flow = workflow("flow", async (ctx) => {
      const log = orders.begin();
      const waits = Array.from({ length: 4 }, (_, n) => log(`wait ${n}`, ctx.recv("go")));
      const steps = Array.from({ length: 9 }, (_, n) => log(`step ${n}`, ctx.step("step", () => n)));
      await Promise.race(waits);
      await log("after", ctx.writeStream("log", "after"));
      await Promise.all([...waits, ...steps]);
      return await Promise.all(waits);
    });
    const { parley } = world.isolate(0, [flow], { pages: 2, wake: "none" });
    const handle = await parley.start(flow, undefined);
    await world.until(parley.idle());
    for (let n = 0; n < 4; n++) {
      await handle.send(n, { topic: "go" });
      await world.until(parley.sweep());
    }
    assert.deepEqual((await handle.status()).output, [0, 1, 2, 3]);
    assert.deepEqual((await handle.readStream("log").collect()).values, ["after"]);
    orders.check();
  },
};
