import assert from "node:assert/strict";
import { systemClock } from "../../../core/time/clock.ts";
import { Deadlines } from "../../../core/runner/deadlines.ts";
import type { Driver } from "../../../core/driver/driver.ts";
import { DriverError } from "../../../core/errors.ts";
import { workflow } from "../../../core/workflow.ts";
import { ManualClock } from "../../../testing/mod.ts";
import { settle, type Setup, setup } from "../setup.ts";

const sleeper = workflow("sleeper", async (ctx) => (await ctx.sleep("1m"), "awake"));

Deno.test("sleep() ends on time in an isolate that neither works nor sweeps", async () => {
  const { world, clock } = await setup();
  const { parley } = world.isolate(0, [sleeper]);
  const handle = await parley.start(sleeper, undefined);
  await world.until(parley.idle());
  assert.equal((await handle.status()).waiting?.operations[0], "sleep");
  await world.pass(59_000);
  assert.equal((await handle.status()).status, "PENDING");
  await world.pass(1_100);
  assert.equal((await handle.status()).output, "awake");
  assert.equal(clock.pending, 0);
});

Deno.test("a timeout that was suspended twice ends on time, and an obsolete deadline causes no claim", async () => {
  const { world, driver } = await setup();
  let claims = 0;
  const counting = {
    ...driver,
    claim: (request: Parameters<typeof driver.claim>[0]) => (claims++, driver.claim(request)),
  };
  const flow = workflow("flow", async (ctx) => {
    await ctx.recv<number>("first", { timeout: "30s" });
    return await ctx.recv<number>("second", { timeout: "30s" }).catch((error) => error.code);
  });
  const { parley } = world.isolate(0, [flow], { driver: counting });
  const handle = await parley.start(flow, undefined);
  await world.until(parley.idle());
  await world.pass(20_000);
  await handle.send(1, { topic: "first" });
  await world.until(parley.idle());
  const before = claims;
  await world.pass(29_000);
  assert.equal(claims, before, "the first deadline is forgotten");
  await world.pass(1_100);
  assert.equal((await handle.status()).output, "timeout");
});

Deno.test("deadlines call a wake function with the IDs, and do nothing if wake is none", async () => {
  const woken: string[][] = [];
  const call = (workflowIds: string[]) => Promise.resolve(void woken.push(workflowIds));
  for (const [wake, expected] of [[call, [["a", "b"]]], ["none", []]] as const) {
    woken.length = 0;
    const { world, clock } = await setup();
    const { parley } = world.isolate(0, [sleeper], { wake });
    for (const workflowId of ["a", "b"]) await parley.start(sleeper, undefined, { workflowId });
    await world.until(parley.idle());
    await clock.advance(61_000);
    assert.deepEqual(woken, expected);
  }
});

Deno.test("work() with push is on time for deadlines of workflows that other calls have started", async () => {
  for (const wake of ["none", "inline"] as const) {
    const { world } = await setup();
    const { parley } = world.isolate(0, [sleeper], { wake });
    const controller = new AbortController();
    const working = parley.work({ signal: controller.signal });
    await world.pass(5_000);
    const handle = await parley.start(sleeper, undefined);
    for (let passed = 0; passed < 60_200; passed += 100) await world.pass(100);
    assert.equal((await handle.status()).output, "awake");
    controller.abort();
    await world.until(working);
  }
});

Deno.test("disposing forgets all deadlines", async () => {
  const { world, clock } = await setup();
  const { parley, driver } = world.isolate(0, [sleeper]);
  await parley.start(sleeper, undefined);
  await world.until(parley.idle());
  await parley[Symbol.asyncDispose]();
  const { calls } = driver;
  await clock.advance(100_000);
  assert.equal(driver.calls, calls);
});

Deno.test("Deadlines keeps the nearest 1,000 with one timer, and reports passed ones together", async () => {
  const clock = new ManualClock();
  let timers = 0;
  const counting = {
    now: () => clock.now(),
    after: (...args: Parameters<typeof clock.after>) => (timers++, clock.after(...args)),
  };
  const told: string[][] = [];
  const deadlines = new Deadlines(counting, (workflowIds) => told.push(workflowIds));
  for (let n = 0; n < 1_500; n++) deadlines.set(`w${n}`, 10_000 + n % 750);
  assert.equal(timers, 1);
  assert.equal(clock.pending, 0, "the timer keeps no process alive");
  await clock.advance(20_000);
  assert.equal(told.flat().length, 1_000);
  assert.equal(told.flat().some((workflowId) => workflowId === "w600"), false);
  for (const group of told) assert.equal(group.length, 2);
});

Deno.test("Deadlines does not fire for a deadline that was deleted or changed", async () => {
  const clock = new ManualClock();
  const told: [number, string[]][] = [];
  const start = clock.now();
  const deadlines = new Deadlines(clock, (workflowIds) => told.push([clock.now() - start, workflowIds]));
  deadlines.set("a", 1_000);
  deadlines.set("b", 1_000);
  deadlines.set("c", 1_000);
  deadlines.delete("a");
  deadlines.set("b", 5_000);
  await clock.advance(10_000);
  assert.deepEqual(told.map(([, workflowIds]) => workflowIds), [["c"], ["b"]]);
  assert(told.every(([at], index) => at >= [1_000, 5_000][index]! && at <= [1_010, 5_010][index]!), `${told}`);
  deadlines.clear();
});

