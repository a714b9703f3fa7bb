/**
 * Rules for suspending, and for arrivals that make a suspended workflow due. Neither can miss the
 * other.
 *
 * @module
 */

import assert from "node:assert/strict";
import type { Driver, Operation } from "../../../core/driver/driver.ts";
import { end, observeEvent, observeResult, receive, record, send, setEvent, sleep, SUSPEND } from "../../operations.ts";
import { LEASE_MS, newMessage } from "../../requests.ts";
import {
  answers,
  assertAbout,
  begin,
  beginSuspended,
  cancel,
  claimIds,
  messageOutcome,
  type OperationAnswer,
  remainingMs,
  sent,
  take,
  valueOutcome,
} from "../../driven_run.ts";
import type { Rules } from "../../suite.ts";

/** Suspending against arrival. */
export const suspend: Rules = {
  "a suspended workflow is PENDING, shows what it waits for, and is not due": async ({ drivers: [a, b], advance }) => {
    const run = await begin(a, "w");
    const { now, woken, results } = await run.released(
      [receive(1, ["t"]), sleep(0, 50 * LEASE_MS), receive(2, ["u"], 60 * LEASE_MS)],
      SUSPEND,
    );
    assert.deepEqual([woken, results.length], [[], 3]);
    const workflow = await b.readWorkflow("w");
    assert.equal(workflow?.status, "PENDING");
    assert.deepEqual(workflow.waiting?.operations.toSorted(), ["recv t", "recv u", "sleep"]);
    assert(Math.abs((workflow.waiting?.until ?? 0) - (now + 50 * LEASE_MS)) < 30_000);
    await advance(40 * LEASE_MS);
    assert.deepEqual(await claimIds(b), []);
    assert.deepEqual(await claimIds(b, { workflowIds: ["w"] }), []);
  },

  "a suspended workflow without a deadline is never due by itself": async ({ drivers: [a, b], advance }) => {
    await beginSuspended(a, "w", [receive(0, ["t"]), observeEvent(1, "other", "k"), observeResult(2, "other")]);
    assert.equal((await b.readWorkflow("w"))?.waiting?.until, null);
    await advance(10 * 365 * 24 * 3_600_000);
    assert.deepEqual(await claimIds(b), []);
  },

  "readWorkflow() shows no wait while a run holds the workflow, nor after it ended": async (
    { drivers: [a, b], advance },
  ) => {
    const first = await begin(a, "w");
    await first.held([sleep(0, LEASE_MS)]);
    assert.equal((await b.readWorkflow("w"))?.waiting, null, "running");
    await first.suspend([sleep(0, LEASE_MS)]);
    assert.notEqual((await b.readWorkflow("w"))?.waiting, null, "suspended");
    await advance(LEASE_MS + 1);
    const run = await take(b, "w");
    assert.equal(run.claimed.workflow.waiting, null, "claimed");
    assert.equal((await b.readWorkflow("w"))?.waiting, null, "claimed");
    await run.suspend([receive(1, [""])]);
    assert.deepEqual((await b.readWorkflow("w"))?.waiting?.operations.includes("recv "), true);
    await cancel(a, "w");
    assert.equal((await b.readWorkflow("w"))?.waiting, null, "cancelled");
  },

  "a suspended workflow is due at the earliest of its deadlines, and the other waits go on": async (
    { drivers: [a, b], advance },
  ) => {
    await beginSuspended(a, "w", [
      receive(0, ["t"], 9 * LEASE_MS),
      sleep(1, 3 * LEASE_MS),
      observeEvent(2, "other", "k"),
    ]);
    await advance(2 * LEASE_MS);
    assert.deepEqual(await claimIds(b), []);
    await advance(LEASE_MS + 1);
    const run = await take(b, "w");
    assert.deepEqual(run.claimed.open.map(({ position }) => position), [0, 1, 2]);
    const again = await run.held([receive(0, ["t"]), sleep(1, 3 * LEASE_MS), observeEvent(2, "other", "k")]);
    assert.deepEqual(answers(again), ["open", { tag: "done" }, "open"]);
    assertAbout(remainingMs(again, 0), 6 * LEASE_MS);
    await run.suspend([receive(0, ["t"]), observeEvent(2, "other", "k")]);
    await advance(5 * LEASE_MS);
    assert.deepEqual(await claimIds(a), []);
    await advance(LEASE_MS + 1);
    assert.deepEqual(await (await take(a, "w")).outcomes([receive(0, ["t"])]), [{ tag: "timeout" }]);
  },

  "a suspend is refused when an operation has an outcome, and the lease is kept": async (
    { drivers: [a, b], advance },
  ) => {
    const cases: [string, Operation, OperationAnswer][] = [
      ["message", receive(0, ["t"]), messageOutcome("1", "t")],
      ["record", record(0, "0"), valueOutcome("0")],
      ["deadline", sleep(0, 0), { tag: "done" }],
      ["refusal", send(0, newMessage("missing")), { tag: "workflow_not_found" }],
      ["step", setEvent(null, "k", "v"), { tag: "done" }],
    ];
    for (const [workflowId, operation, expected] of cases) {
      const run = await begin(a, workflowId);
      await b.send([newMessage(workflowId, { topic: "t", value: "1" })]);
      await advance(LEASE_MS / 2);
      assert.deepEqual(
        answers(await run.held([operation, receive(1, ["u"])], SUSPEND)),
        [expected, "open"],
        workflowId,
      );
      await advance(LEASE_MS / 2 + 1_000);
      assert.deepEqual(await claimIds(b), [], workflowId);
      assert.equal((await b.readWorkflow(workflowId))?.waiting, null);
      await run.end();
    }
  },

  "a suspend is refused when an entry already has its outcome": async ({ drivers: [a] }) => {
    const run = await begin(a, "w");
    await run.held([receive(0, ["t"], 0)]);
    assert.deepEqual(answers(await run.held([receive(0, ["t"]), receive(1, ["t"])], SUSPEND)), [
      { tag: "timeout" },
      "open",
    ]);
    await run.suspend([receive(1, ["t"])]);
  },

  "an arrival for one of several waits makes the workflow due at once, and the call that brought it names the workflow":
    async (
      { drivers: [a, b] },
    ) => {
      await beginSuspended(a, "w", ARRIVALS.map(({ wait }) => wait));
      for (const [index, { wait, bring, expected }] of ARRIVALS.entries()) {
        assert.deepEqual(await bring(b), ["w"]);
        const run = await take(b, "w");
        assert.equal(run.epoch, index + 2);
        assert.deepEqual(await run.outcomes([wait]), [expected]);
        const rest = ARRIVALS.slice(index + 1).map((arrival) => arrival.wait);
        if (rest.length === 0) await run.end();
        else await run.suspend(rest);
      }
    },

  "a workflow that was woken is reported once": async ({ drivers: [a, b] }) => {
    await beginSuspended(a, "w", [receive(0, [""])]);
    const sends = await Promise.all([a, b, a, b].map((driver) => driver.send([newMessage("w")])));
    assert.deepEqual(sends.flatMap((result) => sent(result).woken), ["w"]);
    assert.deepEqual(await claimIds(b), ["w"]);
  },

  "send() to many reports each workflow that it wakes once": async ({ drivers: [a, b] }) => {
    for (const id of ["v", "w"]) await beginSuspended(a, id, [receive(0, [""])]);
    await begin(a, "running");
    assert.deepEqual(sent(await b.send(["w", "running", "v", "w"].map((id) => newMessage(id)))).woken.toSorted(), [
      "v",
      "w",
    ]);
  },

  "a workflow that suspended again is woken again": async ({ drivers: [a, b] }) => {
    await beginSuspended(a, "w", [receive(0, [""])]);
    for (let position = 0; position < 5; position++) {
      assert.deepEqual(sent(await b.send([newMessage("w", { value: String(position) })])).woken, ["w"]);
      const run = await take(a, "w");
      assert.deepEqual(await run.outcomes([receive(position, [""])]), [messageOutcome(String(position))]);
      await run.suspend([receive(position + 1, [""])]);
    }
  },

  "a run that wakes itself is not reported, and its suspend is refused": async ({ drivers: [a] }) => {
    const run = await begin(a, "w");
    const result = await run.held([receive(0, [""]), send(1, newMessage("w", { messageId: "m" }))], SUSPEND);
    assert.deepEqual([answers(result), result.woken], [["open", { tag: "sent", value: "m" }], []]);
  },

  "a woken workflow that was not claimed yet loses nothing to more messages": async ({ drivers: [a, b], advance }) => {
    await beginSuspended(a, "w", [receive(0, ["t"], 2 * LEASE_MS)]);
    await b.send([newMessage("w", { topic: "t", value: "1" })]);
    await advance(5 * LEASE_MS);
    await b.send([newMessage("w", { topic: "t", value: "2" })]);
    const run = await take(b, "w");
    assert.deepEqual(await run.outcomes([receive(0, ["t"])]), [messageOutcome("1", "t")]);
    assert.deepEqual(await run.drain(["t"]), ["2"]);
  },

  "send() at the same time as a suspend never leaves a workflow asleep with a message it waits for": async (
    { drivers: [a, b] },
  ) => {
    for (let round = 0; round < 60; round++) {
      const workflowId = `w${round}`;
      const run = await begin(a, workflowId);
      const bring = () => b.send([newMessage(workflowId, { topic: "u", value: "1" })]);
      const early = round % 2 === 0 ? bring() : null;
      const [result, brought] = await Promise.all([run.commit([receive(0, ["t", "u"])], SUSPEND), early ?? bring()]);
      const { woken } = sent(brought);
      if (result.state === "held") {
        assert.deepEqual([answers(result), woken], [[messageOutcome("1", "u")], []]);
        continue;
      }
      assert.equal(result.state, "released");
      assert.deepEqual(woken, [workflowId]);
      assert.deepEqual(await (await take(b, workflowId)).drain(["u"]), ["1"]);
    }
  },

  "a send from a workflow at the same time as a suspend never leaves the receiver asleep": async (
    { drivers: [a, b] },
  ) => {
    const sender = await begin(b, "sender");
    for (let round = 0; round < 40; round++) {
      const workflowId = `w${round}`;
      const run = await begin(a, workflowId);
      const [result, { woken }] = await Promise.all([
        run.commit([receive(0, [""])], SUSPEND),
        sender.held([send(round, newMessage(workflowId, { value: "1" }))]),
      ]);
      if (result.state === "held") {
        assert.deepEqual([answers(result), woken], [[messageOutcome("1")], []]);
        continue;
      }
      assert.equal(result.state, "released");
      assert.deepEqual(woken, [workflowId]);
      assert.deepEqual(await (await take(b, workflowId)).drain(), ["1"]);
    }
  },

  "two workflows that send to each other and suspend at the same time both get their message": async (
    { drivers: [a, b] },
  ) => {
    for (let round = 0; round < 20; round++) {
      const [left, right] = [await begin(a, `left${round}`), await begin(b, `right${round}`)];
      const exchange = async (run: typeof left, otherId: string) => {
        await run.held([send(0, newMessage(otherId, { value: run.workflowId }))]);
        return await run.commit([receive(1, [""])], SUSPEND);
      };
      const results = await Promise.all([exchange(left, right.workflowId), exchange(right, left.workflowId)]);
      for (
        const [index, [run, otherId]] of ([[left, right.workflowId], [right, left.workflowId]] as const).entries()
      ) {
        const expected: OperationAnswer[] = [messageOutcome(otherId)];
        const result = results[index];
        if (result?.state === "held") assert.deepEqual(answers(result), expected);
        else assert.deepEqual(await (await take(a, run.workflowId)).outcomes([receive(1, [""])]), expected);
      }
    }
  },

  "a cancel at the same time as a suspend leaves the workflow cancelled and never due": async (
    { drivers: [a, b], advance },
  ) => {
    for (let round = 0; round < 20; round++) {
      const run = await begin(a, `w${round}`);
      const [result, cancelled] = await Promise.all([
        run.commit([receive(0, [""], LEASE_MS)], SUSPEND),
        cancel(b, run.workflowId),
      ]);
      assert(result.state === "released" || result.state === "cancelled");
      assert.deepEqual(cancelled, { state: "done", woken: [] });
      assert.equal((await b.readWorkflow(run.workflowId))?.status, "CANCELLED");
    }
    await advance(2 * LEASE_MS);
    assert.deepEqual(await claimIds(b), []);
  },

  "a cancel at the same time as an end is decided for one of them": async ({ drivers: [a, b] }) => {
    for (let round = 0; round < 20; round++) {
      const run = await begin(a, `w${round}`);
      const [ended, cancelled] = await Promise.all([
        run.commit([], end("SUCCESS", "1")),
        cancel(b, run.workflowId),
      ]);
      const status = (await b.readWorkflow(run.workflowId))?.status;
      if (ended.state === "released") {
        assert.deepEqual([status, cancelled], ["SUCCESS", { state: "ended", status: "SUCCESS" }]);
      } else {assert.deepEqual([status, ended, cancelled], ["CANCELLED", { state: "cancelled" }, {
          state: "done",
          woken: [],
        }]);}
    }
  },
};

/** For each kind of wait, the call that brings its arrival, and its outcome. */
const ARRIVALS: {
  wait: Operation;
  bring: (driver: Driver) => Promise<readonly string[]>;
  expected: OperationAnswer;
}[] = [
  {
    wait: receive(0, ["t"]),
    bring: async (driver) => sent(await driver.send([newMessage("w", { topic: "t", value: "1" })])).woken,
    expected: messageOutcome("1", "t"),
  },
  {
    wait: receive(1, ["u"]),
    bring: async (driver) =>
      (await (await begin(driver, "sender")).held([send(0, newMessage("w", { topic: "u", value: "1" }))])).woken,
    expected: messageOutcome("1", "u"),
  },
  {
    wait: observeEvent(2, "source", "k"),
    bring: async (driver) => (await (await begin(driver, "source")).held([setEvent(0, "k", "v")])).woken,
    expected: valueOutcome("v"),
  },
  {
    wait: observeResult(3, "child"),
    bring: async (driver) => (await (await begin(driver, "child")).end("SUCCESS", "1")).woken,
    expected: valueOutcome("1"),
  },
];
