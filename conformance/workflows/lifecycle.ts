/**
 * Rules for starting, ending, cancelling, resuming and purging.
 *
 * @module
 */

import assert from "node:assert/strict";
import { WorkflowCancelledError, type WorkflowFailedError } from "../../core/errors.ts";
import { workflow } from "../../core/workflow.ts";
import type { Rules } from "../suite.ts";
import type { World } from "./world.ts";

const echo = workflow("echo", (_ctx, input: unknown) => input);
const wait = workflow("wait", async (ctx) => await ctx.recv("news"));

/** From start to purge. */
export const lifecycle: Rules<World> = {
  "start() with an ID that exists returns that workflow and runs nothing twice": async (world) => {
    let runs = 0;
    const flow = workflow("flow", async (ctx, input: string) => (runs++, await ctx.recv("news"), input));
    const { parley } = world.isolate(0, [flow, echo]);
    const handles = await Promise.all(
      ["first", "second"].map((input) => parley.start(flow, input, { workflowId: "w" })),
    );
    await world.until(parley.idle());
    assert.equal(runs, 1);
    await handles[1]!.send(null, { topic: "news" });
    // Both starts were under way at the same time, so either may be first.
    const first = await world.until(handles[0]!.result());
    assert(first === "first" || first === "second");
    await parley.start(flow, "third", { workflowId: "w" });
    assert.equal((await handles[0]!.status()).input, first);
    await assert.rejects(parley.start(echo, null, { workflowId: "w" }), { code: "workflow_conflict", workflowId: "w" });
  },

  "the error of result() names the operation that failed and its error, here and in another isolate": async (world) => {
    class CardError extends Error {
      override name = "CardError";
      readonly code = "card_declined";
    }
    const flow = workflow("flow", async (ctx) => {
      await ctx.now();
      await ctx.step("charge", () => Promise.reject(new CardError("hunter2")));
    });
    const here = world.isolate(0, [flow]).parley;
    const elsewhere = world.isolate(1, []).parley;
    const { workflowId } = await here.start(flow, undefined);
    for (const parley of [here, elsewhere]) {
      await assert.rejects(world.until(parley.result(workflowId)), (error: WorkflowFailedError) => {
        const place = `Workflow ${JSON.stringify(workflowId)} failed in step "charge" at position 1`;
        assert.equal(error.message, `${place}: CardError (card_declined); its error is the cause`);
        assert.deepEqual(error.failed, { position: 1, operation: 'step "charge"' });
        assert.equal((error.cause as Error).message, "hunter2");
        return true;
      });
    }
  },

  "a thrown error ends a workflow in ERROR with its name, message and cause": async (world) => {
    const flow = workflow("flow", () => {
      throw new RangeError("too far", { cause: "no map" });
    });
    const { parley } = world.isolate(0, [flow]);
    const handle = await parley.start(flow, undefined);
    const error = await world.until(handle.result().catch((error) => error));
    assert.equal(error.code, "workflow_failed");
    assert(error.cause instanceof RangeError);
    assert.deepEqual([error.cause.message, error.cause.cause], ["too far", "no map"]);
    const { status, error: serialized } = await handle.status();
    assert.deepEqual([status, serialized?.name, serialized?.message, serialized?.cause], [
      "ERROR",
      "RangeError",
      "too far",
      "no map",
    ]);
  },

  "operations that are not awaited are written before the workflow ends": async (world) => {
    const flow = workflow("flow", (ctx) => {
      void ctx.setEvent("state", "set");
      void ctx.writeStream("log", 1);
      return "returned";
    });
    const { parley } = world.isolate(0, [flow]);
    const handle = await parley.start(flow, undefined);
    assert.equal(await world.until(handle.result()), "returned");
    assert.equal(await handle.getEvent("state", { timeout: 0 }), "set");
    assert.deepEqual((await handle.readStream("log").collect()).values, [1]);
  },

  "cancel() ends a waiting workflow at once, also in another isolate": async (world) => {
    const seen: unknown[] = [];
    const flow = workflow("flow", async (ctx) => {
      ctx.signal.addEventListener("abort", () => seen.push("aborted"));
      await ctx.recv("news").catch((error) => {
        seen.push(error);
        throw error;
      });
    });
    const { parley } = world.isolate(0, [flow], { hotWait: "1h" });
    const handle = await parley.start(flow, undefined);
    await world.pass(100);
    await world.isolate(1, []).parley.cancel(handle.workflowId);
    await assert.rejects(world.until(handle.result()), { code: "workflow_cancelled" });
    await world.until(parley.idle());
    assert.equal(seen.length, 2);
    assert.equal(seen[0], "aborted");
    assert(seen[1] instanceof WorkflowCancelledError);
  },

  "cancel() aborts a step in flight, and a workflow that swallows the error still ends CANCELLED": async (world) => {
    const flow = workflow("flow", async (ctx) => {
      await ctx.setEvent("state", "published");
      await ctx.step(
        "slow",
        (step) => new Promise((_, reject) => step.signal.addEventListener("abort", () => reject(step.signal.reason))),
      )
        .catch(() => {});
      await ctx.setEvent("state", "too late").catch(() => {});
      return "swallowed";
    });
    const { parley } = world.isolate(0, [flow]);
    const handle = await parley.start(flow, undefined);
    await world.until(handle.getEvent("state"));
    await handle.cancel();
    await world.until(parley.idle());
    const { status, output } = await handle.status();
    assert.deepEqual([status, output], ["CANCELLED", undefined]);
    assert.equal(await handle.getEvent("state", { timeout: 0 }), "published");
    await handle.cancel();
  },

  "cancel() of a suspended workflow needs no run, and resume() carries it on": async (world) => {
    const { parley } = world.isolate(0, [wait]);
    const handle = await parley.start(wait, undefined);
    await world.until(parley.idle());
    await handle.cancel();
    await assert.rejects(handle.send(1, { topic: "news" }), { code: "workflow_ended", status: "CANCELLED" });
    await parley.resume(handle.workflowId);
    await world.until(parley.idle());
    assert.equal((await handle.status()).status, "PENDING");
    await handle.send("resumed", { topic: "news" });
    assert.equal(await world.until(handle.result()), "resumed");
  },

  "cancel() and resume() of a workflow that ended otherwise, or does not exist, say so": async (world) => {
    const { parley } = world.isolate(0, [echo]);
    const handle = await parley.start(echo, 1);
    await world.until(handle.result());
    for (const action of ["cancel", "resume"] as const) {
      await assert.rejects(parley[action](handle.workflowId), { code: "workflow_ended", status: "SUCCESS" });
      await assert.rejects(parley[action]("nobody"), { code: "workflow_not_found", workflowId: "nobody" });
    }
    await assert.rejects(parley.handle("nobody").status(), { code: "workflow_not_found" });
    await assert.rejects(parley.handle("nobody").result(), { code: "workflow_not_found" });
  },

  "a child's result, its failure and its cancellation reach its parent": async (world) => {
    const failing = workflow("failing", () => Promise.reject(new Error("broken")));
    const parent = workflow("parent", async (ctx) => {
      const children = [
        await ctx.start(echo, 1),
        await ctx.start(failing, undefined),
        await ctx.start(wait, undefined, { workflowId: "cancelled child" }),
      ];
      const results = children.map((child) => child.result().catch((error) => [error.code, error.cause?.message]));
      return await Promise.all([...results, children[2]!.result({ timeout: "1s" }).catch((error) => error.code)]);
    });
    const { parley } = world.isolate(0, [parent, failing, echo, wait]);
    const handle = await parley.start(parent, undefined);
    await world.until(parley.idle());
    await world.pass(1_000);
    await world.until(parley.sweep());
    await parley.cancel("cancelled child");
    assert.deepEqual(await world.until(handle.result()), [
      1,
      ["workflow_failed", "broken"],
      ["workflow_cancelled", undefined],
      "timeout",
    ]);
  },

  "a child is started once however often its parent is replayed, under an ID of its own": async (world) => {
    const parent = workflow("parent", async (ctx) => {
      const child = await ctx.start(echo, "hello");
      await ctx.recv("news");
      const conflict = await ctx.start(wait, undefined, { workflowId: child.workflowId }).catch((error) => error.code);
      return [child.workflowId, await child.result(), conflict];
    });
    const { parley } = world.isolate(0, [parent, echo, wait]);
    const handle = await parley.start(parent, undefined);
    await world.until(parley.idle());
    await handle.send(null, { topic: "news" });
    const [childId, result, conflict] = await world.until(handle.result());
    assert.deepEqual([result, conflict], ["hello", "workflow_conflict"]);
    const { workflows } = await parley.list({ name: "echo" });
    assert.deepEqual(workflows.map(({ workflowId }) => workflowId), [childId]);
  },

  "purge() removes workflows that ended long enough ago, with all their data": async (world) => {
    const flow = workflow("flow", async (ctx) => {
      await ctx.setEvent("state", 1);
      await ctx.writeStream("log", 1);
      return await ctx.recv<number>("news");
    });
    const { parley } = world.isolate(0, [flow, wait]);
    const handle = await parley.start(flow, undefined, { workflowId: "w" });
    await handle.send(1, { topic: "news", idempotencyKey: "k" });
    await world.until(handle.result());
    await parley.start(wait, undefined, { workflowId: "waiting" });
    await world.until(parley.idle());
    await world.pass(60_000);
    assert.equal(await parley.purge({ olderThan: "2m" }), 0);
    assert.equal(await parley.purge({ olderThan: "1m" }), 1);
    await assert.rejects(handle.status(), { code: "workflow_not_found" });
    await assert.rejects(handle.getEvent("state", { timeout: 0 }), { code: "timeout" });
    await assert.rejects(handle.readStream("log").collect(), { code: "workflow_not_found" });
    await assert.rejects(handle.send(1), { code: "workflow_not_found" });
    assert.equal((await parley.handle("waiting").status()).status, "PENDING");
    await parley.start(flow, undefined, { workflowId: "w" });
    assert.equal((await handle.send(2, { topic: "news", idempotencyKey: "k" })).duplicate, false);
    assert.equal(await world.until(handle.result()), 2);
  },

  "list() pages through workflows, newest first, by status and name": async (world) => {
    const { parley } = world.isolate(0, [echo, wait]);
    for (let n = 0; n < 5; n++) {
      await parley.start(echo, n, { workflowId: `echo ${n}` });
      await world.pass(1_000);
    }
    await parley.start(wait, undefined, { workflowId: "wait" });
    await world.until(parley.idle());
    const ids: string[] = [];
    let cursor: string | undefined;
    do {
      const page = await parley.list({ limit: 2, ...(cursor && { cursor }) });
      ids.push(...page.workflows.map(({ workflowId }) => workflowId));
      cursor = page.cursor;
    } while (cursor);
    assert.deepEqual(ids, ["wait", "echo 4", "echo 3", "echo 2", "echo 1", "echo 0"]);
    assert.deepEqual((await parley.list({ status: "PENDING" })).workflows.map(({ name }) => name), ["wait"]);
    assert.equal((await parley.list({ name: "echo", status: ["SUCCESS", "ERROR"] })).workflows.length, 5);
  },
};
