/**
 * Rules for operations inside a step: they are applied and not recorded.
 *
 * @module
 */

import assert from "node:assert/strict";
import { closeStream, send, setEvent, writeStream } from "../../operations.ts";
import { newMessage } from "../../requests.ts";
import { answers, begin, committed, enqueue, take, twice } from "../../driven_run.ts";
import type { Rules } from "../../suite.ts";

/** Operations inside steps. */
export const steps: Rules = {
  "commit() applies what was made inside a step once when it is repeated": async ({ drivers }) => {
    const [a, b] = drivers;
    await enqueue(a, "inbox");
    const run = await begin(a, "w");
    const operations = [
      setEvent(null, "k", "v"),
      writeStream(null, "s", "v"),
      send(null, newMessage("inbox", { messageId: "m" })),
    ];
    assert.deepEqual(await twice(drivers, run.next(operations)), [{ tag: "done" }, { tag: "done" }, {
      tag: "sent",
      value: "m",
    }]);
    assert.deepEqual((await b.readEvent({ workflowId: "w", key: "k" })).event, { version: 1, value: "v" });
    assert.deepEqual((await b.readStream({ workflowId: "w", key: "s", from: 0, limit: 10 })).values, ["v"]);
    assert.deepEqual(await (await take(b, "inbox")).drain(), ['"hello"']);
  },

  "commit() does not put an older event back when it is repeated after a later one": async ({ drivers: [a, b] }) => {
    const run = await begin(a, "w");
    const first = run.next([setEvent(null, "k", "old"), writeStream(null, "s", "old")]);
    await a.commit(first);
    await run.held([setEvent(null, "k", "new"), writeStream(null, "s", "new")]);
    assert.deepEqual(answers(committed(await b.commit(first), "held")), [{ tag: "done" }, { tag: "done" }]);
    assert.deepEqual((await b.readEvent({ workflowId: "w", key: "k" })).event, { version: 2, value: "new" });
    assert.deepEqual((await b.readStream({ workflowId: "w", key: "s", from: 0, limit: 10 })).values, ["old", "new"]);
  },

  "commit() records nothing for what was made inside a step": async ({ drivers: [a, b] }) => {
    await enqueue(a, "inbox");
    const run = await begin(a, "w");
    await run.held([
      setEvent(null, "k", "v"),
      writeStream(null, "s", "v"),
      send(null, newMessage("inbox")),
      send(null, newMessage("missing")),
    ]);
    assert.deepEqual(await b.readJournal({ workflowId: "w", after: -1, limit: 10 }), { entries: [], more: false });
  },

  "commit() writes again what a retried step writes in a new commit": async ({ drivers: [a, b] }) => {
    const run = await begin(a, "w");
    for (let attempt = 1; attempt <= 2; attempt++) {
      await run.held([writeStream(null, "s", "v"), setEvent(null, "k", "v")]);
    }
    assert.deepEqual((await b.readStream({ workflowId: "w", key: "s", from: 0, limit: 10 })).values, ["v", "v"]);
    assert.equal((await b.readEvent({ workflowId: "w", key: "k" })).event?.version, 2);
  },

  "commit() sends once when a retried step sends with the same dedupe key": async ({ drivers: [a, b] }) => {
    await enqueue(a, "inbox");
    const run = await begin(a, "w");
    const sent = (messageId: string) => send(null, newMessage("inbox", { messageId, dedupeKey: "step 0" }));
    assert.deepEqual(await run.outcomes([sent("m1")]), [{ tag: "sent", value: "m1" }]);
    assert.deepEqual(await run.outcomes([sent("m1"), sent("m2")]), [{ tag: "sent", value: "m1" }, {
      tag: "duplicate",
      value: "m1",
    }]);
    assert.deepEqual(await (await take(b, "inbox")).drain(), ['"hello"']);
  },

  "commit() does not send from a step what it could not send at first, when it is repeated": async (
    { drivers: [a, b] },
  ) => {
    const run = await begin(a, "w");
    const request = run.next([send(null, newMessage("missing"))]);
    assert.deepEqual(answers(committed(await a.commit(request), "held")), [{ tag: "workflow_not_found" }]);
    await enqueue(a, "missing");
    assert.deepEqual(answers(committed(await b.commit(request), "held")), [{ tag: "workflow_not_found" }]);
    assert.deepEqual(await (await take(b, "missing")).drain(), []);
  },

  "commit() refuses a stream write from a step when the stream is closed, also when it is repeated": async (
    { drivers },
  ) => {
    const run = await begin(drivers[0], "w");
    await run.held([closeStream(0, "s")]);
    assert.deepEqual(await twice(drivers, run.next([writeStream(null, "s", "v"), writeStream(null, "t", "v")])), [
      { tag: "stream_closed" },
      { tag: "done" },
    ]);
    assert.equal((await drivers[1].readStream({ workflowId: "w", key: "s", from: 0, limit: 0 })).tail, 0);
  },
};
