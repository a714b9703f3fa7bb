/**
 * Light commits, which do not write the row of the workflow.
 *
 * @module
 */

import assert from "node:assert/strict";
import { answers, begin, cancel, committed, messageOutcome, valueOutcome } from "../../../conformance/driven_run.ts";
import { receive, record, send, setEvent } from "../../../conformance/operations.ts";
import { claimRequest, createRequest, LEASE_MS, newMessage } from "../../../conformance/requests.ts";
import type { CommitRequest, Driver } from "../../../core/driver/driver.ts";
import { sqliteHarness } from "./support/harness.ts";

/** The journal in recorded order, as seq and position. */
async function recorded(driver: Driver): Promise<[number, number][]> {
  const { entries } = await driver.readJournal({ workflowId: "w", after: 0, limit: 100 });
  return entries.map(({ seq, position }) => [seq, position]);
}

Deno.test("a lease ends a full length after the last light commit, and no sooner", async () => {
  await using harness = await sqliteHarness();
  const [a, b] = harness.drivers;
  const run = await begin(a, "w");
  // Two thirds of the lease are left, so the due time is not written.
  await harness.advance(LEASE_MS / 4);
  await run.held([record(0, "1")]);
  await harness.advance(LEASE_MS - 1);
  const early = await b.claim(claimRequest());
  assert.deepEqual([early.claimed.length, early.nextDueMs], [0, 1]);
  await harness.advance(1);
  const [taken] = (await b.claim(claimRequest())).claimed;
  assert.deepEqual([taken?.workflow.workflowId, taken?.workflow.recoveryAttempts], ["w", 1]);
});

Deno.test("a claim is never told too late when a lease ends, whichever due times light commits have left", async () => {
  await using harness = await sqliteHarness();
  const [a, b] = harness.drivers;
  const runs = await Promise.all(Array.from({ length: 25 }, (_, index) => begin(a, `w${index}`)));
  await harness.advance(LEASE_MS * 0.1);
  // It is due after all others, and its lease ends before theirs.
  await begin(a, "first");
  await harness.advance(LEASE_MS * 0.15);
  for (const run of runs) await run.held([record(0, "1")]);
  await harness.advance(LEASE_MS * 0.65);
  const { nextDueMs } = await b.claim(claimRequest());
  assert(nextDueMs !== null && nextDueMs > 0 && nextDueMs <= LEASE_MS * 0.2, `${nextDueMs} ms`);
  await harness.advance(LEASE_MS * 0.15);
  assert.equal((await b.claim(claimRequest())).nextDueMs, LEASE_MS * 0.05);
  await harness.advance(LEASE_MS * 0.05);
  const claimed = await b.claim(claimRequest({ leaseMs: 2 * LEASE_MS }));
  assert.deepEqual(claimed.claimed.map(({ workflow }) => workflow.workflowId), ["first"]);
  assert.equal(claimed.nextDueMs, LEASE_MS * 0.15);
});

Deno.test("the row shows what light commits have changed", async () => {
  await using harness = await sqliteHarness();
  const [a, b] = harness.drivers;
  const run = await begin(a, "w");
  const before = (await b.readWorkflow("w"))!.updatedAt;
  await harness.advance(5);
  await run.held([record(0, "1")]);
  assert.equal((await b.readWorkflow("w"))!.updatedAt, before + 5);
});

