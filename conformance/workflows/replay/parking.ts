/**
 * Rules for code that does not fit the journal: the workflow is parked, and goes on with code that
 * fits.
 *
 * @module
 */

import assert from "node:assert/strict";
import { delay } from "../../../core/time/clock.ts";
import { devalueCodec } from "../../../core/values/codec.ts";
import { NonDeterminismError } from "../../../core/errors.ts";
import type { ParleyOptions } from "../../../core/options.ts";
import { workflow, type WorkflowContext } from "../../../core/workflow.ts";
import { type Rules, rulesFor } from "../../suite.ts";
import type { World } from "../world.ts";

type Code = (ctx: WorkflowContext) => Promise<unknown>;

const CHARGE = { position: 0, expected: 'step "charge"' };

/** Two codecs, neither of which can read values of the other. */
const sealed = {
  encode: (value: unknown) => `sealed ${devalueCodec.encode(value)}`,
  decode: (text: string) => devalueCodec.decode(text.slice(7)),
};
const unable = { encode: devalueCodec.encode, decode: (text: string) => devalueCodec.decode(text) };

const cases: [
  title: string,
  before: Code,
  after: Code,
  difference: { position: number; expected: string; actual: string },
][] = [
  ["calls another operation", async (ctx) => {
    await ctx.step("charge", () => 1);
    return await ctx.recv("go");
  }, async (ctx) => {
    await ctx.step("refund", () => 1).catch(() => "swallowed");
    return "done";
  }, { ...CHARGE, actual: 'step "refund"' }],
  [
    "returns before all that is recorded was asked for",
    async (ctx) => {
      await ctx.step("charge", () => 1);
      return await ctx.recv("go");
    },
    () => Promise.resolve("done"),
    { ...CHARGE, actual: "the end of the workflow" },
  ],
  [
    "throws before all that is recorded was asked for",
    async (ctx) => {
      await ctx.step("charge", () => 1);
      return await ctx.recv("go");
    },
    () => Promise.reject(new TypeError("bad deploy")),
    { ...CHARGE, actual: "the end of the workflow" },
  ],
  [
    "waits before all that is recorded was asked for",
    async (ctx) => {
      const [message] = await Promise.all([ctx.recv("go"), ctx.step("one", () => 1)]);
      return message;
    },
    async (ctx) => await ctx.recv("go"),
    { position: 1, expected: 'step "one"', actual: "a wait" },
  ],
];

const cutShort: [how: string, options: Partial<ParleyOptions>][] = [
  ["hotWait: 0", { hotWait: 0 }],
  ["a budget", { budget: 100, hotWait: "1h" }],
  ["maxRequests", { maxRequests: 1, hotWait: "1h" }],
];

