/**
 * Rules for the fence of `commit`: which run may write.
 *
 * @module
 */

import assert from "node:assert/strict";
import type { Driver, Operation } from "../../../core/driver/driver.ts";
import {
  closeStream,
  end,
  observeEvent,
  observeResult,
  park,
  pause,
  receive,
  record,
  send,
  setEvent,
  sleep,
  start,
  SUSPEND,
  writeStream,
  YIELD,
} from "../../operations.ts";
import { claimRequest, commitRequest, createRequest, LEASE_MS, newMessage, newWorkflow } from "../../requests.ts";
import { assertRecord, begin, cancel, claimIds, enqueue, resume, take, valueOutcome } from "../../driven_run.ts";
import type { Rules } from "../../suite.ts";

/** One operation of each kind, with visible effects. */
function everyOperation(): Operation[] {
  return [
    record(0, "zombie"),
    send(1, newMessage("friend")),
    setEvent(2, "k", "zombie"),
    writeStream(3, "s", "zombie"),
    closeStream(4, "closed"),
    start(5, newWorkflow("child")),
    receive(6, [""]),
    observeEvent(7, "friend", "k"),
    sleep(8, 0),
    pause(9, 1, LEASE_MS),
    observeResult(10, "missing", null, true),
    send(null, newMessage("friend")),
    setEvent(null, "k", "zombie"),
    writeStream(null, "s", "zombie"),
  ];
}

async function assertNothingWritten(driver: Driver): Promise<void> {
  assert.deepEqual(await driver.readJournal({ workflowId: "w", after: -1, limit: 100 }), { entries: [], more: false });
  assert.equal((await driver.readEvent({ workflowId: "w", key: "k" })).event, null);
  assert.equal((await driver.readStream({ workflowId: "w", key: "s", from: 0, limit: 10 })).tail, 0);
  assert.equal((await driver.readStream({ workflowId: "w", key: "closed", from: 0, limit: 10 })).closed, false);
  assert.equal(await driver.readWorkflow("child"), null);
  assert.deepEqual(await (await take(driver, "friend")).drain(), []);
}

