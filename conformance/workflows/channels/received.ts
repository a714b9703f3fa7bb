/**
 * Rules for schemas at `recv`. A message that was sent by the topic's name is checked there once,
 * and a replay gets the same result.
 *
 * @module
 */

import assert from "node:assert/strict";
import { type Topic, topic } from "../../../core/channel.ts";
import { nextTask } from "../../../core/time/clock.ts";
import type { StandardSchemaV1 } from "../../../core/standard_schema.ts";
import { workflow } from "../../../core/workflow.ts";
import { type Rules, rulesFor } from "../../suite.ts";
import type { World } from "../world.ts";

/** A schema that wants numbers and multiplies them. */
function times(factor: number, isLate = false): StandardSchemaV1<unknown, number> {
  const validate = (value: unknown) =>
    typeof value === "number"
      ? { value: value * factor }
      : { issues: [{ message: "must be a number", path: ["amount"] }] };
  return {
    "~standard": {
      version: 1,
      vendor: "test",
      validate: isLate ? async (value) => (await nextTask(), validate(value)) : validate,
    },
  };
}

/** Workflows that receive messages with a schema. */
export const received: Rules<World> = {
  ...rulesFor(
    [false, true],
    (isLate) => ({
      [
        `recv() checks a message that came by name with its topic's ${
          isLate ? "asynchronous " : ""
        }schema, and a replay says the same`
      ]: async (world) => {
        const make = (schema: StandardSchemaV1<unknown, number> | undefined) =>
          workflow("flow", async (ctx) => {
            const seen: unknown[] = [];
            for (let n = 0; n < 6; n++) {
              const from = schema ? topic("t", schema) : "t";
              seen.push(await ctx.recv(from).catch((error) => [error.name, error.issues]));
              await ctx.step("between", () => n);
            }
            return seen;
          });
        const deploys = [make(times(10, isLate)), make(times(1_000)), make(undefined)];
        const { parley } = world.isolate(0, []);
        const handle = await parley.start("flow", undefined, { enqueue: true });
        const messages = [1, "one", 2, "two", 3, "three"];
        for (const [turn, message] of messages.entries()) {
          await handle.send(message, { topic: "t" });
          const isolate = world.isolate(1, [deploys[turn % 3]!], { wake: "none", pages: 1 + turn % 2 });
          await world.until(isolate.parley.sweep());
          assert.deepEqual(isolate.errors, []);
        }
        const refusal = ["ValidationError", [{ message: "must be a number", path: ["amount"] }]];
        assert.deepEqual((await handle.status()).output, [10, refusal, 2, refusal, 3_000, "three"]);
      },
    }),
  ),

  "the schema of a topic is applied once to a message: where it is sent, or where it is received": async (world) => {
    const letters = topic("letters", times(10));
    const flow = workflow("flow", async (ctx) => {
      await ctx.send(ctx.workflowId, 3, { topic: letters });
      await ctx.step("send", (step) => step.send(ctx.workflowId, 4, { topic: letters }));
      const received = [];
      for (let n = 0; n < 5; n++) received.push(await ctx.recv(letters));
      await ctx.recv("go");
      return received;
    });
    const { parley } = world.isolate(0, [flow], { pages: 2 });
    const handle = await parley.start(flow, undefined, { enqueue: true });
    await handle.send(1, { topic: letters });
    await handle.send(2, { topic: "letters" });
    await world.until(parley.sweep());
    await parley.sendAll([{ destinationId: handle.workflowId, message: 5, topic: letters }]);
    await world.until(parley.idle());
    await handle.send(null, { topic: "go" });
    assert.deepEqual(await world.until(handle.result()), [10, 20, 30, 40, 50]);
  },

  "recvAny() checks a message with the schema of its own topic": async (world) => {
    const numbers = topic("numbers", times(10));
    const flow = workflow("flow", async (ctx) => {
      const seen = [];
      for (let n = 0; n < 4; n++) seen.push(await ctx.recvAny([numbers, "any"]).catch((error) => error.code));
      return seen;
    });
    const { parley } = world.isolate(0, [flow]);
    const handle = await parley.start(flow, undefined, { enqueue: true });
    await handle.send("text", { topic: "any" });
    await handle.send("text", { topic: "numbers" });
    await handle.send(1, { topic: "numbers" });
    await handle.send(1, { topic: numbers });
    await world.until(parley.sweep());
    const number = { topic: "numbers", message: 10 };
    assert.deepEqual(await world.until(handle.result()), [
      { topic: "any", message: "text" },
      "invalid_value",
      number,
      number,
    ]);
  },

  "a replay never takes the check of one of several waits for the same topics for that of another": async (
    world,
  ) => {
    const numbers = topic("numbers", times(10));
    const flow = workflow("flow", async (ctx) => {
      const seen = await Promise.all([
        ctx.recvAny([numbers, "any"]),
        ctx.recvAny([numbers, "any"]),
        ctx.recv("numbers"),
        ctx.recv(numbers),
      ]);
      await ctx.recv("go");
      return seen;
    });
    const { parley } = world.isolate(0, [flow]);
    const handle = await parley.start(flow, undefined, { enqueue: true });
    for (const [topic, message] of [["any", 1], ["numbers", 2], ["numbers", 3], ["numbers", 4]] as const) {
      await handle.send(message, { topic });
    }
    await world.until(parley.sweep());
    await handle.send(null, { topic: "go" });
    assert.deepEqual(await world.until(handle.result()), [
      { topic: "any", message: 1 },
      { topic: "numbers", message: 20 },
      3,
      40,
    ]);
  },

  "a deploy that adds a schema accepts messages received before it, even beside a step that was not done": async (
    world,
  ) => {
    const { promise: never } = Promise.withResolvers<void>();
    const make = (from: string | Topic<number, string, unknown>, hangs: boolean) =>
      workflow("flow", async (ctx) => {
        const received = await ctx.recv(from);
        const slow = ctx.step("slow", () => hangs ? never : undefined);
        await ctx.step("fast", () => {});
        await slow;
        return received;
      });
    const dying = world.isolate(0, [make("t", true)], { lease: "5s", wake: "none" });
    const handle = await dying.parley.start("flow", undefined, { enqueue: true });
    await handle.send(7, { topic: "t" });
    dying.parley.sweep().catch(() => {});
    await world.pass(1_000);
    dying.driver.kill();
    await world.pass(5_001);
    const next = world.isolate(1, [make(topic("t", times(10)), false)], { wake: "none", pages: 1 });
    await world.until(next.parley.sweep());
    assert.deepEqual([(await next.parley.handle(handle.workflowId).status()).output, next.errors], [7, []]);
  },

  "the next run makes a check that a dead run has not recorded, beside other operations": async (world) => {
    const flow = (schema: StandardSchemaV1<unknown, number>) =>
      workflow("flow", async (ctx) => {
        const received = ctx.recv(topic("t", schema)).then((it) => ctx.step("after", () => it));
        const steps = [1, 2, 3].map((n) => ctx.step(`${n}`, () => n).then((it) => ctx.uuid().then(() => it)));
        return await Promise.all([received, ...steps]);
      });
    for (let call = 2; call <= 7; call++) {
      const workflowId = `w${call}`;
      const dying = world.isolate(0, [flow(times(10, true))], {
        lease: "5s",
        wake: "none",
        faults: [{ call, when: "after", what: "dies" }],
      });
      await world.isolate(1, []).parley.start("flow", undefined, { workflowId, enqueue: true });
      await world.isolate(1, []).parley.send(workflowId, 7, { topic: "t" });
      await world.until(dying.parley.sweep().catch(() => {}));
      await world.until(dying.parley.idle());
      await world.pass(5_001);
      const next = world.isolate(1, [flow(times(10))], { wake: "none", pages: 1 });
      await world.until(next.parley.sweep());
      const { status, output } = await next.parley.handle(workflowId).status();
      assert.deepEqual([status, output], ["SUCCESS", [70, 1, 2, 3]], `call ${call}`);
    }
  },

  "messages whose text looks like that of a checked message come out as they went in, with any codec": async (
    world,
  ) => {
    const codec = { encode: String, decode: (text: string) => text };
    const messages = ["+1", "=1", "1", "+", "=", ""];
    const flow = workflow("flow", async (ctx) => {
      const seen = [];
      for (const _ of messages) seen.push(await ctx.recv());
      return seen.join();
    });
    const { parley } = world.isolate(0, [flow], { codec });
    const handle = await parley.start(flow, undefined);
    for (const message of messages) await handle.send(message);
    assert.equal(await world.until(handle.result()), messages.join());
  },
};
