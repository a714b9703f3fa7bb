import assert from "node:assert/strict";
import type { Driver } from "../../../core/driver/driver.ts";
import type { StandardSchemaV1 } from "../../../core/standard_schema.ts";
import { workflow } from "../../../core/workflow.ts";
import { settle, setup } from "../setup.ts";

Deno.test("writable() writes in order, with at most 100 values under way, and its close closes the stream", async () => {
  const { world, driver } = await setup();
  const sizes: number[] = [];
  const counting: Driver = {
    ...driver,
    commit: (request) => (sizes.push(request.operations.length), driver.commit(request)),
  };
  const values = Array.from({ length: 1_000 }, (_, n) => n);
  const flow = workflow("flow", async (ctx) => await ReadableStream.from(values).pipeTo(ctx.writable<number>("log")));
  const { parley } = world.isolate(0, [flow], { driver: counting });
  const handle = await parley.start(flow, undefined);
  await world.until(handle.result());
  assert.deepEqual(await handle.readStream("log").collect(), { values, closed: true, nextOffset: 1_000 });
  assert(Math.max(...sizes) <= 101, `${Math.max(...sizes)} in one commit`);
});

Deno.test("writable() reports a refused write, in a later write or in close", async () => {
  const { world } = await setup();
  const flow = workflow("flow", async (ctx) => {
    await ctx.closeStream("log");
    const closing = ctx.writable("log").getWriter();
    void closing.write(1).catch(() => {});
    const inClose = await closing.close().catch((error) => error.code);
    closing.closed.catch(() => {});
    const writing = ctx.writable("log").getWriter();
    writing.closed.catch(() => {});
    await writing.write(1);
    await ctx.step("later", () => {});
    return [inClose, await writing.write(2).catch((error) => error.code)];
  });
  const { parley } = world.isolate(0, [flow]);
  const handle = await parley.start(flow, undefined);
  assert.deepEqual(await world.until(handle.result()), ["stream_closed", "stream_closed"]);
});

Deno.test("writable() does not close the stream after a value that could not be written", async () => {
  const { world } = await setup();
  const flow = workflow("flow", async (ctx) => {
    const writer = ctx.writable<unknown>("log").getWriter();
    writer.closed.catch(() => {});
    void writer.write("good").catch(() => {});
    void writer.write(() => {}).catch(() => {});
    const closed = await writer.close().then(() => "closed", (error) => error.code);
    await ctx.writeStream("log", "still open");
    return closed;
  });
  const { parley } = world.isolate(0, [flow]);
  const handle = await parley.start(flow, undefined);
  assert.equal(await world.until(handle.result()), "invalid_value");
  assert.deepEqual((await handle.readStream("log").collect()).values, ["good", "still open"]);
});

Deno.test("writable() takes each value when it is written, even if the code changes it later", async () => {
  const { world } = await setup();
  const flow = workflow("flow", async (ctx) => {
    const writer = ctx.writable<{ n: number }>("log").getWriter();
    const reused = { n: 0 };
    for (let n = 1; n <= 5; n++) {
      reused.n = n;
      void writer.write(reused);
    }
    await writer.close();
    const illegal = ctx.writable<number>("").getWriter();
    illegal.closed.catch(() => {});
    return [
      await illegal.write(1).then(() => illegal.close()).catch((error) => error.code),
      await writer.write(reused).catch((error) => error.name),
    ];
  });
  const { parley } = world.isolate(0, [flow]);
  const handle = await parley.start(flow, undefined);
  assert.deepEqual(await world.until(handle.result()), ["invalid_value", "TypeError"]);
  const { values } = await handle.readStream<{ n: number }>("log").collect();
  assert.deepEqual(values.map(({ n }) => n), [1, 2, 3, 4, 5]);
});

