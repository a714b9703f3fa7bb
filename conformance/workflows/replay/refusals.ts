/**
 * Rules for bad input: it gets a named error, and nothing is written.
 *
 * @module
 */

import assert from "node:assert/strict";
import { topic } from "../../../core/channel.ts";
import type { StandardSchemaV1 } from "../../../core/standard_schema.ts";
import { workflow, type WorkflowContext } from "../../../core/workflow.ts";
import type { Rules } from "../../suite.ts";
import { World } from "../world.ts";

const LONG = "x".repeat(256);
const BAD_NAMES = ["", LONG, "a\0b", "\ud800", "😀".repeat(256)];
const MEBIBYTES = "x".repeat(2 * 2 ** 20);

/** An asynchronous schema that accepts positive numbers. */
const positive: StandardSchemaV1<unknown, number> = {
  "~standard": {
    version: 1,
    vendor: "test",
    validate: (value) =>
      Promise.resolve(
        typeof value === "number" && value > 0
          ? { value }
          : { issues: [{ message: "too small", path: [{ key: "amount" }], input: value }] },
      ),
  },
};

/** Refusals. */
export const refusals: Rules<World> = {
  "bad names, values and durations are refused from outside before any call": async (world) => {
    const flow = workflow("flow", () => {}, { input: positive });
    const { parley, driver } = world.isolate(0, [flow]);
    const invalid: (() => unknown)[] = [
      ...BAD_NAMES.flatMap((name) => [
        () => parley.start(flow, 1, { workflowId: name }),
        () => parley.start(name, 1, { enqueue: true }),
        () => parley.send(name, 1),
        () => parley.send("w", 1, { idempotencyKey: name }),
        () => parley.getEvent(name, "e"),
        () => parley.getEvent("w", name),
        () => parley.readStream("w", name).collect(),
        () => parley.cancel(name),
        () => parley.handle(name),
        () => topic(name),
      ]),
      ...BAD_NAMES.slice(1).map((name) => () => parley.send("w", 1, { topic: name })),
      () => parley.send("w", () => 1),
      () => parley.send("w", { nested: [Symbol("no")] }),
      () => parley.send("w", -1, { topic: topic("t", positive) }),
      () => parley.start(flow, -1),
      () => parley.getEvent("w", "e", { timeout: -1 }),
      () => parley.getEvent("w", "e", { timeout: "1 fortnight" as "1s" }),
      () => parley.getEvent("w", "e", { timeout: NaN }),
      () => parley.readStream("w", "s", { from: -1 }).collect(),
      () => parley.readStream("w", "s", { from: 0.5 }).collect(),
      () => parley.list({ limit: 0 }),
      () => parley.list({ status: "DONE" as "SUCCESS" }),
      () => parley.sweep({ limit: -1 }),
      () => parley.purge({ olderThan: "-1s" }),
    ];
    for (const call of invalid) await assert.rejects(async () => await call(), { code: "invalid_value" }, `${call}`);
    await assert.rejects(parley.send("w", MEBIBYTES), { code: "value_too_large", limit: 2 ** 20 });
    await assert.rejects(parley.start("unknown", 1), { code: "unknown_workflow", workflow: "unknown" });
    assert.equal(driver.calls, 0);
  },

  "a schema's refusal tells where and why, and not what": async ({ harness }) => {
    const { parley } = new World(harness).isolate(0, []);
    const error = await parley.send("w", -4_242, { topic: topic("t", positive) }).catch((error) => error);
    assert.deepEqual(error.issues, [{ message: "too small", path: ["amount"] }]);
    assert.match(error.message, /amount/);
    assert(!JSON.stringify(error, Object.getOwnPropertyNames(error)).includes("4242"));
  },

  "bad input inside a workflow is refused, written nowhere, and refused again on replay": async (world) => {
    const calls: ((ctx: WorkflowContext) => Promise<unknown>)[] = [
      (ctx) => ctx.send("w", () => 1),
      (ctx) => ctx.send("w", -1, { topic: topic("t", positive) }),
      (ctx) => ctx.send("", 1),
      (ctx) => ctx.setEvent("e", Symbol("no")),
      (ctx) => ctx.setEvent(LONG, 1),
      (ctx) => ctx.writeStream("s", MEBIBYTES),
      (ctx) => ctx.recv(LONG),
      (ctx) => ctx.recv("t", { timeout: -1 }),
      (ctx) => ctx.recvAny([]),
      (ctx) => ctx.sleep(-1),
      (ctx) => ctx.step("", () => 1),
      (ctx) => ctx.step("s", () => 1, { retries: -1 }),
      (ctx) => ctx.step("s", () => 1, { backoff: 0 }),
      (ctx) => ctx.start(workflow("unknown", () => {}), undefined),
    ];
    const seen: unknown[][] = [];
    const flow = workflow("flow", async (ctx) => {
      const codes: unknown[] = [];
      for (const call of calls) codes.push(await call(ctx).then(() => "done", (error) => error.code));
      seen.push(codes);
      await ctx.recv("go");
      await ctx.step("a function", () => () => {}).catch((error) => codes.push(error.code));
      return () => {};
    });
    const { parley } = world.isolate(0, [flow]);
    const handle = await parley.start(flow, undefined, { workflowId: "w" });
    await world.until(parley.idle());
    await assert.rejects(handle.getEvent("e", { timeout: 0 }), { code: "timeout" });
    assert.equal((await handle.readStream("s", { wait: false }).collect()).nextOffset, 0);
    await handle.send(null, { topic: "go" });
    const error = await world.until(handle.result().catch((error) => error));
    assert.equal(error.cause.code, "invalid_value", "the output is a function");
    const codes = calls.map((call) =>
      `${call}`.includes("MEBI")
        ? "value_too_large"
        : `${call}`.includes("unknown")
        ? "unknown_workflow"
        : "invalid_value"
    );
    assert.deepEqual(seen, [codes, [...codes, "invalid_value"]]);
  },

  "options of a Parley that are not legal are refused": (world) => {
    const flow = workflow("flow", () => {});
    for (
      const options of [
        { lease: 0 },
        { lease: -1 },
        { hotWait: "soon" as "1s" },
        { budget: NaN },
        { maxValueBytes: 0 },
        { driver: { ...world.harness.drivers[0], contract: 2 as 1 } },
      ]
    ) {
      assert.throws(() => world.isolate(0, [flow], options), { code: "invalid_value" });
    }
    assert.throws(() => world.isolate(0, [flow, flow]), { code: "invalid_value" });
    for (const maxRecoveryAttempts of [-1, 0.5]) {
      assert.throws(() => workflow("flow", () => {}, { maxRecoveryAttempts }), { code: "invalid_value" });
    }
    return Promise.resolve();
  },
};
