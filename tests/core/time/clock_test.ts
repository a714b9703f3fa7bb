import assert from "node:assert/strict";
import { delay, StoreTime, systemClock } from "../../../core/time/clock.ts";
import { ManualClock } from "../../../testing/mod.ts";
import { countedSignal } from "../setup.ts";

Deno.test("delay() leaves neither timer nor listener, however it ends", async () => {
  const clock = new ManualClock();
  const { controller, signal, listeners, added } = countedSignal();
  const passing = delay(clock, 10, signal);
  await clock.advance(10);
  await passing;
  assert.deepEqual([clock.pending, listeners(), added()], [0, 0, 1]);

  const waiting = [delay(clock, 1_000, signal), delay(clock, Infinity, signal)];
  assert.deepEqual([clock.pending, listeners()], [1, 2]);
  controller.abort();
  await Promise.all(waiting);
  assert.deepEqual([clock.pending, listeners()], [0, 0]);

  await delay(clock, 1_000, signal);
  assert.deepEqual([clock.pending, listeners(), added()], [0, 0, 3]);
});

Deno.test("systemClock.after() treats a negative time as 0, and does not fire at once for times beyond a timer's range", async () => {
  await new Promise<void>((resolve) => systemClock.after(-1, resolve));
  let fired = false;
  const stop = systemClock.after(2 ** 40, () => fired = true);
  await new Promise<void>((resolve) => systemClock.after(5, resolve));
  stop();
  assert.equal(fired, false);
});

Deno.test("StoreTime.now() advances with the isolate's clock and never goes back", async () => {
  const clock = new ManualClock();
  const time = new StoreTime(clock, 5_000);
  assert.equal(time.now(), 5_000);
  await clock.advance(100);
  assert.equal(time.now(), 5_100);

  clock.set(clock.now() - 3_600_000);
  const set = time.now();
  assert(set >= 5_000, "a clock that is set back does not shorten the time");
  time.set(5_050);
  assert(time.now() >= set && time.now() >= 5_050);

  time.set(9_000);
  assert.equal(time.now(), 9_000);
  time.set(8_000);
  assert.equal(time.now(), 9_000);
  await clock.advance(1);
  assert.equal(time.now(), 9_001);
});
