/**
 * Rules for workflows that another one has started or waits for: their end, and how long the store
 * keeps them.
 *
 * @module
 */

import assert from "node:assert/strict";
import type { Driver, EndStatus } from "../../../core/driver/driver.ts";
import { end, observeEvent, observeResult, record, setEvent, start } from "../../operations.ts";
import { createRequest, LEASE_MS, newWorkflow } from "../../requests.ts";
import {
  answers,
  begin,
  beginSuspended,
  cancel,
  claimIds,
  DrivenRun,
  enqueue,
  plain,
  resume,
  take,
  valueOutcome,
} from "../../driven_run.ts";
import type { Rules } from "../../suite.ts";

const LONG_MS = 100 * LEASE_MS;

const waits = [
  observeResult(0, "child", null, true),
  observeEvent(1, "child", "k", null, true),
  observeResult(2, "child", null, false),
  observeEvent(3, "child", "k", null, false),
];

/** Parents and children. */
export const children: Rules = {
  "observeEvent() of a workflow that has ended without the event says so, recorded": async ({ drivers: [a, b] }) => {
    for (const status of ["SUCCESS", "ERROR", "MAX_RECOVERY_ATTEMPTS_EXCEEDED"] satisfies EndStatus[]) {
      await (await begin(a, status)).released([setEvent(0, "other", "v")], end(status));
    }
    await begin(a, "CANCELLED");
    await cancel(a, "CANCELLED");
    const run = await begin(b, "w");
    const statuses = ["SUCCESS", "ERROR", "MAX_RECOVERY_ATTEMPTS_EXCEEDED", "CANCELLED"];
    const expected = statuses.map((value) => ({ tag: "workflow_ended", value }));
    assert.deepEqual(await run.outcomes(statuses.map((id, position) => observeEvent(position, id, "k"))), expected);
    const { entries } = await a.readJournal({ workflowId: "w", after: -1, limit: 10 });
    assert.deepEqual(entries.map(({ outcome }) => plain(outcome)), expected);
    assert.deepEqual(await run.outcomes([observeEvent(9, "SUCCESS", "other", 0)]), [valueOutcome("v")]);
  },

  "the end of a workflow wakes those who wait for one of its events, whatever the end": async ({ drivers: [a, b] }) => {
    const ending: [string, (run: DrivenRun) => Promise<readonly string[]>][] = [
      ["succeeded", async (run) => (await run.end()).woken],
      ["failed", async (run) => (await run.end("ERROR", "e")).woken],
      ["cancelled", async (run) => {
        const result = await cancel(b, run.workflowId);
        return result.state === "done" ? result.woken : [];
      }],
    ];
    for (const [workflowId, endIt] of ending) {
      const run = await begin(a, workflowId);
      await beginSuspended(a, `w ${workflowId}`, [
        observeEvent(0, workflowId, "k"),
        observeEvent(1, workflowId, "l"),
      ]);
      assert.deepEqual(await endIt(run), [`w ${workflowId}`]);
      const waiter = await take(b, `w ${workflowId}`);
      const outcomes = await waiter.outcomes([observeEvent(0, workflowId, "k")]);
      assert.deepEqual(outcomes.map((answer) => answer !== "open" && answer.tag), ["workflow_ended"]);
    }
  },

  "the end of a workflow wakes nobody who waits for the event of another": async ({ drivers: [a, b] }) => {
    const run = await begin(a, "source");
    await beginSuspended(a, "w", [observeEvent(0, "sourcE", "k")]);
    assert.deepEqual((await run.end()).woken, []);
    assert.deepEqual(await claimIds(b), []);
  },

  "a wait on a started workflow that does not exist any more says so and is recorded, any other stays open": async (
    { drivers: [a, b] },
  ) => {
    const run = await begin(a, "w");
    const expected = [{ tag: "workflow_not_found" }, { tag: "workflow_not_found" }, "open", "open"];
    assert.deepEqual(await run.outcomes(waits), expected);
    const { entries } = await b.readJournal({ workflowId: "w", after: -1, limit: 10 });
    assert.deepEqual(entries.map(({ outcome }) => plain(outcome)), expected.slice(0, 2));
    await begin(b, "child");
    assert.deepEqual(await run.outcomes(waits), expected);
  },

  "a wait on a started workflow that is gone says so also after its deadline": async ({ drivers: [a, b], advance }) => {
    await begin(a, "child");
    await beginSuspended(a, "w", [
      observeResult(0, "child", LEASE_MS, true),
      observeEvent(1, "child", "k", LEASE_MS, true),
    ]);
    await cancel(b, "child");
    await b.purge({ olderThanMs: 0, limit: 10 });
    await advance(2 * LEASE_MS);
    const run = await take(b, "w");
    assert.deepEqual(await run.outcomes(waits.slice(0, 2)), Array(2).fill({ tag: "workflow_not_found" }));
  },

  "a wait on a started workflow that exists waits for it as any other": async ({ drivers: [a, b] }) => {
    const run = await begin(a, "w");
    await run.held([start(9, newWorkflow("child"))]);
    assert.deepEqual(answers(await run.held(waits)), Array(4).fill("open"));
    await (await take(b, "child")).released([setEvent(0, "k", "1")], end("SUCCESS", "2"));
    assert.deepEqual(await run.outcomes(waits), ["2", "1", "2", "1"].map((value) => (valueOutcome(value))));
  },

  "purge() leaves a child whose parent has neither ended nor recorded its result": async (
    { drivers: [a, b], advance },
  ) => {
    const parent = await parentOf(a);
    await advance(10 * LEASE_MS);
    assert.equal(await purge(b), 0);
    assert.deepEqual(await parent.outcomes([observeEvent(1, "child", "k", null, true)]), [{
      tag: "workflow_ended",
      value: "SUCCESS",
    }]);
    assert.equal(await purge(b), 0);
    assert.deepEqual(await parent.outcomes([observeResult(2, "child", null, true)]), [valueOutcome("1")]);
    assert.equal(await purge(b), 1);
    assert.equal(await a.readWorkflow("child"), null);
  },

  "purge() leaves a child that its parent did not find, and then started in the same commit": async (
    { drivers: [a, b] },
  ) => {
    const parent = await begin(a, "parent");
    assert.deepEqual(
      await parent.outcomes([observeResult(0, "child", null, true), start(1, newWorkflow("child"))]),
      [{ tag: "workflow_not_found" }, { tag: "done", value: "child" }],
    );
    await (await take(b, "child")).end("SUCCESS", "1");
    assert.equal(await purge(b), 0);
    assert.deepEqual(await parent.outcomes([observeResult(2, "child", null, true)]), [valueOutcome("1")]);
    assert.equal(await purge(b), 1);
  },

  "purge() removes a child when its parent has ended, and in the same call": async ({ drivers: [a, b] }) => {
    for (const status of ["SUCCESS", "ERROR"] satisfies EndStatus[]) {
      const parent = await parentOf(a);
      assert.equal(await purge(b), 0);
      await parent.end(status);
      assert.equal(await purge(b), 2);
    }
    await parentOf(a);
    await cancel(b, "parent");
    assert.equal(await purge(b), 2);
  },

  "a workflow that a late repeat of create() makes again may read the result of a child of the purged one": async (
    { drivers: [a, b] },
  ) => {
    const request = createRequest("parent");
    const first = new DrivenRun(a, "parent", { ...request, ...await a.create(request) });
    await first.released([start(0, newWorkflow("child"))], end());
    assert.equal(await purge(b), 1);
    const again = new DrivenRun(b, "parent", { ...request, ...await b.create(request) });
    await (await take(a, "child")).end("SUCCESS", "1");
    assert.deepEqual(await again.outcomes([observeResult(0, "child", null, true)]), [valueOutcome("1")]);
    assert.deepEqual(await again.outcomes([start(1, newWorkflow("other"))]), [{ tag: "done", value: "other" }]);
    await again.end();
    assert.equal(await purge(b), 2);
  },

  "purge() removes a child whose parent is gone": async ({ drivers: [a, b] }) => {
    const parent = await begin(a, "parent");
    await parent.released([start(0, newWorkflow("child"))], end());
    assert.equal(await purge(b), 1);
    await (await take(a, "child")).end();
    assert.equal(await purge(b), 1);
  },

  "purge() leaves a child whose parent was resumed": async ({ drivers: [a, b] }) => {
    await parentOf(a);
    await cancel(b, "parent");
    await resume(b, "parent");
    assert.equal(await purge(b), 0);
    assert.deepEqual(await (await take(b, "parent")).outcomes([observeResult(1, "child", null, true)]), [
      valueOutcome("1"),
    ]);
    assert.equal(await purge(b), 1);
  },

  "purge() leaves a child that ended while its parent was cancelled, and whose parent was resumed": async (
    { drivers: [a, b] },
  ) => {
    const parent = await begin(a, "parent");
    await parent.held([start(0, newWorkflow("child"))]);
    await cancel(b, "parent");
    await (await take(b, "child")).end("SUCCESS", "1");
    await resume(b, "parent");
    assert.equal(await purge(b), 0);
    assert.deepEqual(await (await take(b, "parent")).outcomes([observeResult(1, "child", null, true)]), [
      valueOutcome("1"),
    ]);
    assert.equal(await purge(b), 1);
  },

  "purge() leaves a child whose parent's wait for the result has timed out": async ({ drivers: [a, b] }) => {
    const parent = await begin(a, "parent");
    await parent.held([start(0, newWorkflow("child")), observeResult(1, "child", 0, true)]);
    await (await take(b, "child")).end();
    assert.equal(await purge(b), 0);
  },

  "purge() leaves a child of which another workflow has the result": async ({ drivers: [a, b] }) => {
    const parent = await parentOf(a);
    await (await begin(a, "other")).released([observeResult(0, "child")], end());
    assert.equal(await purge(b), 1, "the other one");
    assert.deepEqual(await parent.outcomes([observeResult(1, "child", null, true)]), [valueOutcome("1")]);
  },

  "purge() removes a workflow that another one asked to start but did not insert": async (
    { drivers: [a, b] },
  ) => {
    await enqueue(a, "existing");
    await (await begin(a, "w")).held([start(0, newWorkflow("existing"))]);
    await (await take(b, "existing")).end();
    assert.equal(await purge(b), 1);
  },

  "purge() passes over the children it leaves, up to limit of the others": async ({ drivers: [a, b], advance }) => {
    const parent = await begin(a, "parent", { leaseMs: LONG_MS });
    const ids = Array.from({ length: 5 }, (_, index) => `child${index}`);
    await a.commit({ ...parent.next(ids.map((id, position) => start(position, newWorkflow(id)))), leaseMs: LONG_MS });
    for (const id of ids) await (await take(b, id)).end();
    await advance(1_000);
    for (const id of ["x", "y", "z"]) await (await begin(b, id)).released([record(0, "0")], end());
    assert.deepEqual([await purge(b, 2), await purge(b, 2), await purge(b, 2)], [2, 1, 0]);
    assert.equal((await a.readWorkflow("child0"))?.status, "SUCCESS");
  },
};

const purge = async (driver: Driver, limit: number = 10) => (await driver.purge({ olderThanMs: 0, limit })).purged;

/** A run that has started workflow `child`. The child has ended with 1. */
async function parentOf(driver: Driver, workflowId: string = "parent"): Promise<DrivenRun> {
  const parent = await begin(driver, workflowId, { leaseMs: LONG_MS });
  await parent.driver.commit({ ...parent.next([start(0, newWorkflow("child"))]), leaseMs: LONG_MS });
  await (await take(driver, "child")).end("SUCCESS", "1");
  return parent;
}
