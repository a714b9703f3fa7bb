/**
 * Rules for workflows that are to begin later.
 *
 * @module
 */

import assert from "node:assert/strict";
import { assertAbout, cancel, claimIds, resume, take } from "../../driven_run.ts";
import { claimRequest, createRequest, LEASE_MS, newMessage } from "../../requests.ts";
import type { Rules } from "../../suite.ts";

/** Delays. */
export const delays: Rules = {
  "create() stores a workflow that becomes due after a delay": async ({ drivers: [a, b], advance }) => {
    const request = createRequest("w", { leaseMs: null, due: { inMs: 10 * LEASE_MS } });
    assert.deepEqual([(await a.create(request)).created, (await b.create(request)).created], [true, true]);
    const { status, waiting } = (await b.readWorkflow("w"))!;
    assert.deepEqual([status, waiting], ["ENQUEUED", null]);
    const { claimed, nextDueMs } = await b.claim(claimRequest());
    assert.deepEqual(claimed, []);
    assertAbout(nextDueMs, 10 * LEASE_MS);
    await advance(5 * LEASE_MS);
    assert.deepEqual(await claimIds(b, { workflowIds: ["w"] }), []);
    await advance(5 * LEASE_MS);
    const run = await take(b, "w");
    assert.deepEqual([run.epoch, run.claimed.workflow.recoveryAttempts], [1, 0]);
    await run.end();
  },

  "create() stores a workflow that becomes due at an instant of the store's clock": async (
    { drivers: [a, b], advance },
  ) => {
    const { now } = await a.create(createRequest("first"));
    await a.create(createRequest("later", { leaseMs: null, due: { at: now + 2 * LEASE_MS } }));
    await a.create(createRequest("past", { leaseMs: null, due: { at: now - LEASE_MS } }));
    assert.deepEqual(await claimIds(b, { workflowIds: ["later", "past"] }), ["past"]);
    await advance(2 * LEASE_MS);
    assert.deepEqual(await claimIds(b, { workflowIds: ["later"] }), ["later"]);
  },

  "a delayed workflow takes messages, and they do not make it due": async ({ drivers: [a, b], advance }) => {
    await a.create(createRequest("w", { leaseMs: null, due: { inMs: 10 * LEASE_MS } }));
    const sent = await a.send([newMessage("w", { value: "early" })]);
    assert(sent.state === "sent");
    assert.deepEqual([sent.woken, await claimIds(b)], [[], []]);
    await advance(10 * LEASE_MS);
    assert.deepEqual(await (await take(b, "w")).drain(), ["early"]);
  },

  "a delayed workflow can be cancelled, and is due at once after a resume": async ({ drivers: [a, b] }) => {
    await a.create(createRequest("w", { leaseMs: null, due: { inMs: 10 * LEASE_MS } }));
    assert.equal((await resume(b, "w")).state, "done");
    assert.deepEqual(await claimIds(b), [], "a resume of what has not ended does not make it due");
    await cancel(b, "w");
    assert.equal((await a.readWorkflow("w"))?.status, "CANCELLED");
    await resume(b, "w");
    assert.deepEqual(await claimIds(b), ["w"]);
  },

  "a workflow that exists keeps its due time when it is created again": async ({ drivers: [a, b], advance }) => {
    await a.create(createRequest("w", { leaseMs: null, due: { inMs: LEASE_MS } }));
    const again = await b.create(createRequest("w", { leaseMs: null, due: { inMs: 10 * LEASE_MS } }));
    assert.equal(again.created, false);
    await advance(LEASE_MS);
    assert.deepEqual(await claimIds(b), ["w"]);
  },
};
