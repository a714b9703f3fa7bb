/**
 * Workflows with promises that nobody handles: cancelled, returned, and without their lease. Each has a
 * step whose time is up.
 *
 * @module
 */

import type { Driver } from "../../core/driver/driver.ts";
import { memoryDriver, Parley, workflow, type WorkflowContext } from "../../mod.ts";

/** Code that goes on in the background, and what is derived from operations. */
function leave(ctx: WorkflowContext): void {
  void ctx.recv("never").then(() => {});
  void Promise.all([ctx.recv("never"), ctx.sleep("1h")]);
  void Promise.any([ctx.recv("never"), ctx.sleep("1h")]);
  void (async () => {
    for (;;) await ctx.recv("never");
  })();
  void (async () => {
    try {
      await ctx.sleep("1h");
    } catch (cause) {
      throw new Error("The helper has failed", { cause });
    }
  })();
  void ctx.step("in flight", async (step) => {
    void step.signal.addEventListener("abort", () => void Promise.reject(step.signal.reason));
    void (async () => {
      for (;;) await step.writeStream("log", await new Promise<number>((resolve) => setTimeout(resolve, 10, 1)));
    })();
    await new Promise((_, reject) => step.signal.addEventListener("abort", () => reject(step.signal.reason)));
  }).then(() => {});
  void ctx.step("timed out", async ({ signal }) => {
    void new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
    await new Promise(() => {});
  }, { timeout: 50 });
}

const makeFlow = (cleaned: string[]) =>
  workflow("flow", async (ctx, how: string) => {
    leave(ctx);
    if (how === "return") {
      setTimeout(() => void ctx.setEvent("late", 1).then(() => {}), 20);
      return await ctx.sleep(20);
    }
    try {
      await ctx.recv("never either");
    } finally {
      cleaned.push(how);
    }
  });

/** Lets time pass. */
export const pass = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** Abandons a workflow in each of the ways. Returns those whose code has cleaned up. */
export async function abandon(): Promise<string[]> {
  const cleaned: string[] = [];
  const flow = makeFlow(cleaned);
  const store = memoryDriver();
  let isLost = false;
  const driver: Driver = {
    ...store,
    commit: (request) => isLost ? Promise.resolve({ state: "lost" }) : store.commit(request),
  };
  const parley = new Parley({
    driver,
    workflows: [flow],
    hotWait: "1h",
    lease: "300ms",
    wake: "none",
    onError: () => {},
  });
  for (const how of ["cancel", "return", "lose"]) await parley.start(flow, how, { workflowId: how });
  await pass(100);
  await parley.cancel("cancel");
  await pass(100);
  isLost = true;
  await pass(400);
  return cleaned;
}
