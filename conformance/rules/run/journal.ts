/**
 * Rules for the journal: its order and its pages.
 *
 * @module
 */

import assert from "node:assert/strict";
import type { Driver, JournalEntry } from "../../../core/driver/driver.ts";
import { closeStream, receive, record, send, setEvent, sleep, writeStream } from "../../operations.ts";
import { LEASE_MS, newMessage } from "../../requests.ts";
import { answers, begin, take, valueOutcome } from "../../driven_run.ts";
import type { Rules } from "../../suite.ts";

const MIB = 1_048_576;

/** The journal. */
export const journal: Rules = {
  "commit() applies operations in the order given": async ({ drivers: [a, b] }) => {
    const run = await begin(a, "w");
    const operations = [
      writeStream(5, "s", "1"),
      setEvent(4, "k", "1"),
      writeStream(null, "s", "2"),
      setEvent(3, "k", "2"),
      writeStream(2, "s", "3"),
      closeStream(1, "s"),
      writeStream(0, "s", "4"),
    ];
    assert.deepEqual(await run.outcomes(operations), [...Array(6).fill({ tag: "done" }), { tag: "stream_closed" }]);
    assert.deepEqual((await b.readStream({ workflowId: "w", key: "s", from: 0, limit: 10 })).values, ["1", "2", "3"]);
    assert.equal((await b.readEvent({ workflowId: "w", key: "k" })).event?.value, "2");
  },

  "entries are read in the order in which their outcomes were recorded, not by position": async (
    { drivers: [a, b], advance },
  ) => {
    const first = await begin(a, "w");
    await first.held([receive(0, ["t"]), record(3, "3"), record(1, "1")]);
    await first.held([record(2, "2")]);
    await b.send([newMessage("w", { topic: "t" })]);
    await advance(LEASE_MS + 1);
    const run = await take(b, "w");
    await run.held([record(7, "7"), receive(0, ["t"]), record(4, "4")]);
    const entries = await readAll(a, "w");
    assert.deepEqual(entries.map(({ position }) => position), [3, 1, 2, 7, 0, 4]);
    assertRising(entries);
  },

  "commit() leaves the neighbours of a refused operation alone, and records the refusal": async (
    { drivers: [a, b] },
  ) => {
    const run = await begin(a, "w");
    await run.held([closeStream(0, "s")]);
    const operations = [
      record(1, "1"),
      send(2, newMessage("later")),
      writeStream(3, "s", "v"),
      closeStream(4, "s"),
      setEvent(5, "k", "v"),
    ];
    const expected = [valueOutcome("1"), { tag: "workflow_not_found" }, { tag: "stream_closed" }, {
      tag: "stream_closed",
    }, { tag: "done" }];
    assert.deepEqual(await run.outcomes(operations), expected);
    await begin(b, "later");
    assert.deepEqual(await run.outcomes(operations), expected, "the refusal is recorded");
    assert.deepEqual(
      (await readAll(b, "w")).slice(1).map(({ outcome }) => outcome.tag),
      expected.map(({ tag }) => tag),
    );
  },

  "commit() answers with the store's time": async ({ drivers: [a], advance }) => {
    const run = await begin(a, "w");
    const first = await run.held();
    await advance(3_600_000);
    const second = await run.held();
    assert(second.now - first.now >= 3_600_000);
  },

  "commit() answers each of many operations in its place": async ({ drivers: [a] }) => {
    const run = await begin(a, "w");
    await run.held([record(50, "before")]);
    const operations = Array.from(
      { length: 100 },
      (_, index) => index % 10 === 3 ? receive(index, ["t"]) : record(index, String(index)),
    );
    const expected = operations.map(({ type, position }) =>
      type === "receive" ? "open" : valueOutcome(position === 50 ? "before" : String(position))
    );
    assert.deepEqual(answers(await run.held(operations)), expected);
  },

  "open entries are not in the journal": async ({ drivers: [a, b] }) => {
    const run = await begin(a, "w");
    await run.held([receive(0, ["t"]), record(1, "1"), sleep(2, LEASE_MS)]);
    assert.deepEqual((await readAll(b, "w")).map(({ position }) => position), [1]);
  },

  "readJournal() answers with the entries after `after`, in pages of limit": async ({ drivers: [a, b] }) => {
    const run = await begin(a, "w");
    await run.held(Array.from({ length: 25 }, (_, position) => record(position, String(position))));
    const all = await readAll(b, "w");
    assert.deepEqual(
      all.map(({ position, label, outcome }) => [position, label, outcome.value]),
      all.map((_, index) => [index, "step", String(index)]),
    );
    assert.equal(all.length, 25);
    assertRising(all);
    for (const limit of [1, 5, 24, 25, 26]) assert.deepEqual(await readAll(b, "w", { limit }), all);
    const first = await b.readJournal({ workflowId: "w", after: -1, limit: 25 });
    assert.equal(first.more, false, "a full page that is the last says so");
    const middle = all[9]?.seq ?? 0;
    assert.deepEqual(await readAll(b, "w", { after: middle, limit: 4 }), all.slice(10));
    assert.deepEqual(await b.readJournal({ workflowId: "w", after: all.at(-1)?.seq ?? 0, limit: 10 }), {
      entries: [],
      more: false,
    });
  },

  "readJournal() answers nothing when there is no such workflow": async ({ drivers: [a] }) => {
    assert.deepEqual(await a.readJournal({ workflowId: "missing", after: -1, limit: 10 }), {
      entries: [],
      more: false,
    });
  },

  "a journal of 10,000 entries is read whole: the claim brings up to 1,000, pages the rest": async (
    { drivers: [a, b] },
  ) => {
    const run = await begin(a, "w", { leaseMs: 100 * LEASE_MS });
    for (let from = 0; from < 10_000; from += 500) {
      await run.held(Array.from({ length: 500 }, (_, index) => record(from + index, String(from + index))));
    }
    await run.released([], { to: "yield" });
    const { claimed } = await take(b, "w");
    const { entries, more } = claimed.journal;
    assert.deepEqual([entries.length, more], [1_000, true]);
    const rest = await readAll(b, "w", { after: entries.at(-1)?.seq ?? 0 });
    const all = [...entries, ...rest];
    assertRising(all);
    assert.deepEqual(
      all.map(({ outcome }) => outcome.value),
      Array.from({ length: 10_000 }, (_, index) => String(index)),
    );
  },

  "a page of a journal ends at about 1 MiB of values, in a claim as in readJournal()": async ({ drivers: [a, b] }) => {
    const value = "x".repeat(400_000);
    const run = await begin(a, "w");
    for (let position = 0; position < 8; position++) await run.held([record(position, value)]);
    await run.held([record(8, "y".repeat(1_500_000)), record(9, "small")]);
    await run.released([], { to: "yield" });
    const { claimed: { journal: first } } = await take(b, "w");
    const page = await b.readJournal({ workflowId: "w", after: -1, limit: 1_000 });
    for (const { entries, more } of [first, page]) {
      assert(entries.length > 0 && more);
      // The value that crosses the bound may be on either page.
      assert(entries.slice(0, -1).reduce((sum, { outcome }) => sum + (outcome.value?.length ?? 0), 0) <= MIB);
    }
    const large = await b.readJournal({ workflowId: "w", after: (await readAll(b, "w"))[7]?.seq ?? 0, limit: 1_000 });
    assert(large.entries.length > 0, "a value above the bound is a page of its own");
    assert.deepEqual((await readAll(b, "w")).map(({ position }) => position), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  },
};

/** All complete entries after `after`, read in pages. */
async function readAll(
  driver: Driver,
  workflowId: string,
  { after = -1, limit = 1_000 }: { after?: number; limit?: number } = {},
): Promise<JournalEntry[]> {
  const entries: JournalEntry[] = [];
  for (let more = true; more;) {
    const page = await driver.readJournal({ workflowId, after: entries.at(-1)?.seq ?? after, limit });
    assert(page.entries.length > 0 || !page.more, "a page is never empty while there are more");
    assert(page.entries.length <= limit);
    assert(page.entries.every(({ seq }) => seq > (entries.at(-1)?.seq ?? after)), "a page begins after `after`");
    entries.push(...page.entries);
    more = page.more;
  }
  return entries;
}

function assertRising(entries: readonly JournalEntry[]): void {
  for (const [index, entry] of entries.entries()) {
    assert(index === 0 || entry.seq > (entries[index - 1]?.seq ?? Infinity));
  }
}
