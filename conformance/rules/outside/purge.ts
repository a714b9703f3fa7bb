/**
 * Rules for removing workflows that ended.
 *
 * @module
 */

import assert from "node:assert/strict";
import type { Driver } from "../../../core/driver/driver.ts";
import {
  closeStream,
  end,
  observeEvent,
  observeResult,
  receive,
  record,
  setEvent,
  sleep,
  writeStream,
} from "../../operations.ts";
import { createRequest, LEASE_MS, newMessage } from "../../requests.ts";
import {
  begin,
  beginSuspended,
  cancel,
  claimIds,
  type DrivenRun,
  enqueue,
  listIds,
  resume,
  sent,
  take,
} from "../../driven_run.ts";
import type { Rules } from "../../suite.ts";

/** Purging. */
export const purge: Rules = {
  "purge() removes what ended at least olderThanMs ago, however it ended": async ({ drivers: [a, b], advance }) => {
    for (
      const status of ["SUCCESS", "ERROR", "MAX_RECOVERY_ATTEMPTS_EXCEEDED"] as const
    ) await (await begin(a, status)).end(status);
    await enqueue(a, "cancelled");
    await cancel(a, "cancelled");
    await advance(2 * LEASE_MS);
    await endOne(a, "young");
    assert.deepEqual(await b.purge({ olderThanMs: 3 * LEASE_MS, limit: 100 }), { purged: 0 });
    assert.deepEqual(await b.purge({ olderThanMs: LEASE_MS, limit: 100 }), { purged: 4 });
    assert.deepEqual((await listIds(a)).sort(), ["young"]);
    assert.equal(await a.readWorkflow("SUCCESS"), null);
    assert.deepEqual(await b.purge({ olderThanMs: 0, limit: 100 }), { purged: 1 });
  },

  "purge() counts from the end, not from the beginning": async ({ drivers: [a, b], advance }) => {
    const run = await begin(a, "w", { leaseMs: 100 * LEASE_MS });
    await advance(10 * LEASE_MS);
    await run.end();
    assert.deepEqual(await b.purge({ olderThanMs: LEASE_MS, limit: 100 }), { purged: 0 });
    await advance(LEASE_MS);
    assert.deepEqual(await b.purge({ olderThanMs: LEASE_MS, limit: 100 }), { purged: 1 });
  },

  "purge() leaves what has not ended, however old": async ({ drivers: [a, b], advance }) => {
    await enqueue(a, "enqueued");
    await begin(a, "lapsed");
    await beginSuspended(a, "suspended", [sleep(0, LEASE_MS)]);
    await begin(a, "resumed");
    await cancel(a, "resumed");
    await advance(10 * LEASE_MS);
    await resume(a, "resumed");
    assert.deepEqual(await b.purge({ olderThanMs: 0, limit: 100 }), { purged: 0 });
    assert.deepEqual((await listIds(a)).sort(), ["enqueued", "lapsed", "resumed", "suspended"]);
  },

  "purge() removes up to limit, oldest first, and a repeat the next ones": async ({ drivers: [a, b], advance }) => {
    const runs: DrivenRun[] = [];
    for (const id of ["d", "b", "c", "a"]) runs.push(await begin(a, id, { leaseMs: 100 * LEASE_MS }));
    for (const run of runs.toReversed()) {
      await run.end();
      await advance(1_000);
    }
    assert.deepEqual(await b.purge({ olderThanMs: 0, limit: 2 }), { purged: 2 });
    assert.deepEqual((await listIds(a)).sort(), ["b", "d"]);
    assert.deepEqual(await b.purge({ olderThanMs: 0, limit: 1 }), { purged: 1 });
    assert.deepEqual((await listIds(a)).sort(), ["d"]);
    assert.deepEqual([await b.purge({ olderThanMs: 0, limit: 5 }), await b.purge({ olderThanMs: 0, limit: 5 })], [{
      purged: 1,
    }, { purged: 0 }]);
  },

  "purge() by two at once removes each workflow once": async ({ drivers: [a, b] }) => {
    for (let index = 0; index < 30; index++) await endOne(a, `w${index}`);
    let total = 0;
    for (let round = 0; round < 30 && total < 30; round++) {
      const purged = await Promise.all([a.purge({ olderThanMs: 0, limit: 5 }), b.purge({ olderThanMs: 0, limit: 5 })]);
      total += purged.reduce((sum, one) => sum + one.purged, 0);
    }
    assert.equal(total, 30);
    assert.deepEqual((await listIds(a)).sort(), []);
  },

  "purge() removes all data of the workflow": async ({ drivers: [a, b] }) => {
    const run = await begin(a, "w");
    await a.send([newMessage("w")]);
    await run.held([
      setEvent(0, "k", "v"),
      writeStream(1, "s", "v"),
      closeStream(2, "s"),
      record(3, "r"),
      receive(4, ["t"]),
    ]);
    await run.end();
    await b.purge({ olderThanMs: 0, limit: 1 });
    assert.equal(await a.readWorkflow("w"), null);
    assert.deepEqual(await a.readEvent({ workflowId: "w", key: "k" }), { event: null, status: null });
    assert.deepEqual(await a.readStream({ workflowId: "w", key: "s", from: 0, limit: 10 }), {
      values: [],
      tail: 0,
      closed: false,
      status: null,
    });
    assert.deepEqual(await a.readJournal({ workflowId: "w", after: -1, limit: 10 }), { entries: [], more: false });
    assert.deepEqual(await a.send([newMessage("w")]), {
      state: "refused",
      index: 0,
      reason: "workflow_not_found",
      status: null,
    });
    assert.deepEqual(await resume(a, "w"), { state: "not_found" });
    assert.deepEqual(await run.commit([record(9, "late")]), { state: "lost" });
  },

  "a purged ID is new again, because nothing of the former workflow is left": async (
    { drivers: [a, b], advance },
  ) => {
    await begin(a, "w");
    await advance(LEASE_MS + 1);
    const former = await take(a, "w");
    await a.send([newMessage("w", { dedupeKey: "k", topic: "t" }), newMessage("w", { dedupeKey: "l" })]);
    await former.held([
      setEvent(0, "k", "old"),
      writeStream(1, "s", "old"),
      closeStream(2, "s"),
      record(3, "old"),
      receive(4, ["t"]),
      receive(5, ["u"]),
    ]);
    await former.end("ERROR", "old");
    await b.purge({ olderThanMs: 0, limit: 1 });
    const { created, epoch } = await b.create(createRequest("w", { name: "other", input: "new", leaseMs: null }));
    assert.deepEqual({ created, epoch }, { created: true, epoch: 0 });
    assert.deepEqual(await former.commit([record(9, "late")]), { state: "lost" });
    const run = await take(b, "w", { names: ["other"] });
    const { workflow, journal, open } = run.claimed;
    assert.deepEqual([workflow.input, workflow.error, workflow.recoveryAttempts, run.epoch], ["new", null, 0, 1]);
    assert.deepEqual([journal, open], [{ entries: [], more: false }, []]);
    assert.deepEqual(await run.drain(["", "t"]), []);
    const { receipts } = sent(await b.send([newMessage("w", { messageId: "m", dedupeKey: "k" })]));
    assert.deepEqual(receipts, [{ messageId: "m", duplicate: false }]);
    await run.held([setEvent(0, "k", "new"), writeStream(1, "s", "new"), record(3, "new")]);
    assert.deepEqual((await a.readEvent({ workflowId: "w", key: "k" })).event, { version: 1, value: "new" });
    assert.deepEqual(await a.readStream({ workflowId: "w", key: "s", from: 0, limit: 10 }), {
      values: ["new"],
      tail: 1,
      closed: false,
      status: "PENDING",
    });
    assert.deepEqual(await run.drain([""]), ['"hello"']);
  },

  "purge() ends the waits of a workflow that it removes, so that they never wake its ID later": async (
    { drivers: [a, b] },
  ) => {
    const source = await begin(a, "source");
    await beginSuspended(a, "w", [observeEvent(0, "source", "k"), observeResult(1, "source"), receive(2, ["t"])]);
    await cancel(a, "w");
    await b.purge({ olderThanMs: 0, limit: 1 });
    await beginSuspended(b, "w", [receive(0, ["u"])]);
    assert.deepEqual(sent(await a.send([newMessage("w", { topic: "t" })])).woken, []);
    assert.deepEqual((await source.released([setEvent(0, "k", "v")], end())).woken, []);
    assert.deepEqual(await claimIds(b), []);
  },

  "purge() leaves alone what belongs to other workflows": async ({ drivers: [a, b] }) => {
    const run = await begin(a, "w");
    await run.held([setEvent(0, "k", "v"), writeStream(1, "s", "v"), record(2, "r")]);
    await a.send([newMessage("w", { value: "1" })]);
    await endOne(a, "w2");
    await endOne(a, "W");
    assert.deepEqual(await b.purge({ olderThanMs: 0, limit: 10 }), { purged: 2 });
    assert.equal((await b.readEvent({ workflowId: "w", key: "k" })).event?.value, "v");
    assert.equal((await b.readStream({ workflowId: "w", key: "s", from: 0, limit: 1 })).tail, 1);
    assert.equal((await b.readJournal({ workflowId: "w", after: -1, limit: 10 })).entries.length, 3);
    assert.deepEqual(await run.drain(), ["1"]);
  },

  "a wait for a purged ID stays open, and a new workflow of that ID wakes it": async ({ drivers: [a, b] }) => {
    await beginSuspended(a, "w", [observeEvent(0, "source", "k")]);
    await endOne(a, "source");
    await b.purge({ olderThanMs: 0, limit: 10 });
    await (await take(a, "w")).suspend([observeEvent(0, "source", "k")]);
    assert.deepEqual(await claimIds(b), []);
    const source = await begin(b, "source");
    assert.deepEqual((await source.held([setEvent(0, "k", "v")])).woken, ["w"]);
    assert.deepEqual(await claimIds(a), ["w"]);
  },

  "purge() at the same time as sends to what it removes refuses them, and leaves nothing behind": async (
    { drivers: [a, b] },
  ) => {
    for (let round = 0; round < 20; round++) {
      const run = await begin(a, "w");
      await run.end();
      const [sent, purged] = await Promise.all([
        b.send([newMessage("w", { dedupeKey: "k" })]),
        a.purge({ olderThanMs: 0, limit: 1 }),
      ]);
      assert.equal(sent.state, "refused");
      assert.deepEqual(purged, { purged: 1 });
      const next = await begin(b, "w");
      assert.deepEqual(await next.drain(), []);
      await next.end();
      await a.purge({ olderThanMs: 0, limit: 1 });
    }
  },
};

async function endOne(driver: Driver, workflowId: string): Promise<void> {
  await (await begin(driver, workflowId)).end();
}
