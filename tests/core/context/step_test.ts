import assert from "node:assert/strict";
import type { StepContext, StepOptions } from "../../../core/step_context.ts";
import { workflow } from "../../../core/workflow.ts";
import { countListeners, gate, settle, setup } from "../setup.ts";

Deno.test("step() is not tried again after a cancel, and leaves no timer", async () => {
  for (const delay of ["1h", 0] as const) {
    const { world, clock } = await setup();
    let tries = 0;
    const flow = workflow("flow", async (ctx) => {
      await ctx.step("failing", ({ signal }) => {
        tries++;
        return new Promise((_, reject) =>
          delay === 0 ? signal.addEventListener("abort", () => reject(signal.reason)) : reject(new Error("no"))
        );
      }, { retries: 100, delay });
    });
    const { parley } = world.isolate(0, [flow]);
    const handle = await parley.start(flow, undefined);
    await settle();
    await handle.cancel();
    await world.until(parley.idle());
    await world.pass(60_000);
    assert.equal(tries, 1);
    assert.equal(clock.pending, 0);
  }
});

Deno.test("a StepContext refuses calls after its try, even if the workflow goes on", async () => {
  const { world } = await setup();
  const flow = workflow("flow", async (ctx) => {
    const contexts: StepContext[] = [];
    await ctx.step("failing", (step) => (contexts.push(step), Promise.reject(new Error("no"))), {
      retries: 1,
      delay: 0,
    }).catch(() => {});
    await ctx.step("returned", (step) => void contexts.push(step));
    const calls = contexts.flatMap((
      step,
    ) => [step.writeStream("log", 1), step.setEvent("e", 1), step.send(ctx.workflowId, 1)]);
    return await Promise.all(calls.map((call) => call.then(() => "done", (error) => error.code)));
  });
  const { parley } = world.isolate(0, [flow]);
  const handle = await parley.start(flow, undefined);
  assert.deepEqual(await world.until(handle.result()), Array(9).fill("invalid_context"));
  assert.equal((await handle.readStream("log").collect()).nextOffset, 0);
});

Deno.test("a step that nobody awaits writes nothing after its workflow has returned", async () => {
  const { world } = await setup();
  const { open, opened } = gate();
  const errors: unknown[] = [];
  const flow = workflow("flow", async (ctx) => {
    void ctx.step("slow", async (step) => {
      await opened;
      await step.writeStream("log", 1).catch((error) => errors.push(error.code));
      await step.setEvent("e", 1).catch((error) => errors.push(error.code));
    });
    await ctx.step("quick", () => {});
  });
  const { parley } = world.isolate(0, [flow]);
  const handle = await parley.start(flow, undefined);
  await world.until(handle.result());
  open();
  await settle();
  assert.deepEqual(errors, ["invalid_context", "invalid_context"]);
  assert.equal((await handle.readStream("log").collect()).nextOffset, 0);
});

Deno.test("a value that a step cannot write is refused to that step alone", async () => {
  const { world } = await setup();
  const flow = workflow("flow", async (ctx) => {
    return await ctx.step("writing", async (step) => {
      const calls = [
        step.writeStream("log", () => {}),
        step.setEvent("e", Symbol()),
        step.send("w", () => {}),
        step.writeStream("log", 1),
      ];
      return await Promise.all(calls.map((call) => call.then(() => "done", (error) => error.code)));
    });
  });
  const { parley } = world.isolate(0, [flow]);
  const handle = await parley.start(flow, undefined, { workflowId: "w" });
  assert.deepEqual(await world.until(handle.result()), ["invalid_value", "invalid_value", "invalid_value", "done"]);
});

Deno.test("messages of different steps are different messages, as are those of a new workflow with the same ID", async () => {
  const { world } = await setup();
  const sink = workflow("sink", async (ctx) => {
    const received: unknown[] = [];
    while (received.at(-1) !== "end") received.push(await ctx.recv());
    return received;
  });
  const flow = workflow("flow", async (ctx, run: string) => {
    for (const name of ["one", "two"]) {
      await ctx.step(name, async (step) => {
        await step.send("sink", `${run} ${name}`);
        if (step.attempt === 1) throw new Error("again");
      }, { retries: 1, delay: 0 });
    }
  });
  const { parley } = world.isolate(0, [flow, sink]);
  const handle = await parley.start(sink, undefined, { workflowId: "sink" });
  for (const run of ["first", "second"]) {
    await world.until((await parley.start(flow, run, { workflowId: "w" })).result());
    await world.pass(10);
    assert.equal(await parley.purge({ olderThan: 0 }), 1);
  }
  await handle.send("end");
  assert.deepEqual(await world.until(handle.result()), ["first one", "first two", "second one", "second two", "end"]);
});

Deno.test("a caller's idempotency key in a step makes a repeat a duplicate", async () => {
  const { world } = await setup();
  const flow = workflow("flow", async (ctx) => {
    return await ctx.step("sending", async (step) => {
      const { duplicate } = await step.send(ctx.workflowId, step.attempt, { idempotencyKey: "k" });
      if (step.attempt === 1) throw new Error("again");
      return duplicate;
    }, { retries: 1, delay: 0 });
  });
  const { parley } = world.isolate(0, [flow]);
  assert.equal(await world.until((await parley.start(flow, undefined)).result()), true);
});

