/**
 * Rules for stored values that a reader cannot decode: a value of another runtime or codec affects
 * no other value.
 *
 * @module
 */

import assert from "node:assert/strict";
import { type Codec, devalueCodec } from "../../../core/values/codec.ts";
import { workflow } from "../../../core/workflow.ts";
import type { Rules } from "../../suite.ts";
import type { World } from "../world.ts";

const STRANGE = "strange";

/**
 * A codec with one more type than the default codec, so that the other isolates cannot decode its
 * values.
 */
const richer: Codec = {
  encode: (value) => value === STRANGE ? STRANGE : devalueCodec.encode(value),
  decode: (text) => text === STRANGE ? STRANGE : devalueCodec.decode(text),
};

const echo = workflow("echo", (_ctx, input: unknown) => input);
const fail = workflow("fail", () => Promise.reject(STRANGE));

/** Values that cannot be decoded. */
export const unreadable: Rules<World> = {
  "a workflow whose values cannot be decoded is listed as unreadable, and the rest of the page is untouched": async (
    world,
  ) => {
    const { parley } = world.isolate(0, [echo, fail], { codec: richer });
    for (const [index, input] of ["plain", STRANGE].entries()) {
      await world.until((await parley.start(echo, input, { workflowId: `w${index}` })).result());
    }
    await world.until(Promise.allSettled([(await parley.start(fail, undefined, { workflowId: "failed" })).result()]));
    const outside = world.isolate(1, []).parley;
    const { workflows } = await outside.list({ include: "values" });
    const shown = workflows.map((info) => [info.workflowId, info.input, info.output, info.error, info.unreadable]);
    assert.deepEqual(
      new Set(shown),
      new Set([
        ["w0", "plain", "plain", undefined, undefined],
        ["w1", undefined, undefined, undefined, ["input", "output"]],
        ["failed", undefined, undefined, undefined, ["error"]],
      ]),
    );
    assert.deepEqual(workflows.filter((info) => "input" in info).map(({ workflowId }) => workflowId).sort(), [
      "failed",
      "w0",
    ]);
    assert.deepEqual((await outside.handle("w1").status()).unreadable, ["input", "output"]);
    assert.equal((await outside.list()).workflows.length, 3);
    await assert.rejects(outside.handle("w1").result(), {
      code: "unreadable_value",
      what: 'output of workflow "w1"',
    });
    await assert.rejects(outside.handle("failed").result(), ({ code, cause }) => {
      assert.deepEqual([code, cause.code], ["workflow_failed", "unreadable_value"]);
      return true;
    });
  },

  "list() is without inputs and outputs unless they are asked for": async (world) => {
    const { parley } = world.isolate(0, [echo]);
    await world.until((await parley.start(echo, "value")).result());
    const [bare] = (await parley.list()).workflows;
    assert.deepEqual(["input" in bare!, "output" in bare!, bare!.status], [false, false, "SUCCESS"]);
    const [full] = (await parley.list({ include: "values" })).workflows;
    assert.deepEqual([full!.input, full!.output], ["value", "value"]);
    assert.deepEqual((await parley.list({ problem: true })).workflows, []);
    await assert.rejects(parley.list({ include: "all" as "values" }), { code: "invalid_value" });
  },

  "a reader of a stream or an event learns which value it cannot decode, and can read on after it": async (world) => {
    const flow = workflow("flow", async (ctx) => {
      for (const value of [0, 1, STRANGE, 3]) await ctx.writeStream("log", value);
      await ctx.setEvent("state", STRANGE);
      await ctx.recv();
      await ctx.setEvent("state", "plain");
    });
    const { parley } = world.isolate(0, [flow], { codec: richer });
    const handle = await parley.start(flow, undefined, { workflowId: "w" });
    await world.until(parley.idle());
    const outside = world.isolate(1, []).parley;
    const seen: unknown[] = [];
    const reading = async () => {
      for await (const value of outside.readStream("w", "log")) seen.push(value);
    };
    await assert.rejects(world.until(reading()), { code: "unreadable_value", what: 'value of stream "log"', at: 2 });
    assert.deepEqual(seen, [0, 1]);
    assert.deepEqual((await outside.readStream("w", "log", { from: 3, wait: false }).collect()).values, [3]);
    await assert.rejects(outside.getEvent("w", "state"), { code: "unreadable_value", what: 'event "state"', at: 1 });
    await assert.rejects(world.until(outside.watchEvent("w", "state")[Symbol.asyncIterator]().next()), {
      code: "unreadable_value",
      at: 1,
    });
    const later = outside.watchEvent("w", "state", { after: 1 })[Symbol.asyncIterator]();
    const next = later.next();
    await handle.send(null);
    assert.equal((await world.until(next)).value, "plain");
    await later.return?.();
  },
};
