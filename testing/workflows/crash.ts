/**
 * Crash everywhere: whatever call fails, and whenever, the outcome is the same.
 *
 * @module
 */

import assert from "node:assert/strict";
import type { AddRule } from "../suite.ts";
import type { Fault } from "../faults.ts";
import type { MakeHarness } from "../harness.ts";
import { carryOn, EXPECTED, lookBack, story, tell } from "./everything.ts";
import { type Isolate, World } from "./world.ts";

/** The lease of those who may die: short, so that little time has to pass until they are taken over. */
const LEASE = "10s";

/** Runs the story in an isolate with faults, then carries on what it left behind in another one. */
async function runWith(makeHarness: MakeHarness, faults: Fault[]): Promise<Isolate> {
  await using harness = await makeHarness();
  const world = new World(harness);
  const healthy = world.isolate(1, story, { lease: LEASE });
  await tell(healthy.parley);

  const faulty = world.isolate(0, story, { lease: LEASE, faults });
  // What cannot be done any more because the process is dead is not the point here.
  for (let sweeps = 0; sweeps < 20 && !faulty.driver.dead; sweeps++) {
    await world.until(faulty.parley.sweep().catch(() => {}));
    await world.until(faulty.parley.idle());
    await world.pass(1_000);
  }
  await carryOn(world, healthy.parley);
  assert.deepEqual(await lookBack(healthy.parley), EXPECTED, `with ${JSON.stringify(faults)}`);
  return faulty;
}

/** Crashing everywhere. */
export function crashing(makeHarness: MakeHarness): (rule: AddRule) => void {
  return (rule) => {
    rule("a workflow that uses every operation comes to what it should", async () => {
      const { driver } = await runWith(makeHarness, []);
      assert(driver.calls > 30, `the story made only ${driver.calls} calls`);
    });

    for (const when of ["before", "after"] as const) {
      rule(`a process may die at any call, ${when} it takes effect`, async () => {
        for (let call = 1;; call++) {
          const { driver } = await runWith(makeHarness, [{ call, when, dies: true }]);
          if (!driver.dead) return;
        }
      });

      rule(`any call may fail ${when} it takes effect and be repeated`, async () => {
        for (let call = 1;; call++) {
          const { driver } = await runWith(makeHarness, [{ call, when, dies: false }]);
          if (driver.calls < call) return;
        }
      });
    }
  };
}
