/**
 * Rules for looking into a workflow: its operations, messages, events and streams.
 *
 * @module
 */

import assert from "node:assert/strict";
import { event, stream, topic } from "../../core/channel.ts";
import type { HistoryEntry } from "../../core/inspection.ts";
import { workflow } from "../../core/workflow.ts";
import type { Rules } from "../suite.ts";
import type { World } from "./world.ts";

const payment = topic<{ amount: bigint }>("payment");
const state = event<string>("state");
const lines = stream<string>("lines");

const child = workflow("child", (_ctx, n: number) => n + 1);

const order = workflow("order", async (ctx) => {
  await ctx.step("reserve", () => new Date(0));
  await ctx.step("flaky", ({ attempt }) => attempt < 3 ? Promise.reject(new Error("again")) : attempt, {
    retries: 2,
    delay: "200ms",
  });
  await ctx.step("broken", () => Promise.reject(new RangeError("no"))).catch(() => {});
  await ctx.now();
  await ctx.uuid();
  await ctx.sleep("1s");
  await ctx.setEvent(state, "waiting");
  await ctx.writeStream(lines, "one");
  await ctx.closeStream(lines);
  await ctx.writeStream(lines, "two").catch(() => {});
  await ctx.send("nobody", 1, { topic: "t" }).catch(() => {});
  const handle = await ctx.start(child, 1, { workflowId: "the child" });
  await handle.result();
  await ctx.getEvent(ctx.workflowId, state);
  await ctx.recv("late", { timeout: "100ms" }).catch(() => {});
  await ctx.recv(payment);
  return await ctx.recvAny(["a", "b"], { timeout: "1h" });
});

