/**
 * Rules for values: they come back as they were given, and a driver shares no reference with its
 * caller.
 *
 * @module
 */

import assert from "node:assert/strict";
import { end, observeEvent, observeResult, receive, record, setEvent, writeStream } from "../../operations.ts";
import { createRequest, NAME, newMessage } from "../../requests.ts";
import { answers, begin, DrivenRun, enqueue, messageOutcome, take, valueOutcome } from "../../driven_run.ts";
import type { Rules } from "../../suite.ts";

// deno-fmt-ignore
/** Encoded values that a driver might be tempted to parse, trim, escape or normalise. */
const VALUES = [
  "", " ", " leading and trailing ", "null", "true", "0", "-0", "1.0", "1e400", "12345678901234567890",
  '"text"', "{}", "[]", '{"b":1,"a":2,"b":3}', ' { "a" : 1 } ', "[1, 2]",
  '{"a":', "\\", "\\u0000", '"\\u0000"', '"\\ud800"', "\\x41", "$1", "{1,2}", "'; drop table workflows; --",
  "%s", "\n", "\r\n", "\t", "\u0001\u001f\u007f",
  "\u2028\u2029", "\u00e9 e\u0301", "\ufeffbom", "\u{1F600}\u{10FFFF}", "\ufffd\uffff", "x".repeat(100_000),
];