Deno.test("a process that only waits for a deadline exits", async () => {
  const code = `
    import { memoryDriver, Parley, workflow } from "${import.meta.resolve("../../../mod.ts")}";
    const flow = workflow("flow", async (ctx) => await ctx.sleep("1h"));
    const parley = new Parley({ driver: memoryDriver(), workflows: [flow], hotWait: 0 });
    await parley.start(flow, undefined);
    await parley.idle();
    console.log("idle");
  `;
  const config = new URL("../../../deno.json", import.meta.url).pathname;
  const args = ["run", "--config", config, "--no-lock", `data:application/typescript,${encodeURIComponent(code)}`];
  const child = new Deno.Command(Deno.execPath(), { args, stdout: "piped", stderr: "piped" }).spawn();
  const stop = systemClock.after(30_000, () => child.kill());
  const { stdout, stderr, success } = await child.output();
  stop();
  assert.deepEqual(
    [new TextDecoder().decode(stdout).trim(), success],
    ["idle", true],
    new TextDecoder().decode(stderr),
  );
});

Deno.test("a deadline that passes during a run of its workflow does no harm", async () => {
  const { world, clock } = await setup();
  const flow = workflow(
    "flow",
    async (ctx) => await ctx.recv<number>("", { timeout: "1m" }).catch((error) => error.code),
  );
  const { parley, errors } = world.isolate(0, [flow], { hotWait: "10m" });
  const handle = await parley.start(flow, undefined);
  await settle();
  for (let passed = 0; passed < 61_000; passed += 1_000) await world.pass(1_000);
  assert.deepEqual([(await handle.status()).output, errors, clock.pending], ["timeout", [], 0]);
});

/** Counts claims, which fail while the store is away. */
function watched(
  { driver, clock }: Pick<Setup, "driver" | "clock">,
): { driver: Driver; claims: number[]; away: { is: boolean } } {
  const claims: number[] = [];
  const away = { is: false };
  const start = clock.now();
  const claim: Driver["claim"] = async (request) => {
    claims.push(clock.now() - start);
    if (away.is) throw new DriverError("Claiming: the store is away", { retryable: true });
    return await driver.claim(request);
  };
  return { driver: { ...driver, claim }, claims, away };
}

Deno.test("deadlines that are checked too early are checked again together, when they pass in the store", async () => {
  const { world, driver, clock } = await setup();
  const { claims, ...counting } = watched({ driver, clock });
  const { parley } = world.isolate(0, [sleeper], { driver: counting.driver });
  for (const workflowId of ["a", "b"]) await parley.start(sleeper, undefined, { workflowId });
  await world.until(parley.idle());
  // The store's clock moves in one step, and the isolate's after it.
  for (const ms of [-5_000, 59_900, 200, 4_800]) await world.pass(ms);
  assert.equal(claims.length, 1);
  await world.pass(200);
  await world.until(parley.idle());
  for (const workflowId of ["a", "b"]) assert.equal((await parley.handle(workflowId).status()).output, "awake");
  assert.equal(claims.length, 2);
});

Deno.test("a store whose clock stands still is polled less and less often", async () => {
  const { world, driver, clock } = await setup();
  const { claims, ...counting } = watched({ driver, clock });
  const { parley } = world.isolate(0, [sleeper], { driver: counting.driver });
  await parley.start(sleeper, undefined);
  await world.until(parley.idle());
  await world.pass(-5);
  await world.pass(59_999);
  for (let passed = 0; passed < 60_000; passed += 100) await clock.advance(100);
  assert(claims.length > 1 && claims.length < 20, `${claims.length} claims`);
});

Deno.test("a workflow that runs in another isolate at its deadline is not checked again", async () => {
  const { world, driver, clock } = await setup();
  const { claims, ...counting } = watched({ driver, clock });
  const { parley } = world.isolate(0, [sleeper], { driver: counting.driver });
  await parley.start(sleeper, undefined, { workflowId: "w" });
  await world.until(parley.idle());
  const other = world.isolate(1, [sleeper], { hotWait: "1h" });
  await parley.cancel("w");
  await parley.resume("w");
  await world.until(parley.idle());
  claims.length = 0;
  await parley.cancel("w");
  await world.isolate(1, []).parley.resume("w");
  void other.parley.sweep();
  for (let passed = 0; passed < 50_000; passed += 1_000) await world.pass(1_000);
  await world.pass(-100_000);
  for (let passed = 0; passed < 60_000; passed += 1_000) await world.pass(1_000);
  assert.equal(claims.length, 1);
});

Deno.test("a deadline that passes during an outage of the store is checked again, less and less often", async () => {
  const { world, driver, clock } = await setup();
  const { away, ...counting } = watched({ driver, clock });
  const { parley, errors } = world.isolate(0, [sleeper], { driver: counting.driver });
  const handle = await parley.start(sleeper, undefined);
  await world.until(parley.idle());
  away.is = true;
  for (let passed = 0; passed < 660_000; passed += 100) await world.pass(100);
  const looks = errors.length;
  assert(looks >= 5 && looks <= 8, `${looks} looks in ten minutes`);
  away.is = false;
  for (let passed = 0; passed < 300_000; passed += 100) await world.pass(100);
  assert.equal((await handle.status()).output, "awake");
  assert(errors.length <= looks + 1);
});
