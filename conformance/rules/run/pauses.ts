/**
 * Rules for the pauses between two tries of a step.
 *
 * @module
 */

import assert from "node:assert/strict";
import { pause, receive, record, SUSPEND, YIELD } from "../../operations.ts";
import { LEASE_MS, newMessage } from "../../requests.ts";
import {
  answers,
  assertAbout,
  begin,
  beginSuspended,
  claimIds,
  committed,
  type DrivenRun,
  plain,
  remainingMs,
  sent,
  take,
  valueOutcome,
} from "../../driven_run.ts";
import type { Rules } from "../../suite.ts";

const LONG_MS = 100 * LEASE_MS;

/** Pauses. */
export const pauses: Rules = {
  "a pause opens an entry that says how many tries have failed": async ({ drivers: [a, b] }) => {
    const first = await begin(a, "w");
    await first.released([pause(3, 2, 10 * LEASE_MS, 'step "charge"'), receive(4, ["t"])], YIELD);
    const { claimed: { open, journal } } = await take(b, "w");
    assert.deepEqual(open.map(({ position, label, attempts }) => [position, label, attempts]), [
      [3, 'step "charge"', 2],
      [4, "recv t", 0],
    ]);
    assertAbout(open[0]?.remainingMs ?? null, 10 * LEASE_MS);
    assert.deepEqual(journal.entries, []);
  },

  "a pause with a higher number of tries starts again, any other answers how long is left": async (
    { drivers: [a], advance },
  ) => {
    const run = await begin(a, "w", { leaseMs: LONG_MS });
    assertAbout(await left(run, 1, 10 * LEASE_MS), 10 * LEASE_MS);
    await advance(4 * LEASE_MS);
    assertAbout(await left(run, 1, 20 * LEASE_MS), 6 * LEASE_MS);
    assertAbout(await left(run, 2, 20 * LEASE_MS), 20 * LEASE_MS);
    await advance(4 * LEASE_MS);
    assertAbout(await left(run, 1, 90 * LEASE_MS), 16 * LEASE_MS);
    await run.released([], YIELD);
    assert.deepEqual((await take(a, "w")).claimed.open.map(({ attempts }) => attempts), [2]);
  },

  "a pause that has elapsed answers 0 and gets no outcome": async ({ drivers: [a, b], advance }) => {
    const run = await begin(a, "w", { leaseMs: LONG_MS });
    await left(run, 1, LEASE_MS);
    await advance(LEASE_MS + 1);
    assert.equal(await left(run, 1, LEASE_MS), 0);
    assert.equal(await left(run, 2, 0), 0);
    assert.deepEqual((await b.readJournal({ workflowId: "w", after: -1, limit: 10 })).entries, []);
    await run.released([], YIELD);
    assert.deepEqual((await take(b, "w")).claimed.open.map(({ attempts, remainingMs }) => [attempts, remainingMs]), [[
      2,
      0,
    ]]);
  },

  "a pause that begins sets recoveryAttempts to 0, one that looks does not": async ({ drivers: [a, b], advance }) => {
    await (await begin(a, "w")).held([pause(0, 1, LONG_MS)]);
    const attempts = async () => (await a.readWorkflow("w"))?.recoveryAttempts;
    await advance(LEASE_MS + 1);
    const run = await take(b, "w");
    await run.held([pause(0, 1, LONG_MS)]);
    assert.equal(await attempts(), 1);
    await run.held([pause(0, 2, LONG_MS)]);
    assert.equal(await attempts(), 0);
  },

  "a record completes the entry that a pause has opened": async ({ drivers: [a, b] }) => {
    const run = await begin(a, "w");
    await run.held([pause(0, 1, LEASE_MS, "first"), pause(1, 1, LEASE_MS, "second")]);
    assert.deepEqual(await run.outcomes([record(1, "done", "second")]), [valueOutcome("done")]);
    await run.released([], YIELD);
    const { claimed: { open, journal } } = await take(b, "w");
    assert.deepEqual(open.map(({ position }) => position), [0]);
    assert.deepEqual(journal.entries.map(({ position, label, outcome }) => [position, label, plain(outcome)]), [
      [1, "second", valueOutcome("done")],
    ]);
  },

  "a pause at a position that has an outcome answers with that outcome": async ({ drivers: [a, b] }) => {
    const run = await begin(a, "w");
    await run.held([record(0, "done")]);
    assert.deepEqual(await run.outcomes([pause(0, 5, LEASE_MS)]), [valueOutcome("done")]);
    await run.released([], YIELD);
    assert.deepEqual((await take(b, "w")).claimed.open, []);
  },

  "a workflow that is suspended for a pause is due when it has elapsed": async ({ drivers: [a, b], advance }) => {
    await beginSuspended(a, "w", [pause(0, 1, 2 * LEASE_MS, "charge")]);
    const { waiting, updatedAt } = await b.readWorkflow("w") ?? {};
    assert.deepEqual(waiting?.operations, ["charge"]);
    assertAbout((waiting?.until ?? 0) - (updatedAt ?? 0), 2 * LEASE_MS);
    await b.send([newMessage("w", { topic: "charge" })]);
    assert.deepEqual(await claimIds(b), []);
    await advance(LEASE_MS);
    assert.deepEqual(await claimIds(b), []);
    await advance(LEASE_MS + 1);
    const run = await take(b, "w");
    assert.equal(run.claimed.workflow.recoveryAttempts, 0);
    assert.deepEqual(run.claimed.open.map(({ attempts, remainingMs }) => [attempts, remainingMs]), [[1, 0]]);
  },

  "the earliest of pauses and other deadlines decides when a workflow is due": async ({ drivers: [a, b], advance }) => {
    await beginSuspended(a, "w", [
      receive(0, ["t"], 5 * LEASE_MS),
      pause(1, 1, 2 * LEASE_MS),
      pause(2, 1, 4 * LEASE_MS),
    ]);
    await advance(2 * LEASE_MS + 1);
    await (await take(b, "w")).suspend([receive(0, ["t"]), pause(1, 2, 10 * LEASE_MS), pause(2, 1, 0)]);
    await advance(LEASE_MS);
    assert.deepEqual(await claimIds(b), []);
    await advance(LEASE_MS);
    assert.deepEqual(await claimIds(b), ["w"]);
  },

  "a message wakes a workflow that is suspended for it and for a pause": async ({ drivers: [a, b] }) => {
    await beginSuspended(a, "w", [pause(0, 1, LONG_MS), receive(1, ["t"])]);
    assert.deepEqual(sent(await b.send([newMessage("w", { topic: "t" })])).woken, ["w"]);
    assertAbout((await take(b, "w")).claimed.open[0]?.remainingMs ?? null, LONG_MS);
  },

  "a suspend with a pause that has elapsed keeps the lease": async ({ drivers: [a, b], advance }) => {
    const run = await begin(a, "w");
    assert.deepEqual(answers(await run.held([pause(0, 1, 0), receive(1, ["t"])], SUSPEND)), ["open", "open"]);
    await run.held([pause(2, 1, LEASE_MS / 2)]);
    await advance(LEASE_MS / 2 + 1);
    assert.equal(remainingMs(await run.held([pause(2, 1, LEASE_MS), receive(1, ["t"])], SUSPEND)), 0);
    assert.deepEqual(await claimIds(b), []);
    assert.equal((await a.readWorkflow("w"))?.waiting, null);
    await run.suspend([pause(2, 2, LEASE_MS), receive(1, ["t"])]);
  },

  "commit() does not start a pause again when it is repeated": async ({ drivers: [a, b], advance }) => {
    const run = await begin(a, "w", { leaseMs: LONG_MS });
    await left(run, 1, 30 * LEASE_MS);
    const request = { ...run.next([pause(0, 2, 10 * LEASE_MS), pause(1, 1, 10 * LEASE_MS)]), leaseMs: LONG_MS };
    await a.commit(request);
    await advance(4 * LEASE_MS);
    const again = committed(await b.commit(request), "held");
    for (const index of [0, 1]) assertAbout(remainingMs(again, index), 6 * LEASE_MS);
  },

  "commit() that suspended for a pause answers released when it is repeated": async ({ drivers: [a, b], advance }) => {
    const run = await begin(a, "w");
    const request = run.next([pause(0, 1, 2 * LEASE_MS)], SUSPEND);
    for (const driver of [a, b]) {
      assertAbout(remainingMs(committed(await driver.commit(request), "released")), 2 * LEASE_MS);
    }
    assert.deepEqual(await claimIds(b), []);
    await advance(2 * LEASE_MS + 1);
    assert.deepEqual(await claimIds(b), ["w"]);
  },

  "commit() that could not suspend for an elapsed pause answers held when it is repeated": async (
    { drivers: [a, b] },
  ) => {
    const run = await begin(a, "w");
    const request = run.next([pause(0, 1, 0)], SUSPEND);
    for (const driver of [a, b]) assert.equal(remainingMs(committed(await driver.commit(request), "held")), 0);
  },
};

/**
 * Commits a pause at position 0 with a lease that outlives the test. Returns the remaining
 * milliseconds of the pause.
 */
async function left(run: DrivenRun, attempts: number, timeoutMs: number): Promise<number | null> {
  const result = await run.driver.commit({ ...run.next([pause(0, attempts, timeoutMs)]), leaseMs: LONG_MS });
  return remainingMs(committed(result, "held"));
}
