/**
 * How thorough the crash tests of slow set-ups are.
 *
 * @module
 */

import type { CrashCalls } from "../../conformance/workflows/replay/crash.ts";

/**
 * The share of the calls that a set-up of a driver tries. The two versions of PostgreSQL together try
 * all of them, and so do the two set-ups of Upstash. PGlite and Neon run the same SQL and try fewer.
 * With `PARLEY_CRASH_CALLS=all` each set-up tries all of them, for example in a nightly run.
 */
export function crashCalls(share: Exclude<CrashCalls, "all">): CrashCalls {
  return Deno.env.get("PARLEY_CRASH_CALLS") === "all" ? "all" : share;
}
