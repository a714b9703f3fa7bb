/**
 * Rules for listing workflows.
 *
 * @module
 */

import assert from "node:assert/strict";
import type { Driver, ListPage, ListQuery } from "../../../core/driver/driver.ts";
import { park, receive, record } from "../../operations.ts";
import { createRequest, LEASE_MS, listQuery } from "../../requests.ts";
import { assertRecord, begin, beginSuspended, cancel, enqueue, listIds, resume, take } from "../../driven_run.ts";
import type { Rules } from "../../suite.ts";

/** All pages, one after the other. */
async function listAll(driver: Driver, query: Partial<ListQuery>): Promise<string[]> {
  const ids: string[] = [];
  let cursor: string | null = null;
  do {
    const page = await driver.listWorkflows(listQuery({ ...query, cursor }));
    ids.push(...page.workflows.map(({ workflowId }) => workflowId));
    assert(page.workflows.length > 0 || page.cursor === null);
    cursor = page.cursor;
  } while (cursor !== null);
  return ids;
}

/** A page without the values of its workflows. */
function listBare(driver: Driver, query: Partial<ListQuery> = {}): Promise<ListPage> {
  return driver.listWorkflows(listQuery({ values: false, ...query }));
}

/** Listing. */
export const list: Rules = {
  "listWorkflows() lists the newest first, as readWorkflow() shows them": async ({ drivers: [a, b], advance }) => {
    for (const id of ["b", "c", "a"]) {
      await enqueue(a, id);
      await advance(1_000);
    }
    await beginSuspended(a, "d", [receive(0, ["t"])]);
    await (await begin(b, "e")).end("ERROR", "failed");
    const { workflows, cursor } = await b.listWorkflows(listQuery());
    assert.equal(cursor, null);
    assert.deepEqual(workflows.slice(2).map(({ workflowId }) => workflowId), ["a", "c", "b"]);
    for (const workflow of workflows) assertRecord(workflow, await a.readWorkflow(workflow.workflowId));
  },

  "listWorkflows() answers nothing when the store is empty": async ({ drivers: [a] }) => {
    assert.deepEqual(await a.listWorkflows(listQuery()), { workflows: [], cursor: null });
  },

  "listWorkflows() lists only the statuses and the name asked for": async ({ drivers: [a, b] }) => {
    await enqueue(a, "enqueued");
    await a.create(createRequest("pending", { name: "other" }));
    await (await begin(a, "ended")).end();
    await begin(a, "cancelled");
    await cancel(a, "cancelled");
    assert.deepEqual(await listIds(b, { statuses: ["ENQUEUED"] }), ["enqueued"]);
    assert.deepEqual((await listIds(b, { statuses: ["CANCELLED", "SUCCESS"] })).sort(), ["cancelled", "ended"]);
    assert.deepEqual(await listIds(b, { name: "other" }), ["pending"]);
    assert.deepEqual(await listIds(b, { name: "other", statuses: ["SUCCESS"] }), []);
    assert.deepEqual(await listIds(b, { name: "OTHER" }), []);
  },

  "listWorkflows() in pages lists each workflow once, in the same order": async ({ drivers: [a, b], advance }) => {
    for (let group = 0; group < 4; group++) {
      // Three of each group may have been created at the same instant. Then the ID decides.
      await Promise.all(["y", "x", "z"].map((id) => enqueue(a, `${id}${group}`)));
      await advance(1_000);
    }
    const all = await listIds(b);
    assert.equal(new Set(all).size, 12);
    for (const limit of [1, 2, 3, 4, 5, 12, 13]) {
      assert.deepEqual(await listAll(b, { limit }), all, `pages of ${limit}`);
    }
    assert.deepEqual(all.map((id) => id.slice(1)), ["3", "3", "3", "2", "2", "2", "1", "1", "1", "0", "0", "0"]);
    const last = await b.listWorkflows(listQuery({ limit: 12 }));
    assert.equal(last.cursor, null, "a full page that is the last says so");
  },

  "listWorkflows() in pages filters, and is not disturbed by new workflows": async ({ drivers: [a, b], advance }) => {
    for (let index = 0; index < 6; index++) {
      await a.create(createRequest(`w${index}`, { name: index % 2 === 0 ? "even" : "odd", leaseMs: LEASE_MS }));
      await advance(1_000);
    }
    const query = { statuses: null, name: "even", limit: 2 };
    const first = await b.listWorkflows(listQuery(query));
    await a.create(createRequest("new", { name: "even" }));
    const second = await a.listWorkflows(listQuery({ ...query, cursor: first.cursor }));
    assert.deepEqual([...first.workflows, ...second.workflows].map(({ workflowId }) => workflowId), [
      "w4",
      "w2",
      "w0",
    ]);
    assert.equal(second.cursor, null);
  },

  "listWorkflows() in pages keeps to one order over several statuses, also under a name": async (
    { drivers: [a, b], advance },
  ) => {
    for (let index = 0; index < 8; index++) {
      await enqueue(a, `w${index}`);
      if (index % 3 === 0) await a.control({ workflowId: `w${index}`, action: "cancel" });
      if (index % 3 === 1) await (await take(a, `w${index}`)).end();
      await advance(1_000);
    }
    const { name } = createRequest("w");
    const wanted = ["w6", "w5", "w3", "w2", "w0"];
    assert.deepEqual(await listAll(b, { statuses: ["CANCELLED", "ENQUEUED", "CANCELLED"], limit: 2 }), wanted);
    assert.deepEqual(await listAll(b, { statuses: ["CANCELLED", "ENQUEUED"], name, limit: 2 }), wanted);
    assert.deepEqual(await listAll(b, { name, limit: 3 }), ["w7", "w6", "w5", "w4", "w3", "w2", "w1", "w0"]);
    assert.deepEqual(await listAll(b, { statuses: [], limit: 2 }), []);
  },

  "listWorkflows() continues after a workflow that was purged meanwhile": async ({ drivers: [a, b], advance }) => {
    for (const id of ["a", "b", "c"]) {
      await (await begin(a, id)).end();
      await advance(1_000);
    }
    const { cursor } = await b.listWorkflows(listQuery({ limit: 2 }));
    await enqueue(a, "d");
    await a.purge({ olderThanMs: 0, limit: 1 });
    await a.purge({ olderThanMs: 0, limit: 1 });
    await enqueue(a, "e");
    assert.deepEqual(await listIds(b, { cursor }), []);
  },

  "listWorkflows() refuses a cursor that no page gave": async ({ drivers: [a] }) => {
    for (const cursor of ["", "x", "[]", '["1","w"]', "null"]) {
      await assert.rejects(a.listWorkflows(listQuery({ limit: 10, cursor })), { code: "invalid_value" });
    }
  },

  "listWorkflows() without values leaves out inputs, outputs and long errors": async ({ drivers: [a, b] }) => {
    const errors = { short: "e".repeat(4_096), long: "e".repeat(4_097) };
    for (const [id, error] of Object.entries(errors)) await (await begin(a, id)).end("ERROR", error);
    await (await begin(a, "done")).end("SUCCESS", "1");
    await (await begin(a, "parked")).released([], park("p", LEASE_MS));
    const { workflows } = await listBare(b);
    const byId = Object.fromEntries(workflows.map((workflow) => [workflow.workflowId, workflow]));
    for (const id of [...Object.keys(errors), "done", "parked"]) {
      const record = await a.readWorkflow(id);
      assert.equal(typeof record?.input, "string");
      const { input, ...bare } = byId[id]!;
      assert.equal(input, null);
      const expected = { ...record!, output: null, error: id === "short" ? errors.short : null };
      assertRecord({ input: expected.input, ...bare }, expected);
    }
    const withValues = (await b.listWorkflows(listQuery())).workflows;
    for (const workflow of withValues) assertRecord(workflow, await a.readWorkflow(workflow.workflowId));
    assert.equal(withValues.length, 4);
  },

  "listWorkflows() with values ends a page before it becomes too large, without values it does not": async (
    { drivers: [a, b] },
  ) => {
    for (let index = 0; index < 10; index++) {
      await a.create(createRequest(`w${index}`, { input: "x".repeat(500_000) }));
      await (await begin(a, `v${index}`)).end("SUCCESS", "y".repeat(500_000));
    }
    assert.equal((await listBare(b)).workflows.length, 20);
    const seen: string[] = [];
    let cursor: string | null = null;
    do {
      const page: ListPage = await b.listWorkflows(listQuery({ cursor }));
      assert(page.workflows.length > 0);
      const length = page.workflows.reduce(
        (sum, { input, output }) => sum + (input?.length ?? 0) + (output?.length ?? 0),
        0,
      );
      assert(length <= 8 * 2 ** 20, `a page has ${length} characters`);
      seen.push(...page.workflows.map(({ workflowId }) => workflowId));
      cursor = page.cursor;
    } while (cursor !== null);
    assert.equal(new Set(seen).size, 20);
    assert.equal(seen.length, 20);
  },

  "listWorkflows() finds those that are parked": async ({ drivers: [a, b] }) => {
    for (const id of ["parked", "taken", "resumed", "mended", "cancelled"]) {
      await (await begin(a, id)).released(
        [],
        park(`"${id}"`, id === "parked" || id === "resumed" ? 100 * LEASE_MS : 0),
      );
    }
    await begin(a, "other");
    await take(b, "taken");
    await (await take(b, "mended")).held([record(0, "0")]);
    await cancel(b, "cancelled");
    await resume(b, "resumed");
    const { workflows } = await listBare(b, { problem: true });
    const problems = workflows.map(({ workflowId, problem }) => [workflowId, problem]).toSorted();
    assert.deepEqual(problems, [["parked", '"parked"'], ["resumed", '"resumed"'], ["taken", '"taken"']]);
    const first = await listBare(b, { problem: true, limit: 2 });
    const rest = await listBare(b, { problem: true, limit: 2, cursor: first.cursor });
    assert.deepEqual(
      [...first.workflows, ...rest.workflows].map(({ workflowId }) => workflowId),
      workflows.map(({ workflowId }) => workflowId),
    );
    assert.equal((await listBare(b, { problem: true, statuses: ["CANCELLED"] })).workflows.length, 0);
  },
};
