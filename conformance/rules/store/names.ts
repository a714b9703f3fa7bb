/**
 * Rules for IDs, topics, keys and names: whatever they contain comes back as it was, and nothing
 * collides.
 *
 * @module
 */

import assert from "node:assert/strict";
import type { Driver } from "../../../core/driver/driver.ts";
import {
  closeStream,
  end,
  observeEvent,
  observeResult,
  receive,
  record,
  setEvent,
  writeStream,
} from "../../operations.ts";
import { claimRequest, createRequest, listQuery, newMessage } from "../../requests.ts";
import { begin, beginSuspended, cancel, DrivenRun, messageOutcome, sent } from "../../driven_run.ts";
import type { Rules } from "../../suite.ts";

/** The longest name that there is: 255 characters of four bytes each. */
const LONGEST = "\u{1F600}".repeat(255);

// deno-fmt-ignore
/**
 * Legal names that a careless encoding of keys, patterns, paths or properties would change or mix
 * up.
 */
const NAMES = [
  ":", "::", "/", "//", "a:b", "a::b", "a/b", "a", "A", " ", "  ", " a", "a ", "\t", "\n", "\r\n", "\\",
  "\\\\", "'", "''", '"', "`", "$1", "$$", "%",
  "%25", "%3A", "_", "*", "?", "[a]", "{a}", "{}", "#", "&", "+", "-", "--", ";", ",", "|", "~", "^", "0",
  "00", "1e3", "-1", "null", "undefined", "true",
  "NaN", "__proto__", "constructor", "toString", "hasOwnProperty", "..", ".", "\u00e9", "e\u0301", "\u00df",
  "ss", "\u0130", "i", "\u200b", "\ufeff",
  "\u2028", "\u2029", "\u0001", "\u001f", "\u007f", "\ufffd", "\uffff", "\u{1F600}", "\u{1F1E9}\u{1F1EA}",
  "\u{10FFFF}", "x".repeat(255), LONGEST,
];

// deno-fmt-ignore
const SEPARATORS = [
  ":", "::", "/", "|", "\u0001", "\u001f", " ", ".", "-", "_", ",", ";", "%", "\\", "{", "}", '"', "'", '","',
  "\u{1F600}",
];

