/**
 * Rules for arrivals in time: before the deadline by the store's clock, however late the workflow
 * looks.
 *
 * @module
 */

import assert from "node:assert/strict";
import type { Driver, Operation } from "../../../core/driver/driver.ts";
import { end, observeEvent, observeResult, receive, record, setEvent } from "../../operations.ts";
import { LEASE_MS, newMessage } from "../../requests.ts";
import {
  answers,
  assertAbout,
  begin,
  beginSuspended,
  cancel,
  messageOutcome,
  type OperationAnswer,
  remainingMs,
  resume,
  sent,
  take,
  valueOutcome,
} from "../../driven_run.ts";
import type { Rules } from "../../suite.ts";

const LONG_MS = 100 * LEASE_MS;

/** A wait, the call that brings its arrival, and its outcome. */
interface Case {
  readonly wait: (position: number, timeoutMs: number | null) => Operation;
  readonly bring: (driver: Driver) => Promise<unknown>;
  readonly outcome: OperationAnswer;
}

const CASES: Record<string, Case> = {
  receive: {
    wait: (position, timeoutMs) => receive(position, ["t"], timeoutMs),
    bring: (driver) => driver.send([newMessage("receive", { topic: "t", value: "1" })]),
    outcome: messageOutcome("1", "t"),
  },
  observeEvent: {
    wait: (position, timeoutMs) => observeEvent(position, "setter", "k", timeoutMs),
    bring: async (driver) => await (await begin(driver, "setter", { leaseMs: LONG_MS })).held([setEvent(0, "k", "2")]),
    outcome: valueOutcome("2"),
  },
  "observeEvent of what ends without it": {
    wait: (position, timeoutMs) => observeEvent(position, "failure", "k", timeoutMs),
    bring: async (driver) => await (await begin(driver, "failure")).end("ERROR", "e"),
    outcome: { tag: "workflow_ended", value: "ERROR" },
  },
  observeResult: {
    wait: (position, timeoutMs) => observeResult(position, "success", timeoutMs),
    bring: async (driver) => await (await begin(driver, "success")).end("SUCCESS", "3"),
    outcome: valueOutcome("3"),
  },
  "observeResult of what is cancelled": {
    wait: (position, timeoutMs) => observeResult(position, "cancelled", timeoutMs),
    bring: async (driver) => {
      await begin(driver, "cancelled");
      await cancel(driver, "cancelled");
    },
    outcome: { tag: "cancelled" },
  },
};

