/**
 * Rules for replay: recorded outcomes stay, in the order in which they were recorded.
 *
 * @module
 */

import assert from "node:assert/strict";
import { TimeoutError } from "../../../core/errors.ts";
import { workflow, type WorkflowContext } from "../../../core/workflow.ts";
import type { Rules } from "../../suite.ts";
import type { World } from "../world.ts";

/** Replaying a workflow. */
export const replay: Rules<World> = {
  "step() does not run again once its outcome is recorded": async (world) => {
    const ran: string[] = [];
    const flow = workflow("flow", async (ctx) => {
      const first = await ctx.step("first", () => (ran.push("first"), 1));
      await ctx.recv("go");
      const second = await ctx.step("second", () => (ran.push("second"), 2));
      await ctx.recv("go");
      return [first, second];
    });
    const { parley } = world.isolate(0, [flow]);
    const handle = await parley.start(flow, undefined);
    for (let turn = 0; turn < 2; turn++) {
      await world.until(parley.idle());
      await handle.send(turn, { topic: "go" });
    }
    assert.deepEqual(await world.until(handle.result()), [1, 2]);
    assert.deepEqual(ran, ["first", "second"]);
  },

  "now() and uuid() are the same on every replay": async (world) => {
    const seen: unknown[][] = [];
    const flow = workflow("flow", async (ctx) => {
      seen.push([await ctx.now(), await ctx.uuid(), await ctx.uuid()]);
      await ctx.sleep("1h");
      return seen.at(-1);
    });
    const { parley } = world.isolate(0, [flow]);
    const handle = await parley.start(flow, undefined);
    await world.until(parley.idle());
    await world.pass(3_600_000);
    await world.until(parley.sweep());
    assert.deepEqual(await world.until(handle.result()), seen[0]);
    assert.equal(seen.length, 2);
    assert.deepEqual(seen[0], seen[1]);
    const [now, first, second] = seen[0] ?? [];
    assert(Number.isSafeInteger(now));
    assert.match(String(first), /^[\da-f]{8}-[\da-f]{4}-4[\da-f]{3}-/);
    assert.notEqual(first, second);
  },

  "send() to another destination on a replay gets the recorded receipt": async (world) => {
    const sink = workflow("sink", async (ctx) => await ctx.recv('a "topic" to "b"'));
    const receipts: string[] = [];
    const flow = workflow("flow", async (ctx) => {
      const { messageId } = await ctx.send(`sink ${receipts.length}`, 1, { topic: 'a "topic" to "b"' });
      receipts.push(messageId);
      await ctx.recv("go");
    });
    const { parley } = world.isolate(0, [flow, sink]);
    for (const workflowId of ["sink 0", "sink 1"]) await parley.start(sink, undefined, { workflowId });
    const handle = await parley.start(flow, undefined);
    await world.until(parley.idle());
    await handle.send(null, { topic: "go" });
    await world.until(handle.result());
    assert.deepEqual([receipts.length, receipts[1]], [2, receipts[0]]);
    const { entries: [sent] } = await parley.history(handle.workflowId);
    assert.deepEqual([sent?.kind, sent?.name, sent?.destinationId], ["send", 'a "topic" to "b"', "sink 0"]);
    assert.equal((await parley.status("sink 1")).unread, 0);
  },

  "Promise.race picks the same winner on every replay": async (world) => {
    const winners: string[] = [];
    const gates = new Map<string, () => void>();
    const gated = (ctx: WorkflowContext, name: string) =>
      ctx.step(name, () => new Promise<string>((open) => gates.set(name, () => open(name))));
    const flow = workflow("flow", async (ctx) => {
      const slow = gated(ctx, "slow");
      const fast = gated(ctx, "fast");
      winners.push(await Promise.race([slow, fast]));
      await Promise.all([slow, fast]);
      await ctx.recv("go");
      return winners.at(-1);
    });
    const { parley } = world.isolate(0, [flow]);
    const handle = await parley.start(flow, undefined);
    await world.untilTrue(() => gates.size === 2);
    gates.get("fast")!();
    await world.untilTrue(() => winners.length === 1);
    gates.get("slow")!();
    await world.until(parley.idle());
    await handle.send(null, { topic: "go" });
    assert.equal(await world.until(handle.result()), "fast");
    assert.deepEqual(winners, ["fast", "fast"]);
  },

  "Promise.race picks the first issued where both outcomes were recorded in one commit": async (world) => {
    const winners: string[] = [];
    const flow = workflow("flow", async (ctx) => {
      const one = ctx.step("one", () => "one");
      const two = ctx.step("two", () => "two");
      winners.push(await Promise.race([two, one]));
      await ctx.recv("go");
    });
    const { parley } = world.isolate(0, [flow]);
    const handle = await parley.start(flow, undefined);
    await world.until(parley.idle());
    await handle.send(null, { topic: "go" });
    await world.until(handle.result());
    assert.deepEqual(winners, ["one", "one"]);
  },

  "a recorded error is thrown again on replay, with name, message, stack, cause and fields": async (world) => {
    const caught: Error[] = [];
    const flow = workflow("flow", async (ctx) => {
      await ctx.step("fail", function goTooFar() {
        throw Object.assign(new RangeError("too far", { cause: new TypeError("no map") }), { code: "E_FAR" });
      }).catch((error) => caught.push(error));
      await ctx.recv("late", { timeout: 0 }).catch((error) => caught.push(error));
      await ctx.recv("go");
    });
    const { parley } = world.isolate(0, [flow]);
    const handle = await parley.start(flow, undefined);
    await world.until(parley.idle());
    await handle.send("a message after the timeout changes nothing", { topic: "late" });
    await handle.send(null, { topic: "go" });
    await world.until(handle.result());
    assert.equal(caught.length, 4);
    for (const [step, timeout] of [caught.slice(0, 2), caught.slice(2)]) {
      assert(step instanceof RangeError && step.cause instanceof TypeError);
      assert.equal(step.message, "too far");
      assert.equal((step as RangeError & { code?: string }).code, "E_FAR");
      assert.match(step.stack ?? "", /goTooFar/);
      assert(timeout instanceof TimeoutError);
      assert.deepEqual([timeout.operation, timeout.timeoutMs], ['recv "late"', 0]);
    }
  },

  "a journal of 3,000 steps replays": async (world) => {
    let ran = 0;
    const flow = workflow("flow", async (ctx) => {
      let sum = 0;
      for (let batch = 0; batch < 30; batch++) {
        const steps = Array.from({ length: 100 }, (_, index) => ctx.step(`add ${index}`, () => (ran++, index)));
        sum += (await Promise.all(steps)).reduce((a, b) => a + b);
      }
      await ctx.recv("go");
      return sum + await ctx.step("last", () => 1);
    });
    const { parley } = world.isolate(0, [flow]);
    const handle = await parley.start(flow, undefined);
    await world.until(parley.idle());
    await handle.send(null, { topic: "go" });
    assert.equal(await world.until(handle.result()), 30 * 4_950 + 1);
    assert.equal(ran, 3_000);
  },
};
