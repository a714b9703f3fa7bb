/**
 * Rules for cancelling a workflow together with the workflows that it has started.
 *
 * @module
 */

import assert from "node:assert/strict";
import type { ControlResult, Driver } from "../../../core/driver/driver.ts";
import { begin, beginSuspended, cancel, claimIds, type DrivenRun, take } from "../../driven_run.ts";
import { end, observeResult, receive, record, start } from "../../operations.ts";
import { newWorkflow } from "../../requests.ts";
import type { Rules } from "../../suite.ts";

/** Cancel with children. */
export const cancelChildren: Rules = {
  "control() cancels children, their children, and so on": async ({ drivers: [a, b] }) => {
    await family(a, b);
    assert.deepEqual(await cancelAll(b, "top"), { state: "done", woken: [] });
    const expected = { top: "CANCELLED", left: "CANCELLED", right: "CANCELLED", below: "CANCELLED", apart: "PENDING" };
    for (const [workflowId, status] of Object.entries(expected)) {
      assert.equal((await a.readWorkflow(workflowId))?.status, status, workflowId);
    }
    assert.deepEqual(await claimIds(b), []);
  },

  "control() cancels one child with those below it, and the parent goes on": async ({ drivers: [a, b] }) => {
    const { top } = await family(a, b);
    await top.suspend([observeResult(2, "left", null, true)]);
    assert.deepEqual(await cancelAll(b, "left"), { state: "done", woken: ["top"] });
    assert.equal((await a.readWorkflow("below"))?.status, "CANCELLED");
    assert.equal((await a.readWorkflow("right"))?.status, "PENDING");
    const next = await take(b, "top");
    assert.deepEqual(await next.outcomes([observeResult(2, "left", null, true)]), [{ tag: "cancelled" }]);
  },

  "control() leaves children alone without `children`": async ({ drivers: [a, b] }) => {
    await family(a, b);
    await cancel(b, "top");
    assert.equal((await a.readWorkflow("left"))?.status, "PENDING");
    assert.deepEqual(await cancelAll(b, "top"), { state: "done", woken: [] });
    assert.equal((await a.readWorkflow("left"))?.status, "CANCELLED", "a later call cancels them too");
  },

  "control() leaves children that have ended as they are": async ({ drivers: [a, b] }) => {
    const { left, right } = await family(a, b);
    await left.end("SUCCESS", "1");
    await right.end("ERROR", "boom");
    await cancelAll(b, "top");
    assert.equal((await a.readWorkflow("left"))?.status, "SUCCESS");
    assert.equal((await a.readWorkflow("right"))?.status, "ERROR");
    assert.equal((await a.readWorkflow("below"))?.status, "CANCELLED", "its parent has ended, and it has not");
  },

  "control() wakes others that wait for a child, and fences the runs of children": async ({ drivers: [a, b] }) => {
    const { left } = await family(a, b);
    await beginSuspended(a, "waiter", [observeResult(0, "below")]);
    assert.deepEqual(await cancelAll(b, "top"), { state: "done", woken: ["waiter"] });
    assert.deepEqual(await left.commit([record(5, "late")]), { state: "cancelled" });
  },

  "control() refuses to cancel an ended workflow with its children": async ({ drivers: [a, b] }) => {
    const { top } = await family(a, b);
    await top.end("SUCCESS", "1");
    assert.deepEqual(await cancelAll(b, "top"), { state: "ended", status: "SUCCESS" });
    assert.equal((await a.readWorkflow("left"))?.status, "PENDING");
    assert.deepEqual(await cancelAll(b, "missing"), { state: "not_found" });
  },

  "control() leaves the children of a workflow that was removed, and whose ID is used again": async (
    { drivers: [a, b] },
  ) => {
    for (const remove of [() => b.delete({ workflowId: "top" }), () => b.purge({ olderThanMs: 0, limit: 10 })]) {
      const top = await begin(a, "top");
      await top.released([start(0, newWorkflow("child"))], end());
      await remove();
      assert.equal(await a.readWorkflow("top"), null);
      await begin(a, "top");
      await cancelAll(b, "top");
      assert.equal((await a.readWorkflow("child"))?.status, "PENDING");
      await cancel(b, "child");
      for (const workflowId of ["top", "child"]) await b.delete({ workflowId });
    }
  },

  "control() cancels many children": async ({ drivers: [a, b] }) => {
    const run = await begin(a, "many");
    const ids = Array.from({ length: 150 }, (_, index) => `child-${index}`);
    await run.held(ids.map((id, index) => start(index, newWorkflow(id))));
    assert.equal((await cancelAll(b, "many")).state, "done");
    const query = { statuses: ["CANCELLED"] as const, name: null, problem: false, values: false, cursor: null };
    assert.equal((await a.listWorkflows({ ...query, limit: 1_000 })).workflows.length, 151);
  },
};

/** `top` has started `left` and `right`, and `left` has started `below`. `apart` was started by nobody. */
async function family(a: Driver, b: Driver): Promise<Record<"top" | "left" | "right", DrivenRun>> {
  const top = await begin(a, "top");
  await top.held([start(0, newWorkflow("left")), start(1, newWorkflow("right"))]);
  const left = await take(b, "left");
  await left.held([start(0, newWorkflow("below"))]);
  const right = await take(b, "right");
  await (await take(b, "below")).suspend([receive(0, [""])]);
  await beginSuspended(a, "apart", [receive(0, [""])]);
  return { top, left, right };
}

function cancelAll(driver: Driver, workflowId: string): Promise<ControlResult> {
  return driver.control({ workflowId, action: "cancel", children: true });
}
