import assert from "node:assert/strict";
import type { Driver } from "../../../core/driver/driver.ts";
import { DriverError, TimeoutError } from "../../../core/errors.ts";
import { Subscriptions } from "../../../core/time/subscriptions.ts";
import { unlessAborted, waitFor } from "../../../core/time/wait.ts";
import { Waiter } from "../../../core/time/waiter.ts";
import { memoryDriver } from "../../../drivers/memory/mod.ts";
import { ManualClock } from "../../../testing/mod.ts";
import { countedSignal, countedWatches, gate, settle } from "../setup.ts";

function make({ push = false, live = true }: { push?: boolean; live?: boolean } = {}) {
  const clock = new ManualClock();
  const hints = new Subscriptions();
  const pushed: (() => void)[] = [];
  const watches = countedWatches(memoryDriver({ clock }), { live });
  const watch: NonNullable<Driver["watch"]> = (
    target,
    hint,
  ) => (pushed.push(hint), watches.driver.watch!(target, hint));
  const { watch: _watch, ...poll } = watches.driver;
  return {
    clock,
    hints,
    pushed,
    open: watches.open,
    sources: { clock, hints, driver: push ? { ...poll, watch } : poll },
  };
}

/** The times at which the waiter asks for a look, in milliseconds from the start. */
async function looks(made: ReturnType<typeof make>, waiter: Waiter, forMs: number): Promise<number[]> {
  const start = made.clock.now();
  const at: number[] = [];
  let stopped = false;
  const looking = (async () => {
    while (!stopped) if (await waiter.next()) at.push(made.clock.now() - start);
  })();
  await made.clock.advance(forMs);
  stopped = true;
  waiter.close();
  await looking;
  return at;
}

const pausesOf = (at: number[]) => at.map((it, index) => it - (at[index - 1] ?? 0));

Deno.test("Waiter.next() polls with back-off from 20 ms to 1 s, give or take a quarter", async () => {
  const made = make();
  const waiter = new Waiter(made.sources);
  waiter.listen(["inbox:w"]);
  const pauses = pausesOf(await looks(made, waiter, 60_000));
  pauses.forEach((pause, n) => {
    const base = Math.min(20 * 1.6 ** n, 1_000);
    assert(pause >= base * 0.75 && pause <= base * 1.25, `pause ${n} is ${pause} ms, and should be about ${base}`);
  });
  assert(new Set(pauses.slice(-20)).size > 1, "there is jitter");
  assert.deepEqual([made.clock.pending, made.open()], [0, 0]);
});

Deno.test("Waiter.next() polls rarely while every push is live, and as often as without push otherwise", async () => {
  const live = make({ push: true });
  const waiter = new Waiter(live.sources);
  waiter.listen(["inbox:w", "stream:v"]);
  const pauses = pausesOf(await looks(live, waiter, 60_000));
  for (const pause of pauses) assert(pause >= 5_000, `${pause}`);
  assert.equal(live.open(), 0);

  const dead = make({ push: true, live: false });
  const other = new Waiter(dead.sources);
  other.listen(["inbox:w"]);
  assert((await looks(dead, other, 10_000)).length > 10);

  const half = make({ push: true });
  let watched = 0;
  const driver: Driver = { ...half.sources.driver, watch: () => ({ live: watched++ > 0, close() {} }) };
  const mixed = new Waiter({ ...half.sources, driver });
  mixed.listen(["inbox:w", "inbox:v"]);
  assert((await looks(half, mixed, 10_000)).length > 10);
});

Deno.test("Waiter.next() asks for a look as rarely as every live push allows", async () => {
  const { sources, ...rest } = make({ push: true });
  const lookMs: Record<string, number> = { "inbox:w": 60_000, "inbox:v": 600_000 };
  const watch: Driver["watch"] = (target) => ({
    live: true,
    ...(lookMs[target] && { lookMs: lookMs[target] }),
    close() {},
  });
  const looksOf = async (targets: ("inbox:w" | "inbox:v" | "due")[]) => {
    const waiter = new Waiter({ ...sources, driver: { ...sources.driver, watch } });
    waiter.listen(targets);
    return (await looks({ sources, ...rest }, waiter, 600_000)).length;
  };
  const [v, vw, due] = [
    await looksOf(["inbox:v"]),
    await looksOf(["inbox:v", "inbox:w"]),
    await looksOf(["inbox:v", "due"]),
  ];
  assert(v <= 1, `${v} looks in 10 minutes`);
  assert(vw >= 8 && vw <= 13, `${vw} looks in 10 minutes`);
  assert(due >= 48, `${due} looks in 10 minutes`);
});

