/**
 * Tests for drivers, and the tools that they use.
 *
 * {@linkcode conformance} checks a driver against the contract in `./driver`. Each rule is a test
 * of its own, over two instances of the driver that share one fresh store. {@linkcode workflows}
 * runs whole workflows over a driver. {@linkcode withFaults} breaks calls by hand, and the `ManualClock` of
 * `./testing` moves time.
 *
 * @example Check a driver. With `Deno.test` in place of `register`, this is a test file
 * ```ts
 * import { memoryDriver } from "@parley/parley";
 * import { conformance } from "@parley/parley/conformance";
 * import { ManualClock } from "@parley/parley/testing";
 *
 * const tests = new Map<string, () => Promise<void>>();
 * const register = (name: string, run: () => Promise<void>) => void tests.set(name, run);
 *
 * conformance(register, () => {
 *   const clock = new ManualClock();
 *   const driver = memoryDriver({ clock });
 *   return Promise.resolve({
 *     drivers: [driver, driver], // two connections, where the store is a server
 *     clock,
 *     // If the store has a clock of its own, that comes first.
 *     advance: (ms) => ms < 0 ? Promise.resolve(clock.set(clock.now() + ms)) : clock.advance(ms),
 *     [Symbol.asyncDispose]: () => Promise.resolve(), // drop the store
 *   });
 * });
 *
 * await tests.get("a null message is a message")?.();
 * ```
 *
 * @module
 */

export { conformance } from "./rules/mod.ts";
export { type Fault, type FaultTime, type FaultyDriver, withFaults } from "./faults.ts";
export type { Harness, MakeHarness, RegisterTest } from "./harness.ts";
export { workflows } from "./workflows/mod.ts";
export type { CrashCalls } from "./workflows/replay/crash.ts";
