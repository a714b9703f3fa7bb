/**
 * How thorough the crash tests of slow set-ups are.
 *
 * @module
 */

import type { CrashCalls } from "../../conformance/workflows/replay/crash.ts";

/**
 * The share of the calls that a set-up of a driver tries. Two set-ups may try all of them together.
 * With `PARLEY_CRASH_CALLS=all` each set-up tries all of them, for example in a nightly run.
 */
export function crashCalls(share: CrashCalls): CrashCalls {
  return Deno.env.get("PARLEY_CRASH_CALLS") === "all" ? "all" : share;
}
