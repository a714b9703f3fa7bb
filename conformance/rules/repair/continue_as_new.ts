/**
 * Rules for continuing a workflow as new.
 *
 * @module
 */

import assert from "node:assert/strict";
import type { Transition } from "../../../core/driver/driver.ts";
import { begin, beginSuspended, claimIds, committed, take } from "../../driven_run.ts";
import { observeResult, receive, record, setEvent, sleep, start, writeStream } from "../../operations.ts";
import { LEASE_MS, newMessage, newWorkflow } from "../../requests.ts";
import type { Rules } from "../../suite.ts";

/** Continue as new. */
export const continueAsNew: Rules = {
  "a workflow that is continued as new is due, with an empty journal, the new input and the next generation": async (
    { drivers: [a, b] },
  ) => {
    const run = await begin(a, "w");
    const { createdAt } = (await a.readWorkflow("w"))!;
    await run.held([record(0, "0"), sleep(1, LEASE_MS)]);
    await run.released([], again("second"));
    const { status, input, generation, waiting } = (await b.readWorkflow("w"))!;
    assert.deepEqual([status, input, generation, waiting], ["PENDING", "second", 1, null]);
    const next = await take(b, "w");
    assert.equal(next.epoch, 2);
    const { workflow, journal, open } = next.claimed;
    assert.deepEqual(
      [workflow.input, workflow.generation, workflow.recoveryAttempts, workflow.createdAt],
      ["second", 1, 0, createdAt],
    );
    assert.deepEqual([journal, open], [{ entries: [], more: false }, []]);
    assert.deepEqual(await next.outcomes([record(0, "new")]), [{ tag: "value", value: "new" }]);
    await next.released([], again("third"));
    const last = await take(a, "w");
    assert.deepEqual([last.claimed.workflow.generation, last.claimed.workflow.input], [2, "third"]);
    assert.deepEqual((await b.readHistory({ workflowId: "w", after: null, limit: 10 })).items, []);
    await last.end("SUCCESS", "over");
    assert.equal((await b.readWorkflow("w"))?.output, "over");
  },

  "a workflow that is continued as new keeps unread messages, keys, events, streams and children": async (
    { drivers: [a, b] },
  ) => {
    const run = await begin(a, "w");
    await a.send([
      newMessage("w", { value: "1", dedupeKey: "key:1" }),
      newMessage("w", { value: "2", dedupeKey: "key:2" }),
      newMessage("w", { value: "t", topic: "t" }),
    ]);
    await run.held([receive(0, [""]), setEvent(1, "k", "v"), writeStream(2, "s", "v"), start(3, newWorkflow("child"))]);
    await run.released([], again("second"));
    assert.equal((await b.readWorkflow("w", { counts: true }))?.unread, 2);
    const listed = await b.listMessages({ workflowId: "w", state: "all", topic: null, after: null, limit: 10 });
    assert.deepEqual(listed.items.map(({ value }) => value), ["2", "t"]);
    for (const key of ["key:1", "key:2"]) {
      const sent = await a.send([newMessage("w", { dedupeKey: key })]);
      assert(sent.state === "sent" && sent.receipts[0]?.duplicate, key);
    }
    const next = await take(b, "w");
    assert.deepEqual(await next.drain(["", "t"]), ["2", "t"]);
    await next.held([setEvent(0, "k", "v2"), writeStream(1, "s", "v2")]);
    assert.equal((await a.readEvent({ workflowId: "w", key: "k" })).event?.version, 2);
    assert.deepEqual((await a.readStream({ workflowId: "w", key: "s", from: 0, limit: 10 })).values, ["v", "v2"]);
    await (await take(b, "child")).end("SUCCESS", "result");
    assert.deepEqual(await b.purge({ olderThanMs: 0, limit: 10 }), { purged: 0 }, "the parent has not asked yet");
    assert.deepEqual(await next.outcomes([observeResult(2, "child", null, true)]), [{ tag: "value", value: "result" }]);
  },

  "continuing as new happens once when its commit is repeated": async ({ drivers: [a, b] }) => {
    const run = await begin(a, "w");
    await run.held([record(0, "0")]);
    const request = run.next([], again("second"));
    for (const driver of [a, b]) {
      const { state, results } = committed(await driver.commit(request), "released");
      assert.deepEqual([state, results], ["released", []]);
    }
    assert.equal((await b.readWorkflow("w"))?.generation, 1);
    const next = await take(b, "w");
    assert.deepEqual(await a.commit(request), { state: "lost" });
    await next.held([record(0, "new")]);
    const { entries } = await a.readJournal({ workflowId: "w", after: -1, limit: 10 });
    assert.deepEqual(entries.map(({ outcome }) => outcome.value), ["new"]);
  },

  "continuing as new ends a park's count, and the count of recovery attempts": async ({ drivers: [a, b], advance }) => {
    await begin(a, "w");
    await advance(LEASE_MS + 1);
    const run = await take(b, "w");
    assert.equal(run.claimed.workflow.recoveryAttempts, 1);
    await run.released([], again("second"));
    const { recoveryAttempts, problem, parks } = (await a.readWorkflow("w"))!;
    assert.deepEqual([recoveryAttempts, problem, parks], [0, null, 0]);
  },

  "a workflow that is continued as new suspends, wakes and times out as any other": async (
    { drivers: [a, b], advance },
  ) => {
    const run = await begin(a, "w");
    await run.held([receive(0, ["old"], LEASE_MS)]);
    await run.released([], again("second"));
    await (await take(b, "w")).suspend([receive(0, ["new"], 3 * LEASE_MS)]);
    await a.send([newMessage("w", { topic: "old" })]);
    await advance(2 * LEASE_MS);
    assert.deepEqual(await claimIds(b), [], "neither the old topic nor the old deadline makes it due");
    await a.send([newMessage("w", { topic: "new", value: "m" })]);
    assert.deepEqual(await (await take(b, "w")).outcomes([receive(0, ["new"])]), [
      { tag: "message", value: "m", topic: "new" },
    ]);
  },

  "waiters for the result of a workflow that is continued as new go on waiting": async ({ drivers: [a, b] }) => {
    const run = await begin(a, "w");
    await beginSuspended(a, "waiter", [observeResult(0, "w")]);
    await run.released([], again("second"));
    assert.deepEqual(await claimIds(b, { limit: 10 }), ["w"]);
  },
};

function again(input: string): Transition {
  return { to: "continueAsNew", input };
}
