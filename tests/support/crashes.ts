/**
 * How thorough the crash tests of slow set-ups are.
 *
 * @module
 */

import type { CrashCalls } from "../../conformance/mod.ts";

/**
 * The calls that one set-up of a driver tries. A crash is an error between the core and the driver,
 * so it reaches the same SQL or the same scripts through each client. Two set-ups together try all
 * calls: the newest and the oldest PostgreSQL, and Upstash with push and without. Other set-ups try
 * a few calls each; those of PostgreSQL try different ones.
 */
const SHARES = {
  all: "all",
  odd: "odd",
  even: "even",
  PGlite: { first: 3, step: 12 },
  Neon: { first: 7, step: 12 },
  "Neon with push": { first: 11, step: 12 },
  "Durable Object": { first: 1, step: 5 },
} as const satisfies Record<string, CrashCalls>;

/**
 * Returns the calls that a set-up tries. With `PARLEY_CRASH_CALLS=all` each set-up tries all of
 * them, for example in a nightly run.
 */
export function crashCalls(share: keyof typeof SHARES): CrashCalls {
  return Deno.env.get("PARLEY_CRASH_CALLS") === "all" ? "all" : SHARES[share];
}