/** Names. */
export const names: Rules = {
  "workflow IDs may be any text, and each names its own workflow": async ({ drivers: [a, b] }) => {
    for (const name of NAMES) await a.create(createRequest(name, { input: name, leaseMs: null }));
    for (const name of NAMES) {
      const workflow = await b.readWorkflow(name);
      assert.deepEqual([workflow?.workflowId, workflow?.input], [name, name]);
    }
    const request = claimRequest({ limit: NAMES.length + 1 });
    const { claimed } = await b.claim(request);
    assert.deepEqual(claimed.map(({ workflow }) => workflow.workflowId).sort(), NAMES.toSorted());
    const listed = await b.listWorkflows(listQuery({ limit: NAMES.length + 1 }));
    assert.deepEqual(listed.workflows.map(({ workflowId }) => workflowId).sort(), NAMES.toSorted());
    for (const { workflow, epoch } of claimed) {
      const run = new DrivenRun(b, workflow.workflowId, { epoch, owner: request.owner });
      await a.send([newMessage(run.workflowId, { value: run.workflowId })]);
      assert.deepEqual(await run.outcomes([receive(0, [""])]), [messageOutcome(run.workflowId)]);
      assert.equal(
        (await run.released([setEvent(1, "k", run.workflowId)], end("SUCCESS", run.workflowId))).state,
        "released",
      );
    }
    for (const name of NAMES) {
      assert.deepEqual((await b.readEvent({ workflowId: name, key: "k" })).event, { version: 1, value: name });
    }
    assert.deepEqual(await a.purge({ olderThanMs: 0, limit: NAMES.length + 1 }), { purged: NAMES.length });
  },

  "topics, dedupe keys and message IDs may be any text, and each is its own": async ({ drivers: [a, b] }) => {
    const run = await begin(a, "w");
    for (const name of NAMES) {
      const sent = await b.send([newMessage("w", { topic: name, dedupeKey: name, messageId: name, value: name })]);
      assert.deepEqual(
        sent.state === "sent" && sent.receipts,
        [{ messageId: name, duplicate: false }],
        JSON.stringify(name),
      );
    }
    for (const name of NAMES) {
      const again = await b.send([newMessage("w", { topic: name, dedupeKey: name, messageId: "again" })]);
      assert.deepEqual(
        again.state === "sent" && again.receipts,
        [{ messageId: name, duplicate: true }],
        JSON.stringify(name),
      );
    }
    const received = await run.outcomes(NAMES.toReversed().map((name, position) => receive(position, [name])));
    assert.deepEqual(received, NAMES.toReversed().map((name) => (messageOutcome(name, name))));
  },

  "keys of events and streams may be any text, and each is its own": async ({ drivers: [a, b] }) => {
    const run = await begin(a, "w");
    await run.held(
      NAMES.flatMap((name, index) => [setEvent(2 * index, name, name), writeStream(2 * index + 1, name, name)]),
    );
    await run.held([closeStream(1_000, ":")]);
    for (const name of NAMES) {
      assert.deepEqual((await b.readEvent({ workflowId: "w", key: name })).event, { version: 1, value: name });
      const { values, tail, closed } = await b.readStream({ workflowId: "w", key: name, from: 0, limit: 10 });
      assert.deepEqual([values, tail, closed], [[name], 1, name === ":"], JSON.stringify(name));
    }
  },

  "workflow names and labels may be any text": async ({ drivers: [a, b] }) => {
    for (const [index, name] of NAMES.entries()) await a.create(createRequest(`w${index}`, { name, leaseMs: null }));
    for (const [index, name] of NAMES.entries()) {
      const request = claimRequest({ names: [name] });
      const { claimed: [taken] } = await b.claim(request);
      assert.deepEqual([taken?.workflow.workflowId, taken?.workflow.name], [`w${index}`, name]);
      await new DrivenRun(b, `w${index}`, { epoch: 1, owner: request.owner }).held([record(0, "0", name)]);
      const { entries } = await a.readJournal({ workflowId: `w${index}`, after: -1, limit: 10 });
      assert.deepEqual(entries.map(({ label }) => label), [name]);
      const { workflows } = await a.listWorkflows(listQuery({ name, limit: 10 }));
      assert.deepEqual(workflows.map(({ workflowId }) => workflowId), [`w${index}`]);
    }
  },

  "waits for any IDs, topics and keys are woken by what they wait for alone": async ({ drivers: [a, b] }) => {
    const source = await begin(a, LONGEST);
    for (const [index, name] of NAMES.entries()) {
      await beginSuspended(a, `m${index}`, [receive(0, [name])]);
      await beginSuspended(a, `e${index}`, [observeEvent(0, LONGEST, name)]);
      await beginSuspended(a, `r${index}`, [observeResult(0, name)]);
    }
    for (const [index, name] of NAMES.entries()) {
      assert.deepEqual(
        sent(await b.send([newMessage(`m${index}`, { topic: name })])).woken,
        [`m${index}`],
        JSON.stringify(name),
      );
      assert.deepEqual((await source.held([setEvent(index, name, "v")])).woken, [`e${index}`], JSON.stringify(name));
      const child = name === LONGEST ? source : await begin(b, name);
      assert.deepEqual((await child.end()).woken, [`r${index}`], JSON.stringify(name));
    }
  },

  "an ID and a key never run together into those of another": async ({ drivers: [a, b] }) => {
    for (const separator of SEPARATORS) {
      const pairs: [string, string][] = [
        ["a", `b${separator}c`],
        [`a${separator}b`, "c"],
        [`a${separator}`, "b"],
        ["a", `${separator}b`],
        ["a", `b${separator}`],
      ];
      const runs = new Map<string, DrivenRun>();
      for (const [id] of pairs) if (!runs.has(id)) runs.set(id, await begin(a, id));
      for (const [index, [id, key]] of pairs.entries()) {
        await use(runs.get(id), b, { key, value: String(index), position: index });
      }
      for (const [index, [workflowId, key]] of pairs.entries()) {
        assert.deepEqual(
          (await b.readEvent({ workflowId, key })).event,
          { version: 1, value: String(index) },
          separator,
        );
        assert.deepEqual(
          (await b.readStream({ workflowId, key, from: 0, limit: 10 })).values,
          [String(index)],
          separator,
        );
      }
      for (const run of runs.values()) await run.end();
      await b.purge({ olderThanMs: 0, limit: 100 });
    }
  },

  "a wait for an ID and a key is not woken by others that run together alike": async ({ drivers: [a, b] }) => {
    for (const separator of SEPARATORS) {
      const [shortId, longId] = ["a", `a${separator}b`];
      const [shortRun, watcher] = [await begin(a, shortId), `watcher ${separator}`];
      await beginSuspended(a, watcher, [observeEvent(0, longId, "c"), observeResult(1, longId)]);
      await beginSuspended(a, longId, [receive(0, ["c"])]);
      assert.deepEqual((await shortRun.held([setEvent(0, `b${separator}c`, "v")])).woken, [], separator);
      assert.deepEqual(sent(await b.send([newMessage(shortId, { topic: `b${separator}c` })])).woken, [], separator);
      assert.deepEqual((await shortRun.end()).woken, [], separator);
      assert.deepEqual(await cancel(b, longId), { state: "done", woken: [watcher] }, separator);
      await cancel(b, watcher);
      await b.purge({ olderThanMs: 0, limit: 100 });
    }
  },
};

/** Sets an event, writes to a stream, and sends and receives a message, all under one key. */
async function use(
  run: DrivenRun | undefined,
  driver: Driver,
  { key, value, position }: { key: string; value: string; position: number },
): Promise<void> {
  assert(run);
  assert.deepEqual(
    sent(await driver.send([newMessage(run.workflowId, { topic: key, dedupeKey: key, value })])).receipts.map((
      { duplicate },
    ) => duplicate),
    [false],
  );
  const [event, stream, received] = await run.outcomes([
    setEvent(3 * position, key, value),
    writeStream(3 * position + 1, key, value),
    receive(3 * position + 2, [key], 0),
  ]);
  assert.deepEqual([event, stream, received], [{ tag: "done" }, { tag: "done" }, messageOutcome(value, key)]);
}
