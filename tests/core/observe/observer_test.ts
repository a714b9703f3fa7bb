import assert from "node:assert/strict";
import { topic } from "../../../core/channel.ts";
import { prefixed } from "./codecs.ts";
import { workflow } from "../../../core/workflow.ts";
import { carryOn, EXPECTED, lookBack, story, tell } from "../../../conformance/workflows/everything.ts";
import { setup } from "../setup.ts";
import { everythingIn, SECRET } from "../values/secret.ts";
import { all, type Recorded, recording, trace } from "./recording.ts";

const payment = topic<number>("payment");

/** What is known of operations, without durations. */
function operations(run: Recorded): unknown[] {
  return all([run], "onOperation").map(({ begin, end }) => [begin.position, begin.kind, begin.name, end?.outcome]);
}

Deno.test("observer: a run that waits, and the run that continues, are told with their operations and ends", async () => {
  const { world } = await setup();
  const { observer, recorded } = recording();
  const pay = workflow("pay", async (ctx, _: unknown) => {
    await ctx.step("charge", ({ attempt }) => attempt < 2 ? Promise.reject(new RangeError()) : 1, { retries: 1 });
    await ctx.recv(payment, { timeout: "1h" });
    await ctx.step("bad", () => Promise.reject(new TypeError("no"))).catch(() => {});
    throw new SyntaxError("over");
  });
  const { parley, errors } = world.isolate(0, [pay], { observer });
  await parley.start(pay, undefined, { workflowId: "order-1" });
  await world.until(parley.idle());
  await world.pass(1_100);
  await world.until(parley.idle());
  await parley.send("order-1", 1, { topic: payment });
  await world.until(parley.idle());

  const runs = all(recorded, "onRun");
  assert.deepEqual(runs.map(({ begin }) => [begin.workflowId, begin.name, begin.epoch, begin.traceparent]), [
    ["order-1", "pay", 1, trace(1)],
    ["order-1", "pay", 2, trace(1)],
    ["order-1", "pay", 3, trace(1)],
  ]);
  assert.deepEqual(runs.map(({ end }) => [end?.end, end?.status, end?.error]), [
    ["suspended", undefined, undefined],
    ["suspended", undefined, undefined],
    ["finished", "ERROR", "SyntaxError"],
  ]);
  assert.deepEqual(runs.map(operations), [
    [[0, "step", "charge", "left"]],
    [[0, "step", "charge", "value"], [1, "recv", "payment", "left"]],
    [[1, "recv", "payment", "message"], [2, "step", "bad", "error"]],
  ]);
  assert.deepEqual(all(runs, "onStep").map(({ begin, end }) => [begin.name, begin.attempt, end?.outcome, end?.error]), [
    ["charge", 1, "error", "RangeError"],
    ["charge", 2, "value", undefined],
    ["bad", 1, "error", "TypeError"],
  ]);
  assert.equal(runs[1]!.inside.find(({ begin }) => begin.kind === "step")!.begin.resumed, true);
  const received = runs[2]!.inside.find(({ begin }) => begin.kind === "recv")!;
  assert.deepEqual([received.begin.resumed, received.end?.topic, received.end?.traceparent], [
    true,
    "payment",
    trace(2),
  ]);
  const sent = all(recorded, "onSend")[0]!;
  assert.deepEqual(sent.begin.messages, [{ destinationId: "order-1", topic: "payment", traceparent: undefined }]);
  assert.equal((sent.end?.messageIds as string[]).length, 1);
  const commits = all(runs, "onCommit");
  assert(commits.some(({ begin }) => begin.transition === "suspend"));
  assert.deepEqual(commits.at(-1)!.begin.transition, "end");
  assert.deepEqual(commits.at(-1)!.end?.state, "released");
  assert.deepEqual(
    new Set(all(recorded, "onRequest").map(({ begin }) => begin.method)),
    new Set(["create", "commit", "claim", "send"]),
  );
  assert.deepEqual(errors, []);
});