Deno.test("recvAny() waits once for a topic that is named twice", async () => {
  const { world } = await setup();
  const flow = workflow("flow", async (ctx) => await ctx.recvAny(["a", "b", "a"]));
  const { parley } = world.isolate(0, [flow]);
  const handle = await parley.start(flow, undefined);
  await settle();
  assert.deepEqual((await handle.status()).waiting?.operations, ['recvAny ["a","b"]']);
  await handle.send(1, { topic: "a" });
  assert.deepEqual(await world.until(handle.result()), { topic: "a", message: 1 });
});

Deno.test("start() in a workflow checks the child's input with its schema, and passes on the schema's result", async () => {
  const { world } = await setup();
  const validate = (value: unknown) =>
    typeof value === "number" ? { value: value * 10 } : { issues: [{ message: "no" }] };
  const input: StandardSchemaV1<unknown, number> = { "~standard": { version: 1, vendor: "test", validate } };
  const child = workflow("child", (_ctx, n: number) => n, { input });
  const flow = workflow("flow", async (ctx) => {
    const refused = await ctx.start(child, "text" as unknown as number).catch((error) => error.code);
    return [refused, await (await ctx.start(child, 4)).result()];
  });
  const { parley } = world.isolate(0, [flow, child]);
  const handle = await parley.start(flow, undefined);
  assert.deepEqual(await world.until(handle.result()), ["invalid_value", 40]);
  assert.equal((await parley.list({ name: "child" })).workflows.length, 1);
});

Deno.test("the failure of a child has its error, also after its recovery attempts are used up", async () => {
  const { world, driver } = await setup();
  const child = workflow("child", () => Promise.reject(new RangeError("broken")));
  const stuck = workflow("stuck", async () => await new Promise(() => {}), { maxRecoveryAttempts: 0 });
  const flow = workflow("flow", async (ctx) => {
    const children = [await ctx.start(child, undefined), await ctx.start(stuck, undefined, { workflowId: "stuck" })];
    return await Promise.all(
      children.map((it) => it.result().catch((error) => [error.code, error.workflowId, error.cause?.name])),
    );
  });
  const dying = world.isolate(0, [stuck], { lease: "5s" });
  const { parley, errors } = world.isolate(1, [flow, child, stuck], { wake: "none" });
  const handle = await parley.start(flow, undefined);
  await world.until(parley.idle());
  dying.parley.sweep().catch(() => {});
  await settle();
  dying.driver.kill();
  await world.pass(5_001);
  const own = world.isolate(0, [flow, child, stuck], { driver });
  await world.until(own.parley.sweep());
  const output = (await world.until(handle.result())) as unknown[][];
  assert.deepEqual(output.map(([code, , name]) => [code, name]), [["workflow_failed", "RangeError"], [
    "workflow_failed",
    "Error",
  ]]);
  assert.equal(output[1]![1], "stuck");
  assert.deepEqual(own.errors.map((error) => (error as { code?: string }).code), ["workflow_failed"]);
  assert.deepEqual(errors, []);
});

Deno.test("contexts work through a Proxy, frozen, as a prototype and in parts", async () => {
  const { world } = await setup();
  const wrapped = (context: object) => [new Proxy(context, {}), Object.create(context), Object.freeze(context)];
  const flow = workflow("flow", async (ctx) => {
    const results: unknown[] = [];
    for (const [index, it] of wrapped(ctx).entries()) {
      results.push(await it.step(`step ${index}`, () => index), it.signal.aborted);
    }
    const { step, signal } = ctx;
    results.push(
      await step("in parts", async (step) => {
        for (const it of wrapped(step)) await it.setEvent("state", it.signal.aborted);
        const { setEvent } = step;
        await setEvent("state", "last");
        return signal.aborted;
      }),
    );
    return results;
  });
  const { parley } = world.isolate(0, [flow]);
  const handle = await parley.start(flow, undefined);
  assert.deepEqual(await world.until(handle.result()), [0, false, 1, false, 2, false, false]);
  assert.equal(await handle.getEvent("state"), "last");
});
