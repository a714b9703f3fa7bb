/**
 * Rules for crashes: whichever call fails, and whenever, the outcome is the same.
 *
 * @module
 */

import assert from "node:assert/strict";
import type { FaultTime } from "../../faults.ts";
import type { MakeHarness } from "../../harness.ts";
import { type Rules, rulesFor } from "../../suite.ts";
import { carryOn, EXPECTED, lookBack, story, tell } from "../everything.ts";
import { type Isolate, World } from "../world.ts";

/** The lease is short, so that a take-over needs little time. */
const LEASE_MS = 10_000;

/**
 * What happens to the call. `freezes`: the call waits until another isolate has taken over what it
 * can.
 */
type Trouble = "fails" | "dies" | "freezes";

/**
 * Which calls of the story meet trouble, one in each run of the story. The first call is 1. A pair
 * of numbers means the call `first`, and from there on each one that is `step` calls after the last.
 *
 * @category Suites
 */
export type CrashCalls = "all" | "odd" | "even" | { readonly first: number; readonly step: number };

/**
 * Runs the story in an isolate that gets into trouble. Another isolate then carries on what is
 * left.
 */
async function runWith(
  makeHarness: MakeHarness,
  trouble?: { call: number; when: FaultTime; what: Trouble },
): Promise<Isolate> {
  await using harness = await makeHarness();
  const world = new World(harness);
  const healthy = world.isolate(1, story, { lease: LEASE_MS });
  await tell(healthy.parley);

  let frozen: Promise<void> = Promise.resolve();
  const takeOver = async () => {
    await world.pass(LEASE_MS + 1);
    await world.until(healthy.parley.sweep());
  };
  const freeze = () => frozen = takeOver();
  const faults = trouble ? [{ ...trouble, what: trouble.what === "freezes" ? freeze : trouble.what }] : [];
  const troubled = world.isolate(0, story, { lease: LEASE_MS, faults });
  for (let sweeps = 0; sweeps < 20 && !troubled.driver.dead; sweeps++) {
    // The isolate in trouble may reject; that does not matter here.
    await world.until(troubled.parley.sweep().catch(() => {}));
    await world.until(troubled.parley.idle());
    await world.pass(1_000);
  }
  await carryOn(world, healthy.parley);
  // Perhaps a deadline of the isolate in trouble made the call that freezes only a moment ago.
  await world.until(frozen);
  await world.until(troubled.parley.idle());
  assert.deepEqual(await lookBack(healthy.parley), EXPECTED, `with ${JSON.stringify(trouble)}`);
  return troubled;
}

/** Crashing everywhere. */
export function crash(makeHarness: MakeHarness, calls: CrashCalls): Rules<World> {
  const { first, step } = typeof calls === "object"
    ? calls
    : { first: calls === "even" ? 2 : 1, step: calls === "all" ? 1 : 2 };
  const troubles: [what: Trouble, when: FaultTime, title: string][] = (["before", "after"] as const).flatMap((when) => [
    ["dies", when, `a process may die at any call, ${when} it takes effect`],
    ["fails", when, `any call may fail ${when} it takes effect and be repeated`],
    [
      "freezes",
      when,
      `a process may freeze at any call, ${when} it takes effect, lose its lease and go on as a zombie`,
    ],
  ]);
  return {
    "a workflow that uses every operation ends with the expected result": async () => {
      const { driver } = await runWith(makeHarness);
      assert(driver.calls > 60, `the story made only ${driver.calls} calls`);
    },

    ...rulesFor(troubles, ([what, when, title]) => ({
      [title]: async () => {
        for (let call = first, reached = true; reached; call += step) {
          const { driver } = await runWith(makeHarness, { call, when, what });
          reached = driver.calls >= call;
        }
      },
    })),

    "two isolates that race for every workflow end with the same result": async (world) => {
      const isolates = [
        world.isolate(0, story, { lease: LEASE_MS, hotWait: "1s" }),
        world.isolate(1, story, { lease: LEASE_MS }),
      ];
      await tell(isolates[0]!.parley);
      const over = async () =>
        (await isolates[0]!.parley.list({ status: ["ENQUEUED", "PENDING"] })).workflows.length === 0;
      while (!await over()) {
        await world.until(Promise.all(isolates.map(({ parley }) => parley.sweep().then(() => parley.idle()))));
        await world.pass(1_000);
      }
      assert.deepEqual(await lookBack(isolates[1]!.parley), EXPECTED);
      for (const { errors } of isolates) assert.deepEqual(errors, []);
    },
  };
}
