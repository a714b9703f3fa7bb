import assert from "node:assert/strict";
import { context, metrics, trace } from "@opentelemetry/api";
import { memoryDriver, Parley, topic, workflow } from "@parley/parley";
import { otel } from "@parley/parley/otel";
import { carryOn, EXPECTED, lookBack, story, tell } from "../../conformance/workflows/everything.ts";
import { setup } from "../core/setup.ts";
import { everythingIn, SECRET } from "../core/values/secret.ts";
import { startSdk } from "./sdk.ts";
import { STORY_TREE, tellStory } from "./story.ts";
import { treeOf } from "./tree.ts";

const TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
const payment = topic<number>("payment");

Deno.test("otel() records a run under its start, its steps and waits under the run, and links to senders", async () => {
  await using sdk = startSdk();
  await tellStory(otel({ tracer: sdk.tracer, meter: sdk.meter }));
  const spans = sdk.spans();
  assert.deepEqual(treeOf(spans), STORY_TREE);
  const of = (name: string) => spans.filter((span) => span.name === name);
  assert.deepEqual(of("step charge").map(({ attributes, failed }) => [attributes, failed]), [
    [{
      "parley.step.name": "charge",
      "parley.step.attempt": 1,
      "parley.position": 0,
      "parley.step.outcome": "error",
      "error.type": "RangeError",
    }, true],
    [
      { "parley.step.name": "charge", "parley.step.attempt": 2, "parley.position": 0, "parley.step.outcome": "value" },
      false,
    ],
  ]);
  const [sent] = of("send payment");
  assert.equal(sent!.kind, 3);
  assert.match(String(sent!.attributes["messaging.message.id"]), /^[\w-]{36}$/);
  const { "messaging.message.id": _, ...attributes } = sent!.attributes;
  assert.deepEqual(attributes, {
    "messaging.system.name": "parley",
    "messaging.operation.name": "send",
    "messaging.operation.type": "send",
    "messaging.destination.name": "payment",
    "parley.workflow.id": "order-1",
  });
  const [received] = of("recv payment");
  assert.equal(received!.kind, 4);
  assert.deepEqual(received!.attributes, {
    "messaging.system.name": "parley",
    "messaging.operation.name": "recv",
    "messaging.operation.type": "receive",
    "messaging.destination.name": "payment",
    "parley.position": 1,
    "parley.operation.outcome": "message",
  });
  const [run] = of("run order");
  assert.deepEqual(run!.attributes, {
    "parley.workflow.name": "order",
    "parley.workflow.id": "order-1",
    "parley.run.epoch": 1,
    "parley.run.recovery_attempts": 0,
    "parley.run.end": "finished",
    "parley.workflow.status": "SUCCESS",
  });
});

Deno.test("otel() counts and measures, with the names of the semantic conventions, and without IDs", async () => {
  await using sdk = startSdk();
  await tellStory(otel({ meter: sdk.meter }));
  assert.deepEqual(sdk.spans(), []);
  const measured = await sdk.measured();
  const value = (name: string, attributes: Record<string, unknown>) =>
    measured.filter((it) =>
      it.name === name && Object.entries(attributes).every(([key, is]) => it.attributes[key] === is)
    )
      .reduce((sum, it) => sum + it.value, 0);
  assert.equal(value("messaging.client.sent.messages", { "messaging.operation.name": "send" }), 1);
  assert.equal(value("messaging.client.consumed.messages", { "messaging.destination.name": "payment" }), 1);
  assert.equal(value("messaging.client.operation.duration", { "messaging.operation.type": "send" }), 1);
  assert.equal(value("parley.workflow.starts", { "parley.workflow.name": "order" }), 1);
  assert.equal(value("parley.workflow.starts", { "parley.workflow.name": "ship" }), 1);
  assert.equal(
    value("parley.run.duration", { "parley.workflow.name": "order", "parley.workflow.status": "SUCCESS" }),
    1,
  );
  assert.equal(value("parley.step.duration", { "parley.step.outcome": "error", "error.type": "RangeError" }), 1);
  assert.equal(value("parley.wait.duration", { "parley.operation.kind": "recv" }), 1);
  assert(value("parley.commit.duration", { "parley.commit.transition": "end" }) === 2);
  assert(value("parley.driver.request.duration", { "parley.driver.method": "commit" }) > 2);
  assert(measured.every(({ name, unit }) => (name.endsWith("duration") ? unit === "s" : unit.startsWith("{"))));
  const attributes = JSON.stringify(measured.map((it) => it.attributes));
  assert(!/order-1|parcel|[\da-f]{8}-/.test(attributes), attributes);
});

