/**
 * Whole workflows over a driver, in two isolates.
 *
 * @module
 */

import type { MakeHarness, RegisterTest } from "../harness.ts";
import { registerSuite } from "../suite.ts";
import { children } from "./channels/children.ts";
import { type CrashCalls, crashing } from "./replay/crash.ts";
import { leasing } from "./replay/leases.ts";
import { lifecycle } from "./lifecycle.ts";
import { messaging } from "./channels/messages.ts";
import { paging } from "./replay/pages.ts";
import { parking } from "./replay/parks.ts";
import { pausing } from "./replay/pauses.ts";
import { publishing } from "./channels/publishing.ts";
import { receiving } from "./channels/received.ts";
import { refusing } from "./replay/refusals.ts";
import { replaying } from "./replay/replay.ts";
import { sizes } from "./sizes.ts";
import { stepping } from "./steps.ts";
import { taking } from "./replay/taken.ts";
import { unreadable } from "./replay/unreadable.ts";
import { waiting } from "./channels/waits.ts";

/**
 * Registers the tests that run whole workflows over a driver.
 *
 * @param test Registers one test, as `Deno.test` does.
 * @param makeHarness Makes a fresh store for each test.
 * @param crashes Which calls of the crash tests meet trouble: `"all"` by default. A driver with two slow set-ups can give `"odd"` calls to one and
 * `"even"` calls to the other.
 * @returns The number of tests registered.
 */
export function workflows(
  test: RegisterTest,
  makeHarness: MakeHarness,
  { crashes = "all" }: { crashes?: CrashCalls } = {},
): number {
  return registerSuite(
    {
      name: "workflow",
      concerns: [
        replaying,
        paging,
        stepping,
        pausing,
        parking,
        messaging,
        receiving,
        publishing,
        waiting,
        children,
        lifecycle,
        leasing,
        refusing,
        taking,
        unreadable,
        sizes,
        crashing(makeHarness, crashes),
      ],
    },
    test,
    makeHarness,
  );
}