Deno.test("light commits of one run through two drivers keep one order, and are recognised by both", async () => {
  await using harness = await sqliteHarness();
  const [a, b] = harness.drivers;
  const run = await begin(a, "w");
  const other = await begin(b, "other");
  await a.send([newMessage("w", { topic: "t", value: "hi" })]);
  const requests: CommitRequest[] = [
    run.next([record(0, "1")]),
    run.next([record(1, "2"), setEvent(2, "state", "3")]),
    run.next([receive(3, ["t"])]),
    run.next([send(4, newMessage("other", { value: "4" }))]),
    // Position 6 is recorded before position 5, so the commit of position 5 is not light.
    run.next([record(6, "6")]),
    run.next([record(5, "5")]),
    run.next([record(7, "7")]),
  ];
  const first = [];
  for (const [index, request] of requests.entries()) {
    first.push(answers(committed(await [a, b, b, a, a, b, a][index]!.commit(request), "held")));
  }
  assert.deepEqual(first[0], [valueOutcome("1")]);
  assert.deepEqual(first[2], [messageOutcome("hi", "t")]);
  for (const driver of [b, a]) {
    for (const [index, request] of requests.entries()) {
      assert.deepEqual(answers(committed(await driver.commit(request), "held")), first[index], `commit ${index + 1}`);
    }
  }
  assert.deepEqual(await recorded(a), [[1, 0], [2, 1], [3, 2], [4, 3], [5, 4], [6, 6], [7, 5], [8, 7]]);
  assert.deepEqual((await b.readWorkflow("w", { counts: true }))!.unread, 0);
  assert.deepEqual(await other.outcomes([receive(0, [""])]), [messageOutcome("4")]);
  assert.equal((await a.commit({ ...run.next(), number: 9 })).state, "lost");
});

Deno.test("a light commit of a run that has lost its workflow changes nothing", async () => {
  await using harness = await sqliteHarness();
  const [a, b] = harness.drivers;
  for (const end of ["cancel", "claim"] as const) {
    // The first commit that is refused makes the driver forget the run, so each has a workflow of its own.
    for (const operation of [record(1, "2"), receive(1, [""])]) {
      const workflowId = `${end} ${operation.type}`;
      const run = await begin(a, workflowId);
      await run.held([record(0, "1")]);
      await a.send([newMessage(workflowId)]);
      if (end === "cancel") await b.control({ workflowId, action: "cancel" });
      else {
        await harness.advance(LEASE_MS);
        assert.equal((await b.claim(claimRequest({ workflowIds: [workflowId] }))).claimed.length, 1);
      }
      const { state } = await a.commit({ ...run.next([operation]), number: 2 });
      assert.equal(state, end === "cancel" ? "cancelled" : "lost");
      const { entries } = await a.readJournal({ workflowId, after: 0, limit: 10 });
      assert.deepEqual(entries.map(({ position }) => position), [0], workflowId);
      assert.equal((await a.readWorkflow(workflowId, { counts: true }))!.unread, 1, workflowId);
    }
  }
});

Deno.test("a light receive that another driver has made takes no further message", async () => {
  await using harness = await sqliteHarness();
  const [a, b] = harness.drivers;
  const run = await begin(a, "w");
  await run.held([record(0, "1")]);
  for (const value of ["m1", "m2"]) await a.send([newMessage("w", { value })]);
  // Both drivers know the run now.
  const known = run.next([record(1, "2")]);
  for (const driver of [b, a]) await driver.commit(known);
  const request = run.next([receive(2, [""])]);
  for (const driver of [b, a]) {
    assert.deepEqual(answers(committed(await driver.commit(request), "held")), [messageOutcome("m1")]);
  }
  assert.deepEqual(await run.drain(), ["m2"]);
});

// SQLite gives the number of a deleted workflow to the next one, if it was the highest.
for (const [workflowId, owner] of [["w", "another"], ["v", "another"], ["v", "the same"]] as const) {
  Deno.test(`a light commit for a deleted workflow changes nothing in ${workflowId}, which has its number and ${owner} owner`, async () => {
    await using harness = await sqliteHarness();
    const [a, b] = harness.drivers;
    for (const operations of [[record(1, "2")], [receive(1, [""])], [record(1, "2"), setEvent(2, "k", "1")]]) {
      const run = await begin(a, "w");
      await run.held([record(0, "1")]);
      await cancel(b, "w");
      await b.delete({ workflowId: "w" });
      await b.create(createRequest(workflowId, owner === "the same" ? { owner: run.owner } : {}));
      await b.send([newMessage(workflowId)]);
      assert.equal((await a.commit(run.next(operations))).state, "lost");
      assert.deepEqual((await a.readJournal({ workflowId, after: 0, limit: 9 })).entries, []);
      assert.equal((await a.readWorkflow(workflowId, { counts: true }))!.unread, 1);
      await cancel(b, workflowId);
      await b.delete({ workflowId });
    }
  });
}
