/**
 * Rules for commits that are made twice, because a network may repeat a request.
 *
 * @module
 */

import assert from "node:assert/strict";
import type { Driver, Operation } from "../../../core/driver/driver.ts";
import {
  closeStream,
  end,
  observeEvent,
  observeResult,
  receive,
  record,
  send,
  setEvent,
  sleep,
  start,
  SUSPEND,
  writeStream,
  YIELD,
} from "../../operations.ts";
import { LEASE_MS, newMessage, newWorkflow } from "../../requests.ts";
import {
  answers,
  assertAbout,
  begin,
  claimIds,
  committed,
  enqueue,
  messageOutcome,
  remainingMs,
  take,
  twice,
  valueOutcome,
} from "../../driven_run.ts";
import type { Rules } from "../../suite.ts";

/** Repeats of `commit`. */
export const repeats: Rules = {
  "commit() answers with the recorded outcomes and does nothing again when it is repeated": async ({ drivers }) => {
    await prepare(drivers[0]);
    const run = await begin(drivers[0], "w");
    await drivers[1].send([newMessage("w", { value: "1" }), newMessage("w", { value: "2" })]);
    const [operations, expected] = split(everyRecorded());
    assert.deepEqual(await twice(drivers, run.next(operations)), expected);
    assert.deepEqual(await run.drain(), ["2"]);
    await assertAppliedOnce(drivers[0]);
  },

  "commit() answers with the recorded outcomes and does nothing again in a later commit of the same run": async (
    { drivers },
  ) => {
    await prepare(drivers[0]);
    const run = await begin(drivers[0], "w");
    await drivers[1].send([newMessage("w", { value: "1" }), newMessage("w", { value: "2" })]);
    const [operations, expected] = split(everyRecorded());
    assert.deepEqual(await run.outcomes(operations), expected);
    assert.deepEqual(await run.outcomes(operations), expected);
    assert.deepEqual(await run.drain(), ["2"]);
    await assertAppliedOnce(drivers[0]);
  },

  "commit() answers with the recorded outcomes and does nothing again in a later run": async (
    { drivers: [a, b], advance },
  ) => {
    await prepare(a);
    const first = await begin(a, "w");
    await b.send([newMessage("w", { value: "1" }), newMessage("w", { value: "2" })]);
    const [operations, expected] = split(everyRecorded());
    assert.deepEqual(await first.outcomes(operations), expected);
    await advance(LEASE_MS + 1);
    const run = await take(b, "w");
    assert.deepEqual(await run.outcomes(operations), expected);
    assert.deepEqual(await run.drain(), ["2"]);
    assert.deepEqual((await a.readEvent({ workflowId: "w", key: "k" })).event?.version, 1);
    assert.equal((await a.readStream({ workflowId: "w", key: "s", from: 0, limit: 0 })).tail, 1);
  },

  "commit() keeps the first outcome of a position when another is recorded later": async ({ drivers: [a, b] }) => {
    const run = await begin(a, "w");
    await run.held([record(0, "first")]);
    assert.deepEqual(
      await run.outcomes([record(0, "second"), setEvent(0, "k", "v")]),
      Array(2).fill(valueOutcome("first")),
    );
    assert.equal((await b.readEvent({ workflowId: "w", key: "k" })).event, null);
    assert.equal((await b.readJournal({ workflowId: "w", after: -1, limit: 10 })).entries.length, 1);
  },

  "commit() answers with an outcome that was recorded hundreds of entries ago, in any run": async (
    { drivers: [a, b] },
  ) => {
    const run = await begin(a, "w");
    const request = run.next(Array.from({ length: 10 }, (_, position) => record(position, `${position}`)));
    await a.commit(request);
    await run.held(Array.from({ length: 500 }, (_, index) => record(10 + index, "later")));
    const expected = request.operations.map(({ position }) => ({ tag: "value", value: `${position}` }));
    for (const driver of [a, b]) assert.deepEqual(answers(committed(await driver.commit(request), "held")), expected);
    assert.deepEqual(await run.outcomes([record(300, "again"), record(0, "again"), record(1_000, "new")]), [
      valueOutcome("later"),
      valueOutcome("0"),
      valueOutcome("new"),
    ]);
  },

  "commit() number 1 of a later epoch is no repeat": async ({ drivers: [a, b] }) => {
    const first = await begin(a, "w");
    await first.held([writeStream(null, "s", "1")]);
    await first.held([writeStream(null, "s", "2")]);
    await first.released([], YIELD);
    const run = await take(b, "w");
    const request = run.next([writeStream(null, "s", "3")]);
    for (const driver of [a, b]) {
      assert.equal((await driver.commit(request)).state, "held", "the earlier run let go, this one did not");
    }
    assert.deepEqual((await a.readStream({ workflowId: "w", key: "s", from: 0, limit: 10 })).values, ["1", "2", "3"]);
  },

  "commit() takes no message that came since when it is repeated": async ({ drivers: [a, b] }) => {
    const run = await begin(a, "w");
    const request = run.next([receive(0, [""], 10 * LEASE_MS)]);
    assert.deepEqual(answers(committed(await a.commit(request), "held")), ["open"]);
    await b.send([newMessage("w", { value: "1" })]);
    assertAbout(remainingMs(committed(await b.commit(request), "held")), 10 * LEASE_MS);
    assert.deepEqual(await run.outcomes([receive(0, [""])]), [messageOutcome("1")]);
  },

  "commit() opens an entry once when it is repeated": async ({ drivers: [a, b], advance }) => {
    const run = await begin(a, "w", { leaseMs: 100 * LEASE_MS });
    const request = { ...run.next([receive(0, [""], 10 * LEASE_MS)]), leaseMs: 100 * LEASE_MS };
    await a.commit(request);
    await advance(5 * LEASE_MS);
    assertAbout(remainingMs(committed(await b.commit(request), "held")), 5 * LEASE_MS);
    await run.released([], YIELD);
    assert.equal((await take(b, "w")).claimed.open.length, 1);
  },

  "commit() answers released when a suspend is repeated": async ({ drivers: [a, b] }) => {
    const run = await begin(a, "w");
    const request = run.next([receive(0, ["t"], 10 * LEASE_MS), receive(1, ["u"])], SUSPEND);
    await a.commit(request);
    const again = committed(await b.commit(request), "released");
    assertAbout(remainingMs(again, 0), 10 * LEASE_MS);
    assert.equal(remainingMs(again, 1), null);
    assert.deepEqual(await claimIds(b), []);
    assert.notEqual((await b.readWorkflow("w"))?.waiting, null);
  },

  "commit() answers released and takes nothing when a suspend is repeated after the workflow was woken": async (
    { drivers: [a, b] },
  ) => {
    const run = await begin(a, "w");
    const request = run.next([receive(0, [""])], SUSPEND);
    await a.commit(request);
    await b.send([newMessage("w", { value: "1" })]);
    assert.deepEqual(answers(committed(await b.commit(request), "released")), ["open"]);
    const next = await take(b, "w");
    assert.deepEqual(await next.outcomes([receive(0, [""])]), [messageOutcome("1")]);
  },

  "commit() is lost when a suspend or a yield is repeated after the workflow was claimed": async (
    { drivers: [a, b] },
  ) => {
    for (const transition of [SUSPEND, YIELD]) {
      const run = await begin(a, transition.to);
      const request = run.next([receive(0, [""])], transition);
      await a.commit(request);
      await b.send([newMessage(transition.to, { value: "1" })]);
      const next = await take(b, transition.to);
      assert.deepEqual(await a.commit(request), { state: "lost" });
      assert.deepEqual(await next.drain(), ["1"]);
    }
  },

  "commit() answers released when a yield is repeated": async ({ drivers }) => {
    const run = await begin(drivers[0], "w");
    const request = run.next([record(0, "0"), writeStream(null, "s", "v")], YIELD);
    assert.deepEqual(await twice(drivers, request, "released"), [valueOutcome("0"), { tag: "done" }]);
    assert.equal((await drivers[1].readStream({ workflowId: "w", key: "s", from: 0, limit: 0 })).tail, 1);
    assert.equal((await take(drivers[1], "w")).epoch, 2);
  },

  "commit() answers released when an end is repeated, and ends nothing twice": async ({ drivers, advance }) => {
    const [a, b] = drivers;
    const run = await begin(a, "w");
    const request = run.next([record(0, "0"), writeStream(null, "s", "v")], end("SUCCESS", "1"));
    assert.deepEqual(answers(committed(await a.commit(request), "released")), [valueOutcome("0"), {
      tag: "done",
    }]);
    const before = await a.readWorkflow("w");
    await advance(LEASE_MS);
    assert.deepEqual(await twice(drivers, request, "released"), [valueOutcome("0"), { tag: "done" }]);
    assert.deepEqual(await b.readWorkflow("w"), before);
    assert.equal((await b.readStream({ workflowId: "w", key: "s", from: 0, limit: 0 })).tail, 1);
  },

  "commit() answers held again when a refused suspend is repeated": async ({ drivers }) => {
    const run = await begin(drivers[0], "w");
    await drivers[1].send([newMessage("w", { value: "1" }), newMessage("w", { value: "2" })]);
    const request = run.next([receive(0, [""]), receive(1, ["t"])], SUSPEND);
    assert.deepEqual(await twice(drivers, request), [messageOutcome("1"), "open"]);
    await run.held();
    assert.deepEqual(await run.drain(), ["2"]);
  },

  "commit() made twice at the same time takes effect once": async ({ drivers: [a, b] }) => {
    await enqueue(a, "inbox");
    for (let round = 0; round < 20; round++) {
      const workflowId = `w${round}`;
      const run = await begin(a, workflowId);
      await b.send([newMessage(workflowId, { value: "1" }), newMessage(workflowId, { value: "2" })]);
      const message = newMessage("inbox", { value: workflowId });
      const request = run.next([
        receive(0, [""]),
        writeStream(1, "s", "v"),
        writeStream(null, "s", "v"),
        setEvent(null, "k", "v"),
        send(2, message),
      ]);
      const [first, second] = await Promise.all([a.commit(request), b.commit(request)]);
      assert.deepEqual(answers(committed(second, "held")), answers(committed(first, "held")));
      assert.equal((await b.readStream({ workflowId, key: "s", from: 0, limit: 0 })).tail, 2);
      assert.equal((await b.readEvent({ workflowId, key: "k" })).event?.version, 1);
      assert.deepEqual(await run.drain(), ["2"]);
    }
    assert.equal((await (await take(a, "inbox")).drain()).length, 20);
  },

  "commit() of an end made twice at the same time answers both": async ({ drivers: [a, b] }) => {
    for (let round = 0; round < 10; round++) {
      const request = (await begin(a, `w${round}`)).next([record(0, "0")], end("SUCCESS", "1"));
      const [first, second] = await Promise.all([a.commit(request), b.commit(request)]);
      assert.deepEqual(answers(committed(second, "released")), answers(committed(first, "released")));
    }
  },
};