/** Arrivals in time, and late ones. */
export const inTime: Rules = {
  "an arrival before the deadline is the outcome, even if nobody looks until later": async (
    { drivers: [a, b], advance },
  ) => {
    for (const [workflowId, { wait }] of Object.entries(CASES)) {
      await beginSuspended(a, workflowId, [wait(0, 5 * LEASE_MS)]);
    }
    await advance(4 * LEASE_MS);
    for (const { bring } of Object.values(CASES)) await bring(b);
    await advance(4 * LEASE_MS);
    for (const [workflowId, { wait, outcome }] of Object.entries(CASES)) {
      assert.deepEqual(await (await take(b, workflowId)).outcomes([wait(0, null)]), [outcome], workflowId);
    }
  },

  "an arrival after the deadline is a timeout, and is left for the next wait": async ({ drivers: [a, b], advance }) => {
    for (const [workflowId, { wait }] of Object.entries(CASES)) {
      await beginSuspended(a, workflowId, [wait(0, LEASE_MS)]);
    }
    await advance(2 * LEASE_MS);
    for (const { bring } of Object.values(CASES)) await bring(b);
    for (const [workflowId, { wait, outcome }] of Object.entries(CASES)) {
      const run = await take(b, workflowId);
      assert.deepEqual(
        await run.outcomes([wait(0, LEASE_MS), wait(1, null)]),
        [{ tag: "timeout" }, outcome],
        workflowId,
      );
    }
  },

  "a run that still holds its lease also sees an arrival after the deadline as late": async (
    { drivers: [a, b], advance },
  ) => {
    for (const [workflowId, { wait, bring, outcome }] of Object.entries(CASES)) {
      const run = await begin(a, workflowId);
      await run.held([wait(0, LEASE_MS)]);
      await advance(2 * LEASE_MS);
      await bring(b);
      assert.deepEqual(await run.outcomes([wait(0, null), wait(1, 0)]), [{ tag: "timeout" }, outcome], workflowId);
    }
  },

  "a wait with an instant as its deadline ends then, by the store's clock": async ({ drivers: [a, b], advance }) => {
    const { now } = await (await begin(a, "clock")).held();
    const until = now + 5 * LEASE_MS;
    const ending = (wait: Case["wait"], position: number, at = until) => ({ ...wait(position, null), until: at });
    for (const [workflowId, { wait }] of Object.entries(CASES)) {
      const run = await begin(a, workflowId);
      const looked = await run.held([ending(wait, 0), ending(wait, 1, now - 1)]);
      assertAbout(remainingMs(looked), until - looked.now);
      assert.deepEqual(answers(looked), ["open", { tag: "timeout" }], workflowId);
      await run.suspend([ending(wait, 0, until + LONG_MS)]);
    }
    await advance(4 * LEASE_MS);
    for (const { bring } of Object.values(CASES).slice(0, 2)) await bring(b);
    await advance(4 * LEASE_MS);
    for (const { bring } of Object.values(CASES).slice(2)) await bring(b);
    for (const [index, [workflowId, { wait, outcome }]] of Object.entries(CASES).entries()) {
      const expected = index < 2 ? outcome : { tag: "timeout" };
      assert.deepEqual(await (await take(b, workflowId)).outcomes([wait(0, null)]), [expected], workflowId);
    }
  },

  "a recorded outcome completes an open wait, which then takes nothing": async ({ drivers: [a, b] }) => {
    for (const [workflowId, { wait, bring, outcome }] of Object.entries(CASES)) {
      const withdrawn = { tag: "withdrawn", value: "why" } as const;
      const run = await begin(a, workflowId);
      await run.held([wait(0, LONG_MS)]);
      const { label } = wait(0, null);
      assert.deepEqual(await run.outcomes([record(0, withdrawn, label)]), [withdrawn], workflowId);
      await bring(b);
      assert.deepEqual(await run.outcomes([wait(0, null), wait(1, null)]), [withdrawn, outcome], workflowId);
      // An outcome that is there already stays.
      assert.deepEqual(await run.outcomes([record(1, withdrawn, label)]), [outcome], workflowId);
    }
  },

  "a receive over topics takes a message that was in time and leaves one that was late": async (
    { drivers: [a, b], advance },
  ) => {
    await beginSuspended(a, "w", [receive(0, ["a", "b", "c"], 2 * LEASE_MS)]);
    await advance(LEASE_MS);
    const send = (topic: string, value: string) => b.send([newMessage("w", { topic, value })]);
    await send("b", "1");
    await send("a", "2");
    await advance(2 * LEASE_MS);
    await send("c", "3");
    const run = await take(b, "w");
    await run.held([receive(1, ["c"], 0)]);
    await send("c", "4");
    assert.deepEqual(await run.outcomes([receive(0, ["c", "a", "b"])]), [messageOutcome("1", "b")]);
    assert.deepEqual(await run.drain(["a", "b", "c"]), ["2", "4"]);
  },

  "the first arrival after the deadline also wakes the workflow, and later ones do not": async (
    { drivers: [a, b], advance },
  ) => {
    await beginSuspended(a, "w", [
      receive(0, ["t"], LEASE_MS),
      observeEvent(1, "source", "k"),
      observeResult(2, "source"),
    ]);
    await advance(LEASE_MS + 1);
    assert.deepEqual(sent(await b.send([newMessage("w", { topic: "t" })])).woken, ["w"]);
    assert.deepEqual((await (await begin(b, "source")).released([setEvent(0, "k", "v")], end())).woken, []);
    await take(b, "w");
  },

  "messages in time are taken oldest first by waits that are past their deadline": async (
    { drivers: [a, b], advance },
  ) => {
    const waits = [0, 1, 2].map((position) => receive(position, ["t"], 2 * LEASE_MS));
    await beginSuspended(a, "w", waits);
    await b.send([newMessage("w", { topic: "t", value: "1" }), newMessage("w", { topic: "t", value: "2" })]);
    await advance(3 * LEASE_MS);
    await b.send([newMessage("w", { topic: "t", value: "late" })]);
    const run = await take(b, "w");
    assert.deepEqual(await run.outcomes(waits), [
      messageOutcome("1", "t"),
      messageOutcome("2", "t"),
      { tag: "timeout" },
    ]);
    assert.deepEqual(await run.drain(["t"]), ["late"]);
  },

  "an event that was first set in time is read as it is now": async ({ drivers: [a, b], advance }) => {
    await beginSuspended(a, "w", [observeEvent(0, "source", "k", 2 * LEASE_MS)]);
    const source = await begin(a, "source", { leaseMs: LONG_MS });
    await b.commit({ ...source.next([setEvent(0, "k", "1")]), leaseMs: LONG_MS });
    await advance(3 * LEASE_MS);
    await source.held([setEvent(1, "k", "2")]);
    assert.deepEqual(await (await take(b, "w")).outcomes([observeEvent(0, "source", "k")]), [valueOutcome("2")]);
  },

  "an event that was first set late is a timeout, even if its workflow has ended": async (
    { drivers: [a, b], advance },
  ) => {
    await beginSuspended(a, "w", [observeEvent(0, "source", "k", LEASE_MS)]);
    await advance(2 * LEASE_MS);
    await (await begin(b, "source")).released([setEvent(0, "k", "late")], end());
    assert.deepEqual(await (await take(b, "w")).outcomes([observeEvent(0, "source", "k")]), [{ tag: "timeout" }]);
  },

  "a workflow that was resumed has no end until it ends again": async ({ drivers: [a, b], advance }) => {
    const waits = [observeResult(0, "other", 4 * LEASE_MS), observeEvent(1, "other", "k", 4 * LEASE_MS)];
    const run = await begin(a, "w", { leaseMs: LONG_MS });
    await a.commit({ ...run.next(waits), leaseMs: LONG_MS });
    await begin(b, "other");
    await cancel(b, "other");
    await resume(b, "other");
    assert.deepEqual(await run.outcomes(waits), ["open", "open"]);
    await advance(5 * LEASE_MS);
    await (await take(b, "other")).end();
    assert.deepEqual(await run.outcomes(waits), [{ tag: "timeout" }, { tag: "timeout" }]);
  },
};
