import assert from "node:assert/strict";
import fc from "fast-check";
import type { Driver, JournalEntry, ListPage } from "../../../core/driver/driver.ts";
import { end, receive, record, writeStream, YIELD } from "../../../conformance/operations.ts";
import { claimRequest, createRequest, newMessage } from "../../../conformance/requests.ts";
import { begin, committed, take } from "../../../conformance/driven_run.ts";
import { neonDriverTest } from "./support/setting.ts";

const MIB = 1_048_576;

/** Longer than the default, because statements with megabytes are slow on a busy machine. */
const PATIENT = { push: false, requestTimeout: "1m" } as const;

/** JSON inside of a text. Its quotes and backslashes take four bytes each. */
const JSON_TEXT = JSON.stringify(JSON.stringify(Array.from({ length: 20_000 }, (_, n) => ({ id: n, name: `n${n}` }))));

/** The largest value for the default `maxValueBytes`, with the most bytes on the wire. */
const HEAVIEST = JSON.stringify('"'.repeat(524_287));

/** Claims until nothing is left, and checks that each claim leases what its answer contains. */
async function claimAll(driver: Driver): Promise<Map<string, number>> {
  const epochs = new Map<string, number>();
  for (let more = true; more;) {
    const answer = await driver.claim(claimRequest());
    assert(answer.claimed.length > 0, "a claim takes at least one");
    for (const { workflow, epoch } of answer.claimed) epochs.set(workflow.workflowId, epoch);
    more = answer.more;
  }
  return epochs;
}

async function readJournal(driver: Driver, workflowId: string, after = 0): Promise<JournalEntry[]> {
  const { entries, more } = await driver.readJournal({ workflowId, after, limit: 1_000 });
  return more ? [...entries, ...await readJournal(driver, workflowId, entries.at(-1)?.seq)] : entries;
}

neonDriverTest("several claims take 12 inputs of the maximum size, each once", async ({ open }) => {
  const { driver } = open(PATIENT);
  const ids = Array.from({ length: 12 }, (_, n) => `w${n}`);
  for (const id of ids) await driver.create(createRequest(id, { leaseMs: null, input: HEAVIEST }));
  assert.deepEqual([...await claimAll(driver)].toSorted(), ids.map((id) => [id, 1]).toSorted());
});

neonDriverTest(
  "12 journals of JSON inside of texts are claimed, and each is read to its end",
  async ({ open }) => {
    const { driver } = open(PATIENT);
    const ids = Array.from({ length: 12 }, (_, n) => `w${n}`);
    for (const id of ids) {
      const run = await begin(driver, id);
      await run.held([record(0, JSON_TEXT)]);
      await run.released([record(1, JSON_TEXT)], YIELD);
    }
    assert.deepEqual([...await claimAll(driver)].toSorted(), ids.map((id) => [id, 2]).toSorted());
    for (const id of ids) {
      assert.deepEqual((await readJournal(driver, id)).map(({ outcome }) => outcome.value), [
        JSON_TEXT,
        JSON_TEXT,
      ]);
    }
  },
);

neonDriverTest("a workflow that fills a claim by itself is claimed without its journal", async ({ open }) => {
  const { driver } = open(PATIENT);
  const bytes = driver.limits?.requestBytes ?? 0;
  const most = JSON.stringify("x".repeat(bytes - 100));
  const request = createRequest("w", { input: most });
  await driver.create(request);
  const commit = { workflowId: "w", epoch: 1, owner: request.owner, leaseMs: 60_000 };
  await driver.commit({ ...commit, number: 1, operations: [record(0, most)], transition: null });
  await driver.commit({ ...commit, number: 2, operations: [record(1, most)], transition: YIELD });
  const run = await take(driver, "w");
  assert.deepEqual(run.claimed.journal, { entries: [], more: true });
  assert.equal((await readJournal(driver, "w")).length, 2);
  await run.end("SUCCESS", most);
  const workflow = await driver.readWorkflow("w");
  assert(workflow?.input === most && workflow.output === most, "input and output arrive in one answer");
});