/** Fencing. */
export const fencing: Rules = {
  "commit() is lost and writes nothing when another run took over": async ({ drivers: [a, b], advance }) => {
    await enqueue(a, "friend");
    const zombie = await begin(a, "w");
    await b.send([newMessage("w", { value: "kept" })]);
    await advance(LEASE_MS + 1);
    const run = await take(b, "w");
    for (const transition of [null, SUSPEND, YIELD, end("ERROR", "zombie")]) {
      assert.deepEqual(await zombie.commit(everyOperation(), transition), { state: "lost" });
    }
    assertRecord(run.claimed.workflow, await a.readWorkflow("w"));
    await assertNothingWritten(b);
    assert.deepEqual(await run.drain(), ["kept"]);
  },

  "commit() is lost when there is no such workflow": async ({ drivers: [a] }) => {
    assert.deepEqual(
      await a.commit(commitRequest({ workflowId: "missing", epoch: 1, owner: "o", number: 1 }, [record(0, "0")])),
      { state: "lost" },
    );
  },

  "commit() is lost at an epoch that has not come": async ({ drivers: [a] }) => {
    const { owner } = await begin(a, "w");
    assert.deepEqual(await a.commit(commitRequest({ workflowId: "w", epoch: 2, owner, number: 1 }, [])), {
      state: "lost",
    });
  },

  "commit() is lost at the epoch of another workflow of that ID, from before a purge": async ({ drivers: [a, b] }) => {
    const zombie = await begin(a, "w");
    await cancel(b, "w");
    await b.purge({ olderThanMs: 0, limit: 1 });
    const run = await begin(b, "w");
    assert.equal(run.epoch, zombie.epoch);
    assert.deepEqual(await zombie.commit([record(0, "zombie")], end()), { state: "lost" });
    assert.deepEqual(await run.outcomes([record(0, "new")]), [valueOutcome("new")]);
  },

  "commit() is lost while no run holds the workflow": async ({ drivers: [a, b] }) => {
    const request = createRequest("enqueued", { leaseMs: null });
    await a.create(request);
    const commit = commitRequest({ workflowId: "enqueued", epoch: 0, owner: request.owner, number: 1 }, [
      record(0, "0"),
    ]);
    assert.deepEqual(await b.commit(commit), { state: "lost" });
    for (const transition of [SUSPEND, YIELD, end()]) {
      const run = await begin(a, transition.to);
      await run.released([], transition);
      assert.deepEqual(await run.commit([record(0, "0")]), { state: "lost" }, transition.to);
      assert.deepEqual(await run.commit([], end("ERROR")), { state: "lost" }, transition.to);
      assert.deepEqual((await a.readJournal({ workflowId: transition.to, after: -1, limit: 10 })).entries, []);
    }
  },

  "commit() is lost and writes nothing when its number skips one, as after a failover to an older copy": async (
    { drivers: [a, b] },
  ) => {
    await enqueue(a, "friend");
    const run = await begin(a, "w");
    const next = run.next();
    for (const skipping of [next.number + 1, next.number + 2, next.number + 1_000]) {
      for (const transition of [null, SUSPEND, YIELD, park("p", LEASE_MS), end("SUCCESS", "lost")]) {
        const request = {
          ...next,
          number: skipping,
          operations: everyOperation(),
          transition,
          leaseMs: 100 * LEASE_MS,
        };
        assert.deepEqual(await a.commit(request), { state: "lost" });
      }
    }
    await assertNothingWritten(b);
    assert.equal((await b.readWorkflow("w"))?.problem, null);
    assert.equal((await b.commit(next)).state, "held");
    assert.deepEqual(await run.outcomes([record(0, "next")]), [valueOutcome("next")]);
  },

  "commit() that is lost leaves the lease of the run that took over": async ({ drivers: [a, b], advance }) => {
    const zombie = await begin(a, "w");
    await advance(LEASE_MS + 1);
    await take(b, "w");
    await a.commit({ ...zombie.next(), leaseMs: 100 * LEASE_MS });
    await advance(LEASE_MS + 1);
    assert.deepEqual(await claimIds(b), ["w"]);
  },

  "commit() is cancelled and writes nothing when the workflow was cancelled at its epoch": async (
    { drivers: [a, b] },
  ) => {
    await enqueue(a, "friend");
    const run = await begin(a, "w");
    await cancel(b, "w");
    for (const transition of [null, SUSPEND, YIELD, end("SUCCESS", "late")]) {
      assert.deepEqual(await run.commit(everyOperation(), transition), { state: "cancelled" });
    }
    const { status, output } = await a.readWorkflow("w") ?? {};
    assert.deepEqual([status, output], ["CANCELLED", null]);
    await assertNothingWritten(b);
  },

  "commit() is lost to an older run when the workflow was cancelled at a later epoch": async (
    { drivers: [a, b], advance },
  ) => {
    const zombie = await begin(a, "w");
    await advance(LEASE_MS + 1);
    await take(b, "w");
    await cancel(b, "w");
    assert.deepEqual(await zombie.commit([record(0, "0")]), { state: "lost" });
  },

  "commit() is lost when the workflow was cancelled and resumed, even before anybody claims it": async (
    { drivers: [a, b] },
  ) => {
    await enqueue(a, "friend");
    const zombie = await begin(a, "w");
    await cancel(b, "w");
    await resume(b, "w");
    assert.deepEqual(await zombie.commit(everyOperation()), { state: "lost" });
    const run = await take(b, "w");
    assert.deepEqual(await zombie.commit(everyOperation(), end()), { state: "lost" });
    await assertNothingWritten(a);
    await run.held();
  },

  "commit() at the same time as a take-over is either lost or in the journal that was claimed": async (
    { drivers: [a, b], advance },
  ) => {
    for (let round = 0; round < 20; round++) {
      const workflowId = `w${round}`;
      const zombie = await begin(a, workflowId);
      await advance(LEASE_MS + 1);
      const [commit, { claimed: [taken] }] = await Promise.all([
        zombie.commit([record(0, "zombie"), setEvent(1, "k", "zombie")]),
        b.claim(claimRequest({ workflowIds: [workflowId] })),
      ]);
      const { entries } = await b.readJournal({ workflowId, after: -1, limit: 10 });
      if (taken && commit.state === "held") assert.deepEqual(taken.journal.entries, entries);
      assert.equal(entries.length, commit.state === "held" ? 2 : 0);
      assert.equal((await a.readEvent({ workflowId, key: "k" })).event !== null, commit.state === "held");
      assert(taken || commit.state === "held", "either the commit renewed the lease or the claim took it");
    }
  },
};
