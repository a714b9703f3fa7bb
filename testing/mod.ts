/**
 * Tests of your own workflows: a `Parley` over memory, whose time passes at the test's command.
 *
 * @example A reminder after three days, in a test that takes milliseconds
 * ```ts
 * import { workflow } from "@parley/parley";
 * import { testParley } from "@parley/parley/testing";
 * import assert from "node:assert/strict";
 *
 * const invoice = workflow("invoice", async (ctx, mail: string) => {
 *   await ctx.sleep("3d");
 *   await ctx.step("remind", () => fetch("https://mail.example", { method: "POST", body: mail }));
 * });
 *
 * const reminded: number[] = [];
 * const parley = testParley({
 *   workflows: [invoice],
 *   steps: { remind: () => void reminded.push(parley.clock.now()) },
 *   start: new Date("2026-01-01"),
 * });
 * const handle = await parley.start(invoice, "ada@example.com");
 * await parley.advance("2d");
 * assert.deepEqual(reminded, []);
 * await parley.advance("1d");
 * assert.deepEqual(reminded, [Date.parse("2026-01-04")]);
 * await handle.result();
 * ```
 *
 * @module
 */

export { ManualClock, type ManualClockOptions } from "./manual_clock.ts";
export { type StepReplacement, TestParley, testParley, type TestParleyOptions } from "./test_parley.ts";
