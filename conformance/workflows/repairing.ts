/**
 * Rules for repairing a workflow: trying a failed operation again, dropping a part of its journal,
 * deleting, cancelling with children, and continuing as new.
 *
 * @module
 */

import assert from "node:assert/strict";
import { stream, topic } from "../../core/channel.ts";
import { workflow } from "../../core/workflow.ts";
import type { Rules } from "../suite.ts";
import type { World } from "./world.ts";

const numbers = topic<number>("numbers");
const log = stream<number>("log");

/** Adds up the messages of each turn. Each turn has an empty journal. */
const counter = workflow("counter", async (ctx, said: { sum: number; turns: number }) => {
  const number = await ctx.recv(numbers);
  const sum = said.sum + number;
  await ctx.writeStream(log, sum);
  if (number === 0) return { sum, turns: said.turns };
  return await ctx.continueAsNew({ sum, turns: said.turns + 1 });
});

const waits = workflow("waits", async (ctx) => await ctx.recv("never"));

/** Repairs. */
export const repairing: Rules<World> = {
  "resume() of a failed workflow tries the step again that it failed with": async (world) => {
    const tries: string[] = [];
    let isBroken = true;
    const flow = workflow("flow", async (ctx) => {
      await ctx.step("before", () => void tries.push("before"));
      const charged = await ctx.step("charge", ({ attempt }) => {
        tries.push(`charge ${attempt}`);
        if (isBroken) throw new Error("no money");
        return "charged";
      });
      await ctx.step("after", () => void tries.push("after"));
      return charged;
    });
    const { parley } = world.isolate(0, [flow]);
    const handle = await parley.start(flow, undefined);
    await assert.rejects(world.until(handle.result()), { code: "workflow_failed" });
    const { failed, endedAt, status } = await handle.status();
    assert.deepEqual([failed, status], [{ position: 1, operation: 'step "charge"' }, "ERROR"]);
    assert.equal(typeof endedAt, "number");
    isBroken = false;
    await world.isolate(1, []).parley.resume(handle.workflowId);
    await world.until(parley.sweep());
    assert.equal(await world.until(handle.result()), "charged");
    assert.deepEqual(tries, ["before", "charge 1", "charge 1", "after"]);
    assert.equal((await handle.status()).failed, undefined);
  },

  "resume() of a workflow that failed on a child, a wait or a refusal tries that operation again": async (world) => {
    let isBroken = true;
    const child = workflow("child", () => {
      if (isBroken) throw new Error("broken");
      return 42;
    });
    const parent = workflow("parent", async (ctx) => {
      const handle = await ctx.start(child, undefined, { workflowId: "the child" });
      return await handle.result();
    });
    const late = workflow("late", async (ctx) => await ctx.recv("news", { timeout: "1s" }));
    const { parley } = world.isolate(0, [child, parent, late]);
    const handle = await parley.start(parent, undefined);
    await assert.rejects(world.until(handle.result()), { code: "workflow_failed" });
    assert.equal((await handle.status()).failed?.operation, "result");
    isBroken = false;
    await parley.resume("the child");
    await world.until(parley.result("the child"));
    await parley.resume(handle.workflowId);
    assert.equal(await world.until(handle.result()), 42);

    const waiting = await parley.start(late, undefined);
    await assert.rejects(world.until(waiting.result()), { code: "workflow_failed" });
    assert.equal((await waiting.status()).failed?.operation, 'recv "news"');
    await waiting.send("x", { topic: "news" }).then(() => assert.fail("it has ended"), () => {});
    await parley.resume(waiting.workflowId);
    await waiting.send("here", { topic: "news" });
    assert.equal(await world.until(waiting.result()), "here");
  },

  "resume() of a workflow that threw an error of its own drops nothing, and it fails again": async (world) => {
    let runs = 0;
    const flow = workflow("flow", async (ctx) => {
      await ctx.step("fails", () => Promise.reject(new Error("inner"))).catch(() => {});
      runs++;
      throw new Error("outer");
    });
    const { parley } = world.isolate(0, [flow]);
    const handle = await parley.start(flow, undefined);
    await assert.rejects(world.until(handle.result()), { code: "workflow_failed" });
    assert.equal((await handle.status()).failed, undefined);
    await parley.resume(handle.workflowId);
    await assert.rejects(world.until(handle.result()), { code: "workflow_failed" });
    await world.until(parley.idle());
    assert.equal(runs, 2);
    assert.equal((await parley.history(handle.workflowId)).entries.length, 1);
  },

  "resume({ from }) runs the operations from there on again, with their messages": async (world) => {
    let factor = 1;
    const flow = workflow("flow", async (ctx) => {
      const first = await ctx.recv(numbers);
      const second = await ctx.recv(numbers);
      const product = await ctx.step("multiply", () => factor * first * second);
      await ctx.writeStream(log, product);
      throw new Error(`${product}`);
    });
    const { parley } = world.isolate(0, [flow]);
    const handle = await parley.start(flow, undefined);
    for (const number of [3, 5]) await handle.send(number, { topic: numbers });
    await assert.rejects(world.until(handle.result()), { code: "workflow_failed" });
    await assert.rejects(parley.resume(handle.workflowId, { from: -1 }), { code: "invalid_value" });
    await assert.rejects(parley.resume("missing", { from: 1 }), { code: "workflow_not_found" });
    factor = 10;
    await parley.resume(handle.workflowId, { from: 1 });
    const error = await world.until(handle.result().catch((error) => error));
    assert.equal(error.cause.message, "150");
    assert.deepEqual((await handle.readStream(log).collect()).values, [15, 150]);
  },

  "resume({ from }) refuses a workflow that has not ended, or has succeeded": async (world) => {
    const { parley } = world.isolate(0, [waits, counter]);
    const handle = await parley.start(waits, undefined);
    await world.until(parley.idle());
    const refusal = { code: "workflow_active", workflowId: handle.workflowId, status: "PENDING" };
    await assert.rejects(parley.resume(handle.workflowId, { from: 0 }), refusal);
    const done = await parley.start(counter, { sum: 0, turns: 0 });
    await done.send(0, { topic: numbers });
    await world.until(done.result());
    await assert.rejects(parley.resume(done.workflowId, { from: 0 }), { code: "workflow_ended", status: "SUCCESS" });
  },

  "a step that a resume has dropped sends its messages again, and one that is only retried does not": async (
    world,
  ) => {
    const inbox = workflow("inbox", async (ctx) => await ctx.recv("end"));
    const flow = workflow("flow", async (ctx, to: string) => {
      await ctx.step("tell", async (step) => {
        await step.send(to, "told", { topic: "news" });
        if (step.attempt === 1) throw new Error("once");
      }, { retries: 1, delay: 0 });
      throw new Error("over");
    });
    const { parley } = world.isolate(0, [flow, inbox]);
    const receiver = await parley.start(inbox, undefined);
    const handle = await parley.start(flow, receiver.workflowId);
    const told = async () => (await parley.messages(receiver.workflowId, { topic: "news" })).messages.length;
    await assert.rejects(world.until(handle.result()), { code: "workflow_failed" });
    assert.equal(await told(), 1);
    await parley.resume(handle.workflowId, { from: 0 });
    await assert.rejects(world.until(handle.result()), { code: "workflow_failed" });
    await world.until(parley.idle());
    assert.equal(await told(), 2);
  },

  "delete() removes an ended workflow, and refuses any other": async (world) => {
    const { parley } = world.isolate(0, [waits]);
    const handle = await parley.start(waits, undefined);
    await world.until(parley.idle());
    await assert.rejects(parley.delete(handle.workflowId), { code: "workflow_active", status: "PENDING" });
    await handle.cancel();
    await parley.delete(handle.workflowId);
    await assert.rejects(handle.status(), { code: "workflow_not_found" });
    await assert.rejects(parley.delete(handle.workflowId), { code: "workflow_not_found" });
  },

  "delete() succeeds if its answer was lost": async (world) => {
    const { parley } = world.isolate(0, [waits], { faults: [{ call: 3, when: "after", what: "fails" }] });
    const other = world.isolate(1, []).parley;
    const { workflowId } = await other.start("waits", undefined, { enqueue: true });
    await other.cancel(workflowId);
    await parley.list();
    await parley.list();
    await world.until(parley.delete(workflowId));
    await assert.rejects(other.status(workflowId), { code: "workflow_not_found" });
  },

  "cancel({ children: true }) ends the waits of the whole family": async (world) => {
    const below = workflow("below", async (ctx) => await ctx.recv("never"));
    const top = workflow("top", async (ctx, depth: number): Promise<unknown> => {
      if (depth === 0) return await (await ctx.start(below, undefined, { workflowId: "below" })).result();
      return await (await ctx.start(top, depth - 1, { workflowId: `top ${depth - 1}` })).result();
    });
    const { parley } = world.isolate(0, [top, below], { hotWait: "1h" });
    const handle = await parley.start(top, 2);
    await world.untilTrue(async () =>
      (await parley.list({ status: "PENDING" })).workflows.some(({ name }) => name === "below")
    );
    await handle.cancel({ children: true });
    for (const workflowId of [handle.workflowId, "top 1", "top 0", "below"]) {
      assert.equal((await parley.status(workflowId)).status, "CANCELLED", workflowId);
    }
    await world.until(parley.idle());
  },

  "continueAsNew() goes on under the same ID, with a short journal, and loses no message": async (world) => {
    const { parley } = world.isolate(0, [counter]);
    const handle = await parley.start(counter, { sum: 0, turns: 0 });
    for (const number of [1, 2, 3, 4]) await handle.send(number, { topic: numbers });
    await world.untilTrue(async () => (await handle.status()).generation === 4);
    await world.until(parley.idle());
    const { input, status, unread } = await handle.status();
    assert.deepEqual([input, status, unread], [{ sum: 10, turns: 4 }, "PENDING", 0]);
    const { entries } = await parley.history(handle.workflowId);
    assert.deepEqual(entries.map(({ kind, state }) => [kind, state]), [["recv", "waiting"]]);
    assert.equal((await handle.send(7, { topic: numbers, idempotencyKey: "seven" })).duplicate, false);
    await world.untilTrue(async () => (await handle.status()).generation === 5);
    assert.equal((await handle.send(7, { topic: numbers, idempotencyKey: "seven" })).duplicate, true);
    await handle.send(0, { topic: numbers });
    assert.deepEqual(await world.until(handle.result()), { sum: 17, turns: 5 });
    assert.deepEqual((await handle.readStream(log).collect()).values, [1, 3, 6, 10, 17, 17]);
  },

  "continueAsNew() runs nothing after it, and writes what was called before": async (world) => {
    const after: string[] = [];
    const flow = workflow("flow", async (ctx, turn: number) => {
      if (turn === 1) return turn;
      void ctx.setEvent("state", "set");
      void ctx.recv("never", { timeout: "1h" }).finally(() => after.push("recv"));
      await ctx.continueAsNew(turn + 1).finally(() => after.push("finally"));
      after.push("after");
      return "never";
    });
    const { parley } = world.isolate(0, [flow]);
    const handle = await parley.start(flow, 0);
    assert.equal(await world.until(handle.result()), 1);
    await world.until(parley.idle());
    assert.deepEqual(after, []);
    assert.equal(await handle.getEvent("state", { timeout: 0 }), "set");
  },

  "continueAsNew() refuses an input that cannot be stored, and a call inside a step": async (world) => {
    const flow = workflow("flow", async (ctx, _: unknown) => {
      const codes: unknown[] = [];
      const note = (error: { code: string }) => void codes.push(error.code);
      await ctx.continueAsNew(() => {}).catch(note);
      await ctx.continueAsNew("x".repeat(2 * 1_048_576)).catch(note);
      await ctx.step("inside", () => ctx.continueAsNew(1).catch(note));
      return codes;
    });
    const { parley } = world.isolate(0, [flow]);
    const handle = await parley.start(flow, 0);
    const codes = await world.until(handle.result());
    assert.deepEqual(codes, ["invalid_value", "value_too_large", "invalid_context"]);
    assert.equal((await handle.status()).generation, 0);
  },

  "start() with a delay or an instant begins then, in the isolate that is there": async (world) => {
    const flow = workflow("flow", (_ctx, input: string) => input);
    const { parley } = world.isolate(0, [flow]);
    const delayed = await parley.start(flow, "delayed", { delay: "1h" });
    const { createdAt, status } = await delayed.status();
    assert.equal(status, "ENQUEUED");
    const dated = await parley.start(flow, "dated", { at: new Date(createdAt + 7_200_000) });
    const past = await parley.start(flow, "past", { at: 1 });
    assert.deepEqual(await world.until(parley.sweep()), { claimed: 1, finished: 1, suspended: 0 });
    assert.equal((await past.status()).status, "SUCCESS");
    await world.pass(3_601_000);
    assert.equal(await world.until(delayed.result()), "delayed");
    assert.equal((await dated.status()).status, "ENQUEUED");
    await world.pass(3_601_000);
    assert.equal(await world.until(dated.result()), "dated");
    await assert.rejects(parley.start(flow, "both", { delay: 1, at: 1 }), { code: "invalid_value" });
    await assert.rejects(parley.start(flow, "none", { at: new Date("never") }), { code: "invalid_value" });
  },
};
