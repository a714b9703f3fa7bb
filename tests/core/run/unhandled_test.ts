import assert from "node:assert/strict";
import { workflow } from "../../../core/workflow.ts";
import { settle, setup } from "../setup.ts";

/** Collects the rejections that would end the process, until it is disposed. */
function unhandledRejections(): Disposable & { told: () => Promise<unknown[]> } {
  const reasons: unknown[] = [];
  const onUnhandled = (event: PromiseRejectionEvent) => (event.preventDefault(), reasons.push(event.reason));
  globalThis.addEventListener("unhandledrejection", onUnhandled);
  return {
    async told() {
      await new Promise<void>((resolve) => setTimeout(resolve));
      return reasons;
    },
    [Symbol.dispose]: () => globalThis.removeEventListener("unhandledrejection", onUnhandled),
  };
}

Deno.test("a failing operation that nobody awaits is not an unhandled rejection", async () => {
  const { world } = await setup();
  using rejections = unhandledRejections();
  const failing = workflow("failing", () => Promise.reject(new Error("no")));
  const flow = workflow("flow", async (ctx) => {
    void ctx.recv("never", { timeout: 0 });
    void ctx.send("nobody", 1);
    void ctx.setEvent("", 1);
    void ctx.writeStream("log", () => {});
    void ctx.step("failing", () => Promise.reject(new Error("no")));
    void ctx.step("inside", () => ctx.recv("never"));
    void ctx.results([await ctx.start(failing, undefined)]);
    await ctx.closeStream("closed");
    await ctx.step("publishing", async (step) => {
      void step.writeStream("closed", 1);
      void step.setEvent("event", () => {});
      void step.send("nobody", 1);
      await settle();
    });
    await ctx.sleep(0);
    await ctx.recv("hot");
  });
  const { parley } = world.isolate(0, [flow, failing], { hotWait: "1h" });
  const handle = await parley.start(flow, undefined);
  await settle(200);
  await handle.cancel();
  await world.until(parley.idle());
  assert.deepEqual(await rejections.told(), []);
});

Deno.test("an onError that throws or rejects does not end the process", async () => {
  const { world } = await setup();
  using rejections = unhandledRejections();
  const flow = workflow("flow", async (ctx) => await ctx.recv());
  const told: unknown[] = [];
  const fail = (error: unknown) => {
    told.push(error);
    throw new Error("the log is full");
  };
  for (const onError of [fail, async (error: unknown) => (await settle(), fail(error))]) {
    const { parley } = world.isolate(0, [flow], { onError, wake: () => Promise.reject(new Error("nobody there")) });
    const handle = await parley.start(flow, undefined);
    await world.until(parley.idle());
    await handle.send(null);
    await world.until(parley.idle());
    await settle();
  }
  assert.deepEqual([told.length, await rejections.told()], [2, []]);
});