/**
 * One operation of each kind with its outcome. In the store, workflow `friend` has ended with 7 and
 * has set event `k`.
 */
function everyRecorded(): [Operation, ReturnType<typeof answers>[number]][] {
  return [
    [record(0, "step"), valueOutcome("step")],
    [send(1, newMessage("inbox", { messageId: "m" })), { tag: "sent", value: "m" }],
    [send(2, newMessage("missing")), { tag: "workflow_not_found" }],
    [setEvent(3, "k", "v"), { tag: "done" }],
    [writeStream(4, "s", "v"), { tag: "done" }],
    [closeStream(5, "s"), { tag: "done" }],
    [writeStream(6, "s", "late"), { tag: "stream_closed" }],
    [start(7, newWorkflow("child")), { tag: "done", value: "child" }],
    [start(8, newWorkflow("child", { name: "other" })), { tag: "workflow_conflict" }],
    [receive(9, [""]), messageOutcome("1")],
    [receive(10, ["none"], 0), { tag: "timeout" }],
    [observeEvent(11, "friend", "k"), valueOutcome("friendly")],
    [observeResult(12, "friend"), valueOutcome("7")],
    [sleep(13, 0), { tag: "done" }],
    [observeEvent(14, "friend", "none"), { tag: "workflow_ended", value: "SUCCESS" }],
    [observeEvent(15, "purged", "k", null, true), { tag: "workflow_not_found" }],
    [observeResult(16, "purged", null, true), { tag: "workflow_not_found" }],
  ];
}

async function prepare(driver: Driver): Promise<void> {
  const friend = await begin(driver, "friend");
  await friend.held([setEvent(0, "k", "friendly")]);
  await friend.end("SUCCESS", "7");
  await enqueue(driver, "inbox");
}

async function assertAppliedOnce(driver: Driver): Promise<void> {
  assert.deepEqual((await driver.readEvent({ workflowId: "w", key: "k" })).event, { version: 1, value: "v" });
  const { values, closed } = await driver.readStream({ workflowId: "w", key: "s", from: 0, limit: 10 });
  assert.deepEqual([values, closed], [["v"], true]);
  assert.deepEqual(await (await take(driver, "inbox")).drain(), ['"hello"']);
  assert.deepEqual(await claimIds(driver), ["child"]);
}

function split<A, B>(pairs: [A, B][]): [A[], B[]] {
  return [pairs.map(([first]) => first), pairs.map(([, second]) => second)];
}