/** Values. */
export const values: Rules = {
  "values come back byte for byte, wherever they are stored": async ({ drivers: [a, b] }) => {
    const run = await begin(a, "w");
    for (const [index, value] of VALUES.entries()) {
      await b.send([newMessage("w", { value })]);
      const position = 10 * index;
      const key = `k${index}`;
      const operations = [
        record(position, value),
        setEvent(position + 1, key, value),
        writeStream(position + 2, "s", value),
        receive(position + 3, [""]),
      ];
      const result = await run.held([...operations, observeEvent(position + 4, "w", key)]);
      assert.deepEqual(answers(result)[0], valueOutcome(value));
      assert.deepEqual(answers(result)[3], messageOutcome(value));
      assert.deepEqual(answers(result)[4], valueOutcome(value));
      assert.deepEqual((await b.readEvent({ workflowId: "w", key })).event, { version: 1, value });
    }
    assert.deepEqual((await b.readStream({ workflowId: "w", key: "s", from: 0, limit: 100 })).values, VALUES);
    const { entries } = await b.readJournal({ workflowId: "w", after: -1, limit: 1_000 });
    assert.deepEqual(entries.filter(({ label }) => label === "step").map(({ outcome }) => outcome.value), VALUES);
  },

  "inputs, outputs and errors come back byte for byte": async ({ drivers: [a, b] }) => {
    const observer = await begin(a, "observer");
    for (const [index, value] of VALUES.entries()) {
      const [good, bad] = [`good${index}`, `bad${index}`];
      await a.create(createRequest(good, { input: value, leaseMs: null }));
      await enqueue(a, bad);
      const run = await take(b, good);
      assert.equal(run.claimed.workflow.input, value);
      await run.end("SUCCESS", value);
      await (await take(b, bad)).end("ERROR", value);
      assert.deepEqual([
        (await a.readWorkflow(good))?.input,
        (await a.readWorkflow(good))?.output,
        (await a.readWorkflow(bad))?.error,
      ], [value, value, value]);
      const results = [observeResult(2 * index, good), observeResult(2 * index + 1, bad)];
      assert.deepEqual(await observer.outcomes(results), [valueOutcome(value), { tag: "error", value }]);
    }
  },

  "a value of 1 MiB comes back byte for byte": async ({ drivers: [a, b] }) => {
    const value = '"\u{1F600}\\n\u2028"'.repeat(1_048_576 / 12).slice(0, 500_000) + "\u00e9".repeat(10_000);
    const run = await begin(a, "w");
    await b.send([newMessage("w", { value })]);
    assert.equal(
      answers(await run.held([receive(0, [""])])).every((answer) => answer !== "open" && answer.value === value),
      true,
    );
    await run.held([setEvent(1, "k", value), writeStream(2, "s", value)]);
    await run.released([record(3, value)], end("SUCCESS", value));
    assert((await b.readEvent({ workflowId: "w", key: "k" })).event?.value === value);
    assert((await b.readStream({ workflowId: "w", key: "s", from: 0, limit: 1 })).values[0] === value);
    assert((await b.readWorkflow("w"))?.output === value);
  },

  "every outcome that a run records comes back as it was, with its label": async ({ drivers: [a, b] }) => {
    const run = await begin(a, "w");
    const outcomes = [
      valueOutcome("1"),
      valueOutcome(""),
      { tag: "error", value: '{"name":"Error"}' },
      { tag: "error" },
      { tag: "done" },
      { tag: "cancelled" },
    ] as const;
    assert.deepEqual(
      await run.outcomes(outcomes.map((outcome, position) => record(position, outcome, `step "${position}"`))),
      outcomes,
    );
    await run.released([], { to: "yield" });
    const { claimed } = await take(b, "w");
    const stored = claimed.journal.entries.map((
      { label, outcome },
    ) => [label, outcome.tag, outcome.value ?? null, outcome.topic ?? null]);
    assert.deepEqual(
      stored,
      outcomes.map((
        outcome,
        position,
      ) => [`step "${position}"`, outcome.tag, "value" in outcome ? outcome.value : null, null]),
    );
  },

  "a driver keeps no reference to what it was given": async ({ drivers: [a, b] }) => {
    const request = { ...createRequest("w"), input: "kept" };
    await a.create(request);
    request.input = "changed";
    const run = new DrivenRun(a, "w", { epoch: 1, owner: request.owner });
    const operation = {
      position: 0,
      label: "step",
      type: "record" as const,
      outcome: { tag: "value" as const, value: "kept" },
    };
    await run.held([operation]);
    operation.outcome.value = "changed";
    const message = newMessage("w", { value: "kept" });
    await b.send([message]);
    message.value = "changed";
    assert.equal((await b.readWorkflow("w"))?.input, "kept");
    assert.equal((await b.readJournal({ workflowId: "w", after: -1, limit: 1 })).entries[0]?.outcome.value, "kept");
    assert.deepEqual(await run.drain(), ["kept"]);
  },

  "a driver hands out nothing that changes its store": async ({ drivers: [a, b] }) => {
    const run = await begin(a, "w");
    const first = await run.held([
      record(0, "kept"),
      setEvent(1, "k", "kept"),
      writeStream(2, "s", "kept"),
      receive(3, [""]),
    ]);
    for (const result of first.results) {
      if ("outcome" in result) Object.assign(result.outcome, { tag: "done", value: "changed" });
    }
    const journal = await a.readJournal({ workflowId: "w", after: -1, limit: 10 });
    for (const entry of journal.entries) Object.assign(entry.outcome, { value: "changed" });
    journal.entries.length = 0;
    Object.assign((await a.readEvent({ workflowId: "w", key: "k" })).event ?? {}, { value: "changed" });
    (await a.readStream({ workflowId: "w", key: "s", from: 0, limit: 10 })).values.push("changed");
    Object.assign(await a.readWorkflow("w") ?? {}, { name: "changed", status: "SUCCESS" });
    const { entries } = await b.readJournal({ workflowId: "w", after: -1, limit: 10 });
    assert.deepEqual([entries.length, entries[0]?.outcome.value], [3, "kept"]);
    assert.equal((await b.readEvent({ workflowId: "w", key: "k" })).event?.value, "kept");
    assert.deepEqual((await b.readStream({ workflowId: "w", key: "s", from: 0, limit: 10 })).values, ["kept"]);
    assert.deepEqual([(await b.readWorkflow("w"))?.name, (await b.readWorkflow("w"))?.status], [NAME, "PENDING"]);
  },
};