/** Workflows that are parked. */
export const parking: Rules<World> = {
  ...rulesFor(
    cases,
    (
      [title, before, after, difference],
    ) => ({
      [`code that ${title} parks the workflow, which goes on with code that fits`]: async (world) => {
        const flow = (code: Code) => workflow("flow", code);
        const old = world.isolate(0, [flow(before)], { wake: "none" });
        const handle = await old.parley.start("flow", undefined, { workflowId: "w" });
        await world.until(old.parley.idle());
        const renewed = world.isolate(1, [flow(after)], { wake: "none" });
        if (difference.actual !== "a wait") await handle.send("message", { topic: "go" });
        else await old.parley.cancel("w").then(() => old.parley.resume("w"));
        await world.until(renewed.parley.sweep());
        const { status, problem, error } = await handle.status();
        assert.deepEqual([status, problem?.name, error], ["PENDING", "NonDeterminismError", undefined]);
        const [reported] = renewed.errors;
        assert(reported instanceof NonDeterminismError);
        assert.equal(renewed.errors.length, 1);
        const { position, expected, actual, workflowId } = reported;
        assert.deepEqual({ position, expected, actual, workflowId }, { ...difference, workflowId: "w" });
        if (difference.actual === "a wait") await handle.send("message", { topic: "go" });
        await world.pass(10_001);
        await world.until(old.parley.sweep());
        const end = await handle.status();
        assert.deepEqual([end.status, end.output, end.problem], ["SUCCESS", "message", undefined]);
      },
    }),
  ),

  "three workflows that a bad deploy has hit get their messages, and go on after the roll-back": async (world) => {
    const good = workflow("flow", async (ctx) => {
      const first = await ctx.recv<string>("m");
      const stepped = await ctx.step("work", () => first.toUpperCase());
      await ctx.writeStream("log", stepped);
      return [stepped, await ctx.recv("m"), await ctx.recv("m")];
    });
    const bad = workflow("flow", async (ctx) => {
      await ctx.writeStream("log", "bad");
      return await ctx.step("work", () => "bad");
    });
    const before = world.isolate(0, [good], { wake: "none" });
    const handles = [];
    for (const workflowId of ["a", "b", "c"]) {
      handles.push(await before.parley.start(good, undefined, { workflowId }));
    }
    await world.until(before.parley.idle());
    for (const handle of handles) await handle.send("one", { topic: "m" });
    await world.until(before.parley.sweep());
    const deployed = world.isolate(1, [bad], { wake: "none" });
    for (const message of ["two", "three"]) {
      for (const handle of handles) await handle.send(message, { topic: "m" });
      await world.until(deployed.parley.sweep());
    }
    await world.pass(10_001);
    await world.until(deployed.parley.sweep());
    assert.equal(deployed.errors.length, 3, "each is told once a version of the error");
    const parked = await deployed.parley.list({ problem: true });
    assert.equal(parked.workflows.length, 3);
    assert(parked.workflows.every(({ recoveryAttempts }) => recoveryAttempts === 0));
    await world.pass(19_000);
    assert.equal((await world.until(before.parley.sweep())).claimed, 0, "the second pause is twice as long");
    // An operator need not wait for the end of the pause.
    await before.parley.resume("a");
    assert.equal((await world.until(before.parley.sweep())).finished, 1);
    await world.pass(1_001);
    assert.equal((await world.until(before.parley.sweep())).finished, 2);
    for (const handle of handles) {
      assert.deepEqual((await handle.status()).output, ["ONE", "two", "three"]);
      assert.deepEqual((await handle.readStream("log").collect()).values, ["ONE"]);
    }
  },

  "another problem of a parked workflow is reported again, and the pauses grow to ten minutes": async (world) => {
    const flow = (name: string) => workflow("flow", async (ctx) => (await ctx.step(name, () => {}), await ctx.recv()));
    const old = world.isolate(0, [flow("one")], { wake: "none" });
    await old.parley.start("flow", undefined, { workflowId: "w" });
    await world.until(old.parley.idle());
    await old.parley.send("w", "message");
    for (const [name, told] of [["two", 1], ["two", 0], ["three", 1]] as const) {
      const { parley, errors } = world.isolate(1, [flow(name)], { wake: "none" });
      await world.until(parley.sweep());
      assert.equal(errors.length, told);
      await world.pass(700_000);
    }
    const { parley, errors } = world.isolate(1, [flow("three")], { wake: "none" });
    for (let parks = 3; parks < 9; parks++) {
      await world.until(parley.sweep());
      await world.pass(600_001);
    }
    assert.deepEqual(errors, [], "it is told once");
    await world.until(old.parley.sweep());
    assert.equal((await parley.handle("w").status()).output, "message");
  },

  "an input or a recorded value that cannot be decoded parks the workflow": async (world) => {
    for (const codecs of [[sealed, unable], [unable, sealed]] as const) {
      const workflowId = `w${codecs.indexOf(sealed)}`;
      const flow = workflow(
        "flow",
        async (ctx, input: string) => [input, await ctx.step("step", () => "stepped"), await ctx.recv()],
      );
      const before = world.isolate(0, [flow], { codec: codecs[0], wake: "none" });
      const handle = await before.parley.start(flow, "input", { workflowId });
      await world.until(before.parley.idle());
      await handle.send("message");
      const other = world.isolate(1, [flow], { codec: codecs[1], wake: "none" });
      await world.until(other.parley.sweep());
      const { problem, status } = await other.parley.handle(workflowId).status();
      assert.deepEqual([status, problem?.name], ["PENDING", "UnreadableValueError"]);
      await world.pass(10_001);
      await world.until(before.parley.sweep());
      assert.deepEqual((await handle.status()).output, ["input", "stepped", "message"]);
    }
  },

  "a message that cannot be decoded parks the workflow, and its code gets nothing": async (world) => {
    const seen: unknown[] = [];
    const flow = workflow("flow", async (ctx) => {
      const message = await ctx.recv().catch((error) => error);
      seen.push(message);
      return message;
    });
    // Both codecs read all other values, so that only the message is unreadable.
    const codec = {
      ...devalueCodec,
      decode: (text: string) => text.includes("poison") ? assert.fail("unreadable") : devalueCodec.decode(text),
    };
    const { parley, errors } = world.isolate(0, [flow], { codec, wake: "none" });
    const handle = await parley.start(flow, undefined);
    await world.until(parley.idle());
    await handle.send("poison");
    await world.until(parley.sweep());
    assert.deepEqual([seen, errors.length, (await handle.status()).status], [[], 1, "PENDING"]);
    await world.pass(10_001);
    await world.until(world.isolate(1, [flow], { wake: "none" }).parley.sweep());
    assert.deepEqual([(await handle.status()).status, seen], ["SUCCESS", ["poison"]]);
  },

  ...rulesFor(
    cutShort,
    ([how, options]) => ({
      [`a replay that awaits something other than an operation beside an open wait is not parked by ${how}`]: async (
        world,
      ) => {
        const flow = (elsewhereMs: number) =>
          workflow("flow", async (ctx) => {
            const early = ctx.recv<string>("early");
            const stop = ctx.recv<string>("stop");
            await ctx.step("one", () => 1);
            if (elsewhereMs > 0) await delay(world.harness.clock, elsewhereMs);
            await ctx.step("two", () => 2);
            return [await Promise.race([stop, ctx.recv<string>("go")]), await early];
          });
        const before = world.isolate(0, [flow(0)], { wake: "none" });
        const handle = await before.parley.start("flow", undefined);
        await world.idle(before);
        await handle.send("went", { topic: "go" });
        // With this message the replay makes progress, and may hand over.
        await handle.send("came", { topic: "early" });
        const errors: unknown[] = [];
        for (let invocation = 0; invocation < 3; invocation++) {
          const after = world.isolate(1, [flow(5_000)], {
            wake: "none",
            onError: (error) => errors.push(error),
            ...options,
          });
          await world.until(after.parley.sweep());
        }
        assert.deepEqual([errors, (await handle.status()).problem], [[], undefined]);
        assert.deepEqual((await handle.status()).output, ["went", "came"]);
      },
    }),
  ),

  "code that throws a NonDeterminismError of its own fails": async (world) => {
    const flow = workflow("flow", async (ctx) => {
      await ctx.step("step", () => {
        throw new NonDeterminismError("other", { position: 1, expected: "a", actual: "b" });
      });
    });
    const { parley } = world.isolate(0, [flow]);
    const handle = await parley.start(flow, undefined);
    const error = await world.until(handle.result().catch((error) => error));
    assert.equal(error.cause.code, "non_determinism");
    assert.equal((await handle.status()).status, "ERROR");
  },
};
