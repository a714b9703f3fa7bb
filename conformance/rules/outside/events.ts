/**
 * Rules for events.
 *
 * @module
 */

import assert from "node:assert/strict";
import { end, observeEvent, setEvent, SUSPEND } from "../../operations.ts";
import { LEASE_MS } from "../../requests.ts";
import { answers, begin, beginSuspended, cancel, claimIds, committed, take, valueOutcome } from "../../driven_run.ts";
import type { Rules } from "../../suite.ts";

/** Setting, reading and observing events. */
export const events: Rules = {
  "setEvent() inserts at version 1, then replaces and raises the version by one": async ({ drivers: [a, b] }) => {
    const run = await begin(a, "w");
    for (let version = 1; version <= 3; version++) {
      await run.held([setEvent(version, "k", `value ${version}`)]);
      assert.deepEqual(await b.readEvent({ workflowId: "w", key: "k" }), {
        event: { version, value: `value ${version}` },
        status: "PENDING",
      });
    }
    await run.held([setEvent(null, "k", "4"), setEvent(4, "k", "5"), setEvent(5, "other", "1")]);
    assert.deepEqual((await b.readEvent({ workflowId: "w", key: "k" })).event, { version: 5, value: "5" });
    assert.deepEqual((await b.readEvent({ workflowId: "w", key: "other" })).event, { version: 1, value: "1" });
  },

  "readEvent() answers null when the event was never set, or there is no such workflow": async (
    { drivers: [a, b] },
  ) => {
    await (await begin(a, "w")).held([setEvent(0, "k", "v")]);
    await begin(a, "v");
    assert.deepEqual(await b.readEvent({ workflowId: "w", key: "K" }), { event: null, status: "PENDING" });
    assert.deepEqual(await b.readEvent({ workflowId: "v", key: "k" }), { event: null, status: "PENDING" });
    assert.deepEqual(await b.readEvent({ workflowId: "missing", key: "k" }), { event: null, status: null });
  },

  "readEvent() answers with the value and the status after the workflow ended": async ({ drivers: [a, b] }) => {
    const run = await begin(a, "w");
    await run.released([setEvent(0, "k", "last")], end("ERROR"));
    assert.deepEqual(await b.readEvent({ workflowId: "w", key: "k" }), {
      event: { version: 1, value: "last" },
      status: "ERROR",
    });
    await (await begin(a, "v")).held([setEvent(0, "k", "null")]);
    await cancel(a, "v");
    assert.deepEqual(await b.readEvent({ workflowId: "v", key: "k" }), {
      event: { version: 1, value: "null" },
      status: "CANCELLED",
    });
  },

  "readEvent() at the same time as the last setEvent and the end never sees the end without the event": async (
    { drivers: [a, b] },
  ) => {
    for (let round = 0; round < 20; round++) {
      const workflowId = `w${round}`;
      const run = await begin(a, workflowId);
      const reads = async () => {
        const seen = [];
        for (let read = 0; read < 5; read++) seen.push(await b.readEvent({ workflowId, key: "k" }));
        return seen;
      };
      const [, seen] = await Promise.all([run.released([setEvent(0, "k", "v")], end()), reads()]);
      for (const { event, status } of seen) assert.equal(event !== null, status === "SUCCESS");
    }
  },

  "observeEvent() reads the latest value and records it": async ({ drivers: [a, b], advance }) => {
    const source = await begin(a, "source", { leaseMs: 100 * LEASE_MS });
    await source.held([setEvent(0, "k", "1"), setEvent(1, "k", "2")]);
    const first = await begin(a, "w");
    assert.deepEqual(await first.outcomes([observeEvent(0, "source", "k")]), [valueOutcome("2")]);
    await a.commit({ ...source.next([setEvent(2, "k", "3")]), leaseMs: 100 * LEASE_MS });
    await advance(LEASE_MS + 1);
    const run = await take(b, "w");
    assert.deepEqual(run.claimed.journal.entries[0]?.outcome.value, "2");
    assert.deepEqual(await run.outcomes([observeEvent(0, "source", "k"), observeEvent(1, "source", "k")]), [
      valueOutcome("2"),
      valueOutcome("3"),
    ]);
  },

  "observeEvent() reads what an ended workflow has set, and a workflow's own events": async ({ drivers: [a] }) => {
    await (await begin(a, "source")).released([setEvent(0, "k", "null")], end());
    const run = await begin(a, "w");
    assert.deepEqual(
      await run.outcomes([
        observeEvent(0, "source", "k"),
        observeEvent(1, "w", "k"),
        setEvent(2, "k", "v"),
        observeEvent(3, "w", "k"),
      ]),
      [valueOutcome("null"), "open", { tag: "done" }, valueOutcome("v")],
    );
  },

  "observeEvent() waits when there is no value, also for a workflow that does not exist": async ({ drivers: [a] }) => {
    await begin(a, "source");
    const run = await begin(a, "w");
    assert.deepEqual(await run.outcomes(["source", "missing"].map((id, index) => observeEvent(index, id, "k"))), [
      "open",
      "open",
    ]);
  },

  "setEvent() wakes every suspended workflow that waits for the key, once": async ({ drivers: [a, b] }) => {
    const source = await begin(a, "source");
    const ids = ["w1", "w2", "w3"];
    for (const id of ids) await beginSuspended(a, id, [observeEvent(0, "source", "k")]);
    await beginSuspended(a, "other-key", [observeEvent(0, "source", "K")]);
    await beginSuspended(a, "other-workflow", [observeEvent(0, "w1", "k")]);
    assert.deepEqual(await claimIds(b), []);
    assert.deepEqual((await source.held([setEvent(0, "k", "v")])).woken.toSorted(), ids);
    assert.deepEqual((await source.held([setEvent(1, "k", "w")])).woken, []);
    assert.deepEqual((await claimIds(b)).toSorted(), ids);
  },

  "setEvent() from a step wakes those who wait for the key": async ({ drivers: [a, b] }) => {
    const source = await begin(a, "source");
    await beginSuspended(b, "w", [observeEvent(0, "source", "k")]);
    assert.deepEqual((await source.held([setEvent(null, "k", "v")])).woken, ["w"]);
    assert.deepEqual(await (await take(b, "w")).outcomes([observeEvent(0, "source", "k")]), [valueOutcome("v")]);
  },

  "setEvent() wakes those who waited before the workflow existed": async ({ drivers: [a, b] }) => {
    await beginSuspended(a, "w", [observeEvent(0, "later", "k")]);
    const source = await begin(b, "later");
    assert.deepEqual(await claimIds(a), []);
    assert.deepEqual((await source.held([setEvent(0, "k", "v")])).woken, ["w"]);
    assert.deepEqual(await (await take(a, "w")).outcomes([observeEvent(0, "later", "k")]), [valueOutcome("v")]);
  },

  "setEvent() wakes nobody whose wait is over, or who was cancelled": async ({ drivers: [a, b], advance }) => {
    const source = await begin(a, "source", { leaseMs: 100 * LEASE_MS });
    await beginSuspended(a, "timed-out", [observeEvent(0, "source", "k", LEASE_MS)]);
    await beginSuspended(a, "cancelled", [observeEvent(0, "source", "k")]);
    await cancel(a, "cancelled");
    await advance(LEASE_MS + 1);
    const run = await take(b, "timed-out");
    await run.held([observeEvent(0, "source", "k")]);
    await run.suspend([observeEvent(1, "source", "other")]);
    const { woken } = committed(
      await a.commit({ ...source.next([setEvent(0, "k", "v")]), leaseMs: 100 * LEASE_MS }),
      "held",
    );
    assert.deepEqual(woken, []);
    assert.deepEqual(await claimIds(b), []);
  },

  "setEvent() does not wake a run that is under way": async ({ drivers: [a, b] }) => {
    const source = await begin(a, "source");
    const run = await begin(b, "w");
    await run.held([observeEvent(0, "source", "k")]);
    assert.deepEqual((await source.held([setEvent(0, "k", "v")])).woken, []);
    assert.deepEqual(await run.outcomes([observeEvent(0, "source", "k")]), [valueOutcome("v")]);
  },

  "setEvent() at the same time as a suspend for it never leaves the waiter asleep": async ({ drivers: [a, b] }) => {
    const source = await begin(a, "source");
    for (let round = 0; round < 40; round++) {
      const [workflowId, key] = [`w${round}`, `k${round}`];
      const run = await begin(b, workflowId);
      const [{ woken }, suspended] = await Promise.all([
        source.held([setEvent(round, key, "v")]),
        run.commit([observeEvent(0, "source", key)], SUSPEND),
      ]);
      if (suspended.state === "held") {
        assert.deepEqual([answers(suspended), woken], [[valueOutcome("v")], []]);
        continue;
      }
      assert.equal(suspended.state, "released");
      assert.deepEqual(woken, [workflowId]);
      assert.deepEqual(await (await take(a, workflowId)).outcomes([observeEvent(0, "source", key)]), [
        valueOutcome("v"),
      ]);
    }
  },
};
