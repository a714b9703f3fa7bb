/**
 * How a suite becomes tests of a test runner.
 *
 * @module
 */

import assert from "node:assert/strict";
import type { Harness, MakeHarness, RegisterTest } from "./harness.ts";

/** The rules of one concern: each title with its check. A check throws if its rule is broken.
 * It gets a harness, or what its suite makes of one. */
export type Rules<Subject = Harness> = Readonly<Record<string, (subject: Subject) => Promise<void> | void>>;

/** The rules of several cases, case after case. */
export function rulesFor<Case, Subject = Harness>(
  cases: Iterable<Case>,
  toRules: (it: Case) => Rules<Subject>,
): Rules<Subject> {
  const entries = Array.from(cases, toRules).flatMap((rules) => Object.entries(rules));
  const rules = Object.fromEntries(entries);
  assert.equal(Object.keys(rules).length, entries.length, "titles of rules must be unique");
  return rules;
}

/**
 * Registers a test for each rule. One more test at the end fails if fewer ran than were registered.
 *
 * @returns The number of tests registered.
 */
export function registerSuite(
  suite: { name: string; rules: readonly Rules[] },
  test: RegisterTest,
  makeHarness: MakeHarness,
): number {
  const titles = new Set<string>();
  let executed = 0;
  for (const [title, check] of suite.rules.flatMap((rules) => Object.entries(rules))) {
    assert(!titles.has(title), `Registering the ${suite.name} suite: the title "${title}" must be unique`);
    titles.add(title);
    test(title, async () => {
      executed += 1;
      await using harness = await makeHarness();
      await check(harness);
      // A run that lost its lease may still have a request under way. Without this wait, the timer
      // of that request would end in the next test.
      await harness.clock.advance(0);
      assert.equal(harness.clock.pending, 0, "timers were left behind");
    });
  }
  test(`every test of the ${suite.name} suite ran`, () => {
    assert.equal(executed, titles.size, `${executed} of the ${titles.size} tests of the ${suite.name} suite ran`);
    return Promise.resolve();
  });
  return titles.size + 1;
}
