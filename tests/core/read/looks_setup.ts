/**
 * Waits whose looks are counted.
 *
 * @module
 */

import type { Driver } from "../../../core/driver/driver.ts";
import { type Parley, workflow } from "../../../mod.ts";
import { countedWatches, setup } from "../setup.ts";

/** Many waiters of one thing. */
export const WAITERS = 1_000;

const teller = workflow("teller", async (ctx) => {
  for (;;) {
    const value = await ctx.recv<unknown>();
    if (value === "end") return "ended";
    await ctx.setEvent("state", value);
  }
});

/** A workflow that sets the values that it receives, and an isolate whose waits are counted. */
export async function makeLooks({ push = false }: { push?: boolean } = {}) {
  const { world, clock, driver } = await setup();
  const at = { reads: 0, readEvent: driver.readEvent, readWorkflow: driver.readWorkflow };
  const { watch, ...polling } = driver;
  const counted: Driver = {
    ...polling,
    ...(push && { watch: watch! }),
    readEvent: (request) => (at.reads++, at.readEvent(request)),
    readWorkflow: (workflowId) => (at.reads++, at.readWorkflow(workflowId)),
  };
  const watches = countedWatches(counted);
  const { parley, errors } = world.isolate(1, [], { driver: push ? watches.driver : counted });
  const running = world.isolate(0, [teller]).parley;
  await running.start(teller, undefined, { workflowId: "w" });
  await world.until(running.idle());
  const send = async (message: unknown) => {
    await running.send("w", message);
    await world.until(running.idle());
  };
  /** Counts the reads of a piece of code. */
  const during = async (code: () => Promise<unknown>) => {
    const before = at.reads;
    await code();
    return at.reads - before;
  };
  return { world, clock, driver, parley, errors, send, at, during, counted, open: watches.open };
}

/** The waits that share their looks. */
export const waits: Record<string, (parley: Parley, signal?: AbortSignal) => Promise<unknown>> = {
  "getEvent()": (parley, signal) => parley.getEvent("w", "state", { timeout: "1h", ...(signal && { signal }) }),
  "result()": (parley, signal) => parley.result("w", { ...(signal && { signal }) }),
};
