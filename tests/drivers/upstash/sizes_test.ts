import assert from "node:assert/strict";
import type { ClaimResult } from "../../../core/driver/driver.ts";
import { wireBytes } from "../../../drivers/upstash/driver.ts";
import { observeEvent, receive, record, writeStream, YIELD } from "../../../conformance/operations.ts";
import { claimRequest, createRequest, newMessage } from "../../../conformance/requests.ts";
import { begin, DrivenRun, take } from "../../../conformance/driven_run.ts";
import { upstashDriverTest } from "./support/driver.ts";

Deno.test("the bytes of a text are those that JSON and UTF-8 make of it", () => {
  const texts = [
    "",
    "plain",
    '"\\/',
    "\b\t\n\f\r",
    "\0\u0001\u001f",
    "\u007f\u0080\u00e9",
    "\u20ac",
    "\u{1F600}",
    "\ud800",
    "\udc00",
    "\ud800a",
    "\udc00\ud800",
  ];
  for (const text of [...texts, texts.join("x")]) {
    assert.equal(wireBytes(text), new TextEncoder().encode(JSON.stringify(text)).length - 2, JSON.stringify(text));
  }
});

/** A value of a megabyte that JSON escapes. */
const QUOTES = '"'.repeat(1_000_000);

upstashDriverTest("values that fill a request are written and read back", async ({ open }) => {
  const driver = open();
  const { requestBytes, bytesOf } = driver.limits ?? assert.fail();
  const count = Math.floor(requestBytes / bytesOf(QUOTES));
  assert(count >= 3);
  const run = await begin(driver, "w");
  await run.held(Array.from({ length: count }, (_, position) => writeStream(position, "s", QUOTES)));
  await run.held(Array.from({ length: count }, (_, index) => record(100 + index, QUOTES)));
  let read = 0;
  while (read < count) {
    const { values } = await driver.readStream({ workflowId: "w", key: "s", from: read, limit: 100 });
    assert(values.length > 0 && values.every((value) => value === QUOTES));
    read += values.length;
  }
  assert.equal(read, count);
});

upstashDriverTest(
  "waits whose messages are too large for one answer are deferred, none is lost, and a repeat answers as the first did",
  async ({ open }) => {
    const driver = open();
    const run = await begin(driver, "w");
    for (let index = 0; index < 8; index++) await driver.send([newMessage("w", { value: `${index}${QUOTES}` })]);
    const got: string[] = [];
    let waits = Array.from({ length: 8 }, (_, position) => receive(position, [""]));
    for (let commits = 0; waits.length > 0; commits++) {
      assert(commits < 8);
      const request = run.next(waits);
      const answer = await driver.commit(request);
      const repeat = await driver.commit(request);
      assert(answer.state === "held" && repeat.state === "held");
      assert.deepEqual(repeat.results, answer.results);
      const deferred = answer.results.findIndex((result) => "deferred" in result);
      const outcomes = answer.results.slice(0, deferred === -1 ? undefined : deferred);
      assert(outcomes.length > 0 && answer.results.slice(outcomes.length).every((result) => "deferred" in result));
      for (const result of outcomes) got.push("outcome" in result ? result.outcome.value?.[0] ?? "" : assert.fail());
      waits = waits.slice(outcomes.length);
    }
    assert.deepEqual(got, ["0", "1", "2", "3", "4", "5", "6", "7"]);
  },
);

upstashDriverTest(
  "a claim leases only workflows that fit into its answer, counting escapes, and its repeat says the same",
  async ({ open }) => {
    const driver = open();
    for (let index = 0; index < 6; index++) {
      await driver.create(createRequest(`${index}`, { input: QUOTES, leaseMs: null }));
    }
    const ids = new Set<string>();
    for (let claims = 0; ids.size < 6; claims++) {
      assert(claims < 6);
      const request = claimRequest();
      const first = await driver.claim(request);
      const again = await driver.claim(request);
      const idsOf = ({ claimed }: ClaimResult) => claimed.map(({ workflow }) => workflow.workflowId).sort();
      assert.deepEqual(idsOf(again), idsOf(first));
      assert.equal(first.more, ids.size + first.claimed.length < 6);
      assert.equal(again.more, first.more);
      for (const { workflow } of first.claimed) ids.add(workflow.workflowId);
      const seen = await Promise.all(Array.from({ length: 6 }, (_, index) => driver.readWorkflow(`${index}`)));
      assert.equal(
        seen.filter((workflow) => workflow?.status === "PENDING").length,
        ids.size,
        "nothing else was leased",
      );
    }
  },
);

