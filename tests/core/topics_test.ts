import assert from "node:assert/strict";
import * as v from "valibot";
import { bearer, parleyHttp } from "../../http/mod.ts";
import { memoryDriver, Parley, topic, workflow } from "../../mod.ts";

const amount = topic("amount", v.pipe(v.string(), v.transform(Number), v.minValue(1)));
const plain = topic<number>("plain");
const collect = workflow("collect", async (ctx) => [await ctx.recv("amount"), (await ctx.recvAny(["amount"])).message]);
const sender = workflow("sender", async (ctx, to: string) => {
  const refused = [
    ctx.send(to, 5, { topic: "amount" }),
    ctx.step("send", (step) => step.send(to, 5, { topic: "amount" })),
  ];
  const codes = await Promise.all(refused.map((it) => it.then(() => "sent", ({ code }) => code)));
  await ctx.send(to, "5", { topic: "amount" });
  return codes;
});

Deno.test("a Parley with topics checks messages that name them by a string, and applies the schema once", async () => {
  const driver = memoryDriver();
  const workflows = [collect, sender];
  await using parley = new Parley({ driver, workflows, topics: [amount, plain] });
  const handle = await parley.start(collect);
  const { workflowId: destinationId } = handle;
  const calls = [
    () => parley.send(destinationId, 5, { topic: "amount" }),
    () => parley.send(destinationId, "0", { topic: "amount" }),
    () => parley.send(destinationId, 5 as unknown as string, { topic: topic<string>("amount") }),
    () => parley.sendAll([{ destinationId, message: "1" }, { destinationId, message: 5, topic: "amount" }]),
  ];
  for (const call of calls) await assert.rejects(call(), { code: "invalid_value" });
  assert.equal((await parley.status(destinationId)).unread, 0);
  const sent = await parley.start(sender, destinationId);
  assert.deepEqual(await sent.result(), ["invalid_value", "invalid_value"]);
  await parley.send(destinationId, "6", { topic: "amount" });
  assert.deepEqual(await handle.result(), [5, 6]);
  await parley.send((await parley.start(collect)).workflowId, "anything", { topic: "plain" });
});

Deno.test("a Parley with topics checks messages over HTTP, and what another one stored unchecked", async () => {
  const driver = memoryDriver();
  await using parley = new Parley({ driver, workflows: [collect], topics: [amount] });
  await using other = new Parley({ driver, wake: "none" });
  const app = parleyHttp({ parley, auth: bearer("s3cret") });
  const post = async (message: unknown) => {
    const headers = { authorization: "Bearer s3cret", "content-type": "application/json" };
    const body = JSON.stringify({ message, topic: "amount" });
    return await app.request("/workflows/w/messages", { method: "POST", headers, body });
  };
  const handle = await parley.start(collect, undefined, { workflowId: "w" });
  const refused = await post(5);
  assert.deepEqual([refused.status, (await refused.json()).code], [400, "invalid_value"]);
  assert.equal((await post("7")).status, 201);
  await other.send("w", "0", { topic: "amount" });
  await assert.rejects(handle.result(), ({ cause }) => cause.code === "invalid_value");
});

Deno.test("new Parley() refuses two topics of one name", () => {
  assert.throws(() => new Parley({ driver: memoryDriver(), topics: [amount, topic("amount")] }), {
    code: "invalid_value",
    message: /topics.*"amount"/,
  });
});
