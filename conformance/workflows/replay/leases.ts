/**
 * Rules for leases: one run at a time owns a workflow, and a run that lost its lease changes
 * nothing.
 *
 * @module
 */

import assert from "node:assert/strict";
import { stream } from "../../../core/channel.ts";
import { LeaseLostError } from "../../../core/errors.ts";
import { workflow } from "../../../core/workflow.ts";
import type { Rules } from "../../suite.ts";
import type { World } from "../world.ts";

const log = stream<string>("log");

/** A gate: steps wait at it until the test opens it. */
function gate(): { open: () => void; opened: Promise<void> } {
  let open = () => {};
  const opened = new Promise<void>((resolve) => open = resolve);
  return { open, opened };
}

/** Leases, crashes and take-overs. */
export const leases: Rules<World> = {
  "a run that lost its lease changes nothing, not even from a step in flight": async (world) => {
    const { open, opened } = gate();
    const zombie: unknown[] = [];
    let tries = 0;
    const flow = workflow("flow", async (ctx) => {
      const mine = ++tries;
      ctx.signal.addEventListener("abort", () => zombie.push(ctx.signal.reason));
      await ctx.step("slow", async (step) => {
        if (mine > 1) return;
        await opened;
        await step.writeStream(log, "zombie").catch((error) => zombie.push(error));
        await step.setEvent("state", "zombie").catch((error) => zombie.push(error));
      });
      await ctx.writeStream(log, `try ${mine}`);
      await ctx.setEvent("state", `try ${mine}`);
      return mine;
    });
    // The frozen isolate's clock stands still, so it renews nothing. The store's clock goes on.
    const frozen = world.isolate(0, [flow], { lease: "10s", clock: { now: () => 0, after: () => () => {} } });
    const handle = await frozen.parley.start(flow, undefined, { workflowId: "w" });
    await world.untilTrue(() => tries === 1);
    await world.pass(10_001);
    const other = world.isolate(1, [flow], { lease: "10s" });
    assert.deepEqual(await world.until(other.parley.sweep()), { claimed: 1, finished: 1, suspended: 0 });
    open();
    await world.until(frozen.parley.idle());
    assert.equal(await handle.result(), 2);
    assert.deepEqual((await handle.readStream(log).collect()).values, ["try 2"]);
    assert.equal(await handle.getEvent("state"), "try 2");
    assert.equal(zombie.length, 3);
    for (const error of zombie) assert(error instanceof LeaseLostError);
  },

  "an isolate never takes over what it runs itself, even if the lease has lapsed": async (world) => {
    const { open, opened } = gate();
    let runs = 0;
    const flow = workflow("flow", async (ctx) => {
      runs++;
      return await ctx.step("blocks", () => opened.then(() => "once"));
    });
    // The isolate's clock stands still, as while a step blocks the thread, so the isolate renews
    // nothing. The store's clock goes on.
    const { parley } = world.isolate(0, [flow], { lease: "10s", clock: { now: () => 0, after: () => () => {} } });
    const handle = await parley.start(flow, undefined, { workflowId: "w" });
    await world.untilTrue(() => runs === 1);
    await world.pass(30_001);
    assert.equal((await world.until(parley.sweep())).claimed, 0);
    assert.equal((await world.until(parley.wake(["w"]))).claimed, 0);
    open();
    assert.equal(await world.until(handle.result()), "once");
    assert.equal(runs, 1);
  },

  "two isolates that sweep at the same time run a workflow once": async (world) => {
    let runs = 0;
    const flow = workflow("flow", async (ctx) => {
      runs++;
      await ctx.step("count", () => {});
    });
    const isolates = [world.isolate(0, [flow]), world.isolate(1, [flow])];
    for (let n = 0; n < 20; n++) {
      await isolates[0]!.parley.start(flow, undefined, { workflowId: `w${n}`, enqueue: true });
    }
    const swept = await world.until(Promise.all(isolates.map(({ parley }) => parley.sweep())));
    assert.equal(runs, 20);
    assert.equal(swept.reduce((sum, { finished }) => sum + finished, 0), 20);
  },

  "a live run renews its lease, however long a step takes": async (world) => {
    const { open, opened } = gate();
    const flow = workflow("flow", async (ctx) => await ctx.step("slow", () => opened.then(() => "done")));
    const { parley } = world.isolate(0, [flow], { lease: "10s" });
    const other = world.isolate(1, [flow]);
    const handle = await parley.start(flow, undefined);
    for (let minute = 0; minute < 12; minute++) {
      await world.pass(5_000);
      assert.equal((await world.until(other.parley.sweep())).claimed, 0);
    }
    open();
    assert.equal(await world.until(handle.result()), "done");
  },

  "a workflow whose process died is taken up from its journal when the lease lapses": async (world) => {
    const ran: string[] = [];
    const { open, opened } = gate();
    const flow = workflow("flow", async (ctx) => {
      await ctx.step("one", () => void ran.push("one"));
      await ctx.step("two", async () => {
        ran.push("two");
        if (ran.length === 2) await opened;
      });
      return ran.length;
    });
    const dying = world.isolate(0, [flow], { lease: "10s" });
    const handle = await dying.parley.start(flow, undefined, { workflowId: "w" });
    await world.untilTrue(() => ran.length === 2);
    dying.driver.kill();
    open();
    await world.until(dying.parley.idle());
    const other = world.isolate(1, [flow]);
    assert.equal((await world.until(other.parley.sweep())).claimed, 0);
    await world.pass(10_001);
    assert.equal((await world.until(other.parley.sweep())).finished, 1);
    assert.deepEqual(ran, ["one", "two", "two"]);
    assert.equal((await other.parley.handle("w").status()).output, 3);
    await assert.rejects(handle.status(), { code: "driver" });
  },

  "a workflow that is taken over too often without progress is given up and can be resumed": async (world) => {
    let healthy = false;
    let runs = 0;
    const flow = workflow("flow", async (ctx) => {
      runs++;
      if (!healthy) await new Promise(() => {});
      return await ctx.step("at last", () => "done");
    }, { maxRecoveryAttempts: 2 });
    const handle = await world.isolate(1, []).parley.start("flow", undefined, { workflowId: "w", enqueue: true });
    for (let death = 0; death < 3; death++) {
      const dying = world.isolate(0, [flow], { lease: "10s" });
      dying.parley.sweep().catch(() => {});
      await world.untilTrue(() => runs === death + 1);
      assert.equal((await handle.status()).recoveryAttempts, death);
      dying.driver.kill();
      await world.pass(10_001);
    }
    const last = world.isolate(0, [flow]);
    assert.deepEqual(await world.until(last.parley.sweep()), { claimed: 1, finished: 1, suspended: 0 });
    assert.equal(runs, 3);
    assert.equal((await handle.status()).status, "MAX_RECOVERY_ATTEMPTS_EXCEEDED");
    await assert.rejects(handle.result(), { code: "workflow_failed" });

    healthy = true;
    await last.parley.resume("w");
    assert.equal((await handle.status()).recoveryAttempts, 0);
    await world.until(last.parley.sweep());
    assert.equal(await world.until(handle.result()), "done");
  },

  "progress resets the count of take-overs": async (world) => {
    let reached = 0;
    const flow = workflow("flow", async (ctx) => {
      for (let n = 1; n <= 6; n++) {
        await ctx.step(`step ${n}`, () => {});
        if (n <= reached) continue;
        reached = n;
        await new Promise(() => {});
      }
      return "through";
    }, { maxRecoveryAttempts: 1 });
    const handle = await world.isolate(1, []).parley.start("flow", undefined, { enqueue: true });
    for (let death = 0; death < 6; death++) {
      const dying = world.isolate(0, [flow], { lease: "10s" });
      dying.parley.sweep().catch(() => {});
      await world.untilTrue(() => reached === death + 1);
      dying.driver.kill();
      await world.pass(10_001);
    }
    await world.until(world.isolate(0, [flow]).parley.sweep());
    assert.equal(await world.until(handle.result()), "through");
  },

  "a run hands over when its budget is used up, and loses nothing": async (world) => {
    let runs = 0;
    const flow = workflow("flow", async (ctx) => {
      runs++;
      const values: number[] = [];
      for (let n = 0; n < 6; n++) values.push(await ctx.step(`step ${n}`, () => world.pass(1_000).then(() => n)));
      return values;
    });
    const { parley, errors } = world.isolate(0, [flow], { budget: "2s" });
    const handle = await parley.start(flow, undefined);
    assert.deepEqual(await world.until(handle.result()), [0, 1, 2, 3, 4, 5]);
    assert.equal(runs, 3);
    assert.deepEqual(errors, []);
  },

  "disposing of a Parley hands its runs over to another one": async (world) => {
    const { open, opened } = gate();
    const flow = workflow("flow", async (ctx) => {
      await ctx.step("first", () => opened);
      return await ctx.step("second", () => "done");
    });
    const leaving = world.isolate(0, [flow]);
    await leaving.parley.start(flow, undefined, { workflowId: "w" });
    await world.untilTrue(() => leaving.driver.calls >= 1);
    const left = leaving.parley[Symbol.asyncDispose]();
    open();
    await world.until(left);
    const other = world.isolate(1, [flow]);
    assert.equal((await world.until(other.parley.sweep())).finished, 1);
    const { output, recoveryAttempts } = await other.parley.handle("w").status();
    assert.deepEqual([output, recoveryAttempts], ["done", 0]);
  },
};
