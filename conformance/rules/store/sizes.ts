/**
 * Rules for answers that would grow too large.
 *
 * @module
 */

import assert from "node:assert/strict";
import type { CommitResult, Committed, Driver, JournalEntry, Operation } from "../../../core/driver/driver.ts";
import { end, observeResult, park, pause, receive, record, setEvent, sleep, SUSPEND, YIELD } from "../../operations.ts";
import { claimRequest, createRequest, LEASE_MS, newMessage } from "../../requests.ts";
import { begin, committed, type DrivenRun, messageOutcome, take } from "../../driven_run.ts";
import type { Rules } from "../../suite.ts";

const MIB = 1_048_576;
const LARGE = "x".repeat(600_000);

/** Sizes. */
export const sizes: Rules = {
  "waits whose outcomes would make an answer too large are deferred, and found again in their order": async (
    { drivers: [a, b] },
  ) => {
    const run = await begin(a, "w");
    await sendLarge(b, 6);
    const received = new Map<number, string>();
    let waits = receives(6);
    for (let commits = 1; waits.length > 0; commits++) {
      assert(commits <= 6, "each commit has at least one outcome");
      const { results } = await run.held(waits);
      const first = results.findIndex((result) => "deferred" in result);
      if (commits === 1) assert(first > 0 && first < 6, `the first that is deferred is ${first}`);
      const outcomes = results.flatMap((result) => "outcome" in result ? [result.outcome] : []);
      assert.equal(outcomes.length, first === -1 ? waits.length : first, "all after the first deferred one are");
      assert(outcomes.slice(0, -1).reduce((sum, { value }) => sum + (value?.length ?? 0), 0) <= MIB);
      for (const [index, { value }] of outcomes.entries()) {
        received.set(waits[index]?.position ?? -1, value?.slice(-1) ?? "");
      }
      waits = waits.slice(outcomes.length);
    }
    assert.deepEqual([...received], [[0, "0"], [1, "1"], [2, "2"], [3, "3"], [4, "4"], [5, "5"]]);
    assert.deepEqual(await run.drain(["t"]), []);
  },

  "after a deferred wait every later wait is deferred and does nothing, every effect is made": async (
    { drivers: [a, b] },
  ) => {
    const run = await begin(a, "w");
    await sendLarge(b, 3);
    await b.send([newMessage("w", { topic: "small", value: "1" })]);
    const operations = [
      ...receives(3),
      record(3, "step"),
      receive(4, ["small"]),
      sleep(5, 0),
      receive(6, ["none"], 0),
      pause(7, 1, LEASE_MS),
      setEvent(8, "k", "v"),
      observeResult(9, "other"),
    ];
    const answered = shapes(await run.held(operations));
    assert.deepEqual(answered.slice(2), [
      "deferred",
      "value 4",
      "deferred",
      "deferred",
      "deferred",
      "deferred",
      "done 0",
      "deferred",
    ]);
    assert.equal((await b.readEvent({ workflowId: "w", key: "k" })).event?.value, "v");
    const { entries } = await b.readJournal({ workflowId: "w", after: -1, limit: 10 });
    assert(!entries.some(({ position }) => [2, 4, 5, 6].includes(position)));
    await run.released([], YIELD);
    const next = await take(b, "w");
    assert.deepEqual(next.claimed.open, [], "what was deferred has no entry");
    assert.deepEqual(await next.outcomes([receive(4, ["small"])]), [messageOutcome("1", "small")]);
    assert.deepEqual(shapes(await next.held([receive(2, ["t"])])), ["message 600001"]);
  },

  "the first outcome of an answer is never deferred, and neither are many small ones": async ({ drivers: [a, b] }) => {
    const run = await begin(a, "w");
    const small = Array.from(
      { length: 50 },
      (_, nth) => newMessage("w", { topic: "t", value: "y".repeat(1_000) + nth }),
    );
    await b.send(small);
    const waits = [receive(100, ["none"]), ...receives(50)];
    assert.deepEqual(shapes(await run.held(waits)), [
      "open",
      ...small.map(({ value }) => `message ${value.length}`),
    ]);
    await b.send([newMessage("w", { topic: "large", value: "x".repeat(1_300_000) })]);
    assert.deepEqual(shapes(await run.held([receive(101, ["none"]), receive(102, ["large"])])), [
      "open",
      "message 1300000",
    ]);
  },

  "outcomes that were recorded before are deferred too, and effects are not": async ({ drivers: [a, b] }) => {
    const run = await begin(a, "w");
    for (const id of ["1", "2", "3"]) await (await begin(b, id)).end("SUCCESS", LARGE);
    const waits = ["1", "2", "3"].map((id, position) => observeResult(position, id));
    for (const wait of waits) await run.held([wait]);
    for (let position = 3; position < 6; position++) await run.held([record(position, "y".repeat(400_000))]);
    const again = await run.held(waits);
    assert.deepEqual(shapes(again).slice(2), ["deferred"]);
    const records = [3, 4, 5].map((position) => record(position, "other"));
    assert.deepEqual(shapes(await run.held(records)), Array(3).fill("value 400000"));
  },

  "a commit with a deferred wait makes no transition": async ({ drivers: [a, b] }) => {
    const ways = { yield: YIELD, end: end(), park: park("p", LEASE_MS), suspend: SUSPEND };
    for (const [workflowId, transition] of Object.entries(ways)) {
      const run = await begin(a, workflowId);
      await sendLarge(b, 3, workflowId);
      assert.equal(shapes(await run.held(receives(3), transition))[2], "deferred");
      const workflow = await b.readWorkflow(workflowId);
      assert.deepEqual([workflow?.status, workflow?.problem, workflow?.waiting], ["PENDING", null, null], workflowId);
      await run.held(receives(3).slice(2));
    }
  },

  "commit() defers the same waits when it is repeated": async ({ drivers }) => {
    const run = await begin(drivers[0], "w");
    await sendLarge(drivers[1], 4);
    const answered = await again(drivers, run, [...receives(4), receive(4, ["small"]), record(5, "step")]);
    assert.deepEqual(answered.slice(2), ["deferred", "deferred", "deferred", "value 4"]);
    assert.deepEqual(await run.drain(["small"]), ['"hello"']);
  },

  "commit() defers the same waits when it is repeated, also those that were open": async ({ drivers }) => {
    const run = await begin(drivers[0], "w");
    const waits = [...receives(4), receive(4, ["small"])];
    await run.held(waits);
    await sendLarge(drivers[1], 4);
    const answered = await again(drivers, run, waits);
    assert.deepEqual(answered.slice(2), ["deferred", "deferred", "deferred"]);
    assert.deepEqual(await run.drain(["small"]), ['"hello"']);
  },

  "commit() defers the same waits when it is repeated, also beside large values that the run records": async (
    { drivers: [a, b] },
  ) => {
    const run = await begin(a, "w");
    await b.send([newMessage("w", { topic: "small" })]);
    for (const length of [MIB + 1_000, MIB - 100, MIB - 1_000]) {
      const first = 10 * length;
      const operations = [
        record(first, "y".repeat(length)),
        receive(first + 1, ["small"], 0),
        receive(first + 2, ["small"], 0),
      ];
      const request = run.next(operations);
      const answered = shapes(committed(await a.commit(request), "held"));
      assert.deepEqual(shapes(committed(await b.commit(request), "held")), answered, `${length}`);
    }
  },

  "claim() leases what it brings and nothing else, however large inputs and journals are": async (
    { drivers: [a, b] },
  ) => {
    const ids = Array.from({ length: 12 }, (_, index) => `w${index}`);
    // Quotes and backslashes travel as several characters.
    const quotes = '"\\'.repeat(150_000);
    for (const id of ids) {
      const request = createRequest(id, { input: LARGE });
      await a.create(request);
      const run = { workflowId: id, epoch: 1, owner: request.owner, leaseMs: LEASE_MS };
      await a.commit({ ...run, number: 1, operations: [record(0, quotes)], transition: null });
      await a.commit({ ...run, number: 2, operations: [record(1, quotes)], transition: YIELD });
    }
    const taken: string[] = [];
    for (let more = true; more;) {
      const answer = await b.claim(claimRequest());
      assert(answer.claimed.length > 0, "a claim takes one whatever its size");
      for (const { workflow, epoch, journal } of answer.claimed) {
        taken.push(workflow.workflowId);
        assert.deepEqual([workflow.input.length, epoch], [LARGE.length, 2]);
        assert(journal.more || journal.entries.length === 2);
      }
      more = answer.more;
      assert.equal(more, taken.length < ids.length);
    }
    assert.deepEqual(taken.toSorted(), ids.toSorted());
    for (const id of ids) assert.equal((await a.readWorkflow(id))?.recoveryAttempts, 0);
  },

  "claim() answers as the first did when it is repeated, however large": async ({ drivers: [a, b] }) => {
    for (let index = 0; index < 12; index++) {
      await a.create(createRequest(`w${index}`, { input: LARGE, leaseMs: null }));
    }
    const request = claimRequest();
    const idsOf = async (driver: Driver) =>
      (await driver.claim(request)).claimed.map(({ workflow }) => workflow.workflowId).toSorted();
    assert.deepEqual(await idsOf(b), await idsOf(a));
  },

  "claim() brings a workflow whose input and journal are large, and the journal is read whole": async (
    { drivers: [a, b] },
  ) => {
    const input = "x".repeat(1_000_000);
    const request = createRequest("w", { input });
    await a.create(request);
    const run = { workflowId: "w", epoch: 1, owner: request.owner, leaseMs: LEASE_MS };
    for (let number = 1; number <= 5; number++) {
      await a.commit({
        ...run,
        number,
        operations: [record(number, "y".repeat(900_000))],
        transition: number === 5 ? YIELD : null,
      });
    }
    const taken = await take(b, "w");
    assert.equal(taken.claimed.workflow.input.length, input.length);
    assert.deepEqual((await wholeJournal(taken)).map(({ position }) => position), [1, 2, 3, 4, 5]);
  },
};

