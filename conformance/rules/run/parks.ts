/**
 * Rules for workflows that are parked because their code does not fit the journal.
 *
 * @module
 */

import assert from "node:assert/strict";
import type { Driver, Operation, Transition } from "../../../core/driver/driver.ts";
import { end, observeEvent, observeResult, park, receive, record, setEvent, SUSPEND, YIELD } from "../../operations.ts";
import { claimRequest, LEASE_MS, newMessage } from "../../requests.ts";
import {
  assertAbout,
  begin,
  cancel,
  claimIds,
  committed,
  messageOutcome,
  resume,
  sent,
  take,
  valueOutcome,
} from "../../driven_run.ts";
import type { Rules } from "../../suite.ts";

const LONG_MS = 100 * LEASE_MS;

/** Parking. */
export const parks: Rules = {
  "a parked workflow is PENDING with its problem, held by nobody, and due after delayMs": async (
    { drivers: [a, b], advance },
  ) => {
    await (await begin(a, "w")).released([], park('"not mine"', 3 * LEASE_MS));
    const workflow = await b.readWorkflow("w");
    assert.deepEqual([workflow?.status, workflow?.waiting, workflow?.problem, workflow?.parks], [
      "PENDING",
      null,
      '"not mine"',
      1,
    ]);
    const { claimed, nextDueMs } = await b.claim(claimRequest());
    assert.deepEqual(claimed, []);
    assertAbout(nextDueMs, 3 * LEASE_MS);
    await advance(2 * LEASE_MS);
    assert.deepEqual(await claimIds(b, { workflowIds: ["w"] }), []);
    await advance(LEASE_MS + 1);
    const { claimed: { workflow: taken } } = await take(b, "w");
    assert.deepEqual([taken.recoveryAttempts, taken.problem, taken.parks], [0, '"not mine"', 1]);
  },

  "a workflow that is parked again counts it, and has the latest problem": async ({ drivers: [a, b], advance }) => {
    await (await begin(a, "w")).released([], park("1", LEASE_MS));
    for (const count of [2, 3]) {
      await advance(LEASE_MS + 1);
      const run = await take(b, "w");
      await run.held();
      await run.released([], park(`${count}`, LEASE_MS));
      assert.deepEqual(await parked(a), [`${count}`, count]);
    }
  },

  "a commit that parks applies its operations first, also those with outcomes": async (
    { drivers: [a, b], advance },
  ) => {
    const run = await begin(a, "w");
    await b.send([newMessage("w", { value: "1" })]);
    await run.released(
      [record(0, "0"), receive(1, [""]), setEvent(2, "k", "v"), receive(3, ["t"])],
      park("p", LEASE_MS),
    );
    assert.deepEqual(await parked(a), ["p", 1]);
    assert.equal((await b.readEvent({ workflowId: "w", key: "k" })).event?.value, "v");
    await advance(LEASE_MS + 1);
    const { claimed } = await take(b, "w");
    assert.deepEqual([claimed.journal.entries.length, claimed.open.map(({ position }) => position)], [3, [3]]);
  },

  "no arrival makes a parked workflow due sooner, and each is kept for it": async (
    { drivers: [a, b], advance },
  ) => {
    const source = await begin(a, "source");
    const waits = [receive(0, [""]), observeEvent(1, "source", "k"), observeResult(2, "source")];
    await (await begin(a, "w")).released(waits, park("p", 2 * LEASE_MS));
    assert.deepEqual(sent(await b.send([newMessage("w", { value: "1" })])).woken, []);
    assert.deepEqual((await source.held([setEvent(0, "k", "2")])).woken, []);
    assert.deepEqual((await source.end("SUCCESS", "3")).woken, []);
    assert.deepEqual(await claimIds(b), []);
    await advance(2 * LEASE_MS + 1);
    assert.deepEqual(await (await take(b, "w")).outcomes(waits), [
      messageOutcome("1"),
      valueOutcome("2"),
      valueOutcome("3"),
    ]);
  },

  "commit() that parked counts it once when it is repeated": async ({ drivers: [a, b], advance }) => {
    const run = await begin(a, "w");
    const request = run.next([record(0, "0")], park("p", 2 * LEASE_MS));
    committed(await a.commit(request), "released");
    await advance(LEASE_MS + 1);
    committed(await b.commit(request), "released");
    assert.deepEqual(await parked(a), ["p", 1]);
    assert.deepEqual(await claimIds(b), []);
    await advance(LEASE_MS);
    assert.deepEqual(await claimIds(b), ["w"]);
  },

  "a journal entry, or any other transition, clears the problem and the count": async ({ drivers: [a, b] }) => {
    const ways: [string, Operation[], Transition | null][] = [
      ["record", [record(0, "0")], null],
      ["open", [receive(0, ["t"])], null],
      ["suspend", [], SUSPEND],
      ["yield", [], YIELD],
      ["end", [], end()],
      ["fail", [], end("MAX_RECOVERY_ATTEMPTS_EXCEEDED")],
    ];
    for (const [workflowId, operations, transition] of ways) {
      await (await begin(a, workflowId)).released([], park("p", 0));
      const run = await take(b, workflowId);
      assert.deepEqual(await parked(a, workflowId), ["p", 1]);
      await run.commit(operations, transition);
      assert.deepEqual(await parked(a, workflowId), [null, 0], workflowId);
    }
  },

  "a commit that adds no entry leaves the problem and the count": async ({ drivers: [a, b] }) => {
    await (await begin(a, "w")).released([record(0, "0"), receive(1, ["t"])], park("p", 0));
    const run = await take(b, "w");
    await run.held();
    await run.held([record(0, "0"), receive(1, ["t"])]);
    assert.deepEqual(await parked(a), ["p", 1]);
  },

  "cancelling a parked workflow clears the problem and the count": async ({ drivers: [a, b] }) => {
    await (await begin(a, "w")).released([], park("p", LONG_MS));
    assert.equal((await cancel(b, "w")).state, "done");
    assert.deepEqual(await parked(a), [null, 0]);
    assert.deepEqual(await resume(b, "w"), { state: "done", woken: ["w"] });
    assert.deepEqual(await claimIds(a), ["w"]);
  },

  "resuming a parked workflow makes it due at once, at its epoch, and forgets how often it was parked": async (
    { drivers: [a, b] },
  ) => {
    const run = await begin(a, "w");
    await run.released([], park("p", LONG_MS));
    for (const driver of [a, b]) {
      assert.deepEqual(await resume(driver, "w"), { state: "done", woken: ["w"] });
    }
    assert.deepEqual(await parked(a), ["p", 0]);
    const next = await take(b, "w");
    assert.deepEqual([next.epoch, next.claimed.workflow.recoveryAttempts], [run.epoch + 1, 0]);
    await next.released([], park("q", LONG_MS));
    assert.deepEqual(await parked(a), ["q", 1]);
  },

  "resuming a parked workflow that is due by time names it too": async ({ drivers: [a, b], advance }) => {
    await (await begin(a, "w")).released([], park("p", LEASE_MS));
    await advance(LEASE_MS + 1);
    assert.deepEqual(await resume(b, "w"), { state: "done", woken: ["w"] });
    assert.deepEqual(await parked(a), ["p", 0]);
  },

  "resuming a suspended workflow or a run that was parked before changes nothing": async ({ drivers: [a, b] }) => {
    await (await begin(a, "w")).released([], park("p", 0));
    const run = await take(b, "w");
    assert.deepEqual(await resume(b, "w"), { state: "done", woken: [] });
    await run.suspend([receive(0, ["t"])]);
    assert.deepEqual(await resume(b, "w"), { state: "done", woken: [] });
    assert.deepEqual(await claimIds(a), []);
  },

  "a run that has parked its workflow has let go of it": async ({ drivers: [a] }) => {
    const run = await begin(a, "w");
    await run.released([], park("p", LONG_MS));
    assert.deepEqual(await run.commit([record(0, "zombie")]), { state: "lost" });
    assert.deepEqual((await a.readJournal({ workflowId: "w", after: -1, limit: 10 })).entries, []);
  },
};

/** The problem of a workflow, and how often the workflow was parked. */
async function parked(
  driver: Driver,
  workflowId: string = "w",
): Promise<[string | null | undefined, number | undefined]> {
  const workflow = await driver.readWorkflow(workflowId);
  return [workflow?.problem, workflow?.parks];
}
