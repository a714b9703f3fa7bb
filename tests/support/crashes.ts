/**
 * How thorough the crash tests of slow set-ups are.
 *
 * @module
 */

import type { CrashCalls } from "../../conformance/workflows/replay/crash.ts";

/**
 * The share of the calls that one of two set-ups of a driver tries, so that both together try all
 * of them. With `PARLEY_CRASH_CALLS=all` each set-up tries all of them, for example in a nightly
 * run.
 */
export function crashCalls(share: "odd" | "even"): CrashCalls {
  return Deno.env.get("PARLEY_CRASH_CALLS") === "all" ? "all" : share;
}
