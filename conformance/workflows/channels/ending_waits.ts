/**
 * Rules for waits that end by themselves: at an instant, with a value in place of an error, or
 * withdrawn by a signal.
 *
 * @module
 */

import assert from "node:assert/strict";
import { topic } from "../../../core/channel.ts";
import type { Clock } from "../../../core/time/clock.ts";
import { workflow, type WorkflowContext } from "../../../core/workflow.ts";
import type { Rules } from "../../suite.ts";
import type { World } from "../world.ts";

const child = workflow("child", async (ctx) => {
  await ctx.recv("finish");
  await ctx.setEvent("state", "finished");
  return "done";
});

/** The name, or the code, of what a promise rejects with; otherwise its value. */
async function settled(promise: Promise<unknown>): Promise<unknown> {
  return await promise.catch((error) => error.code ?? error.message);
}

const DAY_MS = 86_400_000;

/** A clock that differs from another one by so many milliseconds. */
function shifted(clock: Clock, ms: number): Clock {
  return { now: () => clock.now() + ms, after: (...timer) => clock.after(...timer) };
}

/** Waits that end. */
export const endingWaits: Rules<World> = {
  "otherwise is the value of a wait that times out, on every replay, and history shows the timeout": async (world) => {
    const flow = workflow("flow", async (ctx) => {
      const limit = { timeout: "1s" } as const;
      const handle = await ctx.start(child, undefined, { workflowId: "child" });
      const values = await Promise.all([
        ctx.recv("never", { ...limit, otherwise: "no message" }),
        ctx.recvAny(["never", "ever"], { ...limit, otherwise: null }),
        ctx.getEvent("nobody", "state", { ...limit, otherwise: undefined }),
        handle.getEvent("state", { ...limit, otherwise: 0 }),
        handle.result({ ...limit, otherwise: "no result" }),
      ]);
      await ctx.recv("go on");
      return values;
    });
    const { parley } = world.isolate(0, [flow, child]);
    const handle = await parley.start(flow, undefined);
    await world.until(
      world.untilTrue(async () => (await handle.status()).waiting?.operations.at(-1) === 'recv "go on"'),
    );
    const { entries } = await parley.history(handle.workflowId);
    assert.deepEqual(entries.map(({ state }) => state), ["done", ...Array(5).fill("timeout"), "waiting"]);
    await world.isolate(1, [flow, child]).parley.send(handle.workflowId, 1, { topic: "go on" });
    assert.deepEqual(await world.until(handle.result()), ["no message", null, undefined, 0, "no result"]);
  },

  "until ends a wait at that instant of the store's clock": async (world) => {
    const flow = workflow("flow", async (ctx) => {
      const begun = await ctx.now();
      const until = begun + 10_000;
      const waits = [
        ctx.recv("never", { until }),
        ctx.recvAny(["never"], { until: new Date(until) }),
        ctx.getEvent("nobody", "state", { until }),
        (await ctx.start(child, undefined)).result({ until }),
      ];
      const names = await Promise.all(waits.map(settled));
      const took = await ctx.now() - begun;
      const past = await ctx.recv("never", { until: begun - 1, otherwise: "nothing" });
      const there = await ctx.recv("there", { until: begun - 1, otherwise: "nothing" });
      const both = await settled(ctx.recv("never", { until, timeout: 1 }));
      return { names, isOnTime: took >= 10_000 && took < 15_000, past, there, both };
    });
    const { parley } = world.isolate(0, [flow, child]);
    const handle = await parley.start(flow, undefined);
    await handle.send("message", { topic: "there" });
    assert.deepEqual(await world.until(handle.result()), {
      names: Array(4).fill("timeout"),
      isOnTime: true,
      past: "nothing",
      there: "message",
      both: "invalid_value",
    });
    const { entries } = await parley.history(handle.workflowId);
    const [now, ...rest] = entries;
    assert.deepEqual(
      rest.filter(({ state }) => state === "timeout").slice(0, 4).map(({ deadline }) => deadline),
      Array(4).fill(now!.value as number + 10_000),
    );
  },

  "until outside of a workflow is an instant of the store's clock, whatever the caller's clock says": async (world) => {
    const flow = workflow("flow", async (ctx) => {
      await ctx.recv("go on");
      await ctx.setEvent("state", "went on");
      await ctx.recv("never");
    });
    const { clock } = world.harness;
    const handle = await world.isolate(0, [flow]).parley.start(flow, undefined);
    const { workflowId } = handle;
    const early = world.isolate(0, [], { clock: shifted(clock, 1_000 * DAY_MS) }).parley;
    const late = world.isolate(1, [], { clock: shifted(clock, -1_000 * DAY_MS) }).parley;
    const now = (await handle.status()).createdAt;
    const begun = clock.now();
    const ends = [early, late].flatMap((parley) => [
      parley.getEvent(workflowId, "never", { until: now + 10_000 }),
      parley.result(workflowId, { until: now + 10_000 }),
    ]);
    const state = [early, late].map((parley) => parley.getEvent(workflowId, "state", { until: now + 60_000 }));
    const took = ends.map(async (end) => [await settled(end), clock.now() - begun] as const);
    for (const [code, ms] of await world.until(Promise.all(took))) {
      assert.equal(code, "timeout");
      assert(ms >= 9_000 && ms < 15_000, `took ${ms} ms`);
    }
    await handle.send(1, { topic: "go on" });
    assert.deepEqual(await world.until(Promise.all(state)), ["went on", "went on"]);
    for (const parley of [early, late]) {
      assert.equal(await parley.getEvent(workflowId, "state", { until: now - 1 }), "went on");
      assert.equal(await settled(world.until(parley.getEvent(workflowId, "never", { until: now - 1 }))), "timeout");
      const first = { timeout: "1s", until: now + DAY_MS } as const;
      assert.equal(await settled(world.until(parley.getEvent(workflowId, "never", first))), "timeout");
    }
  },

  "until of a result is an instant of the store's clock for a workflow that runs in the same isolate": async (
    world,
  ) => {
    const flow = workflow("flow", (ctx) => ctx.recv("never"));
    const clock = shifted(world.harness.clock, -1_000 * DAY_MS);
    const { parley } = world.isolate(0, [flow], { clock, hotWait: "1m" });
    const handle = await parley.start(flow, undefined);
    const { createdAt } = await handle.status();
    const begun = clock.now();
    assert.equal(await settled(world.until(handle.result({ until: createdAt + 10_000 }))), "timeout");
    const took = clock.now() - begun;
    assert(took >= 9_000 && took < 15_000, `took ${took} ms`);
    await handle.cancel();
    await world.until(parley.idle());
  },

  "recvAny names the topics by the keys of an object": async (world) => {
    const approve = topic<{ by: string }>("approval");
    const reject = topic<{ reason: string }>("rejection");
    const flow = workflow("flow", async (ctx) => {
      const answers: string[] = [];
      while (answers.length < 2) {
        const answer = await ctx.recvAny({ approve, reject, bare: "bare" }, { timeout: "1m", otherwise: "late" });
        if (answer === "late") answers.push(answer);
        else if (answer.topic === "approve") answers.push(answer.message.by);
        else if (answer.topic === "reject") answers.push(answer.message.reason);
      }
      const same = await settled(ctx.recvAny({ a: approve, b: "approval" }));
      return [...answers, same, await settled(ctx.recvAny({}))];
    });
    const { parley } = world.isolate(0, [flow]);
    const handle = await parley.start(flow, undefined);
    await handle.send({ reason: "too dear" }, { topic: reject });
    await handle.send({ by: "Ada" }, { topic: approve });
    assert.deepEqual(await world.until(handle.result()), ["too dear", "Ada", "invalid_value", "invalid_value"]);
    const { entries } = await parley.history(handle.workflowId);
    assert.deepEqual(entries[0]!.name, ["approval", "rejection", "bare"]);
  },

  "a signal withdraws a wait, which takes no message after that, on every replay": async (world) => {
    const isSame: boolean[] = [];
    const flow = workflow("flow", async (ctx) => {
      const handle = await ctx.start(child, undefined, { workflowId: "child" });
      const late = new AbortController();
      const { signal } = late;
      const waits = [
        ctx.recv("news", { signal }),
        ctx.recvAny(["news", "more"], { signal }),
        ctx.getEvent("nobody", "state", { signal }),
        handle.result({ signal, otherwise: "not that" }),
      ];
      const ended = Promise.all(waits.map(settled));
      await ctx.sleep("1h");
      late.abort(new Error("too late"));
      waits[0]!.catch((error) => isSame.push(error === signal.reason));
      const refused = await settled(ctx.recv("news", { signal }));
      await ctx.recv("go on");
      return [...await ended, refused, await ctx.recv("news")];
    });
    const { parley } = world.isolate(0, [flow, child]);
    const handle = await parley.start(flow, undefined);
    await world.untilTrue(async () => (await handle.status()).waiting?.operations.at(-1) === "sleep");
    await world.pass(3_600_000);
    await world.untilTrue(async () => (await handle.status()).waiting?.operations.join() === 'recv "go on"');
    const { entries } = await parley.history(handle.workflowId);
    assert.deepEqual(entries.slice(1, 7).map(({ state }) => state), [
      ...Array(4).fill("withdrawn"),
      "done",
      "withdrawn",
    ]);
    assert.equal(entries[1]!.error?.message, "too late");
    const other = world.isolate(1, [flow, child]).parley;
    await other.send(handle.workflowId, "first", { topic: "news" });
    await other.send(handle.workflowId, 1, { topic: "go on" });
    assert.deepEqual(await world.until(handle.result()), [...Array(5).fill("too late"), "first"]);
    assert(isSame.length >= 2 && isSame.every((it) => it));
  },

  "a message that a wait has taken before its signal aborts is its outcome": async (world) => {
    const flow = workflow("flow", async (ctx) => {
      const late = new AbortController();
      const news = ctx.recv("news", { signal: late.signal });
      await ctx.recv("abort");
      late.abort(new Error("too late"));
      return [await settled(news), await ctx.recv("news", { timeout: 0, otherwise: "nothing" })];
    });
    const { parley } = world.isolate(0, [flow], { wake: "none" });
    const handle = await parley.start(flow, undefined);
    await world.until(parley.idle());
    await handle.send("first", { topic: "news" });
    await handle.send(1, { topic: "abort" });
    await world.until(parley.sweep());
    assert.deepEqual(await world.until(handle.result()), ["first", "nothing"]);
  },

  "a recv that loses a race and is withdrawn leaves the message for the next one": async (world) => {
    const first = async (ctx: WorkflowContext) => {
      const loser = new AbortController();
      const news = ctx.recv<string>("news", { signal: loser.signal });
      const winner = await Promise.race([news, ctx.sleep("1s").then(() => "slept" as const)]);
      if (winner === "slept") loser.abort();
      return await news.catch((error) => error.name as string);
    };
    const flow = workflow("flow", async (ctx) => {
      const names = [await first(ctx), await first(ctx)];
      return [...names, await ctx.recv("news")];
    });
    const { parley } = world.isolate(0, [flow], { hotWait: "1m" });
    const handle = await parley.start(flow, undefined);
    await world.untilTrue(async () => {
      const { entries } = await parley.history(handle.workflowId);
      return entries.filter(({ state }) => state === "withdrawn").length === 2;
    });
    await handle.send("hello", { topic: "news" });
    assert.deepEqual(await world.until(handle.result()), ["AbortError", "AbortError", "hello"]);
  },
};
