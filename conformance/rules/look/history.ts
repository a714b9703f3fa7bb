/**
 * Rules for the journal as it is shown: every entry with its times.
 *
 * @module
 */

import assert from "node:assert/strict";
import type { Driver, HistoryRecord } from "../../../core/driver/driver.ts";
import { begin, plain, resume, take } from "../../driven_run.ts";
import { end, pause, receive, record, send, sleep, YIELD } from "../../operations.ts";
import { LEASE_MS, newMessage } from "../../requests.ts";
import type { Rules } from "../../suite.ts";

/** History. */
export const history: Rules = {
  "readHistory() has complete and open entries, sorted by position": async ({ drivers: [a, b] }) => {
    const run = await begin(a, "w");
    await run.held([receive(2, ["late"], LEASE_MS), record(3, "three")]);
    await run.held([record(0, { tag: "error", value: "no" }, "step zero"), send(1, newMessage("w"))]);
    const entries = await historyOf(b, "w");
    assert.deepEqual(entries.map(({ position, label }) => [position, label]), [
      [0, "step zero"],
      [1, "send"],
      [2, "recv late"],
      [3, "step"],
    ]);
    assert.deepEqual(entries.map(({ outcome }) => outcome?.tag), ["error", "sent", undefined, "value"]);
    assert.deepEqual(plain(entries[0]!.outcome!), { tag: "error", value: "no" });
    assert.equal(entries[3]!.outcome?.value, "three");
  },

  "readHistory() says when operations began and ended": async ({ drivers: [a, b], advance }) => {
    const run = await begin(a, "w");
    const { createdAt } = (await a.readWorkflow("w"))!;
    await advance(LEASE_MS / 2);
    await run.held([
      { ...record(0, "slow"), ageMs: 20_000, attempts: 3 },
      record(1, "quick"),
      receive(2, [""], LEASE_MS),
      { ...receive(3, ["t"]), ageMs: 5_000 },
    ]);
    await advance(LEASE_MS / 4);
    await b.send([newMessage("w", { value: "m" })]);
    await run.held([receive(2, [""]), receive(3, ["t"])]);
    const [slow, quick, received, open] = await historyOf(b, "w");
    const at = (ms: number) => createdAt + ms;
    assertAt(slow!.startedAt, at(LEASE_MS / 2 - 20_000));
    assertAt(slow!.endedAt, at(LEASE_MS / 2));
    assert.equal(slow!.endedAt! - slow!.startedAt, 20_000);
    assert.deepEqual([slow!.attempts, slow!.deadline], [3, null]);
    assert.equal(quick!.endedAt, quick!.startedAt);
    assert.equal(quick!.attempts, 0);
    assertAt(received!.startedAt, at(LEASE_MS / 2));
    assertAt(received!.endedAt, at(LEASE_MS * 3 / 4));
    assert.equal(received!.deadline, null, "the deadline of a wait that ended in time is gone");
    assertAt(open!.startedAt, at(LEASE_MS / 2 - 5_000));
    assert.deepEqual([open!.endedAt, open!.deadline], [null, null]);
  },

  "readHistory() has the deadline of an open wait, and of one that timed out": async (
    { drivers: [a, b], advance },
  ) => {
    const run = await begin(a, "w");
    const { createdAt } = (await a.readWorkflow("w"))!;
    await run.held([receive(0, [""], LEASE_MS / 4), sleep(1, LEASE_MS)]);
    await advance(LEASE_MS / 2);
    await run.held([receive(0, [""]), sleep(1, 0)]);
    const [timedOut, open] = await historyOf(b, "w");
    assert.equal(timedOut!.outcome?.tag, "timeout");
    assertAt(timedOut!.deadline, createdAt + LEASE_MS / 4);
    assertAt(timedOut!.endedAt, createdAt + LEASE_MS / 2);
    assertAt(open!.deadline, createdAt + LEASE_MS);
  },

  "readHistory() counts the tries of a step: the failed ones during a pause, all of them at the end": async (
    { drivers: [a, b], advance },
  ) => {
    const run = await begin(a, "w");
    const { createdAt } = (await a.readWorkflow("w"))!;
    await run.held([{ ...pause(0, 2, LEASE_MS / 2), ageMs: 10_000 }]);
    const [paused] = await historyOf(b, "w");
    assert.deepEqual([paused!.attempts, paused!.outcome], [2, null]);
    assertAt(paused!.startedAt, createdAt - 10_000);
    assertAt(paused!.deadline, createdAt + LEASE_MS / 2);
    await advance(LEASE_MS / 2);
    await run.held([{ ...record(0, "done"), attempts: 3, ageMs: 1_000 }]);
    const [done] = await historyOf(b, "w");
    assert.deepEqual([done!.attempts, done!.outcome?.value, done!.deadline], [3, "done", null]);
    assertAt(done!.startedAt, createdAt - 10_000);
    assertAt(done!.endedAt, createdAt + LEASE_MS / 2);
  },

  "readHistory() of a repeated commit has the times of the first one": async ({ drivers: [a, b], advance }) => {
    const run = await begin(a, "w");
    const request = run.next([record(0, "0"), receive(1, [""], LEASE_MS)]);
    await a.commit(request);
    const before = await historyOf(b, "w");
    await advance(LEASE_MS / 2);
    await b.commit(request);
    assert.deepEqual(await historyOf(b, "w"), before);
  },

  "readHistory() has the entries of every run, also after the end": async ({ drivers: [a, b] }) => {
    const run = await begin(a, "w");
    await run.released([record(0, "0")], YIELD);
    await (await take(b, "w")).released([record(1, "1")], end("ERROR", "boom"));
    const page = await a.readHistory({ workflowId: "w", after: null, limit: 10 });
    assert.deepEqual([page.status, page.more], ["ERROR", false]);
    assert.deepEqual(page.items.map(({ outcome }) => outcome?.value), ["0", "1"]);
  },

  "readHistory() answers in pages": async ({ drivers: [a, b] }) => {
    const run = await begin(a, "w");
    await run.held(Array.from({ length: 7 }, (_, index) => record(index, `${index}`)));
    const seen: number[] = [];
    for (let after: number | null = null;;) {
      const page = await b.readHistory({ workflowId: "w", after, limit: 3 });
      seen.push(...page.items.map(({ position }) => position));
      if (!page.more) break;
      assert.equal(page.items.length, 3);
      after = page.items.at(-1)!.position;
    }
    assert.deepEqual(seen, [0, 1, 2, 3, 4, 5, 6]);
  },

  "readHistory() ends a page of large values early": async ({ drivers: [a, b] }) => {
    const run = await begin(a, "w");
    const value = JSON.stringify("x".repeat(400_000));
    for (let position = 0; position < 5; position++) await run.held([record(position, value)]);
    const page = await b.readHistory({ workflowId: "w", after: null, limit: 100 });
    assert(page.items.length >= 1 && page.items.length < 5, `${page.items.length} of 5`);
    assert(page.more);
    assert(page.items.every(({ outcome }) => outcome?.value === value));
  },

  "readHistory() of a workflow that does not exist has no status": async ({ drivers: [a] }) => {
    const page = await a.readHistory({ workflowId: "missing", after: null, limit: 10 });
    assert.deepEqual(page, { status: null, items: [], more: false });
  },

  "readWorkflow() says when the workflow ended, and at which recorded error": async (
    { drivers: [a, b], advance },
  ) => {
    const run = await begin(a, "w");
    const before = (await b.readWorkflow("w"))!;
    assert.deepEqual([before.endedAt, before.failed, before.generation, before.rewinds], [null, null, 0, 0]);
    await advance(LEASE_MS / 2);
    await run.released(
      [record(0, "fine"), record(1, { tag: "error", value: "boom" }, "step charge")],
      { ...ERROR, failedPosition: 1 },
    );
    const after = (await b.readWorkflow("w"))!;
    assertAt(after.endedAt, before.createdAt + LEASE_MS / 2);
    assert.deepEqual(after.failed, { position: 1, label: "step charge" });
    await (await begin(a, "other")).end("ERROR", "boom");
    assert.equal((await b.readWorkflow("other"))!.failed, null);
    const { workflows } = await b.listWorkflows({
      statuses: ["ERROR"],
      name: null,
      problem: false,
      values: false,
      limit: 10,
      cursor: null,
    });
    assert.deepEqual(new Map(workflows.map((it) => [it.workflowId, it.failed?.position])).get("w"), 1);
    await resume(b, "w");
    const resumed = (await a.readWorkflow("w"))!;
    assert.deepEqual([resumed.endedAt, resumed.failed], [null, null]);
  },
};

const ERROR = { to: "end", status: "ERROR", output: null, error: "boom" } as const;

/** All entries, from one page. */
async function historyOf(driver: Driver, workflowId: string): Promise<HistoryRecord[]> {
  const { items, more } = await driver.readHistory({ workflowId, after: null, limit: 1_000 });
  assert(!more);
  return items;
}

/** Asserts an instant, or one slightly later in a store whose clock runs by itself. */
export function assertAt(actual: number | null | undefined, expected: number): void {
  assert(
    actual != null && actual >= expected && actual < expected + 30_000,
    `${actual}: it must be about ${expected}`,
  );
}
