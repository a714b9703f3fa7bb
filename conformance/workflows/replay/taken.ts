/**
 * Rules for values and refusals. A value is taken when its operation is called, and a refused call
 * is refused on every replay.
 *
 * @module
 */

import assert from "node:assert/strict";
import { nextTask } from "../../../core/time/clock.ts";
import { event, stream, topic } from "../../../core/channel.ts";
import type { StandardSchemaV1 } from "../../../core/standard_schema.ts";
import { workflow, type WorkflowContext } from "../../../core/workflow.ts";
import { type Rules, rulesFor } from "../../suite.ts";
import type { World } from "../world.ts";

type Validate = StandardSchemaV1<unknown, unknown>["~standard"]["validate"];

function schema<T>(validate: Validate): StandardSchemaV1<unknown, T> {
  return {
    "~standard": {
      version: 1,
      vendor: "test",
      validate: validate as StandardSchemaV1<unknown, T>["~standard"]["validate"],
    },
  };
}

/** The same schema with an answer two tasks later. */
const late =
  (validate: Validate): Validate => async (value) => (await nextTask(), await nextTask(), await validate(value));
const accept: Validate = (value) => ({ value });
const refuse: Validate = () => ({ issues: [{ message: "no" }] });

/** Values that are taken, and calls that are refused. */
export const taken: Rules<World> = {
  "a call that a schema, a limit or an unknown name refused is refused on replay, whatever they say by then": async (
    world,
  ) => {
    const seen: unknown[][] = [];
    const child = (validate: Validate) => workflow("child", () => {}, { input: schema<number>(validate) });
    const make = (validate: Validate, values: { now: () => number } = Date) => {
      const calls: ((ctx: WorkflowContext) => Promise<unknown>)[] = [
        (ctx) => ctx.send("sink", 1, { topic: topic("t", schema<number>(validate)) }),
        (ctx) => ctx.send("sink", 2, { topic: topic("t", schema<number>(late(validate))) }),
        (ctx) => ctx.send("sink", "x".repeat(20_000), { topic: "t" }),
        (ctx) => ctx.setEvent(event("e", schema<number>(validate)), 1),
        (ctx) => ctx.writeStream(stream("s", schema<number>(late(validate))), 1),
        (ctx) => ctx.writeStream("s", values as unknown),
        (ctx) => ctx.start(child(validate), 1),
        (ctx) => ctx.start(workflow("later known", () => {}), undefined),
      ];
      return workflow("flow", async (ctx) => {
        const codes: unknown[] = [];
        for (const call of calls) {
          codes.push(await call(ctx).then(() => "done", (error) => [error.name, error.code, error.message]));
        }
        seen.push([...codes]);
        await ctx.recv("go");
        return codes;
      });
    };
    const sink = workflow("sink", () => {});
    const strict = world.isolate(0, [make(refuse), child(refuse)], { maxValueBytes: 10_000 });
    await strict.parley.start(sink, undefined, { workflowId: "sink", enqueue: true });
    const handle = await strict.parley.start("flow", undefined);
    await world.until(strict.parley.idle());
    const lenient = world.isolate(1, [
      make(accept, { now: 1 as never }),
      child(accept),
      workflow("later known", () => {}),
    ]);
    await lenient.parley.send(handle.workflowId, null, { topic: "go" });
    const codes = await world.until(handle.result()) as string[][];
    assert.deepEqual(codes.map(([, code]) => code), [
      "invalid_value",
      "invalid_value",
      "value_too_large",
      "invalid_value",
      "invalid_value",
      "invalid_value",
      "invalid_value",
      "unknown_workflow",
    ]);
    assert.deepEqual(seen, [codes, codes]);
    assert.equal((await handle.readStream("s").collect()).nextOffset, 0);
    assert.equal((await world.harness.drivers[0].readEvent({ workflowId: handle.workflowId, key: "e" })).event, null);
    assert.deepEqual((await lenient.parley.list()).workflows.map(({ name }) => name).sort(), ["flow", "sink"]);
  },

  "a race against a schema that refuses late has the same winner on replay": async (world) => {
    const winners: unknown[] = [];
    const make = (validate: Validate) =>
      workflow("flow", async (ctx) => {
        const refused = ctx.writeStream(stream("s", schema<number>(validate)), 1).then(
          () => "written",
          () => "refused",
        );
        const beside = ctx.step("step", () => "step");
        const waiting = ctx.recv("never", { timeout: 0 }).catch(() => "timeout");
        winners.push(await Promise.race([waiting, beside, refused]), await Promise.race([refused, waiting]));
        await ctx.recv("go");
      });
    const before = world.isolate(0, [make(late(refuse))]);
    const handle = await before.parley.start("flow", undefined);
    await world.until(before.parley.idle());
    const after = world.isolate(1, [make(accept)]);
    await after.parley.send(handle.workflowId, null, { topic: "go" });
    await world.until(handle.result());
    assert.deepEqual(winners.slice(2), winners.slice(0, 2));
    assert.equal((await handle.readStream("s").collect()).nextOffset, 0);
  },

  ...rulesFor(
    [["no", undefined], ["a", accept], ["an asynchronous", late(accept)]] as const,
    ([kind, validate]) => ({
      [`values are taken when the operation is called, with ${kind} schema`]: async (world) => {
        const given = validate ? [schema<{ n: number }>(validate)] : [];
        const log = stream("log", ...given), letters = topic("letters", ...given), state = event("state", ...given);
        const child = workflow(
          "child",
          (_ctx, { n }: { n: number }) => n,
          validate ? { input: schema<{ n: number }>(validate) } : {},
        );
        const sink = workflow("sink", async (ctx) => {
          const received: number[] = [];
          while (received.length < 15) received.push((await ctx.recv(letters)).n);
          return received;
        });
        /** Calls the operation five times with one object that changes in between. */
        const five = async <T>(call: (value: { n: number }) => Promise<T>): Promise<T[]> => {
          const value = { n: 0 };
          const calls = Array.from({ length: 5 }, (_, n) => (value.n = n, call(value)));
          value.n = -1;
          return await Promise.all(calls);
        };
        const flow = workflow("flow", async (ctx) => {
          await five((value) => ctx.writeStream(log, value));
          await five((value) => ctx.send("sink", value, { topic: letters }));
          await five((value) => ctx.setEvent(state, value));
          await ctx.step("step", async (step) => {
            await five((value) => step.writeStream(log, value));
            await five((value) => step.send("sink", value, { topic: letters }));
            await five((value) => step.setEvent(event("in step", ...given), value));
          });
          const children = await five((value) => ctx.start(child, value));
          return await Promise.all(children.map((it) => it.result()));
        });
        const { parley } = world.isolate(0, [flow, sink, child]);
        const received = await parley.start(sink, undefined, { workflowId: "sink" });
        const handle = await parley.start(flow, undefined);
        assert.deepEqual(await world.until(handle.result()), [0, 1, 2, 3, 4]);
        assert.deepEqual((await handle.readStream(log).collect()).values.map(({ n }) => n), [
          0,
          1,
          2,
          3,
          4,
          0,
          1,
          2,
          3,
          4,
        ]);
        assert.deepEqual([await handle.getEvent(state), await handle.getEvent("in step")], [{ n: 4 }, { n: 4 }]);
        const value = { n: 5 };
        const outside = [
          parley.send("sink", value, { topic: letters }),
          parley.sendAll([{ destinationId: "sink", message: value, topic: letters }]),
          parley.start(child, value, { workflowId: "from outside" }),
        ];
        value.n = -1;
        await Promise.all(outside);
        for (const n of [7, 8, 9]) await parley.send("sink", { n }, { topic: letters });
        const all = await world.until(received.result()) as number[];
        assert.deepEqual(all.toSorted(), [0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 7, 8, 9]);
        assert.equal(await world.until(parley.handle("from outside").result()), 5);
      },
    }),
  ),

  "a value is taken when the operation is called, also while pages of the journal are unread": async (world) => {
    const flow = workflow("flow", async (ctx) => {
      const second = ctx.step("first", () => {}).then(() => {
        const value = { n: 0 };
        const writes = [1, 2, 3].map((n) => (value.n = n, ctx.writeStream("log", value)));
        value.n = -1;
        return Promise.all(writes);
      });
      await Promise.all([second, ctx.step("second", () => {}), ctx.step("third", () => {})]);
    });
    // With a budget of 0, a run leaves operations after the first outcome to the next run.
    const { parley } = world.isolate(0, [flow], { budget: 0, pages: 1 });
    const handle = await parley.start(flow, undefined);
    await world.until(handle.result());
    assert.deepEqual((await handle.readStream("log").collect()).values, [{ n: 1 }, { n: 2 }, { n: 3 }]);
  },
};
