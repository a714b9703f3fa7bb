/**
 * Tests of the types. The type check of this file must refuse each line after `@ts-expect-error`.
 *
 * @module
 */

import assert from "node:assert/strict";
import * as v from "valibot";
import {
  event,
  memoryDriver,
  type OutgoingMessage,
  Parley,
  stream,
  topic,
  type Workflow,
  workflow,
  type WorkflowContext,
} from "../../mod.ts";

const payment = topic("payment", v.object({ paid: v.boolean() }));
const cancel = topic("cancel", v.string());
const amount = topic<number>("amount");
const title = event<string>("title");
const percent = stream<number>("percent");

const shop = workflow("shop", async (ctx, input: { item: string }) => {
  const received = await ctx.recvAny([payment, cancel, "bare"]);
  if (received.topic === "payment") return { sold: received.message.paid && input.item };
  if (received.topic === "cancel") return { sold: received.message.toUpperCase() };
  const bare: { topic: "bare"; message: unknown } = received;
  return { sold: String(bare.message) };
});
const double = workflow("double", (_ctx, input) => input.toFixed(2), { input: v.number() });
const parent = workflow("parent", async (ctx) => {
  const child = await ctx.start(double, 21);
  const result: string = await child.result();
  const read: number = await ctx.recv(amount, { timeout: "5m" });
  return `${result} and ${read}`;
});

const approve = topic<{ by: string }>("approve");
const reject = topic<{ reason: string }>("reject");
/** What `otherwise` and the choice of topics make of a result. */
const deciding = workflow("deciding", async (ctx) => {
  const answer = await ctx.recvAny({ approve, reject, bare: "bare" }, { otherwise: { topic: "none" }, timeout: 0 });
  switch (answer.topic) {
    case "approve":
      return answer.message.by;
    case "reject":
      return answer.message.reason;
    case "none":
      break;
    default: {
      const bare: { topic: "bare"; message: unknown } = answer;
      return String(bare.message);
    }
  }
  const listed = await ctx.recvAny([topic<number, "n">("n"), topic<string, "s">("s")], { until: 0, otherwise: null });
  if (listed) return listed.topic === "n" ? listed.message.toFixed() : listed.message.trim();
  const plain = await ctx.recvAny([approve, reject], { timeout: 0, otherwise: null });
  // TypeScript infers all type parameters or none, so the name of a plain topic is not in its type. In
  // a list, such topics do not tell their messages apart. In an object, they do.
  // @ts-expect-error -- the message may be that of the other topic
  if (plain?.topic === "approve") return plain.message.by;
  const message: { by: string } | undefined = await ctx.recv(approve, { timeout: 0, otherwise: undefined });
  const named: string | null = await ctx.recv<string | null>("say", { timeout: 0, otherwise: null });
  const read: string | false = await ctx.getEvent("nobody", title, { timeout: 0, otherwise: false });
  const never: number = await ctx.recv(amount);
  return `${message?.by} ${named} ${read} ${never}`;
});
const forgiving = workflow("forgiving", (_ctx, name?: string) => name ?? "nobody");
const nothing = workflow("nothing", (_ctx, _input: void) => "nothing");

/** Code that does not know the workflow's types. */
async function startGeneric<I, O>(parley: Parley, flow: Workflow<I, O>, input: I): Promise<O> {
  return await (await parley.start(flow, input)).result();
}

