/**
 * Rules for leases: how long they last, and the count of lapsed ones.
 *
 * @module
 */

import assert from "node:assert/strict";
import { receive, record, sleep, YIELD } from "../../operations.ts";
import { claimRequest, LEASE_MS } from "../../requests.ts";
import { assertAbout, begin, claimIds, enqueue, remainingMs, take } from "../../driven_run.ts";
import type { Rules } from "../../suite.ts";

/** Leases and recovery attempts. */
export const lease: Rules = {
  "claim() takes nothing that another run holds": async ({ drivers: [a, b], advance }) => {
    await enqueue(a, "w");
    await take(a, "w");
    await advance(LEASE_MS / 2);
    assert.deepEqual(await claimIds(b), []);
    assert.deepEqual(await claimIds(b, { workflowIds: ["w"] }), []);
  },

  "claim() takes over when the lease has lapsed, at the next epoch": async ({ drivers: [a, b], advance }) => {
    await enqueue(a, "w");
    await take(a, "w", { leaseMs: 2 * LEASE_MS });
    await advance(LEASE_MS + 1);
    assert.deepEqual(await claimIds(b), []);
    await advance(LEASE_MS);
    assert.equal((await take(b, "w")).epoch, 2);
    await advance(LEASE_MS + 1);
    assert.equal((await take(a, "w")).epoch, 3);
  },

  "commit() renews the lease for its leaseMs": async ({ drivers: [a, b], advance }) => {
    const renewed = await begin(a, "renewed");
    await begin(a, "silent");
    await advance(LEASE_MS / 2);
    await renewed.held();
    await advance(LEASE_MS / 2 + 1);
    assert.deepEqual(await claimIds(b), ["silent"]);
    await a.commit({ ...renewed.next(), leaseMs: 10 * LEASE_MS });
    await advance(9 * LEASE_MS);
    assert.deepEqual(await claimIds(b, { workflowIds: ["renewed"] }), []);
    await advance(LEASE_MS + 1);
    await take(b, "renewed");
  },

  "commit() is still taken from a run whose lease has lapsed when nobody took over, and renews it": async (
    { drivers: [a, b], advance },
  ) => {
    const run = await begin(a, "w");
    await advance(10 * LEASE_MS);
    await run.held([record(0, "0")]);
    assert.deepEqual(await claimIds(b), []);
  },

  "claim() raises recoveryAttempts by one for each lease that lapsed": async ({ drivers: [a, b], advance }) => {
    await begin(a, "w");
    for (const expected of [1, 2, 3]) {
      await advance(LEASE_MS + 1);
      const request = claimRequest({ workflowIds: ["w"] });
      await b.claim(request);
      const { claimed: [taken] } = await b.claim(request);
      assert.equal(taken?.workflow.recoveryAttempts, expected);
      assert.equal((await a.readWorkflow("w"))?.recoveryAttempts, expected);
    }
  },

  "claim() leaves recoveryAttempts when it takes what was enqueued, yielded, woken or past its deadline": async (
    { drivers: [a, b], advance },
  ) => {
    await enqueue(a, "w");
    await advance(10 * LEASE_MS);
    let run = await take(b, "w");
    assert.equal(run.claimed.workflow.recoveryAttempts, 0, "enqueued");
    await run.released([], YIELD);
    await advance(10 * LEASE_MS);
    run = await take(b, "w");
    assert.equal(run.claimed.workflow.recoveryAttempts, 0, "yielded");
    await run.suspend([receive(0, ["t"])]);
    await a.send([{ destinationId: "w", topic: "t", messageId: "m", dedupeKey: "m", value: "1" }]);
    await advance(10 * LEASE_MS);
    run = await take(b, "w");
    assert.equal(run.claimed.workflow.recoveryAttempts, 0, "woken");
    await run.held([receive(0, ["t"])]);
    await run.suspend([sleep(1, LEASE_MS)]);
    await advance(10 * LEASE_MS);
    run = await take(b, "w");
    assert.equal(run.claimed.workflow.recoveryAttempts, 0, "deadline");
  },

  "claim() keeps recoveryAttempts when it takes over without a lapse": async ({ drivers: [a, b], advance }) => {
    await begin(a, "w");
    await advance(LEASE_MS + 1);
    await (await take(b, "w")).released([], YIELD);
    assert.equal((await take(a, "w")).claimed.workflow.recoveryAttempts, 1);
  },

  "commit() sets recoveryAttempts to 0 when it adds an entry, complete or open": async (
    { drivers: [a, b], advance },
  ) => {
    for (const [workflowId, operation] of [["complete", record(0, "0")], ["open", receive(0, ["t"])]] as const) {
      await begin(a, workflowId);
      await advance(LEASE_MS + 1);
      const run = await take(b, workflowId);
      assert.equal(run.claimed.workflow.recoveryAttempts, 1);
      await run.held([operation]);
      assert.equal((await a.readWorkflow(workflowId))?.recoveryAttempts, 0, workflowId);
    }
  },

  "commit() leaves recoveryAttempts when it adds no entry": async ({ drivers: [a, b], advance }) => {
    const first = await begin(a, "w");
    await first.held([record(0, "0"), receive(1, ["t"], 1_000 * LEASE_MS)]);
    await advance(LEASE_MS + 1);
    const run = await take(b, "w");
    await run.held();
    await run.held([record(0, "0")]);
    assertAbout(remainingMs(await run.held([receive(1, ["t"])])), 999 * LEASE_MS);
    assert.equal((await a.readWorkflow("w"))?.recoveryAttempts, 1);
  },
};
