/**
 * Rules for stored values that a reader cannot decode: one that another runtime or another codec wrote spoils nothing but itself.
 *
 * @module
 */

import assert from "node:assert/strict";
import { type Codec, devalueCodec } from "../../core/codec.ts";
import { workflow } from "../../core/workflow.ts";
import type { AddRule } from "../suite.ts";
import { World } from "./world.ts";

const STRANGE = "strange";

/** Knows one value more than the default codec: the other isolates cannot decode it. */
const richer: Codec = {
  encode: (value) => value === STRANGE ? STRANGE : devalueCodec.encode(value),
  decode: (text) => text === STRANGE ? STRANGE : devalueCodec.decode(text),
};

const echo = workflow("echo", (_ctx, input: unknown) => input);
const fail = workflow("fail", () => Promise.reject(STRANGE));

/** What cannot be decoded. */
export function unreadable(rule: AddRule): void {
  rule("a workflow whose values cannot be decoded is listed as unreadable, and the rest of the page is untouched", async (harness) => {
    const world = new World(harness);
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
    assert.deepEqual(workflows.filter((info) => "input" in info).map(({ workflowId }) => workflowId).sort(), ["failed", "w0"]);
    assert.deepEqual((await outside.handle("w1").status()).unreadable, ["input", "output"]);
    assert.equal((await outside.list()).workflows.length, 3);
    await assert.rejects(outside.handle("w1").result(), { code: "unreadable_value", what: 'output of workflow "w1"' });
    await assert.rejects(outside.handle("failed").result(), ({ code, cause }) => {
      assert.deepEqual([code, cause.code], ["workflow_failed", "unreadable_value"]);
      return true;
    });
  });
}
