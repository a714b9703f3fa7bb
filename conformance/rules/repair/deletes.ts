/**
 * Rules for deleting one workflow.
 *
 * @module
 */

import assert from "node:assert/strict";
import { begin, beginSuspended, cancel, enqueue, take } from "../../driven_run.ts";
import { closeStream, end, observeResult, receive, record, setEvent, start, writeStream } from "../../operations.ts";
import { createRequest, newMessage, newWorkflow } from "../../requests.ts";
import type { Rules } from "../../suite.ts";

/** Deletes. */
export const deletes: Rules = {
  "delete() removes an ended workflow with all that is its own": async ({ drivers: [a, b] }) => {
    const run = await begin(a, "w");
    const kept = await begin(a, "w2");
    for (const it of [run, kept]) {
      await a.send([newMessage(it.workflowId, { dedupeKey: "key:k" }), newMessage(it.workflowId)]);
      await it.held([record(0, "0"), setEvent(1, "k", "v"), writeStream(2, "s", "v"), closeStream(3, "t")]);
      await it.held([receive(4, [""])]);
    }
    await run.end();
    assert.deepEqual(await b.delete({ workflowId: "w" }), { state: "done" });
    assert.equal(await a.readWorkflow("w"), null);
    assert.deepEqual(await a.delete({ workflowId: "w" }), { state: "not_found" });
    const again = await begin(a, "w");
    const query = { workflowId: "w", after: null, limit: 10 };
    for (const page of [await b.readHistory(query), await b.listEvents(query), await b.listStreams(query)]) {
      assert.deepEqual(page, { status: "PENDING", items: [], more: false });
    }
    const messages = await b.listMessages({ ...query, state: "all", topic: null });
    assert.deepEqual(messages.items, []);
    assert.deepEqual(await b.readStream({ workflowId: "w", key: "s", from: 0, limit: 10 }), {
      values: [],
      tail: 0,
      closed: false,
      status: "PENDING",
    });
    const sent = await a.send([newMessage("w", { dedupeKey: "key:k", value: "new" })]);
    assert(sent.state === "sent" && !sent.receipts[0]?.duplicate);
    assert.deepEqual(await again.drain(), ["new"]);
    assert.equal((await b.readHistory({ ...query, workflowId: "w2" })).items.length, 5);
    assert.equal((await b.readEvent({ workflowId: "w2", key: "k" })).event?.value, "v");
  },

  "delete() refuses a workflow that has not ended, with its status": async ({ drivers: [a, b] }) => {
    await enqueue(a, "enqueued");
    await begin(a, "running");
    await beginSuspended(a, "suspended", [receive(0, [""])]);
    for (const workflowId of ["enqueued", "running", "suspended"]) {
      const before = await a.readWorkflow(workflowId);
      assert.deepEqual(await b.delete({ workflowId }), { state: "active", status: before?.status }, workflowId);
      assert.deepEqual(await a.readWorkflow(workflowId), before);
    }
  },

  "delete() removes a workflow of every ended status": async ({ drivers: [a, b] }) => {
    for (const status of ["SUCCESS", "ERROR", "MAX_RECOVERY_ATTEMPTS_EXCEEDED"] as const) {
      await (await begin(a, status)).end(status);
    }
    await begin(a, "CANCELLED");
    await cancel(a, "CANCELLED");
    for (const workflowId of ["SUCCESS", "ERROR", "MAX_RECOVERY_ATTEMPTS_EXCEEDED", "CANCELLED"]) {
      assert.deepEqual(await b.delete({ workflowId }), { state: "done" }, workflowId);
      assert.equal(await a.readWorkflow(workflowId), null);
    }
    const query = { statuses: null, name: null, problem: false, values: false, limit: 10, cursor: null };
    assert.deepEqual((await b.listWorkflows(query)).workflows, []);
    assert.deepEqual(await b.purge({ olderThanMs: 0, limit: 10 }), { purged: 0 });
  },

  "delete() of a child leaves its parent with workflow_not_found": async ({ drivers: [a, b] }) => {
    const parent = await begin(a, "parent");
    await parent.held([start(0, newWorkflow("child"))]);
    await (await take(b, "child")).end();
    assert.deepEqual(await b.delete({ workflowId: "child" }), { state: "done" });
    assert.deepEqual(await parent.outcomes([observeResult(1, "child", null, true)]), [{ tag: "workflow_not_found" }]);
  },

  "delete() of a parent leaves its children": async ({ drivers: [a, b] }) => {
    const parent = await begin(a, "parent");
    await parent.released([start(0, newWorkflow("child"))], end());
    assert.deepEqual(await b.delete({ workflowId: "parent" }), { state: "done" });
    await (await take(b, "child")).end("SUCCESS", "1");
    assert.equal((await a.readWorkflow("child"))?.output, "1");
    assert.deepEqual(await b.purge({ olderThanMs: 0, limit: 10 }), { purged: 1 });
  },

  "the ID of a deleted workflow can be created again": async ({ drivers: [a, b] }) => {
    const request = createRequest("w");
    await a.create(request);
    await cancel(a, "w");
    await b.delete({ workflowId: "w" });
    const created = await a.create(createRequest("w", { name: "another" }));
    assert.deepEqual([created.created, created.name, created.epoch], [true, "another", 1]);
  },
};
