/**
 * Rules for messages, as workflows and senders see them.
 *
 * @module
 */

import assert from "node:assert/strict";
import { topic } from "../../../core/channel.ts";
import { TimeoutError } from "../../../core/errors.ts";
import { workflow } from "../../../core/workflow.ts";
import type { Rules } from "../../suite.ts";
import type { World } from "../world.ts";

/** Receives `count` messages without a topic, then returns them. */
const collect = workflow("collect", async (ctx, count: number) => {
  const received: unknown[] = [];
  while (received.length < count) received.push(await ctx.recv());
  return received;
});

/** Sending and receiving. */
export const messaging: Rules<World> = {
  "twelve buffered messages come out in order after a restart": async (world) => {
    const sender = world.isolate(0, []).parley;
    const handle = await sender.start("collect", 12, { workflowId: "w", enqueue: true });
    for (let n = 0; n < 12; n++) await sender.send("w", n);
    await world.until(world.isolate(1, [collect]).parley.sweep());
    assert.deepEqual(await world.until(handle.result()), Array.from({ length: 12 }, (_, n) => n));
  },

  "several recv() of one topic get one message each, the earlier call the earlier message": async (world) => {
    const flow = workflow("flow", async (ctx) => {
      const waits = [ctx.recv("t"), ctx.recv("t", { timeout: "1s" }).catch((error) => error.name), ctx.recv("t")];
      await ctx.step("later", () => {});
      return await Promise.all([...waits, ctx.recv("t")]);
    });
    const { parley } = world.isolate(0, [flow], { hotWait: "1h" });
    const handle = await parley.start(flow, undefined);
    await world.pass(100);
    await handle.send("first", { topic: "t" });
    await world.pass(2_000);
    await parley.sendAll(
      ["second", "third"].map((message) => ({ destinationId: handle.workflowId, message, topic: "t" })),
    );
    assert.deepEqual(await world.until(handle.result()), ["first", "TimeoutError", "second", "third"]);
  },

  "recvAny() takes the oldest message over its topics and leaves the rest": async (world) => {
    const payment = topic<{ paid: boolean }, "payment">("payment");
    const flow = workflow("flow", async (ctx) => {
      const first = await ctx.recvAny([payment, "cancel", ""]);
      const described = first.topic === "payment" ? first.message.paid : first.topic;
      return [
        described,
        await ctx.recv("cancel"),
        await ctx.recv(),
        await ctx.recvAny(["none"], { timeout: 0 }).catch((error) => error.operation),
      ];
    });
    const { parley } = world.isolate(0, [flow]);
    const handle = await parley.start(flow, undefined, { enqueue: true });
    await handle.send({ paid: true }, { topic: payment });
    await handle.send("stop", { topic: "cancel" });
    await handle.send("no topic");
    await world.until(parley.sweep());
    assert.deepEqual((await handle.status()).output, [true, "stop", "no topic", 'recvAny ["none"]']);
  },

  "an idempotency key sends once, also after the message was received, and reports the duplicate": async (world) => {
    const { parley } = world.isolate(0, [collect]);
    const handle = await parley.start(collect, 2);
    const first = await handle.send("once", { idempotencyKey: "k" });
    await world.until(parley.idle());
    const second = await handle.send("once", { idempotencyKey: "k" });
    assert.deepEqual([first.duplicate, second], [false, { messageId: first.messageId, duplicate: true }]);
    await assert.rejects(handle.send("once", { idempotencyKey: "k", topic: "other" }), {
      code: "idempotency_conflict",
      key: "k",
    });
    await handle.send("twice");
    assert.deepEqual(await world.until(handle.result()), ["once", "twice"]);
    await assert.rejects(handle.send("late"), {
      code: "workflow_ended",
      workflowId: handle.workflowId,
      status: "SUCCESS",
    });
    await assert.rejects(parley.send("nobody", 1), { code: "workflow_not_found", workflowId: "nobody" });
  },

  "sendAll() sends all or none": async (world) => {
    const { parley } = world.isolate(0, [collect]);
    const handle = await parley.start(collect, 2, { workflowId: "w" });
    await assert.rejects(
      parley.sendAll([{ destinationId: "w", message: 1 }, { destinationId: "nobody", message: 2 }]),
      { code: "workflow_not_found", workflowId: "nobody" },
    );
    const twice = { destinationId: "w", message: 3, idempotencyKey: "k" };
    await assert.rejects(parley.sendAll([twice, twice]), { code: "idempotency_conflict" });
    assert.deepEqual(await parley.sendAll([]), []);
    const receipts = await parley.sendAll([{ destinationId: "w", message: 4 }, twice]);
    assert.deepEqual(receipts.map(({ duplicate }) => duplicate), [false, false]);
    assert.deepEqual(await world.until(handle.result()), [4, 3]);
  },

  "null and undefined are messages, and a timeout of 0 takes what is there": async (world) => {
    const flow = workflow("flow", async (ctx) => [
      await ctx.recv("t", { timeout: 0 }),
      await ctx.recv("t", { timeout: 0 }),
      await ctx.recv("t", { timeout: 0 }).catch((error) => error instanceof TimeoutError),
    ]);
    const { parley } = world.isolate(0, [flow]);
    const handle = await parley.start(flow, undefined, { enqueue: true });
    for (const message of [null, undefined]) await handle.send(message, { topic: "t" });
    await world.until(parley.sweep());
    assert.deepEqual((await handle.status()).output, [null, undefined, true]);
  },

  "workflows that send to each other at the same time lose nothing": async (world) => {
    const pong = workflow("pong", async (ctx, other: string) => {
      const received: number[] = [];
      for (let n = 0; n < 10; n++) {
        await ctx.send(other, n);
        received.push(await ctx.recv<number>());
      }
      return received;
    });
    const isolates = [world.isolate(0, [pong]), world.isolate(1, [pong])];
    await Promise.all(
      ["a", "b"].map((id) =>
        isolates[0]!.parley.start(pong, id === "a" ? "b" : "a", { workflowId: id, enqueue: true })
      ),
    );
    const over = async () => (await isolates[0]!.parley.list({ status: "SUCCESS" })).workflows.length === 2;
    while (!await over()) {
      await world.until(Promise.all(isolates.map(({ parley }) => parley.sweep().then(() => parley.idle()))));
    }
    for (const id of ["a", "b"]) {
      assert.deepEqual(
        (await isolates[0]!.parley.handle(id).status()).output,
        Array.from({ length: 10 }, (_, n) => n),
      );
    }
  },
};