neonDriverTest("16 messages of 1 MB that are received at once arrive in parts, each once", async ({ open }) => {
  const { driver } = open(PATIENT);
  const run = await begin(driver, "w");
  for (let n = 0; n < 16; n++) await driver.send([newMessage("w", { value: JSON.stringify('"'.repeat(500_000) + n) })]);
  const values: string[] = [];
  let waits = Array.from({ length: 16 }, (_, position) => receive(position, [""]));
  while (waits.length > 0) {
    const request = run.next(waits);
    const { results } = committed(await driver.commit(request), "held");
    assert.deepEqual(committed(await driver.commit(request), "held").results, results, "a repeat");
    values.push(
      ...results.flatMap((result) =>
        "outcome" in result ? [result.outcome.value?.slice(500_000 * 2 + 1, -1) ?? ""] : []
      ),
    );
    waits = waits.filter((_, index) => "deferred" in (results[index] ?? {}));
  }
  assert.deepEqual(values, Array.from({ length: 16 }, (_, n) => String(n)));
});

neonDriverTest("a commit that records the maximum and receives the maximum gets an answer", async ({ open }) => {
  const { driver } = open(PATIENT);
  const most = JSON.stringify("x".repeat((driver.limits?.requestBytes ?? 0) - 100));
  const run = await begin(driver, "w");
  await driver.send([newMessage("w", { value: most })]);
  const { results } = await run.held([receive(0, [""]), record(1, most)]);
  assert.deepEqual(results.map((result) => "outcome" in result && result.outcome.tag), ["message", "value"]);
});

neonDriverTest("stream values of the maximum size are written and read", async ({ open }) => {
  const { driver } = open(PATIENT);
  const run = await begin(driver, "w");
  const value = JSON.stringify('"'.repeat(499_950));
  for (let n = 0; n < 6; n++) await run.held([writeStream(n, "s", value)]);
  let read = 0;
  while (read < 6) {
    const { values } = await driver.readStream({ workflowId: "w", key: "s", from: read, limit: 1_000 });
    assert(values.length > 0 && values.every((it) => it === value));
    read += values.length;
  }
});

neonDriverTest("a list has no values unless they are asked for, and then it has pages", async ({ open }) => {
  const { driver } = open(PATIENT);
  const output = "o".repeat(MIB);
  for (let n = 0; n < 7; n++) {
    await driver.create(createRequest(`e${n}`, { leaseMs: null, input: HEAVIEST }));
    await (await begin(driver, `w${n}`)).released([], end("SUCCESS", output));
  }
  const list = (values: boolean, cursor: string | null): Promise<ListPage> =>
    driver.listWorkflows({ problem: false, values, statuses: null, name: null, limit: 100, cursor });
  const { workflows, cursor } = await list(false, null);
  assert.deepEqual([workflows.length, cursor], [14, null]);
  assert(workflows.every(({ input, output }) => input === null && output === null));
  let [seen, pages] = [0, 1];
  let page = await list(true, null);
  for (;; page = await list(true, page.cursor), pages++) {
    assert(page.workflows.every((it) => it.input === HEAVIEST || it.output === output));
    seen += page.workflows.length;
    if (page.cursor === null) break;
  }
  assert.equal(seen, 14);
  assert(pages > 1);
});

neonDriverTest("limits.bytesOf() counts the bytes on the wire", async ({ open }) => {
  const { limits } = open(PATIENT).driver;
  const unit = fc.oneof(
    fc.constantFrom('"', "\\", "\n", "\x00", "\x1f", "\x7f", "é", "\u2028", "\u{1F600}", "\ud800"),
    fc.string({ unit: "binary" }),
  );
  await fc.assert(fc.asyncProperty(fc.string({ unit }), (text) => {
    const travels = new TextEncoder().encode(JSON.stringify(JSON.stringify({ text }))).length;
    const frame = JSON.stringify(JSON.stringify({ text: "" })).length;
    assert.equal(limits?.bytesOf(text), travels - frame);
    return Promise.resolve();
  }));
});
