import assert from "node:assert/strict";
import type { Driver } from "../../../core/driver/driver.ts";
import { delay } from "../../../core/time/clock.ts";
import { type StepContext, stream, ValidationError, type Workflow, workflow } from "../../../mod.ts";
import { counted, Requests } from "../../support/requests.ts";
import { countListeners, gate, onCommit, settle, setup } from "../setup.ts";
import * as v from "valibot";

/** Wraps a driver, so that it collects the values that each commit writes to streams. */
function batched(driver: Driver): { driver: Driver; batches: string[][] } {
  const batches: string[][] = [];
  const wrapped = onCommit(driver, ({ operations }) => {
    const values = operations.flatMap((it) => it.type === "writeStream" ? [it.value] : []);
    if (values.length > 0) batches.push(values);
  });
  return { driver: wrapped, batches };
}

/** A workflow with one step. Its result is that of the step, or the code of the step's error. */
function writing<T>(code: (step: StepContext) => Promise<T>): Workflow<unknown, T | string> {
  return workflow("flow", (ctx) => ctx.step<T | string>("writing", code).catch((error) => error.code ?? error.message));
}

Deno.test("step.writable() sends 2,000 tokens of an answer of 5 s in at most 30 requests, the first at once", async () => {
  const { world, driver, clock } = await setup();
  const requests = new Requests();
  const { driver: recorded, batches } = batched(counted(driver, requests));
  const flow = writing(async (step) => {
    const writer = step.writable<string>("answer").getWriter();
    for (let token = 0; token < 2_000; token++) {
      await writer.write(`${token}`);
      if (token % 4 === 3) await delay(clock, 10);
    }
    await writer.close();
  });
  const { parley } = world.isolate(0, [flow], { driver: recorded });
  const began = clock.now();
  const handle = await parley.start(flow, undefined);
  await settle();
  assert.deepEqual(batches, [["0", "1", "2", "3"].map((it) => `["${it}"]`)]);
  for (let passed = 0; passed < 4_990; passed += 10) await world.pass(10);
  assert.equal(requests.count < 28, true, `${requests.count}`);
  await world.until(handle.result());
  assert(clock.now() - began < 6_000);
  assert(requests.count <= 30, `${requests.count} requests`);
  assert(batches.length >= 15, `${batches.length} batches`);
  const { values } = await handle.readStream("answer").collect();
  assert.deepEqual(values, Array.from({ length: 2_000 }, (_, token) => `${token}`));
});

Deno.test("step.writable() waits flush between two batches, and up to three times as long if values keep coming", async () => {
  for (const [flush, least, most] of [["20ms", 32, 48], [0, 90, 110]] as const) {
    const { world, driver, clock } = await setup();
    const { driver: recorded, batches } = batched(driver);
    const flow = writing(async (step) => {
      const writer = step.writable<number>("log", { flush }).getWriter();
      for (let n = 0; n < 100; n++) {
        await writer.write(n);
        await delay(clock, 20);
      }
    });
    const { parley } = world.isolate(0, [flow], { driver: recorded });
    const handle = await parley.start(flow, undefined);
    for (let passed = 0; passed < 2_000; passed += 20) await world.pass(20);
    await world.until(handle.result());
    assert(least <= batches.length && batches.length <= most, `${flush}: ${batches.length}`);
    assert.equal(clock.pending, 0);
  }
});

Deno.test("step.writable() stores what was written when it is closed or aborted, when the code ends, and when it throws", async () => {
  for (const end of ["close", "abort", "pipe", "return", "throw"]) {
    const { world } = await setup();
    const flow = writing(async (step) => {
      const writable = step.writable<number>("log", { flush: "1h" });
      if (end === "pipe") return await new Response("ab").body!.pipeThrough(letters()).pipeTo(writable);
      const writer = writable.getWriter();
      await writer.write(1);
      await settle();
      await writer.write(2);
      if (end === "close") await writer.close();
      if (end === "abort") await writer.abort(new Error("no more"));
      if (end === "throw") throw new Error("thrown");
    });
    const { parley } = world.isolate(0, [flow]);
    const handle = await parley.start(flow, undefined);
    await settle(50);
    assert.equal((await handle.status()).output, end === "throw" ? "thrown" : undefined, end);
    const { values } = await handle.readStream("log").collect();
    assert.deepEqual(values, end === "pipe" ? [97, 98] : [1, 2], end);
  }
});