upstashDriverTest("the answer to a claim of several workflows has less of each journal", async ({ open }) => {
  const driver = open();
  const count = 12;
  for (let index = 0; index < count; index++) {
    const run = await begin(driver, `${index}`);
    await run.held([record(0, QUOTES), record(1, QUOTES)]);
    await run.released([], { to: "yield" });
  }
  const request = claimRequest();
  const { claimed, more } = await driver.claim(request);
  assert.deepEqual([claimed.length, more], [count, false]);
  const brought = claimed.flatMap(({ journal }) => journal.entries);
  assert(brought.length < 4, `${brought.length} entries`);
  for (const { workflow, epoch, journal } of claimed) {
    assert.equal(journal.more, journal.entries.length < 2);
    const page = await driver.readJournal({
      workflowId: workflow.workflowId,
      after: journal.entries.length,
      limit: 10,
    });
    assert(page.entries.length > 0);
    await new DrivenRun(driver, workflow.workflowId, { epoch, owner: request.owner }).end();
  }
});

upstashDriverTest(
  "a list without values reads none, and a page with values ends where the answer is full",
  async ({ open }) => {
    const driver = open();
    for (let index = 0; index < 6; index++) {
      await (await begin(driver, `${index}`)).end(
        "ERROR",
        index === 0 ? "short" : QUOTES,
      );
    }
    await driver.create(createRequest("big", { input: QUOTES }));
    const query = { statuses: null, name: null, problem: false, values: false, limit: 100, cursor: null };
    const { workflows } = await driver.listWorkflows(query);
    assert.deepEqual(workflows.map(({ input }) => input), Array(7).fill(null));
    assert.deepEqual(new Set(workflows.map(({ error }) => error)), new Set([null, "short"]));
    const ids: string[] = [];
    let pages = 0;
    for (let cursor: string | null = null; pages === 0 || cursor !== null; pages++) {
      const page = await driver.listWorkflows({ ...query, values: true, cursor });
      ids.push(...page.workflows.map(({ workflowId }) => workflowId));
      cursor = page.cursor;
    }
    assert(pages > 1);
    assert.deepEqual(ids, workflows.map(({ workflowId }) => workflowId));
  },
);

upstashDriverTest("a workflow that is too large for an answer with others is claimed alone", async ({ open }) => {
  const driver = open();
  const huge = "\u0001".repeat(1_000_000);
  await driver.create(createRequest("huge", { input: huge, leaseMs: null }));
  const { claimed } = await take(driver, "huge");
  assert.equal(claimed.workflow.input, huge);
});

/** Names of 255 characters, with as many bytes as possible. */
const long = (nth: number) => `${nth}`.padStart(6, "0") + "\u{1F600}".repeat(249);

upstashDriverTest("1,000 waits with the longest names are suspended in one request", async ({ open }) => {
  const run = await begin(open(), long(0));
  const waits = Array.from({ length: 1_000 }, (_, nth) => observeEvent(nth, long(nth + 1), long(nth)));
  await run.suspend(waits);
});

upstashDriverTest("a purge removes thousands of keys with the longest names", async ({ open }) => {
  const driver = open();
  const run = await begin(driver, long(0));
  const writes = Array.from({ length: 2_000 }, (_, nth) => writeStream(nth, long(nth), "1"));
  for (let from = 0; from < writes.length; from += 500) await run.held(writes.slice(from, from + 500));
  await run.end();
  assert.deepEqual(await driver.purge({ olderThanMs: 0, limit: 10 }), { purged: 1 });
  assert.equal(await driver.readWorkflow(long(0)), null);
});

upstashDriverTest("open entries count in the answer of a claim, as inputs do", async ({ open }) => {
  const driver = open();
  const count = 12;
  const waits = Array.from({ length: 500 }, (_, nth) => receive(nth, [long(nth)]));
  for (let nth = 0; nth < count; nth++) await (await begin(driver, `${nth}`)).released(waits, YIELD);
  const ids: string[] = [];
  for (let more = true; more;) {
    const answer = await driver.claim(claimRequest());
    ids.push(...answer.claimed.map(({ workflow }) => workflow.workflowId));
    assert(answer.claimed.length > 0 && answer.claimed.length < count);
    assert(answer.claimed.every(({ open }) => open.length === waits.length));
    more = answer.more;
  }
  assert.equal(new Set(ids).size, count);
  assert.equal(ids.length, count);
});