Deno.test("observer: everything that begins ends once, with a duration, through suspends and a story of all operations", async () => {
  const { world } = await setup();
  const { observer, recorded } = recording();
  const { parley } = world.isolate(0, story, { observer });
  await tell(parley);
  await carryOn(world, parley);
  assert.deepEqual(await lookBack(parley), EXPECTED);
  for (const method of ["onStart", "onSend", "onRun", "onSweep", "onRequest", "onOperation", "onStep", "onCommit"]) {
    const found = all(recorded, method);
    assert(found.length > 0, method);
    for (const { begin, end, ends } of found) {
      assert.equal(ends, 1, `${method} ${JSON.stringify(begin)}`);
      assert(Number(end?.durationMs) >= 0);
    }
  }
  const kinds = new Set(all(recorded, "onOperation").map(({ begin }) => begin.kind));
  assert.deepEqual([...kinds].toSorted(), [
    ..."closeStream getEvent now patched recv recvAny result send setEvent sleep start step uuid writeStream".split(
      " ",
    ),
  ]);
  assert(all(recorded, "onStep").some(({ inside }) => inside.some(({ method }) => method === "onSend")));
  const waits = all(recorded, "onOperation").filter(({ begin, end }) =>
    begin.kind === "sleep" && end?.outcome === "done"
  );
  assert(waits.length > 0);
});

Deno.test("observer: a trace goes with a start, a send, a child and a message of a step, through the store", async () => {
  const { world } = await setup();
  const [starter, runner] = [recording(), recording()];
  const child = workflow("child", async (ctx) => await ctx.recv<number>());
  const parent = workflow("parent", async (ctx, _: unknown) => {
    const { workflowId } = await ctx.start(child, undefined, { workflowId: "child" });
    await ctx.send(workflowId, 1);
    await ctx.step("send", (step) => step.send("other", 2));
  });
  const outside = world.isolate(0, [], { observer: starter.observer });
  await outside.parley.start("parent", 0, { workflowId: "parent", enqueue: true });
  await outside.parley.start("child", undefined, { workflowId: "other", enqueue: true });
  const { parley } = world.isolate(1, [child, parent], { observer: runner.observer });
  await carryOn(world, parley);
  const runs = all(runner.recorded, "onRun");
  const of = (id: string) => runs.filter(({ begin }) => begin.workflowId === id);
  assert.deepEqual(of("parent").map(({ begin }) => begin.traceparent), [trace(1)]);
  const [started, sent] = all(of("parent"), "onOperation");
  assert.deepEqual([started!.begin.kind, started!.begin.workflowId], ["start", "child"]);
  assert.deepEqual([sent!.begin.kind, sent!.begin.workflowId], ["send", "child"]);
  assert(of("child").every(({ begin }) => begin.traceparent === trace(1)), "the first trace of the runner's observer");
  const received = (id: string) => all(of(id), "onOperation").at(-1)!.end?.traceparent;
  assert.deepEqual([received("child"), received("other")], [trace(2), trace(3)]);
  assert(
    of("other").every(({ begin }) => begin.traceparent === trace(2)),
    "the second trace of the starter's observer",
  );
});

Deno.test("observer: a traceparent of the caller travels without an observer too, and one that is not legal is refused", async () => {
  const { world } = await setup();
  const { observer, recorded } = recording();
  const flow = workflow("flow", async (ctx) => await ctx.recv());
  const outside = world.isolate(0, []).parley;
  await outside.start("flow", undefined, { workflowId: "w", enqueue: true, traceparent: trace(7) });
  await outside.sendAll([{ destinationId: "w", message: 1, traceparent: trace(8) }]);
  await assert.rejects(outside.send("w", 1, { traceparent: "00-1-2-3" }), { code: "invalid_value" });
  await assert.rejects(outside.start("flow", 1, { enqueue: true, traceparent: "" }), { code: "invalid_value" });
  await carryOn(world, world.isolate(1, [flow], { observer }).parley);
  const [run] = all(recorded, "onRun");
  assert.equal(run!.begin.traceparent, trace(7));
  assert.equal(run!.inside.find(({ begin }) => begin.kind === "recv")!.end?.traceparent, trace(8));
  assert.equal(await outside.result("w"), 1);
});