Deno.test("otel() keeps the trace of a start over suspends and isolates, or links to it", async () => {
  const { world } = await setup();
  const wait = workflow("wait", async (ctx, _: unknown) => await ctx.recv(payment));
  for (const runs of ["child", "link"] as const) {
    await using sdk = startSdk();
    const [first, second] = [0, 1].map((index) =>
      world.isolate(index as 0 | 1, [wait], { observer: otel({ tracer: sdk.tracer, runs }), wake: "none" })
    );
    const handle = await first!.parley.start(wait, 1, { workflowId: runs });
    await world.until(first!.parley.idle());
    await handle.send(2, { topic: payment });
    await world.until(second!.parley.sweep());
    const tree = runs === "child"
      ? [
        "send payment",
        "start wait",
        "  run wait",
        "    recv payment",
        "  run wait -> send payment",
        "    recv payment -> send payment",
      ]
      : [
        "run wait -> start wait",
        "  recv payment",
        "run wait -> start wait, send payment",
        "  recv payment -> send payment",
        "send payment",
        "start wait",
      ];
    assert.deepEqual(treeOf(sdk.spans()), [...tree, "sweep"]);
    const [, resumed] = sdk.spans().filter(({ name }) => name === "recv payment");
    assert.equal(resumed!.attributes["parley.operation.resumed"], true);
  }
});

Deno.test("otel() takes the caller's traceparent as the parent, and the first of many with links to the others", async () => {
  await using sdk = startSdk();
  const parley = new Parley({ driver: memoryDriver(), observer: otel({ tracer: sdk.tracer }) });
  await parley.start("flow", 1, { workflowId: "w", enqueue: true, traceparent: TRACE });
  const other = TRACE.replace("b7ad", "b7ae");
  await parley.sendAll([
    { destinationId: "w", message: 1, traceparent: TRACE },
    { destinationId: "w", message: 1, traceparent: other },
    { destinationId: "w", message: 1 },
  ]);
  await assert.rejects(parley.send("nobody", 1));
  const [start, send, refused] = sdk.spans();
  assert.deepEqual([start!.parentId, send!.parentId], ["b7ad6b7169203331", "b7ad6b7169203331"]);
  assert.equal(start!.traceId, "0af7651916cd43dd8448eb211c80319c");
  assert.deepEqual(send!.links, ["b7ae6b7169203331"]);
  assert.equal(send!.attributes["messaging.batch.message_count"], 3);
  assert.deepEqual([refused!.failed, refused!.attributes["error.type"]], [true, "workflow_not_found"]);
});

Deno.test("otel() takes the types of the API, and records nothing while no provider is registered", async () => {
  const observer = otel({ tracer: trace.getTracer("shop"), meter: metrics.getMeter("shop"), context });
  const flow = workflow("flow", async (ctx, _: unknown) => await ctx.recv());
  const driver = memoryDriver();
  const parley = new Parley({ driver, workflows: [flow], observer });
  const handle = await parley.start(flow, 1);
  await handle.send(2, { traceparent: TRACE });
  assert.equal(await handle.result(), 2);
  await parley.close();
});

Deno.test("otel() exports no value, and disturbs no story", async () => {
  const { world } = await setup();
  await using sdk = startSdk();
  const observer = otel({ tracer: sdk.tracer, meter: sdk.meter });
  const { parley, errors } = world.isolate(0, story, { observer });
  await tell(parley);
  await carryOn(world, parley);
  assert.deepEqual(await lookBack(parley), EXPECTED);
  const leak = workflow("leak", async (ctx, input: unknown) => {
    await ctx.step("secret", async (step) => {
      await step.send(ctx.workflowId, input);
      await step.setEvent("e", input);
      await step.writeStream("s", input);
      return input;
    });
    await ctx.recv();
    await ctx.recv("topic");
    await ctx.step("failing", () => Promise.reject(Object.assign(new Error(SECRET), { name: SECRET }))).catch(() => {});
    throw Object.assign(new Error(SECRET, { cause: SECRET }), { code: SECRET });
  });
  const isolate = world.isolate(1, [leak], { observer });
  const handle = await isolate.parley.start(leak, { [SECRET]: SECRET }, { workflowId: "leak" });
  await handle.send(SECRET, { topic: "topic", idempotencyKey: "k" });
  await assert.rejects(world.until(handle.result()));
  await world.until(isolate.parley.idle());
  const everything = everythingIn(await sdk.everything());
  assert(everything.includes("step failing") && everything.includes("parley.step.duration"), "the search finds things");
  assert(!everything.includes(SECRET));
  assert.deepEqual(errors, []);
});
