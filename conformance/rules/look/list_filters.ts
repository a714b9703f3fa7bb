/**
 * Rules for the filters of lists.
 *
 * @module
 */

import assert from "node:assert/strict";
import type { Driver, ListQuery } from "../../../core/driver/driver.ts";
import { begin, beginSuspended, cancel, enqueue } from "../../driven_run.ts";
import { park, receive, sleep, YIELD } from "../../operations.ts";
import { createRequest, LEASE_MS, listQuery } from "../../requests.ts";
import type { Rules } from "../../suite.ts";

/** Filters of lists. */
export const listFilters: Rules = {
  "listWorkflows() lists IDs with a prefix": async ({ drivers: [a, b] }) => {
    await enqueue(a, "order-1", "order-2", "order", "Order-3", "orde", "order%", "order_", "p", "é1", "\u{10000}1");
    assert.deepEqual(await ids(b, { idPrefix: "order-" }), ["order-1", "order-2"]);
    assert.deepEqual(await ids(b, { idPrefix: "order" }), ["order", "order%", "order-1", "order-2", "order_"]);
    assert.deepEqual(await ids(b, { idPrefix: "order_" }), ["order_"], "no character is a wildcard");
    assert.deepEqual(await ids(b, { idPrefix: "order%" }), ["order%"]);
    assert.deepEqual(await ids(b, { idPrefix: "é" }), ["é1"]);
    assert.deepEqual(await ids(b, { idPrefix: "\u{10000}" }), ["\u{10000}1"]);
    assert.deepEqual(await ids(b, { idPrefix: "missing" }), []);
    assert.equal((await ids(b, { idPrefix: "" })).length, 10);
  },

  "listWorkflows() lists what was created after or before an instant": async ({ drivers: [a, b], advance }) => {
    const instants: number[] = [];
    for (const workflowId of ["first", "second", "third"]) {
      await enqueue(a, workflowId);
      instants.push((await a.readWorkflow(workflowId))!.createdAt);
      await advance(LEASE_MS);
    }
    const [first, second, third] = instants;
    assert.deepEqual(await ids(b, { createdAfter: first! }), ["second", "third"]);
    assert.deepEqual(await ids(b, { createdBefore: third! }), ["first", "second"]);
    assert.deepEqual(await ids(b, { createdAfter: first!, createdBefore: third! }), ["second"]);
    assert.deepEqual(await ids(b, { createdAfter: second!, createdBefore: second! }), []);
  },

  "listWorkflows() lists what is due": async ({ drivers: [a, b], advance }) => {
    await enqueue(a, "enqueued");
    await begin(a, "running");
    await begin(a, "lapsed", { leaseMs: LEASE_MS / 4 });
    await beginSuspended(a, "waiting", [receive(0, [""])]);
    await beginSuspended(a, "asleep", [sleep(0, 10 * LEASE_MS)]);
    await beginSuspended(a, "awake", [sleep(0, LEASE_MS / 4)]);
    await (await begin(a, "yielded")).released([], YIELD);
    await (await begin(a, "parked")).released([], park("problem", 10 * LEASE_MS));
    await begin(a, "cancelled");
    await cancel(a, "cancelled");
    await a.create(createRequest("later", { leaseMs: null, due: { inMs: 10 * LEASE_MS } }));
    assert.deepEqual(await ids(b, { due: true }), ["enqueued", "yielded"]);
    await advance(LEASE_MS / 2);
    assert.deepEqual(await ids(b, { due: true }), ["awake", "enqueued", "lapsed", "yielded"]);
  },

  "listWorkflows() combines all filters, page by page": async ({ drivers: [a, b], advance }) => {
    for (let index = 0; index < 12; index++) {
      const name = index % 2 === 0 ? "even" : "odd";
      await a.create(createRequest(`${index < 10 ? "a" : "b"}-${index}`, { name, leaseMs: null }));
      await advance(1_000);
    }
    for (const workflowId of ["a-2", "a-4", "a-6", "b-10"]) await cancel(a, workflowId);
    const { createdAt } = (await a.readWorkflow("a-8"))!;
    const query = { name: "even", idPrefix: "a-", createdBefore: createdAt } as const;
    assert.deepEqual(await ids(b, { ...query, statuses: ["CANCELLED"] }), ["a-2", "a-4", "a-6"]);
    assert.deepEqual(await ids(b, { ...query, due: true }), ["a-0"]);
    const seen: string[] = [];
    for (let cursor: string | null = null;;) {
      const page = await b.listWorkflows(listQuery({ ...query, limit: 1, cursor }));
      seen.push(...page.workflows.map(({ workflowId }) => workflowId));
      if (page.cursor === null) break;
      cursor = page.cursor;
    }
    assert.deepEqual(seen, ["a-6", "a-4", "a-2", "a-0"]);
  },
};

/** The IDs of a list, sorted. */
async function ids(driver: Driver, query: Partial<ListQuery>): Promise<string[]> {
  const { workflows } = await driver.listWorkflows(listQuery({ values: false, ...query }));
  return workflows.map(({ workflowId }) => workflowId).sort();
}