Deno.test("Waiter.next() reports a hint at once and only once, also an earlier one", async () => {
  const { sources, hints, pushed, clock } = make({ push: true });
  const waiter = new Waiter(sources);
  waiter.listen(["inbox:w"]);
  for (const hint of [() => hints.notify(["inbox:w"]), pushed[0]!]) {
    hint();
    hint();
    assert.equal(await waiter.next(), true);
    const waiting = waiter.next();
    hint();
    assert.equal(await waiting, true);
    const limited = waiter.next({ limitMs: 1 });
    await clock.advance(1);
    assert.equal(await limited, false);
  }
  hints.notify(["inbox:other", "stream:w", "due"]);
  const waiting = waiter.next({ limitMs: 1 });
  await clock.advance(1);
  assert.equal(await waiting, false, "a hint for another target does not count");
  waiter.close();
  assert.equal(clock.pending, 0);
});

Deno.test("Waiter.next() asks for no look when the limit, a poke or an abort ended it", async () => {
  const { sources, clock } = make();
  const waiter = new Waiter(sources);
  const { controller, signal, listeners } = countedSignal();
  const limited = waiter.next({ limitMs: 5 });
  await clock.advance(5);
  assert.equal(await limited, false);
  const poked = waiter.next();
  waiter.poke();
  assert.equal(await poked, false);
  const unpolled = waiter.next({ poll: false, limitMs: 100_000, signal });
  await clock.advance(99_999);
  assert.equal(listeners(), 1);
  controller.abort();
  assert.equal(await unpolled, false);
  assert.equal(await waiter.next({ signal }), false);
  assert.deepEqual([listeners(), clock.pending], [0, 0]);
});

Deno.test("Waiter.next() keeps a hint that comes during a poke", async () => {
  const { sources, hints } = make();
  const waiter = new Waiter(sources);
  waiter.listen(["inbox:w"]);
  const waiting = waiter.next();
  hints.notify(["inbox:w"]);
  waiter.poke();
  assert.equal(await waiting, true);
  waiter.close();
});

Deno.test("Waiter.reset() restarts the back-off", async () => {
  const made = make();
  const waiter = new Waiter(made.sources);
  await looks(made, waiter, 60_000);
  waiter.reset();
  assert((await looks(made, waiter, 25))[0]! <= 25);
});

Deno.test("Waiter.listen() subscribes to each wanted target once, and ends the other subscriptions", () => {
  const { sources, open, pushed } = make({ push: true });
  const waiter = new Waiter(sources);
  waiter.listen(["inbox:w", "stream:v", "stream:v"]);
  assert.deepEqual([open(), pushed.length], [2, 2]);
  waiter.listen(["inbox:w", "due"]);
  assert.deepEqual([open(), pushed.length], [2, 3]);
  waiter.close();
  assert.equal(open(), 0);
});

Deno.test("Waiter.close() ends the hints of the isolate too", async () => {
  const { sources, hints, clock } = make();
  const waiter = new Waiter(sources);
  waiter.listen(["inbox:w"]);
  waiter.close();
  hints.notify(["inbox:w"]);
  const waiting = waiter.next({ limitMs: 1 });
  await clock.advance(1);
  assert.equal(await waiting, false);
});

Deno.test("Subscriptions.add() leaves nothing when it is closed, and closing twice affects no other", () => {
  const hints = new Subscriptions();
  const heard: string[] = [];
  const first = hints.add("due", () => heard.push("first"));
  hints.notify(["due"]);
  first.close();
  const second = hints.add("due", () => heard.push("second"));
  first.close();
  hints.notify(["due"]);
  second.close();
  hints.notify(["due"]);
  assert.deepEqual(heard, ["first", "second"]);
});

Deno.test("looks that fail together pause a Waiter like one", async () => {
  const { sources, clock } = make();
  const waiter = new Waiter(sources);
  const away = new DriverError("away", { retryable: true });
  const fail = () => waiter.look(() => settle().then(() => Promise.reject(away)));
  await Promise.all(Array.from({ length: 100 }, fail));
  const due = waiter.next();
  await clock.advance(1_000);
  assert(await due);
  // The next failure is the second one.
  await fail();
  const second = waiter.next();
  await clock.advance(1_600);
  assert(await second);
});

