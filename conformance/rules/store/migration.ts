/**
 * Rules for `migrate`, and for use without it.
 *
 * @module
 */

import assert from "node:assert/strict";
import { record } from "../../operations.ts";
import { claimRequest, commitRequest, createRequest, listQuery, newMessage } from "../../requests.ts";
import { begin, cancel } from "../../driven_run.ts";
import type { Rules } from "../../suite.ts";

/** Migration. */
export const migration: Rules = {
  "a driver states the contract version that it implements": ({ drivers }) => {
    assert.deepEqual(drivers.map(({ contract }) => contract), [1, 1]);
    return Promise.resolve();
  },

  "migrate() by many at once succeeds, and leaves a store that works": async ({ drivers: [a, b] }) => {
    await Promise.all([a, b, a, b, a, b].map((driver) => driver.migrate()));
    await (await begin(a, "w")).held([record(0, "0")]);
  },

  "migrate() again changes nothing": async ({ drivers: [a, b] }) => {
    await a.migrate();
    await (await begin(a, "w")).held([record(0, "0")]);
    const before = await a.readWorkflow("w");
    await a.migrate();
    await b.migrate();
    assert.deepEqual(await b.readWorkflow("w"), before);
    assert.equal((await b.readJournal({ workflowId: "w", after: -1, limit: 10 })).entries.length, 1);
  },

  "a store that was never migrated works at the first call of any method": async ({ drivers: [a, b] }) => {
    const results = await Promise.all([
      a.readWorkflow("w"),
      b.listWorkflows(listQuery({ limit: 10 })),
      a.claim(claimRequest()),
      b.send([newMessage("w")]),
      a.readEvent({ workflowId: "w", key: "k" }),
      b.readStream({ workflowId: "w", key: "s", from: 0, limit: 10 }),
      a.readJournal({ workflowId: "w", after: -1, limit: 10 }),
      cancel(b, "w"),
      a.purge({ olderThanMs: 0, limit: 10 }),
      b.commit(commitRequest({ workflowId: "w", epoch: 1, owner: "o", number: 1 }, [record(0, "0")])),
      a.readHistory({ workflowId: "w", after: null, limit: 10 }),
      b.listMessages({ workflowId: "w", after: null, limit: 10, state: "all", topic: null }),
      a.listEvents({ workflowId: "w", after: null, limit: 10 }),
      b.listStreams({ workflowId: "w", after: null, limit: 10 }),
      a.delete({ workflowId: "w" }),
    ]);
    const nothing = { status: null, items: [], more: false };
    const { now } = results[2];
    assert(now !== null && now > 0);
    assert.deepEqual(results, [
      null,
      { workflows: [], cursor: null },
      { claimed: [], unknown: [], nextDueMs: null, now, more: false },
      { state: "refused", index: 0, reason: "workflow_not_found", status: null },
      { event: null, status: null },
      { values: [], tail: 0, closed: false, status: null },
      { entries: [], more: false },
      { state: "not_found" },
      { purged: 0 },
      { state: "lost" },
      nothing,
      nothing,
      nothing,
      nothing,
      { state: "not_found" },
    ]);
  },

  "a store that was never migrated takes a workflow at the first call": async ({ drivers: [a, b] }) => {
    const created = await Promise.all([a, b].map((driver, index) => driver.create(createRequest(`w${index}`))));
    assert.deepEqual(created.map((result) => result.created), [true, true]);
    assert.equal((await a.readWorkflow("w1"))?.status, "PENDING");
  },
};
