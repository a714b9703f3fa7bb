import assert from "node:assert/strict";
import type { Driver } from "../../../core/driver/driver.ts";
import { Parley } from "../../../core/parley.ts";
import { workflow } from "../../../core/workflow.ts";
import { gate, settle, setup } from "../setup.ts";

Deno.test("a run whose store has lost commits stops, is reported, and continues after the older lease expires", async () => {
  const { world, driver } = await setup();
  let dropping = false;
  // As after a failover to an older copy, the store does not have these commits, though it has
  // answered them.
  const forgetful: Driver = {
    ...driver,
    async commit(request) {
      if (!dropping) return await driver.commit(request);
      dropping = false;
      const results = request.operations.map(({ type }) => {
        assert.equal(type, "record");
        return { outcome: { tag: "value" as const, value: "[1]" } };
      });
      return { state: "held", results, woken: [], now: 0 };
    },
  };
  const ran: string[] = [];
  const { open, opened } = gate();
  const flow = workflow("flow", async (ctx) => {
    await ctx.step("first", () => void ran.push("first"));
    await ctx.step("lost", () => (dropping = ran.length === 1, ran.push("lost"), 1));
    await ctx.step("next", () => (ran.push("next"), opened));
    return "done";
  });
  const { parley, errors } = world.isolate(0, [flow], { driver: forgetful });
  const handle = await parley.start(flow, undefined);
  await settle();
  open();
  await settle();
  assert.deepEqual(errors.map((error) => (error as { code?: string }).code), ["lease_lost"]);
  await world.pass(29_000);
  assert.equal((await handle.status()).status, "PENDING");
  await world.pass(2_000);
  assert.equal((await handle.status()).output, "done");
  assert.deepEqual(ran, ["first", "lost", "next", "lost", "next"]);
});

Deno.test("a Parley refuses options that are not finite or out of bounds", async () => {
  const { driver } = await setup();
  for (
    const options of [
      { lease: 0 },
      { lease: Infinity },
      { lease: "2d" },
      { lease: NaN },
      { hotWait: -1 },
      { hotWait: Infinity },
      { budget: NaN },
      { budget: Infinity },
      { maxValueBytes: 2 ** 40 },
      { maxValueBytes: 0.5 },
    ] as const
  ) {
    assert.throws(() => new Parley({ driver, ...options }), { code: "invalid_value" }, JSON.stringify(options));
  }
  const parley = new Parley({ driver });
  const { signal } = new AbortController();
  for (const count of [0, 1.5, 2 ** 31, Infinity, NaN]) {
    await assert.rejects(parley.sweep({ limit: count }), { code: "invalid_value" });
    await assert.rejects(parley.work({ signal, concurrency: count }), { code: "invalid_value" });
    await assert.rejects(parley.purge({ olderThan: 0, limit: count }), { code: "invalid_value" });
  }
});

Deno.test("a hotWait of years sets no timer that fires at once", async () => {
  const { world } = await setup();
  const flow = workflow("flow", async (ctx) => await ctx.recv());
  const { parley } = world.isolate(0, [flow], { hotWait: "300d", lease: "1d", budget: "900d" });
  const handle = await parley.start(flow, undefined);
  await settle();
  await handle.send(1);
  assert.equal(await world.until(handle.result()), 1);
});