/** Looking. */
export const looking: Rules<World> = {
  "history() shows every operation with its kind, name, state, times and value": async (world) => {
    const { parley } = world.isolate(0, [order, child]);
    const handle = await parley.start(order, undefined);
    await handle.send({ amount: 5n }, { topic: payment, idempotencyKey: "p" });
    await world.untilTrue(async () => (await handle.status()).waiting?.operations[0]?.startsWith("recvAny") === true);
    const { entries, next } = await parley.history(handle.workflowId);
    assert.equal(next, undefined);
    const shown = entries.map(({ kind, name, state, value, error }) => [kind, name, state, value, error?.name]);
    assert.equal(typeof shown[3]![3], "number");
    assert.equal(typeof shown[4]![3], "string");
    assert.deepEqual(
      shown.map((it, index) => [3, 4].includes(index) ? it.slice(0, 3) : it),
      [
        ["step", "reserve", "done", new Date(0), undefined],
        ["step", "flaky", "done", 3, undefined],
        ["step", "broken", "failed", undefined, "RangeError"],
        ["now", undefined, "done"],
        ["uuid", undefined, "done"],
        ["sleep", undefined, "done", undefined, undefined],
        ["setEvent", "state", "done", undefined, undefined],
        ["writeStream", "lines", "done", undefined, undefined],
        ["closeStream", "lines", "done", undefined, undefined],
        ["writeStream", "lines", "failed", undefined, "StreamClosedError"],
        ["send", "t", "failed", undefined, "WorkflowNotFoundError"],
        ["start", "child", "done", "the child", undefined],
        ["result", undefined, "done", 2, undefined],
        ["getEvent", "state", "done", "waiting", undefined],
        ["recv", "late", "timeout", undefined, undefined],
        ["recv", "payment", "done", { amount: 5n }, undefined],
        ["recvAny", ["a", "b"], "waiting", undefined, undefined],
      ],
    );
    const destinations = entries.map(({ destinationId }) => destinationId);
    assert.deepEqual(destinations, entries.map(({ kind }) => kind === "send" ? "nobody" : undefined));
    const attempts = entries.map((entry) => entry.attempts);
    assert.deepEqual(attempts.slice(0, 4), [1, 3, 1, undefined]);
    assertTimes(entries);
    const last = entries.at(-1)!;
    assert.equal(last.endedAt, undefined);
    assert(last.deadline! > last.startedAt);
    const slept = entries.find(({ kind }) => kind === "sleep")!;
    assert(slept.endedAt! - slept.startedAt >= 1_000);
    const flaky = entries[1]!;
    assert(flaky.endedAt! - flaky.startedAt >= 600, "its tries and the pauses between them");
  },

  "history() comes in pages, and knows its limits": async (world) => {
    const flow = workflow("flow", async (ctx) => {
      for (let n = 0; n < 5; n++) await ctx.setEvent(state, `${n}`);
    });
    const { parley } = world.isolate(0, [flow]);
    const handle = await parley.start(flow, undefined);
    await world.until(handle.result());
    const first = await parley.history(handle.workflowId, { limit: 2 });
    const second = await parley.history(handle.workflowId, { limit: 2, after: first.next! });
    const third = await parley.history(handle.workflowId, { limit: 2, after: second.next! });
    const positions = [first, second, third].map((page) => page.entries.map(({ position }) => position));
    assert.deepEqual([positions, third.next], [[[0, 1], [2, 3], [4]], undefined]);
    await assert.rejects(parley.history("missing"), { code: "workflow_not_found" });
    await assert.rejects(parley.history(handle.workflowId, { limit: 0 }), { code: "invalid_value" });
    await assert.rejects(parley.history(handle.workflowId, { after: -1 }), { code: "invalid_value" });
    await assert.rejects(parley.history(""), { code: "invalid_value" });
  },

  "messages() shows what is unread and what was received, with the sender's key": async (world) => {
    const flow = workflow("flow", async (ctx) => (await ctx.recv(payment), await ctx.recv("never")));
    const { parley } = world.isolate(0, [flow]);
    const handle = await parley.start(flow, undefined);
    const { messageId } = await handle.send({ amount: 1n }, { topic: payment, idempotencyKey: "k" });
    await world.untilTrue(async () => (await handle.status()).waiting?.operations[0] === 'recv "never"');
    await handle.send("misspelt", { topic: "paymnet" });
    await handle.send("plain");
    assert.equal((await handle.status()).unread, 2);
    const { messages } = await parley.messages(handle.workflowId);
    assert.deepEqual(
      messages.map(({ topic, value, receivedAt, idempotencyKey }) => [topic, value, receivedAt, idempotencyKey]),
      [
        ["paymnet", "misspelt", undefined, undefined],
        ["", "plain", undefined, undefined],
      ],
    );
    const { messages: [received] } = await parley.messages(handle.workflowId, { state: "received" });
    assert.deepEqual(
      [received!.messageId, received!.topic, received!.value, received!.position, received!.idempotencyKey],
      [messageId, "payment", { amount: 1n }, 0, "k"],
    );
    assert(received!.receivedAt! >= received!.sentAt);
    const all = await parley.messages(handle.workflowId, { state: "all", limit: 2 });
    const rest = await parley.messages(handle.workflowId, { state: "all", after: all.next! });
    assert.deepEqual([...all.messages, ...rest.messages].map(({ topic }) => topic), ["payment", "paymnet", ""]);
    assert.equal((await parley.messages(handle.workflowId, { topic: "" })).messages.length, 1);
    await assert.rejects(parley.messages("missing"), { code: "workflow_not_found" });
    await assert.rejects(parley.messages(handle.workflowId, { state: "some" as "all" }), { code: "invalid_value" });
  },

  "events() and streams() show all keys, also after the end": async (world) => {
    const flow = workflow("flow", async (ctx) => {
      await ctx.setEvent(state, "one");
      await ctx.setEvent(state, "two");
      await ctx.setEvent("other", new Map([["k", 1]]));
      for (const line of ["a", "b"]) await ctx.writeStream(lines, line);
      await ctx.writeStream("closed", 1);
      await ctx.closeStream("closed");
      await ctx.recv("end");
    });
    const { parley } = world.isolate(0, [flow]);
    const handle = await parley.start(flow, undefined);
    await world.untilTrue(async () => (await handle.status()).waiting !== undefined);
    const events = await parley.events(handle.workflowId);
    assert.deepEqual(events.map(({ key, version, value }) => [key, version, value]), [
      ["other", 1, new Map([["k", 1]])],
      ["state", 2, "two"],
    ]);
    const { createdAt } = await handle.status();
    assert(events.every(({ updatedAt }) => updatedAt >= createdAt));
    const shown = async () =>
      (await parley.streams(handle.workflowId)).map(({ key, length, closed }) => [key, length, closed]);
    assert.deepEqual(await shown(), [["closed", 1, true], ["lines", 2, false]]);
    await handle.send(null, { topic: "end" });
    await world.until(handle.result());
    assert.deepEqual(await shown(), [["closed", 1, true], ["lines", 2, true]]);
    await assert.rejects(parley.events("missing"), { code: "workflow_not_found" });
    await assert.rejects(parley.streams("missing"), { code: "workflow_not_found" });
  },

  "a value that cannot be decoded here fails no list": async (world) => {
    const flow = workflow("flow", async (ctx) => {
      await ctx.step("made", () => "step");
      await ctx.setEvent(state, "event");
      await ctx.recv("never");
    });
    const { parley } = world.isolate(0, [flow]);
    const handle = await parley.start(flow, undefined);
    await handle.send("message");
    await world.untilTrue(async () => (await handle.status()).waiting !== undefined);
    const codec = {
      encode: () => "",
      decode: () => {
        throw new Error("foreign");
      },
    };
    const other = world.isolate(1, [], { codec }).parley;
    const [made] = (await other.history(handle.workflowId)).entries;
    assert.deepEqual([made!.state, made!.unreadable, "value" in made!], ["done", true, false]);
    const [message] = (await other.messages(handle.workflowId)).messages;
    assert.deepEqual([message!.topic, message!.unreadable, "value" in message!], ["", true, false]);
    const [published] = await other.events(handle.workflowId);
    assert.deepEqual([published!.key, published!.unreadable, "value" in published!], ["state", true, false]);
  },

  "list() finds workflows by the beginning of their IDs, by age, and what is due": async (world) => {
    const { parley } = world.isolate(0, [order]);
    for (const workflowId of ["eu-1", "eu-2", "us-1"]) {
      await parley.start("later", null, { workflowId, enqueue: true });
      await world.pass(1_000);
    }
    const ids = async (query: Parameters<typeof parley.list>[0]) =>
      (await parley.list(query)).workflows.map(({ workflowId }) => workflowId).sort();
    assert.deepEqual(await ids({ idPrefix: "eu-" }), ["eu-1", "eu-2"]);
    const { createdAt } = await parley.status("eu-2");
    assert.deepEqual(await ids({ createdBefore: createdAt }), ["eu-1"]);
    assert.deepEqual(await ids({ createdAfter: new Date(createdAt) }), ["us-1"]);
    assert.deepEqual(await ids({ due: true, idPrefix: "eu-" }), ["eu-1", "eu-2"]);
    await parley.cancel("eu-1");
    assert.deepEqual(await ids({ due: true, idPrefix: "eu-" }), ["eu-2"]);
    await assert.rejects(parley.list({ idPrefix: "x".repeat(256) }), { code: "invalid_value" });
    await assert.rejects(parley.list({ createdAfter: NaN }), { code: "invalid_value" });
  },
};

/** Asserts that each operation ended after it began, and that operations one after the other began so. */
function assertTimes(entries: readonly HistoryEntry[]): void {
  for (const [index, entry] of entries.entries()) {
    const { position, startedAt, endedAt = startedAt } = entry;
    assert(endedAt >= startedAt, `position ${position} ended before it began`);
    const before = entries[index - 1];
    // A step begins by the clock of the isolate, so it may seem to begin a moment early.
    assert(!before || startedAt >= before.startedAt - 100, `position ${position} began before the one before it`);
  }
}
