/**
 * Rules for `create`.
 *
 * @module
 */

import assert from "node:assert/strict";
import { SUSPEND } from "../../operations.ts";
import { createRequest, LEASE_MS, NAME } from "../../requests.ts";
import { begin, cancel, claimIds, DrivenRun, enqueue, take } from "../../driven_run.ts";
import type { Rules } from "../../suite.ts";

/** Creating workflows, and the reuse of IDs. */
export const create: Rules = {
  "create() with a lease makes a PENDING workflow at epoch 1": async ({ drivers: [a, b] }) => {
    const { created, name, epoch, createdAt, now } = await a.create(createRequest("w", { input: '{"total":1}' }));
    assert.deepEqual({ created, name, epoch }, { created: true, name: NAME, epoch: 1 });
    assert.equal(typeof now, "number");
    const workflow = await b.readWorkflow("w", { counts: true });
    assert(workflow);
    assert.deepEqual(workflow, {
      workflowId: "w",
      name: NAME,
      status: "PENDING",
      waiting: null,
      input: '{"total":1}',
      output: null,
      error: null,
      failed: null,
      endedAt: null,
      unread: 0,
      generation: 0,
      rewinds: 0,
      createdAt,
      updatedAt: workflow.updatedAt,
      recoveryAttempts: 0,
      problem: null,
      parks: 0,
    });
  },

  "create() without a lease makes an ENQUEUED workflow at epoch 0 that is due": async ({ drivers: [a, b] }) => {
    const { created, epoch } = await a.create(createRequest("w", { leaseMs: null }));
    assert.deepEqual({ created, epoch }, { created: true, epoch: 0 });
    assert.equal((await a.readWorkflow("w"))?.status, "ENQUEUED");
    assert.deepEqual(await claimIds(b), ["w"]);
  },

  "create() leases for leaseMs by the store's clock": async ({ drivers: [a, b], advance }) => {
    await begin(a, "short", { leaseMs: LEASE_MS });
    await begin(a, "long", { leaseMs: 10 * LEASE_MS });
    assert.deepEqual(await claimIds(b), []);
    await advance(LEASE_MS + 1);
    assert.deepEqual(await claimIds(b), ["short"]);
    await advance(10 * LEASE_MS);
    assert.deepEqual((await claimIds(b)).sort(), ["long", "short"]);
  },

  "create() changes nothing when the ID exists, and answers with what is stored": async ({ drivers: [a, b] }) => {
    const first = await a.create(createRequest("w", { input: "1" }));
    const before = await a.readWorkflow("w");
    const { created, name, epoch, createdAt } = await b.create(createRequest("w", { name: "other", input: "2" }));
    assert.deepEqual({ created, name, epoch, createdAt }, {
      created: false,
      name: NAME,
      epoch: 1,
      createdAt: first.createdAt,
    });
    assert.equal((await b.create(createRequest("w", { leaseMs: null }))).created, false);
    assert.deepEqual(await b.readWorkflow("w"), before);
  },

  "create() does not revive a workflow that ended": async ({ drivers: [a, b], advance }) => {
    await (await begin(a, "w")).end("SUCCESS", '"done"');
    assert.equal((await b.create(createRequest("w"))).created, false);
    await advance(2 * LEASE_MS);
    assert.equal((await a.readWorkflow("w"))?.status, "SUCCESS");
    assert.deepEqual(await claimIds(b), []);
  },

  "create() answers as the first did when it is repeated with a lease": async ({ drivers: [a, b] }) => {
    const request = createRequest("w");
    const first = await a.create(request);
    const before = await a.readWorkflow("w");
    assert.deepEqual({ ...await b.create(request), now: 0 }, { ...first, now: 0 });
    assert.deepEqual(await a.readWorkflow("w"), before);
  },

  "create() answers as the first did when it is repeated without a lease": async ({ drivers: [a, b] }) => {
    const request = createRequest("w", { leaseMs: null });
    const first = await a.create(request);
    assert.deepEqual({ ...await b.create(request), now: 0 }, { ...first, now: 0 });
    assert.equal((await claimIds(a)).length, 1);
  },

  "create() is still known as a repeat when its run suspended or ended at epoch 1": async ({ drivers: [a, b] }) => {
    for (
      const [workflowId, transition] of [["suspended", SUSPEND], ["ended", {
        to: "end",
        status: "SUCCESS",
        output: null,
        error: null,
      }]] as const
    ) {
      const request = createRequest(workflowId);
      await a.create(request);
      await new DrivenRun(a, workflowId, { epoch: 1, owner: request.owner }).released([], transition);
      const { created, epoch } = await b.create(request);
      assert.deepEqual({ created, epoch }, { created: true, epoch: 1 }, workflowId);
    }
  },

  "create() is no longer a repeat when the workflow was claimed since": async ({ drivers: [a, b], advance }) => {
    const enqueued = createRequest("enqueued", { leaseMs: null });
    const leased = createRequest("leased");
    await a.create(enqueued);
    await a.create(leased);
    await advance(LEASE_MS + 1);
    await take(b, "enqueued");
    await take(b, "leased");
    const again = [await a.create(enqueued), await a.create(leased)];
    assert.deepEqual(again.map(({ created, epoch }) => ({ created, epoch })), [{ created: false, epoch: 1 }, {
      created: false,
      epoch: 2,
    }]);
  },

  "create() is no longer a repeat when the workflow was cancelled and resumed since": async ({ drivers: [a, b] }) => {
    for (const leaseMs of [null, LEASE_MS]) {
      const request = createRequest(`w${leaseMs}`, { leaseMs });
      await a.create(request);
      for (const action of ["cancel", "resume"] as const) await b.control({ workflowId: request.workflowId, action });
      const { created, epoch } = await a.create(request);
      assert.deepEqual({ created, epoch }, { created: false, epoch: leaseMs === null ? 1 : 2 });
    }
  },

  "create() by many at once creates the workflow once": async ({ drivers }) => {
    for (let round = 0; round < 10; round++) {
      const requests = Array.from({ length: 10 }, () => createRequest(`w${round}`));
      const results = await Promise.all(
        requests.map((request, index) => drivers[index % 2 === 0 ? 0 : 1].create(request)),
      );
      assert.equal(results.filter((result) => result.created).length, 1);
    }
  },

  "create() answers both when it is repeated at the same time": async ({ drivers: [a, b] }) => {
    for (let round = 0; round < 10; round++) {
      const request = createRequest(`w${round}`);
      const results = await Promise.all([a.create(request), b.create(request)]);
      assert.deepEqual(
        results.map(({ created, epoch }) => ({ created, epoch })),
        Array(2).fill({ created: true, epoch: 1 }),
      );
    }
  },

  "create() answers with the store's time": async ({ drivers: [a], advance }) => {
    const first = await a.create(createRequest("first"));
    await advance(3_600_000);
    const second = await a.create(createRequest("second"));
    assert(second.now - first.now >= 3_600_000);
    assert(second.createdAt - first.createdAt >= 3_600_000);
    assert(Math.abs(second.now - second.createdAt) < 30_000);
  },

  "updatedAt moves on when a workflow ends, createdAt does not": async ({ drivers: [a, b], advance }) => {
    const run = await begin(a, "w", { leaseMs: 100 * LEASE_MS });
    const before = await a.readWorkflow("w");
    await advance(LEASE_MS);
    await run.end();
    const after = await b.readWorkflow("w");
    assert(before && after);
    assert.equal(after.createdAt, before.createdAt);
    assert(after.updatedAt >= before.updatedAt + LEASE_MS);
    await enqueue(a, "cancelled");
    await advance(LEASE_MS);
    await cancel(a, "cancelled");
    const cancelled = await b.readWorkflow("cancelled");
    assert(cancelled && cancelled.updatedAt >= cancelled.createdAt + LEASE_MS);
  },

  "readWorkflow() answers null when there is no such workflow": async ({ drivers: [a] }) => {
    await enqueue(a, "w");
    assert.equal(await a.readWorkflow("W"), null);
  },
};
