import { memoryDriverOver, memoryStore } from "../../drivers/memory/mod.ts";
import { conformance, type Harness, ManualClock, workflows } from "../../testing/mod.ts";
import { randomPrograms } from "../support/programs.ts";

const HOUR_MS = 3_600_000;

/** The store's clock is an hour ahead of the other: a driver that took one for the other would fail. */
function makeHarness(): Promise<Harness> {
  const clock = new ManualClock();
  const storeClock = new ManualClock(clock.now() + HOUR_MS);
  const store = memoryStore({ clock: storeClock });
  return Promise.resolve({
    drivers: [memoryDriverOver(store), memoryDriverOver(store)],
    clock,
    async advance(ms) {
      await storeClock.advance(ms);
      await clock.advance(ms);
    },
    [Symbol.asyncDispose]: () => Promise.resolve(),
  });
}

conformance(Deno.test, makeHarness);
workflows(Deno.test, makeHarness);
randomPrograms(Deno.test, makeHarness, { runs: 300 });
