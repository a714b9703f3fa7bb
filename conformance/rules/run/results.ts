/**
 * Rules for the results of other workflows, and for starting them.
 *
 * @module
 */

import assert from "node:assert/strict";
import type { EndStatus } from "../../../core/driver/driver.ts";
import {
  end,
  observeEvent,
  observeResult,
  observeTogether,
  receive,
  record,
  send,
  setEvent,
  start,
  SUSPEND,
} from "../../operations.ts";
import { LEASE_MS, newMessage, newWorkflow } from "../../requests.ts";
import {
  answers,
  begin,
  beginSuspended,
  cancel,
  claimIds,
  enqueue,
  messageOutcome,
  type OperationAnswer,
  resume,
  take,
  valueOutcome,
} from "../../driven_run.ts";
import { type Rules, rulesFor } from "../../suite.ts";

const children = ["c0", "c1", "c2"];

const waits = children.map((workflowId, position) => observeTogether(position, workflowId));

/** Starting workflows, and waiting for their results. */
export const results: Rules = {
  "start inserts a workflow that is PENDING and due": async ({ drivers: [a, b] }) => {
    const run = await begin(a, "w");
    const result = await run.held([start(0, newWorkflow("child", { name: "child", input: "1" }))]);
    assert.deepEqual([answers(result), result.woken], [[{ tag: "done", value: "child" }], ["child"]]);
    const child = await b.readWorkflow("child");
    assert.deepEqual([child?.status, child?.name, child?.input, child?.waiting, child?.recoveryAttempts], [
      "PENDING",
      "child",
      "1",
      null,
      0,
    ]);
    const { epoch, claimed } = await take(b, "child", { names: ["child"] });
    assert.deepEqual([epoch, claimed.workflow.recoveryAttempts, claimed.journal.entries], [1, 0, []]);
  },

  "start of an ID that exists under the same name is done and changes nothing": async ({ drivers: [a, b] }) => {
    const child = await begin(a, "child");
    await child.end("SUCCESS", "1");
    const before = await a.readWorkflow("child");
    const result = await (await begin(b, "w")).held([
      start(0, newWorkflow("child", { input: "2" })),
      start(1, newWorkflow("w")),
    ]);
    assert.deepEqual([answers(result), result.woken], [
      [{ tag: "done", value: "child" }, { tag: "done", value: "w" }],
      [],
    ]);
    assert.deepEqual(await b.readWorkflow("child"), before);
  },

  "start of an ID that exists under another name is a conflict, recorded": async ({ drivers: [a, b] }) => {
    await enqueue(a, "child");
    const before = await a.readWorkflow("child");
    const result = await (await begin(b, "w")).held([start(0, newWorkflow("child", { name: "other" }))]);
    assert.deepEqual([answers(result), result.woken], [[{ tag: "workflow_conflict" }], []]);
    assert.deepEqual(await b.readWorkflow("child"), before);
    assert.equal(
      (await b.readJournal({ workflowId: "w", after: -1, limit: 10 })).entries[0]?.outcome.tag,
      "workflow_conflict",
    );
  },

  "a commit can send to the workflow that it starts, in this order": async ({ drivers: [a, b] }) => {
    const message = (destinationId: string, messageId: string) =>
      newMessage(destinationId, { topic: "t", messageId, value: messageId });
    const result = await (await begin(a, "w")).held([
      send(0, message("late", "m1")),
      ...["child", "late"].map((id, index) => start(1 + index, newWorkflow(id))),
      send(3, message("child", "m2")),
      send(null, message("child", "m3")),
    ]);
    assert.deepEqual(answers(result), [
      { tag: "workflow_not_found" },
      { tag: "done", value: "child" },
      { tag: "done", value: "late" },
      { tag: "sent", value: "m2" },
      { tag: "sent", value: "m3" },
    ]);
    assert.deepEqual(result.woken, ["child", "late"]);
    const child = await take(b, "child");
    assert.deepEqual(await child.outcomes([receive(0, ["t"], 0), receive(1, ["t"], 0), receive(2, ["t"], 0)]), [
      messageOutcome("m2", "t"),
      messageOutcome("m3", "t"),
      { tag: "timeout" },
    ]);
  },

  "start of one ID by many workflows at once makes one": async ({ drivers }) => {
    const runs = await Promise.all([0, 1, 2, 3].map((index) => begin(drivers[index % 2 === 0 ? 0 : 1], `w${index}`)));
    for (let position = 0; position < 10; position++) {
      const started = await Promise.all(
        runs.map((run) => run.held([start(position, newWorkflow(`child${position}`))])),
      );
      assert.deepEqual(started.flatMap(answers), Array(4).fill({ tag: "done", value: `child${position}` }));
      assert.deepEqual(started.flatMap(({ woken }) => woken), [`child${position}`]);
    }
    assert.equal((await claimIds(drivers[0])).length, 10);
  },

  "an end stores the status, the output and the error": async ({ drivers: [a, b] }) => {
    const cases: [EndStatus, string | null][] = [["SUCCESS", '"out"'], ["SUCCESS", null], ["ERROR", '"err"'], [
      "MAX_RECOVERY_ATTEMPTS_EXCEEDED",
      null,
    ]];
    for (const [index, [status, text]] of cases.entries()) {
      const run = await begin(a, `w${index}`);
      await run.end(status, text);
      const workflow = await b.readWorkflow(`w${index}`);
      const [output, error] = status === "SUCCESS" ? [text, null] : [null, text];
      assert.deepEqual([workflow?.status, workflow?.output, workflow?.error, workflow?.waiting], [
        status,
        output,
        error,
        null,
      ]);
    }
  },

  "an end applies the operations of its commit first": async ({ drivers: [a, b] }) => {
    const run = await begin(a, "w");
    const { woken } = await run.released([record(0, "0"), start(1, newWorkflow("child"))], end());
    assert.deepEqual(woken, ["child"]);
    assert.equal((await b.readJournal({ workflowId: "w", after: -1, limit: 10 })).entries.length, 2);
  },

  "observeResult() answers how a workflow ended": async ({ drivers: [a] }) => {
    const cases: [EndStatus, string | null, OperationAnswer][] = [
      ["SUCCESS", "1", valueOutcome("1")],
      ["SUCCESS", null, { tag: "value" }],
      ["ERROR", "2", { tag: "error", value: "2" }],
      ["ERROR", null, { tag: "error" }],
      ["MAX_RECOVERY_ATTEMPTS_EXCEEDED", "3", { tag: "error", value: "3" }],
    ];
    const run = await begin(a, "w");
    for (const [position, [status, text, expected]] of cases.entries()) {
      await (await begin(a, `child${position}`)).end(status, text);
      assert.deepEqual(await run.outcomes([observeResult(position, `child${position}`)]), [expected]);
    }
    await begin(a, "cancelled");
    await cancel(a, "cancelled");
    assert.deepEqual(await run.outcomes([observeResult(9, "cancelled")]), [{ tag: "cancelled" }]);
  },

  "observeResult() waits for a workflow that has not ended or does not exist": async ({ drivers: [a] }) => {
    await enqueue(a, "enqueued");
    await begin(a, "running");
    await beginSuspended(a, "suspended", [receive(0, [""])]);
    const run = await begin(a, "w");
    const waits = ["enqueued", "running", "suspended", "missing", "w"].map((id, index) => observeResult(index, id));
    assert.deepEqual(await run.outcomes(waits), Array(5).fill("open"));
  },

  "observeResult() keeps what it recorded when the workflow is resumed": async ({ drivers: [a, b] }) => {
    await begin(a, "child");
    await cancel(a, "child");
    const run = await begin(a, "w");
    await run.held([observeResult(0, "child")]);
    await resume(a, "child");
    assert.deepEqual(await run.outcomes([observeResult(0, "child"), observeResult(1, "child")]), [
      { tag: "cancelled" },
      "open",
    ]);
    await (await take(b, "child")).end("SUCCESS", "1");
    assert.deepEqual(await run.outcomes([observeResult(1, "child")]), [valueOutcome("1")]);
  },

  "an end wakes every suspended workflow that waits for the result": async ({ drivers: [a, b] }) => {
    for (const status of ["SUCCESS", "ERROR", "MAX_RECOVERY_ATTEMPTS_EXCEEDED"] as const) {
      const ids = [`${status}1`, `${status}2`];
      for (const id of ids) await beginSuspended(a, id, [observeResult(0, `child-${status}`)]);
      await beginSuspended(a, `${status}-other`, [observeResult(0, `child-other-${status}`)]);
      const child = await begin(b, `child-${status}`);
      assert.deepEqual(await claimIds(b), []);
      assert.deepEqual((await child.end(status)).woken.toSorted(), ids);
      assert.deepEqual((await claimIds(b)).toSorted(), ids);
    }
  },

  "control() wakes those who wait for the result when it cancels": async ({ drivers: [a, b] }) => {
    await begin(a, "child");
    await beginSuspended(a, "w", [observeResult(0, "child")]);
    await beginSuspended(a, "other", [observeResult(0, "w")]);
    assert.deepEqual(await cancel(b, "child"), { state: "done", woken: ["w"] });
    assert.deepEqual(await (await take(b, "w")).outcomes([observeResult(0, "child")]), [{ tag: "cancelled" }]);
    assert.deepEqual(await claimIds(b), []);
  },

  "an end at the same time as a suspend for the result never leaves the waiter asleep": async ({ drivers: [a, b] }) => {
    for (let round = 0; round < 40; round++) {
      const [workflowId, childId] = [`w${round}`, `child${round}`];
      const [child, run] = [await begin(a, childId), await begin(b, workflowId)];
      const ended = async () => {
        if (round % 2 === 0) return (await child.end("SUCCESS", "1")).woken;
        const result = await cancel(a, childId);
        return result.state === "done" ? result.woken : [];
      };
      const expected: OperationAnswer = round % 2 === 0 ? valueOutcome("1") : { tag: "cancelled" };
      const [woken, suspended] = await Promise.all([ended(), run.commit([observeResult(0, childId)], SUSPEND)]);
      if (suspended.state === "held") {
        assert.deepEqual([answers(suspended), woken], [[expected], []]);
        continue;
      }
      assert.equal(suspended.state, "released");
      assert.deepEqual(woken, [workflowId]);
      assert.deepEqual(await (await take(a, workflowId)).outcomes([observeResult(0, childId)]), [expected]);
    }
  },

  "two workflows that wait for each other and end at the same time do not block each other": async (
    { drivers: [a, b], advance },
  ) => {
    for (let round = 0; round < 10; round++) {
      const [left, right] = [await begin(a, `left${round}`), await begin(b, `right${round}`)];
      await left.suspend([observeResult(0, right.workflowId, LEASE_MS)]);
      await right.suspend([observeResult(0, left.workflowId, LEASE_MS)]);
      await advance(LEASE_MS + 1);
      const runs = [await take(a, left.workflowId), await take(b, right.workflowId)];
      const ended = await Promise.all(runs.map((run) => run.commit([], end())));
      assert.deepEqual(ended.map(({ state }) => state), ["released", "released"]);
    }
  },

  "a workflow that waits for results together is woken by the last of them": async ({ drivers: [a, b] }) => {
    const runs = await Promise.all(children.map((workflowId) => begin(a, workflowId)));
    await beginSuspended(b, "w", waits);
    const woken: string[][] = [];
    for (const run of runs) woken.push((await run.end()).woken);
    assert.deepEqual(woken, [[], [], ["w"]]);
    const run = await take(b, "w");
    assert.deepEqual(await run.outcomes(waits), Array(3).fill(valueOutcome("null")));
  },

  ...rulesFor(
    ["ERROR", "MAX_RECOVERY_ATTEMPTS_EXCEEDED", "CANCELLED"] as const,
    (status) => ({
      [`a workflow that waits for results together is woken by the first that ends as ${status}`]: async (
        { drivers: [a, b] },
      ) => {
        const [first, second] = await Promise.all(children.map((workflowId) => begin(a, workflowId)));
        await beginSuspended(b, "w", waits);
        assert.deepEqual((await first!.end()).woken, []);
        const ended = status === "CANCELLED" ? await cancel(b, "c1") : await second!.end(status, "null");
        assert("woken" in ended);
        assert.deepEqual(ended.woken, ["w"]);
        const results = await (await take(b, "w")).outcomes(waits);
        assert.deepEqual(results.map((it) => it === "open" ? it : it.tag), [
          "value",
          status === "CANCELLED" ? "cancelled" : "error",
          "open",
        ]);
      },
    }),
  ),

  "each suspend counts the results that are waited for together again": async ({ drivers: [a, b] }) => {
    const [first, second, third] = await Promise.all(children.map((workflowId) => begin(a, workflowId)));
    const message = receive(3, ["go"]);
    await beginSuspended(b, "w", [...waits, message]);
    assert.deepEqual((await first!.end()).woken, []);
    assert.equal((await a.send([newMessage("w", { topic: "go" })])).state, "sent");
    const run = await take(b, "w");
    assert.deepEqual((await run.outcomes([...waits, message])).map((it) => it === "open" ? it : it.tag), [
      "value",
      "open",
      "open",
      "message",
    ]);
    await run.suspend(waits.slice(1));
    assert.deepEqual((await third!.end()).woken, []);
    assert.deepEqual((await second!.end()).woken, ["w"]);
  },

  "another wait beside results that are waited for together wakes its workflow too": async ({ drivers: [a, b] }) => {
    const [first, second] = await Promise.all(children.map((workflowId) => begin(a, workflowId)));
    await beginSuspended(b, "w", [...waits, observeResult(3, "c0"), observeEvent(4, "c1", "state")]);
    assert.deepEqual((await first!.end()).woken, ["w"]);
    await (await take(b, "w")).suspend([waits[1]!, waits[2]!, observeEvent(4, "c1", "state")]);
    assert.deepEqual((await second!.held([setEvent(0, "state", "1")])).woken, ["w"]);
  },

  "children that end at the same time wake a workflow that waits for them together once": async ({ drivers }) => {
    for (let round = 0; round < 10; round++) {
      const names = Array.from({ length: 8 }, (_, index) => `c${round}-${index}`);
      const runs = await Promise.all(
        names.map((workflowId, index) => begin(drivers[index % 2 === 0 ? 0 : 1], workflowId)),
      );
      await beginSuspended(
        drivers[0],
        `w${round}`,
        names.map((workflowId, position) => observeTogether(position, workflowId)),
      );
      const ended = await Promise.all(runs.map((run) => run.end()));
      assert.deepEqual(ended.flatMap(({ woken }) => woken), [`w${round}`]);
    }
  },
};
