import assert from "node:assert/strict";
import { LazyAbort } from "../../../core/time/lazy_abort.ts";
import { withTimeLimit } from "../../../core/time/time_limit.ts";
import { ManualClock } from "../../../testing/mod.ts";
import { settle, setup } from "../setup.ts";
import { workflow } from "../../../mod.ts";

/** Counts the signals that a piece of code makes. */
async function signalsOf(code: () => Promise<unknown>): Promise<number> {
  const Controller = globalThis.AbortController;
  let signals = 0;
  globalThis.AbortController = class extends Controller {
    constructor() {
      super();
      signals++;
    }
  };
  try {
    await code();
  } finally {
    globalThis.AbortController = Controller;
  }
  return signals;
}

Deno.test("LazyAbort makes its signal and its reason only for those who ask", () => {
  let reasons = 0;
  const make = () => (reasons++, new Error("over"));
  const unasked = new LazyAbort();
  unasked.abort(make);
  assert.deepEqual([unasked.aborted, reasons], [true, 0]);
  const { signal } = unasked;
  assert.deepEqual([signal.aborted, signal.reason.message, reasons, unasked.signal === signal], [
    true,
    "over",
    1,
    true,
  ]);
  const asked = new LazyAbort();
  let heard = 0;
  asked.signal.addEventListener("abort", () => heard++);
  assert.deepEqual([asked.aborted, asked.signal.aborted], [false, false]);
  asked.abort(make);
  asked.abort(() => new Error("later"));
  assert.deepEqual([heard, reasons, asked.signal.reason.message], [1, 2, "over"]);
});

Deno.test("LazyAbort calls those who listen once, at the abort or at once after it, and forgets the others", async () => {
  const abort = new LazyAbort();
  const heard: string[] = [];
  abort.listen(() => heard.push("first"));
  const unlisten = abort.listen(() => heard.push("gone"));
  unlisten();
  const waiting = abort.unlessAborted(new Promise(() => {}));
  assert.equal(await abort.unlessAborted(Promise.resolve("in time")), "in time");
  await assert.rejects(abort.unlessAborted(Promise.reject(new Error("its own"))), /its own/);
  abort.abort(() => new Error("over"));
  abort.abort(() => new Error("later"));
  abort.listen(() => heard.push("late"));
  await assert.rejects(waiting, /over/);
  await assert.rejects(abort.unlessAborted(Promise.reject(new Error("its own"))), /over/);
  assert.deepEqual(heard, ["first", "late"]);
});

Deno.test("withTimeLimit() aborts the signal of its call with the error that it throws", async () => {
  const clock = new ManualClock();
  const error = new Error("late");
  let signal: AbortSignal | undefined;
  const call = withTimeLimit(
    { ms: 10, clock, error: () => error },
    (limit) => (signal = limit.signal, new Promise(() => {})),
  );
  const failed = assert.rejects(call, error);
  await clock.advance(10);
  await failed;
  assert.equal(signal?.reason, error);
  assert.equal(clock.pending, 0);
});

Deno.test("a workflow makes no signal if its code asks for none", async () => {
  const { world } = await setup();
  const flow = workflow("flow", async (ctx, steps: number) => {
    for (let step = 0; step < steps; step++) await ctx.step("step", () => 1);
  });
  const { parley } = world.isolate(0, [flow]);
  const run = async (steps: number) => {
    const handle = await parley.start(flow, steps);
    await handle.result();
    await settle();
  };
  await run(1);
  assert.equal(await signalsOf(() => run(0)), 0);
  assert.equal(await signalsOf(() => run(10)), 0);
});