Deno.test("observer: no input, output, message, event, stream value or error text reaches it", async () => {
  const { world } = await setup();
  const { observer, recorded } = recording();
  const secret = { [SECRET]: SECRET };
  class Custom extends Error {
    override name = SECRET;
    code = SECRET;
  }
  const child = workflow("child", (_ctx, input: unknown) => input);
  const flow = workflow("flow", async (ctx, _: unknown) => {
    await ctx.step("value", () => secret);
    await ctx.step("error", () => Promise.reject(new Custom(SECRET, { cause: SECRET }))).catch(() => {});
    await ctx.step("inside", async (step) => {
      await step.send(ctx.workflowId, secret);
      await step.setEvent("event", secret);
      await step.writeStream("stream", secret);
    });
    await ctx.recv();
    await ctx.recv("topic");
    await ctx.send(ctx.workflowId, secret);
    await ctx.setEvent("event", secret);
    await ctx.getEvent(ctx.workflowId, "event");
    await ctx.writeStream("stream", secret);
    await ctx.writeStream("stream", (() => SECRET) as unknown).catch(() => {});
    await (await ctx.start(child, secret)).result();
    throw new Custom(SECRET);
  });
  const { parley } = world.isolate(0, [child, flow], { observer });
  const handle = await parley.start(flow, secret, { workflowId: "flow" });
  await handle.send(secret, { topic: "topic", idempotencyKey: "key" });
  await assert.rejects(parley.send("flow", (() => SECRET) as unknown));
  await assert.rejects(parley.start(flow, { [SECRET]: () => SECRET }));
  await world.until(assert.rejects(handle.result()));
  await world.until(parley.idle());
  assert(recorded.length > 10);
  assert.equal(all(recorded, "onOperation").length > 10, true);
  const told = everythingIn(recorded);
  assert(told.includes("inside") && told.includes("invalid_value"), "the search finds what is there");
  assert(!told.includes(SECRET), told);
});

/** Ways in which an observer may be wrong. */
const WRONG: Record<string, unknown> = {
  throws: () => {
    throw new Error("observer");
  },
  rejects: () => Promise.reject(new Error("observer")),
};

for (const [way, wrong] of Object.entries(WRONG)) {
  for (const depth of ["at once", "in the ends", "everywhere inside"]) {
    Deno.test(`observer: one that ${way} ${depth} disturbs nothing, and is reported once`, async () => {
      const { world } = await setup();
      const bad = { end: wrong, traceparent: SECRET };
      const inner = { ...bad, within: wrong, onOperation: wrong, onStep: wrong, onCommit: wrong, onSend: wrong };
      const observer = depth === "at once"
        ? { onStart: wrong, onSend: wrong, onRun: wrong, onSweep: wrong, onRequest: wrong }
        : {
          onStart: () => bad,
          onSend: () => bad,
          onRun: () => depth === "in the ends" ? { ...bad, onOperation: () => bad, onStep: () => inner } : inner,
          onSweep: () => bad,
          onRequest: () => bad,
        };
      const { parley, errors } = world.isolate(0, story, { observer: observer as never });
      await tell(parley);
      await carryOn(world, parley);
      assert.deepEqual(await lookBack(parley), EXPECTED);
      assert.deepEqual(errors.map((error) => (error as Error).message), ["observer"]);
    });
  }
}

Deno.test("observer: getters that throw, and a scope that calls the code never or twice, disturb nothing", async () => {
  const { world } = await setup();
  const broken = new Proxy({}, {
    get: (_, name) => {
      throw new Error(`observer ${String(name)}`);
    },
  });
  const scopes = [() => {}, (code: () => void) => (code(), code())];
  for (const onRun of [() => broken, ...scopes.map((within) => () => ({ within, onStep: () => ({ within }) }))]) {
    let calls = 0;
    const flow = workflow("flow", async (ctx, _: unknown) => (calls++, await ctx.step("s", () => calls++)));
    const { parley, errors } = world.isolate(0, [flow], { observer: { onRun } });
    assert.equal(await world.until((await parley.start(flow, 1)).result()), 1);
    await world.until(parley.idle());
    assert.equal(calls, 2);
    assert.equal(errors.length, onRun() === broken ? 1 : 0);
  }
  const { parley } = world.isolate(0, [], { observer: broken });
  await parley.start("x", 1, { enqueue: true });
});

Deno.test("observer: any codec's text may begin as a trace does, with or without a trace", async () => {
  const { world } = await setup();
  const { observer } = recording();
  const flow = workflow("flow", async (ctx, input: unknown) => [input, await ctx.recv(), await ctx.step("s", () => 3)]);
  for (const prefix of ["~", "~~", `~${trace(1)}`, "+~", "=", ""]) {
    for (const observed of [{}, { observer }]) {
      const { parley } = world.isolate(0, [flow], { codec: prefixed(prefix), ...observed });
      const handle = await parley.start(flow, 1);
      await handle.send(2);
      assert.deepEqual(await world.until(handle.result()), [1, 2, 3]);
    }
  }
});
