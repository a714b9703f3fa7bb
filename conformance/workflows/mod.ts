/**
 * Whole workflows over a driver, in two isolates.
 *
 * @module
 */

import type { MakeHarness, RegisterTest } from "../harness.ts";
import { registerSuite, type Rules, rulesFor } from "../suite.ts";
import { childWorkflows } from "./channels/child_workflows.ts";
import { crash, type CrashCalls } from "./replay/crash.ts";
import { endingWaits } from "./channels/ending_waits.ts";
import { leases } from "./replay/leases.ts";
import { lifecycle } from "./lifecycle.ts";
import { messaging } from "./channels/messaging.ts";
import { pages } from "./replay/pages.ts";
import { parking } from "./replay/parking.ts";
import { patched } from "./replay/patched.ts";
import { pausing } from "./replay/pausing.ts";
import { publishing } from "./channels/publishing.ts";
import { received } from "./channels/received.ts";
import { refusals } from "./replay/refusals.ts";
import { replay } from "./replay/replay.ts";
import { looking } from "./looking.ts";
import { repairing } from "./repairing.ts";
import { scheduling } from "./scheduling.ts";
import { largeValues } from "./large_values.ts";
import { stepping } from "./stepping.ts";
import { taken } from "./replay/taken.ts";
import { unreadable } from "./replay/unreadable.ts";
import { World } from "./world.ts";
import { waiting } from "./channels/waiting.ts";

/**
 * Registers the tests that run whole workflows over a driver.
 *
 * @param test Registers one test, as `Deno.test` does.
 * @param makeHarness Makes a fresh store for each test.
 * @param crashes Which calls of the crash tests meet trouble. The default is `"all"`. A driver with
 * two slow set-ups can give the odd calls to one and the even calls to the other.
 * @returns The number of tests registered.
 * @category Suites
 */
export function workflows(
  test: RegisterTest,
  makeHarness: MakeHarness,
  { crashes = "all" }: { crashes?: CrashCalls } = {},
): number {
  return registerSuite(
    {
      name: "workflow",
      rules: [
        replay,
        pages,
        stepping,
        patched,
        pausing,
        parking,
        messaging,
        received,
        publishing,
        waiting,
        endingWaits,
        childWorkflows,
        lifecycle,
        looking,
        repairing,
        scheduling,
        leases,
        refusals,
        taken,
        unreadable,
        largeValues,
        crash(makeHarness, crashes),
      ].map(inWorld),
    },
    test,
    makeHarness,
  );
}

function inWorld(rules: Rules<World>): Rules {
  return rulesFor(Object.entries(rules), ([title, check]) => ({ [title]: (harness) => check(new World(harness)) }));
}
