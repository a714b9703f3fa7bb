/**
 * Rules for a store whose clock goes back, as after a failover to a server whose clock was behind.
 *
 * @module
 */

import assert from "node:assert/strict";
import { observeEvent, observeResult, park, receive, record, setEvent, sleep, start, YIELD } from "../../operations.ts";
import { LEASE_MS, newMessage, newWorkflow } from "../../requests.ts";
import { begin, beginSuspended, claimIds, enqueue, resume, sent, take } from "../../driven_run.ts";
import type { Rules } from "../../suite.ts";

const HOUR_MS = 3_600_000;
const BACK_MS = -10 * HOUR_MS;

/** The store's clock. */
export const clock: Rules = {
  "readEvent() and readWorkflow() tell the store's time when they are asked for it": async (
    { drivers: [a, b], advance },
  ) => {
    const request = { workflowId: "w", key: "k", now: true };
    const times = async () => [
      (await b.readEvent(request)).now!,
      (await b.readEvent({ ...request, workflowId: "missing" })).now!,
      (await b.readWorkflow("w", { now: true }))!.now!,
      (await b.readWorkflow("w", { now: true, counts: true }))!.now!,
    ];
    const run = await begin(a, "w");
    await run.held([setEvent(0, "k", "1")]);
    const { createdAt } = (await a.readWorkflow("w"))!;
    for (const time of await times()) {
      assert(Number.isInteger(time) && time >= createdAt && time < createdAt + HOUR_MS, `${time}, at ${createdAt}`);
    }
    await advance(BACK_MS);
    for (const time of await times()) assert(time < createdAt - HOUR_MS, `${time}, hours before ${createdAt}`);
    const { now: _, ...shown } = (await b.readWorkflow("w", { now: true }))!;
    assert.deepEqual(shown, await b.readWorkflow("w"));
    assert.deepEqual((await b.readEvent(request)).event, { version: 1, value: "1" });
    assert.equal(await b.readWorkflow("missing", { now: true }), null);
  },

  "workflows that were due at once are claimed when the store's clock has gone back": async (
    { drivers: [a, b], advance },
  ) => {
    await enqueue(a, "enqueued");
    await (await begin(a, "yielded")).released([start(0, newWorkflow("started"))], YIELD);
    await beginSuspended(a, "woken", [receive(0, [""], 20 * HOUR_MS)]);
    await b.send([newMessage("woken")]);
    await begin(a, "resumed");
    for (const action of ["cancel", "resume"] as const) await b.control({ workflowId: "resumed", action });
    await (await begin(a, "parked")).released([], park("p", 20 * HOUR_MS));
    await resume(b, "parked");
    await advance(BACK_MS);
    assert.deepEqual(await claimIds(a, { workflowIds: ["started"] }), ["started"]);
    assert.deepEqual((await claimIds(b)).toSorted(), ["enqueued", "parked", "resumed", "woken", "yielded"]);
  },

  "what something arrived for is claimed when the store's clock has gone back, even if its deadline had passed": async (
    harness,
  ) => {
    const { drivers: [a, b], advance } = harness;
    await beginSuspended(a, "message", [receive(0, [""], LEASE_MS)]);
    await beginSuspended(a, "event", [observeEvent(0, "source", "k", LEASE_MS)]);
    await beginSuspended(a, "result", [observeResult(0, "source", LEASE_MS)]);
    await (await begin(a, "parked")).released([], park("p", LEASE_MS));
    const source = await begin(a, "source", { leaseMs: HOUR_MS });
    await advance(LEASE_MS + 1);
    await b.send([newMessage("message")]);
    await source.held([setEvent(0, "k", "1")]);
    await source.end();
    await resume(b, "parked");
    await advance(BACK_MS);
    assert.deepEqual((await claimIds(b)).toSorted(), ["event", "message", "parked", "result"]);
  },

  "a workflow that becomes due at once after the store's clock has gone back is claimed": async (
    { drivers: [a, b], advance },
  ) => {
    await beginSuspended(a, "w", [receive(0, [""])]);
    await advance(BACK_MS);
    await enqueue(a, "enqueued");
    assert.deepEqual(sent(await b.send([newMessage("w", { value: "1" })])).woken, ["w"]);
    assert.deepEqual((await claimIds(b)).toSorted(), ["enqueued", "w"]);
  },

  "no lease holds for longer than its length when the store's clock has gone back": async (
    { drivers: [a, b], advance },
  ) => {
    await begin(a, "created");
    const run = await begin(a, "renewed");
    await enqueue(a, "claimed");
    await take(a, "claimed");
    await run.held([record(0, "0")]);
    await advance(BACK_MS);
    assert.deepEqual(await claimIds(b), []);
    await advance(LEASE_MS + 1);
    assert.deepEqual((await claimIds(b)).toSorted(), ["claimed", "created", "renewed"]);
    assert.equal((await a.readWorkflow("created"))?.recoveryAttempts, 1);
  },

  "a lease that had lapsed holds for no longer than its length when the store's clock has gone back": async (
    { drivers, advance },
  ) => {
    const [a, b] = drivers;
    await begin(a, "w");
    await advance(LEASE_MS + 1);
    for (const look of [{ names: ["other"] }, { except: ["w"] }, { limit: 0 }]) {
      assert.deepEqual(await claimIds(b, look), []);
    }
    await advance(BACK_MS);
    // A store may know that the lease had lapsed.
    const taken = await claimIds(b);
    await advance(LEASE_MS + 1);
    assert.deepEqual(taken.length > 0 ? taken : await claimIds(b), ["w"]);
  },

  "the length of a lease is that of its last renewal when the store's clock has gone back": async (
    { drivers: [a, b], advance },
  ) => {
    const [longer, shorter] = [await begin(a, "longer"), await begin(a, "shorter", { leaseMs: 10 * LEASE_MS })];
    await a.commit({ ...longer.next(), leaseMs: 10 * LEASE_MS });
    await shorter.held();
    for (const ms of [0, BACK_MS, LEASE_MS / 2]) {
      await advance(ms);
      assert.deepEqual(await claimIds(b), []);
    }
    await advance(LEASE_MS / 2 + 1);
    assert.deepEqual(await claimIds(b), ["shorter"]);
    await advance(8 * LEASE_MS);
    assert.deepEqual(await claimIds(b, { workflowIds: ["longer"] }), []);
    await advance(LEASE_MS);
    assert.deepEqual(await claimIds(b, { workflowIds: ["longer"] }), ["longer"]);
  },

  "a live run keeps its lease when the store's clock has gone back": async ({ drivers: [a, b], advance }) => {
    const run = await begin(a, "w");
    await advance(BACK_MS);
    assert.deepEqual(await claimIds(b), []);
    for (let renewals = 0; renewals < 3; renewals++) {
      await advance(LEASE_MS / 2);
      await run.held();
      assert.deepEqual(await claimIds(b), []);
    }
  },

  "resuming a workflow that is due at once names it when the store's clock has gone back": async (
    { drivers: [a, b], advance },
  ) => {
    await (await begin(a, "w")).released([], YIELD);
    await advance(BACK_MS);
    assert.deepEqual(await resume(b, "w"), { state: "done", woken: ["w"] });
    assert.deepEqual(await claimIds(a), ["w"]);
  },

  "resuming a workflow that a dead run holds allows a take-over after the length of its lease": async (
    { drivers: [a, b], advance },
  ) => {
    await begin(a, "w");
    await advance(BACK_MS);
    assert.deepEqual(await resume(b, "w"), { state: "done", woken: [] });
    await advance(LEASE_MS + 1);
    assert.deepEqual(await claimIds(b, { workflowIds: ["w"] }), ["w"]);
  },

  "a deadline stays at its instant when the store's clock has gone back": async ({ drivers: [a, b], advance }) => {
    await beginSuspended(a, "w", [sleep(0, HOUR_MS)]);
    await advance(-HOUR_MS);
    assert.deepEqual(await resume(b, "w"), { state: "done", woken: [] });
    await advance(HOUR_MS + LEASE_MS);
    assert.deepEqual(await claimIds(b), []);
    await advance(HOUR_MS);
    assert.deepEqual(await claimIds(b), ["w"]);
  },
};