/** Never called, because only the type check reads it. */
export async function refused(ctx: WorkflowContext, parley: Parley): Promise<void> {
  // @ts-expect-error the message is not what the topic's schema says
  await ctx.send("w", { paid: 1 }, { topic: payment });
  // @ts-expect-error the value is not the event's
  await ctx.setEvent(title, 1);
  // @ts-expect-error the value is not the stream's
  await ctx.writeStream(percent, "1");
  // @ts-expect-error the input is not the child's
  await ctx.start(double, "21");
  // @ts-expect-error the input is not the workflow's
  await parley.start(shop, { item: 1 });
  // @ts-expect-error the message is not what the topic's schema says
  await parley.send("w", "paid", { topic: payment });
  await parley.sendAll([
    { destinationId: "w", message: { paid: true }, topic: payment },
    // @ts-expect-error the message is not what this topic's schema says
    { destinationId: "w", message: true, topic: cancel },
  ]);
  await parley.sendAll([1, 2].map((message) => ({ destinationId: "w", message, topic: amount })));
  // @ts-expect-error one of the messages is not the topic's
  await parley.sendAll(["1", "2"].map((message) => ({ destinationId: "w", message, topic: amount })));
  const messages: OutgoingMessage[] = [{ destinationId: "w", message: 1 }];
  await parley.sendAll(messages);
  // @ts-expect-error the workflow needs an input
  await parley.start(shop);
  // @ts-expect-error the child needs an input
  await ctx.start(double);
  await ctx.start(parent);
  await ctx.start(forgiving);
  await startGeneric(parley, double, 1);
  // @ts-expect-error a duration needs a unit
  await ctx.sleep("5");
  await ctx.step("step", async (step) => {
    // @ts-expect-error the value is not the stream's
    await step.writeStream(percent, "1");
  });
}

Deno.test("workflow() and topic() infer their types from Valibot schemas and from annotations", async () => {
  const workflows: readonly Workflow<unknown, unknown>[] = [shop, double, parent];
  await using parley = new Parley({ driver: memoryDriver(), workflows });
  const sale = await parley.start(shop, { item: "a lamp" });
  await sale.send({ paid: true }, { topic: payment });
  const { sold }: { sold: string | false } = await sale.result();
  assert.equal(sold, "a lamp");
  const sum = await parley.start(parent, undefined);
  await sum.send(8, { topic: amount });
  assert.equal(await sum.result(), "21.00 and 8");
});

Deno.test("start() takes no input for a workflow that needs none", async () => {
  const nested = workflow("nested", async (ctx) => {
    const children = [await ctx.start(forgiving), await ctx.start(nothing), await ctx.start(forgiving, "Ada")];
    return await Promise.all(children.map((it) => it.result()));
  });
  await using parley = new Parley({ driver: memoryDriver(), workflows: [nested, forgiving, nothing] });
  const results: string[] = await (await parley.start(nested)).result();
  assert.deepEqual(results, ["nobody", "nothing", "Ada"]);
  assert.equal(await (await parley.start("nothing")).result(), "nothing");
});

Deno.test("otherwise and the keys of recvAny have their types", async () => {
  await using parley = new Parley({ driver: memoryDriver(), workflows: [deciding] });
  const answered = await parley.start(deciding);
  await answered.send(1, { topic: amount });
  const result: string | 0 = await answered.result({ timeout: "10s", otherwise: 0 });
  assert.equal(result, "undefined null false 1");
});

Deno.test("a Valibot schema refuses a message, an event, a stream value and an input at the sender", async () => {
  const flow = workflow("flow", async (ctx) => {
    const refusals = [
      ctx.send("w", "no boolean" as never, { topic: payment }),
      ctx.setEvent(event("e", v.string()), 1 as never),
      ctx.writeStream(stream("s", v.string()), 1 as never),
    ];
    return await Promise.all(refusals.map((refusal) => refusal.catch((error) => error.code)));
  });
  await using parley = new Parley({ driver: memoryDriver(), workflows: [flow, double] });
  const handle = await parley.start(flow, undefined, { workflowId: "w" });
  assert.deepEqual(await handle.result(), ["invalid_value", "invalid_value", "invalid_value"]);
  await assert.rejects(parley.start(double, "21" as never), { code: "invalid_value" });
  await assert.rejects(parley.send("w", { paid: "yes" } as never, { topic: payment }), ({ issues }) => {
    assert.deepEqual(issues[0].path, ["paid"]);
    return true;
  });
});
