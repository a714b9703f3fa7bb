/**
 * A harness over the memory driver.
 *
 * @module
 */

import { memoryDriverOver, memoryStore } from "../../../drivers/memory/mod.ts";
import { withFaults } from "../../../conformance/mod.ts";
import { ManualClock } from "../../../testing/mod.ts";
import type { CountingHarness } from "../../support/costs.ts";

const HOUR_MS = 3_600_000;

/**
 * The store's clock is an hour ahead of the other one, so that a driver that confuses them fails.
 */
export function memoryHarness(): Promise<CountingHarness> {
  const clock = new ManualClock();
  const storeClock = new ManualClock(clock.now() + HOUR_MS);
  const store = memoryStore({ clock: storeClock });
  const drivers = [withFaults(memoryDriverOver(store)), withFaults(memoryDriverOver(store))] as const;
  return Promise.resolve({
    drivers,
    clock,
    async advance(ms) {
      storeClock.set(storeClock.now() + ms);
      await clock.advance(Math.max(0, ms));
    },
    requests: () => drivers[0].calls + drivers[1].calls,
    [Symbol.asyncDispose]: () => Promise.resolve(),
  });
}
