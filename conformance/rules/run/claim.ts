/**
 * Rules for `claim`: which workflows are due, and which run gets them.
 *
 * @module
 */

import assert from "node:assert/strict";
import type { ClaimRequest } from "../../../core/driver/driver.ts";
import { park, receive, record, sleep, YIELD } from "../../operations.ts";
import { claimRequest, createRequest, LEASE_MS, NAME } from "../../requests.ts";
import {
  assertAbout,
  assertOpen,
  assertRecord,
  begin,
  beginSuspended,
  cancel,
  claimIds,
  DrivenRun,
  enqueue,
  take,
} from "../../driven_run.ts";
import type { Rules } from "../../suite.ts";

/** Claiming what is due. */
export const claim: Rules = {
  "claim() leases what is enqueued at epoch 1 and makes it PENDING": async ({ drivers: [a, b] }) => {
    await a.create(createRequest("w", { leaseMs: null, input: '"in"' }));
    const { claimed, unknown } = await b.claim(claimRequest());
    assert.deepEqual(unknown, []);
    assert.equal(claimed.length, 1);
    const [taken] = claimed;
    assert(taken);
    assert.equal(taken.epoch, 1);
    assertRecord(taken.workflow, await a.readWorkflow("w"));
    assert.deepEqual([taken.workflow.status, taken.workflow.input, taken.workflow.waiting], ["PENDING", '"in"', null]);
    assert.deepEqual(taken.journal, { entries: [], more: false });
    assert.deepEqual(taken.open, []);
  },

  "claim() answers with the store's time": async ({ drivers: [a], advance }) => {
    await enqueue(a, "first", "second");
    const { claimed: [first] } = await a.claim(claimRequest({ limit: 1 }));
    await advance(3_600_000);
    const { claimed: [second] } = await a.claim(claimRequest({ limit: 1 }));
    assert(first && second);
    assertAbout(first.now - second.now, -3_600_000);
  },

  "claim() brings the journal and the open entries by position": async ({ drivers: [a, b] }) => {
    const run = await begin(a, "w");
    await run.held([receive(4, ["t"]), record(2, "2"), sleep(1, LEASE_MS), record(0, "0"), receive(3, ["u"])]);
    await run.released([], YIELD);
    const { claimed } = await take(b, "w");
    assert.deepEqual(claimed.journal.entries.map(({ position, label, outcome }) => [position, label, outcome.value]), [[
      2,
      "step",
      "2",
    ], [0, "step", "0"]]);
    assert.equal(claimed.journal.more, false);
    assertOpen(claimed.open, [[1, "sleep", LEASE_MS], [3, "recv u", null], [4, "recv t", null]]);
  },

  "claim() takes what yielded at once, at the next epoch": async ({ drivers: [a, b] }) => {
    const run = await begin(a, "w");
    assert.deepEqual(await claimIds(b), []);
    await run.released([], YIELD);
    assert.equal((await a.readWorkflow("w"))?.status, "PENDING");
    assert.equal((await take(b, "w")).epoch, 2);
  },

  "claim() takes what is suspended when its deadline has passed, not before": async ({ drivers: [a, b], advance }) => {
    await beginSuspended(a, "w", [sleep(0, 10 * LEASE_MS)]);
    await advance(9 * LEASE_MS);
    assert.deepEqual(await claimIds(b), []);
    await advance(LEASE_MS + 1);
    assert.deepEqual(await claimIds(b), ["w"]);
  },

  "claim() never takes what ended": async ({ drivers: [a, b], advance }) => {
    for (const status of ["SUCCESS", "ERROR", "MAX_RECOVERY_ATTEMPTS_EXCEEDED"] as const) {
      await (await begin(a, status)).end(status);
    }
    await begin(a, "cancelled");
    await cancel(a, "cancelled");
    await advance(100 * LEASE_MS);
    assert.deepEqual(await claimIds(b), []);
    assert.deepEqual(
      await claimIds(b, { workflowIds: ["SUCCESS", "ERROR", "MAX_RECOVERY_ATTEMPTS_EXCEEDED", "cancelled"] }),
      [],
    );
  },

  "claim() takes at most limit, the oldest due first": async ({ drivers: [a, b], advance }) => {
    for (const workflowId of ["c", "a", "d", "b"]) {
      await enqueue(a, workflowId);
      await advance(1_000);
    }
    assert.deepEqual(await claimIds(b, { limit: 2 }), ["c", "a"]);
    assert.deepEqual(await claimIds(a, { limit: 3 }), ["d", "b"]);
  },

  "claim() orders by when each became due, whatever made it due": async ({ drivers: [a, b], advance }) => {
    await beginSuspended(a, "deadline", [sleep(0, 3 * LEASE_MS)]);
    await begin(a, "lapsed", { leaseMs: 2 * LEASE_MS });
    await advance(LEASE_MS);
    await enqueue(a, "enqueued");
    await advance(3 * LEASE_MS);
    const yielding = await begin(a, "yielded");
    await yielding.released([], YIELD);
    await advance(1_000);
    assert.deepEqual(await claimIds(b), ["enqueued", "lapsed", "deadline", "yielded"]);
  },

  "claim() takes only workflows with one of the names": async ({ drivers: [a, b] }) => {
    for (const name of ["x", "y", "z"]) await a.create(createRequest(`w-${name}`, { name, leaseMs: null }));
    assert.deepEqual((await claimIds(b, { names: ["z", "x"] })).sort(), ["w-x", "w-z"]);
    assert.deepEqual(await claimIds(b, { names: [] }), []);
    assert.deepEqual(await claimIds(b, { names: ["x", "z"], workflowIds: ["w-y"] }), []);
    assert.deepEqual(await claimIds(b, { names: ["y"] }), ["w-y"]);
  },

  "claim() never takes one of except, by due time or by ID": async ({ drivers: [a, b], advance }) => {
    await enqueue(a, "1", "2");
    const run = await begin(a, "lapsed");
    await advance(LEASE_MS + 1);
    const except = ["lapsed", "1", "missing"];
    assert.deepEqual(await claimIds(b, { workflowIds: ["lapsed", "1"], except }), []);
    assert.deepEqual(await claimIds(b, { except }), ["2"]);
    await run.held();
    await advance(LEASE_MS + 1);
    assert.equal((await take(b, "lapsed")).claimed.workflow.recoveryAttempts, 1);
    assert.deepEqual(await claimIds(b, { except: ["2"] }), ["1"]);
  },

  "claim() passes over except, up to limit of the others": async ({ drivers: [a, b], advance }) => {
    for (let index = 0; index < 8; index++) {
      await enqueue(a, `w${index}`);
      await advance(10);
    }
    const except = ["w0", "w1", "w2", "w4"];
    assert.deepEqual(await claimIds(b, { except, limit: 2 }), ["w3", "w5"]);
    assert.deepEqual(await claimIds(b, { except, limit: 5 }), ["w6", "w7"]);
  },

  "claim() says that it has left nothing when it took all that was due": async ({ drivers: [a, b] }) => {
    await enqueue(a, "1", "2");
    await begin(a, "held");
    await a.create(createRequest("other", { name: "other", leaseMs: null }));
    for (const claimed of [["1"], []]) {
      const answer = await b.claim(claimRequest({ except: ["2"] }));
      assert.deepEqual([answer.claimed.map(({ workflow }) => workflow.workflowId), answer.more], [claimed, false]);
    }
  },

  "claim() names what is due under other names": async ({ drivers: [a, b] }) => {
    for (const [workflowId, name] of [["1", "x"], ["2", "y"], ["3", "y"]] as const) {
      await a.create(createRequest(workflowId, { name, leaseMs: null }));
    }
    await a.create(createRequest("held", { name: "held" }));
    const { claimed, unknown } = await b.claim(claimRequest({ names: ["x"] }));
    assert.deepEqual([claimed.map(({ workflow }) => workflow.workflowId), unknown], [["1"], ["y"]]);
  },

  "claim() names no other names when it took as many as it may": async ({ drivers: [a, b] }) => {
    await a.create(createRequest("other", { name: "other", leaseMs: null }));
    await enqueue(a, "w");
    assert.deepEqual((await b.claim(claimRequest({ limit: 1 }))).unknown, []);
    assert.deepEqual((await b.claim(claimRequest({ limit: 1 }))).unknown, ["other"]);
  },

  "claim() by ID takes only these, where they are due": async ({ drivers: [a, b] }) => {
    await enqueue(a, "due", "other");
    await begin(a, "held");
    assert.deepEqual(await claimIds(b, { workflowIds: ["held", "due", "due", "missing"] }), ["due"]);
    assert.deepEqual(await claimIds(b, { workflowIds: [] }), []);
    assert.deepEqual(await claimIds(b), ["other"]);
  },

  "claim() by ID takes at most limit": async ({ drivers: [a, b] }) => {
    await enqueue(a, "a", "b", "c");
    assert.equal((await claimIds(b, { workflowIds: ["a", "b", "c"], limit: 2 })).length, 2);
    assert.equal((await claimIds(b, { workflowIds: ["a", "b", "c"], limit: 2 })).length, 1);
  },

  "claim() takes many at once": async ({ drivers: [a, b] }) => {
    const workflowIds = Array.from({ length: 60 }, (_, index) => `w${index}`);
    await Promise.all(workflowIds.map((workflowId) => a.create(createRequest(workflowId, { leaseMs: null }))));
    assert.deepEqual((await claimIds(b)).sort(), workflowIds.sort());
  },

  "claim() answers as the first did when it is repeated, and takes no others": async ({ drivers: [a, b] }) => {
    await enqueue(a, "1", "2", "3");
    const request = claimRequest({ limit: 2 });
    const first = await a.claim(request);
    for (const driver of [a, b]) {
      const { claimed } = await driver.claim(request);
      assert.deepEqual(epochs(claimed), epochs(first.claimed));
    }
    assert.equal((await claimIds(b)).length, 1);
  },

  "claim() by ID answers as the first did when it is repeated": async ({ drivers: [a, b] }) => {
    await enqueue(a, "w");
    const request = claimRequest({ workflowIds: ["w"] });
    const first = await a.claim(request);
    assert.deepEqual(epochs((await b.claim(request)).claimed), epochs(first.claimed));
    assert.deepEqual(epochs(first.claimed), [["w", 1]]);
  },

  "claim() by due time says when the next workflow becomes due": async ({ drivers: [a, b], advance }) => {
    const nextDueMs = async (options: Partial<ClaimRequest> = {}) => (await b.claim(claimRequest(options))).nextDueMs;
    assert.equal(await nextDueMs(), null);
    await beginSuspended(a, "for ever", [receive(0, [""])]);
    assert.equal(await nextDueMs(), null);
    await beginSuspended(a, "later", [receive(0, [""], 500_000)]);
    await beginSuspended(a, "sooner", [receive(0, [""], 300_000), sleep(1, 400_000)]);
    assertAbout(await nextDueMs(), 300_000);
    const { owner, epoch } = await begin(a, "leased", { leaseMs: 200_000 });
    assertAbout(await nextDueMs(), 200_000);
    await advance(100_000);
    await new DrivenRun(a, "leased", { owner, epoch }).held();
    assertAbout(await nextDueMs(), LEASE_MS);
    await enqueue(a, "due");
    assert.equal(await nextDueMs({ limit: 1 }), null, "as many as asked for");
    assert.equal(await nextDueMs({ workflowIds: ["due"] }), null, "it is taken");
  },

  "claim() sees the next lease that lapses behind many that it may not take": async ({ drivers: [a, b], advance }) => {
    const except = Array.from({ length: 12 }, (_, index) => `lapsed-${index}`);
    for (const workflowId of except) {
      await begin(a, workflowId);
      await a.create(createRequest(`other ${workflowId}`, { name: "other" }));
    }
    // They lapsed a moment ago, then some time ago, then several leases ago.
    for (const ms of [LEASE_MS + 2_000, LEASE_MS / 2, 4 * LEASE_MS]) {
      await advance(ms);
      const run = await begin(a, `held-${ms}`);
      const { claimed, unknown, nextDueMs } = await b.claim(claimRequest({ except }));
      assert.deepEqual([claimed, unknown], [[], ["other"]]);
      assertAbout(nextDueMs, LEASE_MS);
      await run.end();
    }
  },

  "claim() by ID says when the next of those becomes due that it leaves": async ({ drivers: [a, b], advance }) => {
    const nextDueMs = async (workflowIds: string[], options: Partial<ClaimRequest> = {}) => {
      const result = await b.claim(claimRequest({ workflowIds, ...options }));
      assert.deepEqual([result.claimed, result.more], [[], false]);
      return result.nextDueMs;
    };
    await beginSuspended(a, "for ever", [receive(0, [""])]);
    await beginSuspended(a, "later", [receive(0, [""], 500_000)]);
    await beginSuspended(a, "sooner", [receive(0, [""], 300_000)]);
    await (await begin(a, "parked")).released([], park("p", 400_000));
    await begin(a, "leased");
    await (await begin(a, "ended")).end();
    assert.equal(await nextDueMs(["for ever", "leased", "ended", "none"]), null);
    assertAbout(await nextDueMs(["for ever", "later", "leased"]), 500_000);
    assertAbout(await nextDueMs(["later", "parked"]), 400_000);
    assertAbout(await nextDueMs(["parked", "sooner"]), 300_000);
    assert.equal(await nextDueMs(["sooner"], { names: ["other"] }), null, "of another name");
    await advance(100_000);
    await advance(-150_000);
    assertAbout(await nextDueMs(["sooner"]), 350_000);
    await enqueue(a, "due");
    const { claimed, nextDueMs: left } = await b.claim(claimRequest({ workflowIds: ["due", "later"] }));
    assert.deepEqual(epochs(claimed), [["due", 1]]);
    assertAbout(left, 550_000);
  },

  "claim() repeated leaves out what its runs have let go": async ({ drivers: [a, b] }) => {
    await enqueue(a, "ended", "suspended", "held");
    const request = claimRequest();
    await a.claim(request);
    await new DrivenRun(a, "ended", { epoch: 1, owner: request.owner }).end();
    await new DrivenRun(a, "suspended", { epoch: 1, owner: request.owner }).suspend([receive(0, [""])]);
    assert.deepEqual(epochs((await b.claim(request)).claimed), [["held", 1]]);
  },

  "claim() repeated after its leases lapsed takes the workflows again": async ({ drivers: [a, b], advance }) => {
    await enqueue(a, "w");
    const request = claimRequest({ leaseMs: LEASE_MS });
    await a.claim(request);
    await advance(LEASE_MS + 1);
    assert.deepEqual(epochs((await b.claim(request)).claimed), [["w", 2]]);
    assert.equal((await a.readWorkflow("w"))?.recoveryAttempts, 1);
  },

  "claim() repeated at the same time takes each workflow once": async ({ drivers: [a, b] }) => {
    for (let round = 0; round < 10; round++) {
      const workflowId = `w${round}`;
      await enqueue(a, workflowId);
      const request = claimRequest({ workflowIds: [workflowId] });
      const results = await Promise.all([a.claim(request), b.claim(request)]);
      // The repeat may find the first claim still under way. Then it has nothing to return yet, but
      // never makes a second epoch.
      const taken = results.flatMap(({ claimed }) => epochs(claimed));
      assert(taken.length >= 1);
      assert(taken.every(([, epoch]) => epoch === 1), JSON.stringify(taken));
      assert.equal((await a.readWorkflow(workflowId))?.recoveryAttempts, 0);
    }
  },

  "claim() by many at once never gives a workflow to two": async ({ drivers }) => {
    const workflowIds = Array.from({ length: 60 }, (_, index) => `w${index}`);
    await enqueue(drivers[0], ...workflowIds);
    const taken: string[] = [];
    for (let round = 0; round < 20 && taken.length < workflowIds.length; round++) {
      const claims = Array.from({ length: 6 }, (_, index) => claimIds(drivers[index % 2 === 0 ? 0 : 1], { limit: 5 }));
      taken.push(...(await Promise.all(claims)).flat());
    }
    assert.deepEqual(taken.sort(), workflowIds.sort());
  },

  "claim() by two at once of one ID gives it to one": async ({ drivers: [a, b], advance }) => {
    await enqueue(a, "w");
    for (let epoch = 1; epoch <= 20; epoch++) {
      const request = { workflowIds: ["w"], names: [NAME] };
      const results = await Promise.all([a.claim(claimRequest(request)), b.claim(claimRequest(request))]);
      const taken = results.flatMap(({ claimed }) => claimed);
      assert.deepEqual(taken.map((one) => one.epoch), [epoch]);
      await advance(LEASE_MS + 1);
    }
    assert.equal((await a.readWorkflow("w"))?.recoveryAttempts, 19);
  },
};

function epochs(claimed: readonly { workflow: { workflowId: string }; epoch: number }[]): [string, number][] {
  return claimed.map(({ workflow, epoch }): [string, number] => [workflow.workflowId, epoch]).sort();
}