Deno.test("waitFor() looks once and does not subscribe when the timeout is 0", async () => {
  const { sources, open, pushed } = make({ push: true });
  let looked = 0;
  const options = { target: "stream:w", timeoutMs: 0, operation: "readStream" } as const;
  await assert.rejects(waitFor(sources, () => Promise.resolve(void looked++), options), TimeoutError);
  assert.equal(await waitFor(sources, () => Promise.resolve(5), options), 5);
  assert.deepEqual([looked, open(), pushed.length], [1, 0, 0]);
});

Deno.test("waitFor() subscribes before it looks", async () => {
  const { sources, open } = make({ push: true });
  const options = { target: "stream:w", timeoutMs: null, operation: "readStream" } as const;
  assert.equal(await waitFor(sources, () => Promise.resolve(open()), options), 1);
  assert.equal(open(), 0);
});

Deno.test("waitFor() ends at its deadline without another look, and leaves nothing", async () => {
  const { sources, clock, open } = make({ push: true });
  const start = clock.now();
  const at: number[] = [];
  const look = () => Promise.resolve(void at.push(clock.now() - start));
  const waiting = waitFor(sources, look, { target: "stream:w", timeoutMs: 3_000, operation: "readStream" });
  const ended = assert.rejects(waiting, TimeoutError).then(() => clock.now() - start);
  await clock.advance(2_999);
  assert.deepEqual([at, open()], [[0], 1]);
  await clock.advance(1);
  assert.equal(await ended, 3_000);
  assert.deepEqual([at, open(), clock.pending], [[0], 0, 0]);
});

Deno.test("waitFor() does not look when only the limit of a poll poked it", async () => {
  const { sources, clock, hints } = make();
  let looked = 0;
  const waiting = waitFor(sources, () => Promise.resolve(++looked === 3 ? looked : undefined), {
    target: "stream:w",
    timeoutMs: 10,
    operation: "readStream",
  });
  await settle();
  hints.notify(["stream:w"]);
  await settle();
  assert.equal(looked, 2);
  const late = assert.rejects(waiting, TimeoutError);
  await clock.advance(10);
  await late;
  assert.equal(looked, 2);
});

Deno.test("waitFor() rejects with the signal's reason before, during and between looks", async () => {
  const { sources, clock, open } = make({ push: true });
  const reason = new Error("left");
  const options = { target: "stream:w", timeoutMs: null, operation: "readStream" } as const;
  const never = new Promise<undefined>(() => {});
  let looked = 0;
  await assert.rejects(
    waitFor(sources, () => (looked++, never), { ...options, signal: AbortSignal.abort(reason) }),
    reason,
  );
  assert.equal(looked, 0);
  for (const look of [() => never, () => Promise.resolve(undefined)]) {
    const { controller, signal, listeners } = countedSignal();
    const waiting = assert.rejects(waitFor(sources, look, { ...options, signal }), reason);
    await settle();
    controller.abort(reason);
    await waiting;
    if (look() !== never) assert.equal(listeners(), 0);
    assert.deepEqual([open(), clock.pending], [0, 0]);
  }
});

Deno.test("waitFor() rejects with the error of a failed look, and leaves nothing", async () => {
  const { sources, clock, open } = make({ push: true });
  const { signal, listeners } = countedSignal();
  const look = () => Promise.reject(new Error("away"));
  const options = { target: "stream:w", timeoutMs: null, signal, operation: "readStream" } as const;
  await assert.rejects(waitFor(sources, look, options), { message: "away" });
  await settle();
  assert.deepEqual([open(), clock.pending, listeners()], [0, 0, 0]);
});

Deno.test("unlessAborted() leaves no listener and no unhandled rejection", async () => {
  const { controller, signal, listeners } = countedSignal();
  assert.equal(await unlessAborted(Promise.resolve(1), signal), 1);
  await assert.rejects(unlessAborted(Promise.reject(new Error("no")), signal), { message: "no" });
  const { open, opened } = gate<number>();
  const waiting = unlessAborted(opened, signal);
  assert.equal(listeners(), 1);
  controller.abort(new Error("left"));
  await assert.rejects(waiting, { message: "left" });
  open(1);
  await settle();
  assert.equal(listeners(), 0);
  await assert.rejects(unlessAborted(Promise.reject(new Error("late")), signal), { message: "left" });
});