function letters(): TransformStream<Uint8Array, number> {
  return new TransformStream({ transform: (bytes, to) => bytes.forEach((byte) => to.enqueue(byte)) });
}

Deno.test("what a try has written stands before what the next try writes", async () => {
  const { world } = await setup();
  const flow = workflow("flow", (ctx) =>
    ctx.step("writing", async (step) => {
      const writer = step.writable("log", { flush: "1h" }).getWriter();
      for (const n of [1, 2, 3]) await writer.write(`${step.attempt}.${n}`);
      if (step.attempt === 1) throw new Error("again");
    }, { retries: 1, delay: 0 }));
  const { parley } = world.isolate(0, [flow]);
  const handle = await parley.start(flow, undefined);
  await world.until(handle.result());
  assert.deepEqual((await handle.readStream("log").collect()).values, ["1.1", "1.2", "1.3", "2.1", "2.2", "2.3"]);
});

Deno.test("step.writable() takes a value when it is written, also while earlier writes wait, and with a schema", async () => {
  const numbers = stream(
    "numbers",
    v.pipeAsync(v.object({ n: v.number() }), v.checkAsync(() => Promise.resolve(true))),
  );
  for (const key of ["log", numbers]) {
    const { world } = await setup();
    const flow = writing(async (step) => {
      const writer = step.writable<{ n: number }>(key).getWriter();
      const reused = { n: 0 };
      const writes: Promise<void>[] = [];
      for (; reused.n < 5; reused.n++) writes.push(writer.write(reused));
      await Promise.all(writes);
    });
    const { parley } = world.isolate(0, [flow]);
    const handle = await parley.start(flow, undefined);
    await world.until(handle.result());
    const { values } = await handle.readStream<{ n: number }>(key).collect();
    assert.deepEqual(values.map(({ n }) => n), [0, 1, 2, 3, 4]);
  }
});

Deno.test("step.writable() makes writes wait while 1,000 values or 1 Mi characters are not stored", async () => {
  for (const [value, room] of [["x", 1_000], ["x".repeat(100_000), 11]] as const) {
    const { world, driver } = await setup();
    const { open, opened } = gate();
    const slow = onCommit(
      driver,
      ({ operations }) => operations.some((it) => it.type === "writeStream") ? opened : undefined,
    );
    let accepted = 0;
    const flow = writing(async (step) => {
      const writer = step.writable("log", { flush: 0 }).getWriter();
      await writer.write(value);
      await settle();
      // The first batch is under way from here on.
      for (let n = 0; n < 3 * room; n++) await writer.write(value).then(() => accepted++);
      await writer.close();
    });
    const { parley } = world.isolate(0, [flow], { driver: slow });
    const handle = await parley.start(flow, undefined);
    await settle(100);
    assert.equal(accepted, room - 1);
    open();
    await world.until(handle.result());
    assert.equal((await handle.readStream("log").collect()).nextOffset, 3 * room + 1);
  }
});

