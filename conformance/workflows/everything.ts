/**
 * A workflow that uses every operation, its partners, and the expected results.
 *
 * @module
 */

import { event, stream, topic } from "../../core/channel.ts";
import { TimeoutError, WorkflowNotFoundError } from "../../core/errors.ts";
import type { Parley } from "../../core/parley.ts";
import { workflow } from "../../core/workflow.ts";
import type { World } from "./world.ts";

const order = topic<number>("order");
const cancel = topic<string>("cancel");
const status = event<string>("status");
const progress = stream<unknown>("progress");
const written = stream<unknown>("written");

/** Publishes its input, and doubles it after a while. */
const child = workflow("child", async (ctx, n: number) => {
  await ctx.setEvent(status, `child of ${n}`);
  await ctx.sleep("5s");
  return n * 2;
});

/** Sends back each message, and returns all of them. It is continued as new after the first two. */
const partner = workflow("partner", async (ctx, before: unknown[]) => {
  const received = [...before];
  for (;;) {
    const { from, value } = await ctx.recv<{ from?: string; value: unknown }>();
    received.push(value);
    if (from === undefined) return received;
    await ctx.send(from, value, { topic: "answer" });
    if (received.length === 2) await ctx.continueAsNew(received);
  }
});

/** Every operation, one after the other and side by side. */
const everything = workflow("everything", async (ctx, input: { partner: string }) => {
  const log: unknown[] = [];
  const sure = await ctx.step("sure", () => "a value");
  // Tries are counted over restarts, and the pauses between them are waits.
  const tried = await ctx.step("trying", ({ attempt }) => attempt < 3 ? Promise.reject(new Error()) : attempt, {
    retries: 5,
    delay: "2s",
  });
  const failed = await ctx.step("failing", () => Promise.reject(new RangeError("no"))).catch((error) => `${error}`);
  const writing = await ctx.step("writing", async (step) => {
    await step.writeStream(written, "from a step");
    await step.setEvent("step", "set");
    await step.send(input.partner, { from: ctx.workflowId, value: "from a step" });
    await step.send(input.partner, { from: ctx.workflowId, value: "from a step, again" });
    return "wrote";
  });
  log.push(sure, tried, failed, writing, typeof await ctx.now(), (await ctx.uuid()).length);

  await ctx.setEvent(status, "begun");
  const [patched] = await Promise.all([
    ctx.patched("progress"),
    ...[1, 2, 3].map((n) => ctx.writeStream(progress, n)),
  ]);
  const { duplicate } = await ctx.send(input.partner, { from: ctx.workflowId, value: "from the workflow" });
  const unknown = await ctx.send("nobody", 1).catch((error) => error instanceof WorkflowNotFoundError);
  log.push(patched, duplicate, unknown);
  for (let answers = 0; answers < 3; answers++) log.push(await ctx.recv("answer"));

  const handle = await ctx.start(child, 21, { workflowId: `child of ${ctx.workflowId}` });
  const [published, doubled] = await Promise.all([handle.getEvent(status), handle.result()]);
  log.push(published, doubled);

  log.push(await ctx.recv(order, { timeout: "1m" }), await ctx.recvAny([cancel, order], { timeout: "1m" }));
  const [winner] = await Promise.all([
    Promise.race([ctx.sleep("10s").then(() => "slept"), ctx.recv("never", { timeout: "20s" }).catch(() => "timeout")]),
    ctx.setEvent(status, "racing"),
  ]);
  const late = await ctx.recv("never", { timeout: "1s" }).catch((error) => error instanceof TimeoutError);
  const withdrawing = new AbortController();
  const { signal } = withdrawing;
  const withdrawn = Promise.all([
    ctx.recv("never", { signal }).catch((error) => error.message),
    ctx.getEvent("nobody", status, { signal }).catch((error) => error.message),
  ]);
  const slept = await ctx.recv("never", { until: await ctx.now() + 1_000, otherwise: "nothing" });
  withdrawing.abort(new Error("withdrawn"));
  log.push(winner, late, slept, ...await withdrawn);

  const writer = ctx.writable(progress).getWriter();
  await writer.write("last");
  await writer.close();
  log.push(await ctx.writeStream(progress, "too late").catch((error) => error.code));
  await ctx.send(input.partner, { value: "end" });
  await ctx.setEvent(status, "done");
  return log;
});

/** All workflows of the story. */
export const story = [everything, child, partner] as const;

/** What a caller from outside sees of the story. */
export interface StoryResult {
  output: unknown;
  received: unknown;
  events: unknown[];
  progress: unknown;
  /** As a set, because a step that is tried again writes again. */
  written: unknown[];
}

/** The result of the story when nothing goes wrong. */
export const EXPECTED: StoryResult = {
  output: [
    "a value",
    3,
    "RangeError: no",
    "wrote",
    "number",
    36,
    true,
    false,
    true,
    "from a step",
    "from a step, again",
    "from the workflow",
    "child of 21",
    42,
    1,
    { topic: "cancel", message: "two" },
    "slept",
    true,
    "nothing",
    "withdrawn",
    "withdrawn",
    "stream_closed",
  ],
  received: ["from a step", "from a step, again", "from the workflow", "end"],
  events: ["done", "set", "child of 21"],
  progress: { values: [1, 2, 3, "last"], closed: true, nextOffset: 4 },
  written: ["from a step"],
};

/** Stores the story with the messages from outside. Any sweep may run it. */
export async function tell(parley: Parley): Promise<void> {
  await parley.start(partner, [], { workflowId: "partner", enqueue: true });
  await parley.start(everything, { partner: "partner" }, { workflowId: "everything", enqueue: true });
  await parley.sendAll([
    { destinationId: "everything", message: 1, topic: order, idempotencyKey: "delivery 1" },
    { destinationId: "everything", message: "two", topic: cancel, idempotencyKey: "delivery 2" },
    { destinationId: "everything", message: 3, topic: order, idempotencyKey: "delivery 3" },
  ]);
}

/** Sweeps until the story is over. */
export async function carryOn(world: World, parley: Parley): Promise<void> {
  const over = async () => (await parley.list({ status: ["ENQUEUED", "PENDING"] })).workflows.length === 0;
  while (!await over()) {
    await world.until(parley.sweep());
    await world.until(parley.idle());
    await world.pass(1_000);
  }
}

/** The result of the story. */
export async function lookBack(parley: Parley): Promise<StoryResult> {
  return {
    output: await parley.handle("everything").result(),
    received: await parley.handle("partner").result(),
    events: [
      await parley.getEvent("everything", status, { timeout: 0 }),
      await parley.getEvent("everything", "step", { timeout: 0 }),
      await parley.getEvent("child of everything", status, { timeout: 0 }),
    ],
    progress: await parley.readStream("everything", progress).collect(),
    written: [...new Set((await parley.readStream("everything", written).collect()).values)],
  };
}
