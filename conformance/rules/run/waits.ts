/**
 * Rules for waits: open entries and their deadlines.
 *
 * @module
 */

import assert from "node:assert/strict";
import { end, observeEvent, observeResult, receive, setEvent, sleep, YIELD } from "../../operations.ts";
import { LEASE_MS, newMessage } from "../../requests.ts";
import {
  answers,
  assertAbout,
  assertOpen,
  begin,
  committed,
  type DrivenRun,
  enqueue,
  messageOutcome,
  remainingMs,
  take,
  valueOutcome,
} from "../../driven_run.ts";
import type { Rules } from "../../suite.ts";

const LONG_MS = 100 * LEASE_MS;

/** Every wait that may time out, each at a position. In an empty store none has an outcome. */
const WAITS = [
  (timeoutMs: number | null) => receive(0, ["t"], timeoutMs),
  (timeoutMs: number | null) => observeEvent(1, "other", "k", timeoutMs),
  (timeoutMs: number | null) => observeResult(2, "other", timeoutMs),
];

/** Deadlines. */
export const waits: Rules = {
  "a wait answers with the time it still has, by the store's clock": async ({ drivers: [a], advance }) => {
    const run = await begin(a, "w", { leaseMs: LONG_MS });
    for (const [index, wait] of [...WAITS, (timeoutMs: number | null) => sleep(3, timeoutMs ?? 0)].entries()) {
      assertAbout(remainingMs(await look(run, wait(10 * LEASE_MS))), 10 * LEASE_MS);
      await advance(4 * LEASE_MS);
      assertAbout(remainingMs(await look(run, wait(10 * LEASE_MS))), 6 * LEASE_MS);
      assert.equal((await look(run)).results.length, 0, String(index));
    }
  },

  "a wait without a timeout answers null and never times out": async ({ drivers: [a, b], advance }) => {
    const run = await begin(a, "w");
    for (const wait of WAITS) assert.equal(remainingMs(await run.held([wait(null)])), null);
    await run.released([], YIELD);
    await advance(100 * 365 * 24 * 3_600_000);
    const later = await take(b, "w");
    for (const wait of WAITS) assert.equal(remainingMs(await later.held([wait(null)])), null);
  },

  "the deadline is fixed at the first call and later timeouts are ignored": async ({ drivers: [a], advance }) => {
    const run = await begin(a, "w", { leaseMs: LONG_MS });
    for (const wait of WAITS) {
      await look(run, wait(10 * LEASE_MS));
      await advance(LEASE_MS);
      for (const timeoutMs of [LONG_MS, 0, null]) {
        assertAbout(remainingMs(await look(run, wait(timeoutMs))), 9 * LEASE_MS);
      }
    }
    assert.equal(remainingMs(await look(run, receive(9, ["u"], null))), null);
    assert.equal(remainingMs(await look(run, receive(9, ["u"], LEASE_MS))), null);
  },

  "an open entry and its deadline outlive the run": async ({ drivers: [a, b], advance }) => {
    const first = await begin(a, "w");
    await first.held(WAITS.map((wait) => wait(10 * LEASE_MS)));
    await advance(4 * LEASE_MS);
    const run = await take(b, "w");
    assertOpen(run.claimed.open, [[0, "recv t", 6 * LEASE_MS], [1, "getEvent k", 6 * LEASE_MS], [
      2,
      "result other",
      6 * LEASE_MS,
    ]]);
    const again = await run.held(WAITS.map((wait) => wait(LONG_MS)));
    for (const index of WAITS.keys()) assertAbout(remainingMs(again, index), 6 * LEASE_MS);
  },

  "an open entry becomes complete when it has its outcome": async ({ drivers: [a, b], advance }) => {
    const first = await begin(a, "w");
    await first.held([receive(0, ["t"]), receive(1, ["u"])]);
    await b.send([newMessage("w", { topic: "u" })]);
    await first.held([receive(1, ["u"])]);
    await advance(LEASE_MS + 1);
    const { claimed } = await take(b, "w");
    assertOpen(claimed.open, [[0, "recv t", null]]);
    assert.deepEqual(claimed.journal.entries.map(({ position, label, outcome }) => [position, label, outcome.tag]), [[
      1,
      "recv u",
      "message",
    ]]);
  },

  "a wait times out when its deadline has passed, not before, and the timeout is recorded": async (
    { drivers: [a, b], advance },
  ) => {
    const run = await begin(a, "w", { leaseMs: LONG_MS });
    await look(run, ...WAITS.map((wait) => wait(2 * LEASE_MS)));
    await advance(LEASE_MS);
    assert.deepEqual(answers(await look(run, ...WAITS.map((wait) => wait(null)))), ["open", "open", "open"]);
    await advance(LEASE_MS + 1);
    assert.deepEqual(answers(await look(run, ...WAITS.map((wait) => wait(null)))), Array(3).fill({ tag: "timeout" }));
    assert.equal((await b.readJournal({ workflowId: "w", after: -1, limit: 10 })).entries.length, 3);
  },

  "a later arrival does not change a recorded timeout": async ({ drivers: [a, b] }) => {
    const run = await begin(a, "w");
    await run.held(WAITS.map((wait) => wait(0)));
    await b.send([newMessage("w", { topic: "t", value: "late" })]);
    await (await begin(b, "other")).released([setEvent(0, "k", "late")], end());
    assert.deepEqual(await run.outcomes(WAITS.map((wait) => wait(null))), Array(3).fill({ tag: "timeout" }));
    assert.deepEqual(await run.drain(["t"]), ["late"]);
  },

  "a timeout of 0 takes what is there": async ({ drivers: [a, b] }) => {
    const run = await begin(a, "w");
    await b.send([newMessage("w", { topic: "t", value: "1" })]);
    await (await begin(b, "other")).released([setEvent(0, "k", "2")], end("SUCCESS", "3"));
    assert.deepEqual(await run.outcomes(WAITS.map((wait) => wait(0))), [
      messageOutcome("1", "t"),
      valueOutcome("2"),
      valueOutcome("3"),
    ]);
  },

  "a timeout of 0 times out at once when nothing is there": async ({ drivers: [a] }) => {
    const run = await begin(a, "w");
    assert.deepEqual(await run.outcomes(WAITS.map((wait) => wait(0))), Array(3).fill({ tag: "timeout" }));
  },

  "a receive that timed out takes no message, and the next takes it": async ({ drivers: [a, b], advance }) => {
    const run = await begin(a, "w", { leaseMs: LONG_MS });
    await look(run, receive(0, ["t"], LEASE_MS));
    await advance(LEASE_MS + 1);
    assert.deepEqual(answers(await look(run, receive(0, ["t"]))), [{ tag: "timeout" }]);
    await b.send([newMessage("w", { topic: "t", value: "1" })]);
    assert.deepEqual(answers(await look(run, receive(0, ["t"]), receive(1, ["t"]))), [
      { tag: "timeout" },
      messageOutcome("1", "t"),
    ]);
  },

  "a sleep is done when its deadline has passed, not before": async ({ drivers: [a], advance }) => {
    const run = await begin(a, "w", { leaseMs: LONG_MS });
    assertAbout(remainingMs(await look(run, sleep(0, 2 * LEASE_MS))), 2 * LEASE_MS);
    await advance(LEASE_MS);
    assert.deepEqual(answers(await look(run, sleep(0, 0))), ["open"]);
    await advance(LEASE_MS + 1);
    assert.deepEqual(answers(await look(run, sleep(0, LONG_MS))), [{ tag: "done" }]);
  },

  "a sleep of 0 is done at once": async ({ drivers: [a] }) => {
    assert.deepEqual(await (await begin(a, "w")).outcomes([sleep(0, 0)]), [{ tag: "done" }]);
  },

  "a sleep that was recorded is not slept again by a later run": async ({ drivers: [a, b], advance }) => {
    await enqueue(a, "w");
    const first = await take(a, "w");
    await first.suspend([sleep(0, LEASE_MS)]);
    await advance(LEASE_MS + 1);
    const second = await take(b, "w");
    await second.released([sleep(0, LEASE_MS)], YIELD);
    const third = await take(a, "w");
    assert.deepEqual(third.claimed.journal.entries.map(({ outcome }) => outcome.tag), ["done"]);
    assert.deepEqual(await third.outcomes([sleep(0, LEASE_MS)]), [{ tag: "done" }]);
  },
};

/** Commits with a lease that outlives the test. */
async function look(
  run: DrivenRun,
  ...operations: Parameters<DrivenRun["next"]>[0] & object
): Promise<Awaited<ReturnType<DrivenRun["held"]>>> {
  return committed(await run.driver.commit({ ...run.next(operations), leaseMs: LONG_MS }), "held");
}