Deno.test("1,000 steps add no listener to any signal, and leave no timer", async () => {
  using listeners = countListeners();
  const { world, clock } = await setup();
  const flow = workflow("flow", async (ctx) => {
    for (let batch = 0; batch < 10; batch++) {
      await Promise.all(
        Array.from({ length: 100 }, (_, n) => ctx.step(`${n}`, (step) => step.setEvent("e", n), { timeout: "1m" })),
      );
    }
  });
  const { parley } = world.isolate(0, [flow]);
  const handle = await parley.start(flow, undefined);
  await world.until(handle.result());
  assert.deepEqual([listeners.added(), clock.pending], [0, 0]);
});

Deno.test("step() starts its function within the call, and passes on its result, its error or its timeout", async () => {
  const { world, clock } = await setup();
  const flow = workflow("flow", async (ctx) => {
    let began = false;
    const step = ctx.step("sync", () => void (began = true));
    const inTurn = began;
    await step;
    const late = await ctx.step("late", () => new Promise<void>(() => {}), { timeout: "1s" }).catch((error) =>
      error.code
    );
    const thrown = await ctx.step("throws", () => Promise.reject()).then(
      () => "returned",
      (error) => `thrown ${error}`,
    );
    return [inTurn, late, thrown];
  });
  const { parley } = world.isolate(0, [flow]);
  const handle = await parley.start(flow, undefined);
  assert.deepEqual(await world.until(handle.result()), [true, "timeout", "thrown undefined"]);
  assert.equal(clock.pending, 0);
});

Deno.test("a step that lost a race is not tried again after its workflow has ended", async () => {
  const { world, clock } = await setup();
  let tries = 0;
  const flow = workflow("flow", async (ctx) => {
    const again = ctx.step("again", () => Promise.reject(new Error(`${++tries}`)), { retries: 100, backoff: 1 });
    return await Promise.race([again, ctx.recv("stop")]);
  });
  const { parley } = world.isolate(0, [flow]);
  const handle = await parley.start(flow, undefined);
  await settle();
  await handle.send("stopped", { topic: "stop" });
  assert.equal(await world.until(handle.result()), "stopped");
  const before = tries;
  await world.pass(10_000);
  assert.deepEqual([tries, clock.pending], [before, 0]);
});

Deno.test("a step whose value cannot be stored fails without another try", async () => {
  const { world } = await setup();
  let tries = 0;
  const flow = workflow(
    "flow",
    async (ctx) => await ctx.step("function", () => (tries++, () => {}), { retries: 3, delay: 0 }),
  );
  const { parley } = world.isolate(0, [flow]);
  const handle = await parley.start(flow, undefined);
  const error = await world.until(handle.result().catch((error) => error));
  assert.deepEqual([error.cause.code, tries], ["invalid_value", 1]);
});

Deno.test("methods of both contexts work without their context", async () => {
  const { world } = await setup();
  const flow = workflow("flow", async ({ step, now, workflowId }) => {
    return [
      typeof await now(),
      await step("s", async ({ writeStream, attempt }) => (await writeStream("log", attempt), workflowId)),
    ];
  });
  const { parley } = world.isolate(0, [flow]);
  const handle = await parley.start(flow, undefined, { workflowId: "w" });
  assert.deepEqual(await world.until(handle.result()), ["number", "w"]);
});

Deno.test("a message of a step keeps its identity if another try sends others before it", async () => {
  const { world } = await setup();
  const sink = workflow(
    "sink",
    async (ctx) =>
      await ctx.recvAny(["bc", "c", "end"]).then(async (first) => [first, await ctx.recvAny(["bc", "c", "end"])]),
  );
  const flow = workflow("flow", async (ctx) => {
    await ctx.step("sending", async (step) => {
      if (step.attempt === 2) await step.send("a", "first", { topic: "bc" });
      await step.send("ab", "second", { topic: "c" });
      if (step.attempt === 1) throw new Error("again");
    }, { retries: 1, delay: 0 });
    for (const to of ["a", "ab"]) await ctx.send(to, "end", { topic: "end" });
  });
  const { parley } = world.isolate(0, [flow, sink]);
  const sinks = [
    await parley.start(sink, undefined, { workflowId: "a" }),
    await parley.start(sink, undefined, { workflowId: "ab" }),
  ];
  await parley.start(flow, undefined);
  const received = await world.until(Promise.all(sinks.map((it) => it.result())));
  assert.deepEqual(received.map((it) => it.map(({ message }) => message)), [["first", "end"], ["second", "end"]]);
});

Deno.test("2,000 tries without a delay end, and a delay that grows beyond any number is 1,000 years", async () => {
  const { world, clock } = await setup();
  const tries: number[] = [];
  const flow = workflow("flow", async (ctx, options: StepOptions) => {
    return await ctx.step("step", ({ attempt }) => {
      tries.push(attempt);
      throw new Error(`try ${attempt}`);
    }, options).catch((error) => error.message);
  });
  const { parley } = world.isolate(0, [flow], { hotWait: "1h", lease: "1h" });
  const handle = await parley.start(flow, { retries: 2_000, delay: 0 });
  assert.equal(await world.until(handle.result()), "try 2001");
  assert.equal(tries.length, 2_001);
  const other = world.isolate(1, [flow], { wake: "none" });
  const growing = await other.parley.start(flow, { retries: 3, delay: 1, backoff: 1e300 });
  await world.until(other.parley.idle());
  await world.pass(1);
  await world.until(other.parley.sweep());
  const { waiting } = await growing.status();
  assert.equal(waiting?.operations.length, 1);
  const years = (waiting!.until! - clock.now()) / (365.25 * 86_400_000);
  assert(years > 999 && years < 1_001, `${years}`);
});