Deno.test("step.writable() rejects the writer and fails the try when a value cannot be stored", async () => {
  const letters = stream("letters", v.pipe(v.string(), v.length(1)));
  const cases: [string, Parameters<StepContext["writable"]>[0], unknown, string][] = [
    ["a function", "log", () => {}, "invalid_value"],
    ["too large", "log", "x".repeat(2_000), "value_too_large"],
    ["refused by the schema", letters, "ab", "invalid_value"],
    ["a closed stream", "closed", "x", "stream_closed"],
  ];
  for (const [what, key, value, code] of cases) {
    const { world } = await setup();
    let heard: unknown[] = [];
    const flow = workflow("flow", async (ctx) => {
      await ctx.closeStream("closed");
      return await ctx.step("writing", async (step) => {
        const writer = step.writable(key).getWriter();
        if (key !== "closed") await writer.write(value === "ab" ? "a" : "first");
        const written = await writer.write(value).then(() => "written", (error) => error.code);
        const closed = await writer.close().then(() => "closed", (error) => error.code);
        heard = [written, closed, await writer.write("x").catch((error) => error.code)];
        throw await writer.closed.catch((error) => error);
      }).catch((error) => error.code);
    });
    const { parley } = world.isolate(0, [flow], { maxValueBytes: 1_000 });
    const handle = await parley.start(flow, undefined);
    assert.equal(await world.until(handle.result()), code, what);
    assert.equal(heard[0], key === "closed" ? "written" : code, what);
    assert.equal(heard[2], code, what);
    const { nextOffset } = await handle.readStream(key).collect();
    assert.equal(nextOffset, key === "closed" ? 0 : 1, what);
  }
  const { world } = await setup();
  const flow = workflow("flow", async (ctx) => {
    await ctx.closeStream("closed");
    // The code notices nothing, since its write is accepted before it is stored.
    return await ctx.step("writing", (step) => step.writable("closed").getWriter().write(1)).catch((it) => it.code);
  });
  const { parley } = world.isolate(0, [flow]);
  assert.equal(await world.until((await parley.start(flow, undefined)).result()), "stream_closed");
});

Deno.test("step.writable() refuses an illegal key or flush before anything is written", async () => {
  const { world } = await setup();
  const flow = writing((step) => {
    for (const [key, flush] of [["", "1s"], ["log", "x"], ["log", -1]] as const) {
      assert.throws(() => step.writable(key, { flush: flush as "1s" }), ValidationError);
    }
    return Promise.resolve("refused");
  });
  const { parley } = world.isolate(0, [flow]);
  assert.equal(await world.until((await parley.start(flow, undefined)).result()), "refused");
});

Deno.test("step.writable() ends with its try: after a timeout, a cancel, a lost lease or a return", async () => {
  for (const end of ["timeout", "cancelled", "lost", "returned"]) {
    using listeners = countListeners();
    const { world, clock, driver } = await setup();
    let writer!: WritableStreamDefaultWriter<number>;
    const { open, opened } = gate();
    let lost = false;
    const fenced: Driver = { ...driver, commit: async (it) => lost ? { state: "lost" } : await driver.commit(it) };
    const flow = workflow("flow", async (ctx) => {
      const options = end === "timeout" ? { timeout: "1s" as const } : {};
      await ctx.step("writing", async (step) => {
        writer = step.writable<number>("log", { flush: "1h" }).getWriter();
        await writer.write(1);
        await settle();
        // It waits for its flush when the try ends.
        await writer.write(2);
        if (end !== "returned") await new Promise(() => {});
      }, options).catch(() => {});
      await opened;
    });
    const { parley } = world.isolate(0, [flow], { driver: fenced });
    const handle = await parley.start(flow, undefined);
    await settle();
    if (end === "timeout") await world.pass(1_000);
    if (end === "cancelled") await handle.cancel();
    if (end === "lost") {
      // The next commit renews the lease.
      lost = true;
      await world.pass(15_000);
    }
    await settle();
    const code = {
      timeout: "timeout",
      cancelled: "workflow_cancelled",
      lost: "lease_lost",
      returned: "invalid_context",
    };
    await assert.rejects(writer.write(3), { code: code[end as keyof typeof code] });
    await assert.rejects(writer.closed, { code: code[end as keyof typeof code] });
    open();
    await settle();
    const { nextOffset } = await handle.readStream("log", { wait: false }).collect();
    assert.equal(nextOffset, end === "returned" ? 2 : 1, end);
    await parley[Symbol.asyncDispose]();
    assert.deepEqual([listeners.left(), clock.pending], [0, 0], end);
  }
});
