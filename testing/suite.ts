/**
 * How a suite becomes tests of a test runner.
 *
 * @module
 */

import assert from "node:assert/strict";
import type { Harness, MakeHarness, RegisterTest } from "./harness.ts";

/** Adds one rule to a suite: its title, which names the rule, and a check that throws where the rule is broken. */
export type AddRule = (title: string, check: (harness: Harness) => Promise<void>) => void;

/** The rules of one concern. */
export type Concern = (rule: AddRule) => void;

/**
 * Registers a test for each rule, and one more at the end, which fails if fewer ran than were registered.
 *
 * @returns The number of tests registered.
 */
export function registerSuite(
  suite: { name: string; concerns: readonly Concern[] },
  test: RegisterTest,
  makeHarness: MakeHarness,
): number {
  const titles = new Set<string>();
  let executed = 0;
  for (const concern of suite.concerns) {
    concern((title, check) => {
      assert(!titles.has(title), `Registering the ${suite.name} suite: the title "${title}" must be unique`);
      titles.add(title);
      test(title, async () => {
        executed += 1;
        await checkRule(makeHarness, check);
      });
    });
  }
  test(`every test of the ${suite.name} suite ran`, () => {
    assert.equal(executed, titles.size, `${executed} of the ${titles.size} tests of the ${suite.name} suite ran`);
    return Promise.resolve();
  });
  return titles.size + 1;
}

async function checkRule(makeHarness: MakeHarness, check: (harness: Harness) => Promise<void>): Promise<void> {
  await using harness = await makeHarness();
  await check(harness);
  // A zombie may still have a request under way: without this its timer would end in the next test.
  await harness.clock.advance(0);
  assert.equal(harness.clock.pending, 0, "timers were left behind");
}
