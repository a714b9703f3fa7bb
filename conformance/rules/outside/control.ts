/**
 * Rules for cancelling and resuming.
 *
 * @module
 */

import assert from "node:assert/strict";
import type { ControlResult, Driver } from "../../../core/driver/driver.ts";
import { closeStream, end, receive, record, setEvent, sleep, writeStream } from "../../operations.ts";
import { LEASE_MS, newMessage } from "../../requests.ts";
import {
  assertAbout,
  assertOpen,
  begin,
  beginSuspended,
  cancel,
  claimIds,
  enqueue,
  remainingMs,
  resume,
  take,
} from "../../driven_run.ts";
import type { Rules } from "../../suite.ts";

/** Control. */
export const control: Rules = {
  "control() cancels what is enqueued, running, suspended, woken or yielded, and it is never due again": async (
    { drivers: [a, b], advance },
  ) => {
    await enqueue(a, "enqueued");
    await begin(a, "running");
    await beginSuspended(a, "suspended", [sleep(0, LEASE_MS)]);
    await beginSuspended(a, "woken", [receive(0, [""])]);
    await b.send([newMessage("woken")]);
    await (await begin(a, "yielded")).released([], { to: "yield" });
    for (const workflowId of ["enqueued", "running", "suspended", "woken", "yielded"]) {
      assert.deepEqual(await cancel(b, workflowId), DONE, workflowId);
      const workflow = await a.readWorkflow(workflowId);
      assert.deepEqual(
        [workflow?.status, workflow?.output, workflow?.error, workflow?.waiting],
        ["CANCELLED", null, null, null],
        workflowId,
      );
    }
    await advance(10 * LEASE_MS);
    assert.deepEqual(await claimIds(b), []);
  },

  "control() answers not_found when there is no such workflow": async ({ drivers: [a] }) => {
    for (const action of ["cancel", "resume"] as const) {
      assert.deepEqual(await act(a, "missing", action), { state: "not_found" });
    }
  },

  "control() does nothing when it cancels what is cancelled": async ({ drivers: [a, b], advance }) => {
    await begin(a, "w");
    await cancel(a, "w");
    const before = await a.readWorkflow("w");
    await advance(LEASE_MS);
    assert.equal((await cancel(b, "w")).state, "done");
    assert.deepEqual(await b.readWorkflow("w"), before);
  },

  "control() refuses to cancel what ended otherwise, with the status": async ({ drivers: [a, b] }) => {
    for (const status of ["SUCCESS", "ERROR", "MAX_RECOVERY_ATTEMPTS_EXCEEDED"] as const) {
      await (await begin(a, status)).end(status);
      const before = await a.readWorkflow(status);
      assert.deepEqual(await cancel(b, status), { state: "ended", status });
      assert.deepEqual(await b.readWorkflow(status), before);
    }
  },

  "control() keeps what a cancelled workflow published and recorded": async ({ drivers: [a, b] }) => {
    const run = await begin(a, "w");
    await run.held([setEvent(0, "k", "v"), writeStream(1, "s", "v"), record(2, "r")]);
    await cancel(b, "w");
    assert.deepEqual(await b.readEvent({ workflowId: "w", key: "k" }), {
      event: { version: 1, value: "v" },
      status: "CANCELLED",
    });
    assert.deepEqual(await b.readStream({ workflowId: "w", key: "s", from: 0, limit: 10 }), {
      values: ["v"],
      tail: 1,
      closed: false,
      status: "CANCELLED",
    });
    assert.equal((await b.readJournal({ workflowId: "w", after: -1, limit: 10 })).entries.length, 3);
  },

  "control() resumes what is cancelled or out of attempts: PENDING, due, at the next epoch, attempts 0": async (
    { drivers: [a, b], advance },
  ) => {
    await begin(a, "cancelled");
    const failed = await begin(a, "failed");
    await advance(LEASE_MS + 1);
    assert.equal((await take(b, "cancelled")).claimed.workflow.recoveryAttempts, 1);
    await cancel(a, "cancelled");
    assert.equal(failed.epoch, 1);
    await (await take(b, "failed")).end("MAX_RECOVERY_ATTEMPTS_EXCEEDED", "too many");
    for (const workflowId of ["cancelled", "failed"]) {
      assert.equal((await resume(a, workflowId)).state, "done");
      const workflow = await b.readWorkflow(workflowId);
      assert.deepEqual(
        [workflow?.status, workflow?.error, workflow?.waiting, workflow?.recoveryAttempts],
        ["PENDING", null, null, 0],
        workflowId,
      );
    }
    assert.deepEqual((await claimIds(b, { limit: 1 })).length, 1);
    await advance(LEASE_MS + 1);
    const [taken] = [await take(a, "cancelled"), await take(a, "failed")].filter((run) =>
      run.claimed.workflow.recoveryAttempts === 0
    );
    assert.equal(taken?.epoch, 4, "one for each claim and one for the resume");
  },

  "control() does nothing when it resumes what has not ended": async ({ drivers: [a, b], advance }) => {
    await enqueue(a, "enqueued");
    await beginSuspended(a, "suspended", [receive(0, [""])]);
    const run = await begin(a, "running");
    const ids = ["enqueued", "suspended", "running"];
    const before = await Promise.all(ids.map((id) => a.readWorkflow(id)));
    await advance(LEASE_MS / 2);
    for (const id of ids) assert.deepEqual(await resume(b, id), DONE, id);
    assert.deepEqual(await Promise.all(ids.map((id) => b.readWorkflow(id))), before);
    await run.held([record(0, "0")]);
    assert.deepEqual(await claimIds(b), ["enqueued"]);
  },

  "control() raises the epoch once when a resume is repeated": async ({ drivers: [a, b] }) => {
    await begin(a, "w");
    await cancel(a, "w");
    const resumed = await Promise.all([resume(a, "w"), resume(b, "w")]);
    const woken: ControlResult = { state: "done", woken: ["w"] };
    assert.deepEqual(resumed, [woken, woken]);
    assert.equal((await take(b, "w")).epoch, 3);
  },

  "control() of a resume names the workflow, also when it is repeated, until it is claimed": async (
    { drivers: [a, b] },
  ) => {
    await begin(a, "w");
    await cancel(a, "w");
    for (const driver of [a, b]) {
      assert.deepEqual(await resume(driver, "w"), { state: "done", woken: ["w"] });
    }
    const run = await take(b, "w");
    assert.deepEqual(await resume(a, "w"), DONE, "it runs");
    await run.suspend([receive(0, [""])]);
    assert.deepEqual(await resume(a, "w"), DONE, "it waits");
  },

  "control() refuses to resume what succeeded, with the status": async ({ drivers: [a, b] }) => {
    await (await begin(a, "w")).end("SUCCESS");
    assert.deepEqual(await resume(b, "w"), { state: "ended", status: "SUCCESS" });
    assert.deepEqual(await claimIds(b), []);
  },

  "control() resumes with the journal, the open entries and their deadlines, and the messages": async (
    { drivers: [a, b], advance },
  ) => {
    const first = await begin(a, "w");
    await a.send([newMessage("w", { value: "1" }), newMessage("w", { value: "2" })]);
    await first.held([receive(0, [""]), receive(1, ["t"], 10 * LEASE_MS)]);
    await cancel(b, "w");
    await advance(4 * LEASE_MS);
    await resume(b, "w");
    const run = await take(b, "w");
    assert.deepEqual(run.claimed.journal.entries.map(({ outcome }) => outcome.value), ["1"]);
    assertOpen(run.claimed.open, [[1, "recv t", 6 * LEASE_MS]]);
    assertAbout(remainingMs(await run.held([receive(1, ["t"])])), 6 * LEASE_MS);
    assert.deepEqual(await run.drain(), ["2"]);
  },

  "a resumed workflow takes messages, and writes to the streams that it had not closed": async (
    { drivers: [a, b] },
  ) => {
    const first = await begin(a, "w");
    await first.held([writeStream(0, "open", "1"), closeStream(1, "closed")]);
    await cancel(b, "w");
    assert.equal((await b.send([newMessage("w")])).state, "refused");
    await resume(b, "w");
    assert.equal((await b.send([newMessage("w", { value: "1" })])).state, "sent");
    const run = await take(b, "w");
    assert.deepEqual(await run.outcomes([writeStream(2, "open", "2"), writeStream(3, "closed", "2")]), [{
      tag: "done",
    }, { tag: "stream_closed" }]);
    assert.deepEqual(await b.readStream({ workflowId: "w", key: "open", from: 0, limit: 10 }), {
      values: ["1", "2"],
      tail: 2,
      closed: false,
      status: "PENDING",
    });
    assert.deepEqual(await run.drain(), ["1"]);
    await run.released([], end("SUCCESS", "1"));
    assert.equal((await b.readWorkflow("w"))?.output, "1");
  },

  "a resumed workflow that was suspended is due at once, and suspends again": async ({ drivers: [a, b] }) => {
    await beginSuspended(a, "w", [receive(0, [""])]);
    await cancel(a, "w");
    await resume(a, "w");
    const run = await take(b, "w");
    assert.equal(run.epoch, 3);
    await run.suspend([receive(0, [""])]);
    assert.deepEqual(await claimIds(a), []);
    await a.send([newMessage("w")]);
    assert.deepEqual(await claimIds(a), ["w"]);
  },
};

function act(driver: Driver, workflowId: string, action: "cancel" | "resume"): Promise<ControlResult> {
  return driver.control({ workflowId, action });
}

const DONE: ControlResult = { state: "done", woken: [] };