/** Makes a commit twice, after something else has come, and compares all of the answers. */
async function again(
  [a, b]: readonly [Driver, Driver],
  run: DrivenRun,
  operations: readonly Operation[],
): Promise<string[]> {
  const request = run.next(operations, SUSPEND);
  const first: CommitResult = await a.commit(request);
  await b.send([newMessage("w", { topic: "small" })]);
  const answered = shapes(committed(first, "held"));
  assert.deepEqual(shapes(committed(await b.commit(request), "held")), answered);
  return answered;
}

/** Each operation's answer in one word, with the size of the value if it is an outcome. */
function shapes({ results }: Committed): string[] {
  return results.map((result) => {
    if ("deferred" in result) return "deferred";
    if ("remainingMs" in result) return "open";
    return `${result.outcome.tag} ${result.outcome.value?.length ?? 0}`;
  });
}

/**
 * Sends large messages to a workflow, one at a time, because together they might be too large for a
 * request.
 */
async function sendLarge(driver: Driver, count: number, workflowId: string = "w"): Promise<void> {
  for (let nth = 0; nth < count; nth++) await driver.send([newMessage(workflowId, { topic: "t", value: LARGE + nth })]);
}

function receives(count: number): Operation[] {
  return Array.from({ length: count }, (_, position) => receive(position, ["t"]));
}

/** The whole journal of a claimed workflow: the page that came with it, and the others. */
async function wholeJournal(run: Awaited<ReturnType<typeof take>>): Promise<JournalEntry[]> {
  let { entries, more } = run.claimed.journal;
  const all = [...entries];
  while (more) {
    ({ entries, more } = await run.driver.readJournal({
      workflowId: run.workflowId,
      after: all.at(-1)?.seq ?? 0,
      limit: 1_000,
    }));
    assert(entries.length > 0, "a page is never empty while there are more");
    all.push(...entries);
  }
  return all;
}
