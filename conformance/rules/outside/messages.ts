/**
 * Rules for messages and their order.
 *
 * @module
 */

import assert from "node:assert/strict";
import { end, receive, send } from "../../operations.ts";
import { claimRequest, LEASE_MS, newMessage } from "../../requests.ts";
import {
  answers,
  begin,
  beginSuspended,
  cancel,
  type DrivenRun,
  enqueue,
  messageOutcome,
  sent,
  take,
} from "../../driven_run.ts";
import type { Rules } from "../../suite.ts";

/** Sending and receiving. */
export const messages: Rules = {
  "send() answers with a receipt for each message, in order": async ({ drivers: [a, b] }) => {
    await begin(a, "w");
    const sent = await b.send([newMessage("w", { messageId: "m2" }), newMessage("w", { messageId: "m1", topic: "t" })]);
    assert.deepEqual(sent, {
      state: "sent",
      receipts: [{ messageId: "m2", duplicate: false }, { messageId: "m1", duplicate: false }],
      woken: [],
    });
  },

  "send() of no messages does nothing": async ({ drivers: [a] }) => {
    assert.deepEqual(await a.send([]), { state: "sent", receipts: [], woken: [] });
  },

  "send() is refused when there is no such workflow": async ({ drivers: [a] }) => {
    assert.deepEqual(await a.send([newMessage("missing")]), {
      state: "refused",
      index: 0,
      reason: "workflow_not_found",
      status: null,
    });
  },

  "send() is refused with the status when the workflow ended": async ({ drivers: [a, b] }) => {
    for (const status of ["SUCCESS", "ERROR", "MAX_RECOVERY_ATTEMPTS_EXCEEDED"] as const) {
      await (await begin(a, status)).end(status);
      assert.deepEqual(await b.send([newMessage(status)]), {
        state: "refused",
        index: 0,
        reason: "workflow_ended",
        status,
      });
    }
    await begin(a, "w");
    await cancel(a, "w");
    assert.deepEqual(await b.send([newMessage("w")]), {
      state: "refused",
      index: 0,
      reason: "workflow_ended",
      status: "CANCELLED",
    });
  },

  "send() is taken by a workflow that is enqueued, running or suspended": async ({ drivers: [a, b] }) => {
    await enqueue(a, "enqueued");
    const running = await begin(a, "running");
    await beginSuspended(a, "suspended", [receive(0, ["t"])]);
    for (const id of ["enqueued", "running", "suspended"]) {
      assert.equal((await b.send([newMessage(id, { topic: "t", value: id })])).state, "sent");
    }
    const runs = [await take(a, "enqueued"), running, await take(a, "suspended")];
    for (const run of runs) assert.deepEqual(await run.drain(["t"]), [run.workflowId]);
  },

  "a message stays until it is received, before, while and after the workflow waits": async (
    { drivers: [a, b], advance },
  ) => {
    const run = await begin(a, "w");
    await b.send([newMessage("w", { value: "before" })]);
    assert.deepEqual(await run.outcomes([receive(0, [""])]), [messageOutcome("before")]);
    assert.deepEqual(await run.outcomes([receive(1, [""])]), ["open"]);
    await b.send([newMessage("w", { value: "while" }), newMessage("w", { value: "after" })]);
    assert.deepEqual(await run.outcomes([receive(1, [""])]), [messageOutcome("while")]);
    await advance(1_000 * LEASE_MS);
    assert.deepEqual(await (await take(b, "w")).drain(), ["after"]);
  },

  "a message that was received is never received again": async ({ drivers: [a, b], advance }) => {
    const first = await begin(a, "w");
    await b.send([newMessage("w", { value: "1" })]);
    await first.held([receive(0, [""])]);
    assert.deepEqual(await first.drain(), []);
    await advance(LEASE_MS + 1);
    assert.deepEqual(await (await take(b, "w")).drain(), []);
  },

  "a null message is a message": async ({ drivers: [a, b] }) => {
    const run = await begin(a, "w");
    await b.send([newMessage("w", { value: "null" })]);
    assert.deepEqual(await run.outcomes([receive(0, [""], 0)]), [messageOutcome("null")]);
  },

  "send() to many sends nothing when one of them is refused": async ({ drivers: [a, b] }) => {
    await (await begin(a, "ended")).end();
    const good = [await begin(a, "first"), await begin(a, "second")];
    for (const [bad, reason] of [["missing", "workflow_not_found"], ["ended", "workflow_ended"]] as const) {
      const keyed = good.map((run) => newMessage(run.workflowId, { dedupeKey: "k" }));
      const result = await b.send([...keyed, newMessage(bad), newMessage("missing"), newMessage("ended")]);
      assert.deepEqual(result.state === "refused" && [result.index, result.reason], [2, reason]);
    }
    for (const run of good) {
      assert.deepEqual(await run.drain(), []);
      const { receipts } = sent(await a.send([newMessage(run.workflowId, { messageId: "m", dedupeKey: "k" })]));
      assert.deepEqual(receipts, [{ messageId: "m", duplicate: false }], "the key is not used up");
    }
  },

  "send() that is refused wakes nobody": async ({ drivers: [a, b] }) => {
    await beginSuspended(a, "w", [receive(0, [""])]);
    await b.send([newMessage("w"), newMessage("missing")]);
    assert.deepEqual((await b.claim(claimRequest())).claimed, []);
  },

  "send() to many reaches each, in the order given": async ({ drivers: [a, b] }) => {
    const runs = await Promise.all(["z", "y", "x"].map((workflowId) => begin(a, workflowId)));
    const values = Array.from({ length: 30 }, (_, index) => String(index));
    await b.send(values.map((value, index) => newMessage(runs[index % 3]?.workflowId ?? "", { value })));
    for (const [offset, run] of runs.entries()) {
      assert.deepEqual(await run.drain(), values.filter((_, index) => index % 3 === offset));
    }
  },

  "messages are received first in, first out, also by another run": async ({ drivers, advance }) => {
    const values = Array.from({ length: 12 }, (_, index) => String(index));
    const first = await begin(drivers[0], "w");
    for (const [index, value] of values.entries()) {
      await drivers[index % 2 === 0 ? 0 : 1].send([newMessage("w", { value })]);
    }
    for (const position of [0, 1, 2, 3, 4]) {
      assert.deepEqual(await first.outcomes([receive(position, [""])]), [messageOutcome(values[position] ?? "")]);
    }
    await advance(LEASE_MS + 1);
    assert.deepEqual(await (await take(drivers[1], "w")).drain(), values.slice(5));
  },

  "messages keep their order whatever their IDs, keys and values are": async ({ drivers: [a, b] }) => {
    const run = await begin(a, "w");
    const names = ["9", "10", "b", "a", "A", "\u{1F600}", "2"];
    for (const name of names) await b.send([newMessage("w", { messageId: name, dedupeKey: name, value: name })]);
    assert.deepEqual(await run.drain(), names);
  },

  "topics are separate queues, the empty one among them": async ({ drivers: [a, b] }) => {
    const run = await begin(a, "w");
    for (const topic of ["b", "", "a", "b", "", "a"]) await b.send([newMessage("w", { topic, value: `in ${topic}` })]);
    assert.deepEqual(await run.drain(["a"]), ["in a", "in a"]);
    assert.deepEqual(await run.drain([""]), ["in ", "in "]);
    assert.deepEqual(await run.drain(["b"]), ["in b", "in b"]);
  },

  "several receives of one topic in one commit each take another message, the earlier the older": async (
    { drivers: [a, b] },
  ) => {
    const run = await begin(a, "w");
    await b.send(["1", "2"].map((value) => newMessage("w", { value })));
    assert.deepEqual(await run.outcomes([receive(5, [""]), receive(3, [""]), receive(4, [""])]), [
      messageOutcome("1"),
      messageOutcome("2"),
      "open",
    ]);
    await b.send([newMessage("w", { value: "3" })]);
    assert.deepEqual(await run.outcomes([receive(4, [""])]), [messageOutcome("3")]);
  },

  "a thousand buffered messages are received in order": async ({ drivers: [a, b] }) => {
    const run = await begin(a, "w", { leaseMs: 100 * LEASE_MS });
    const values = Array.from({ length: 1_000 }, (_, index) => String(index));
    await b.send(values.map((value) => newMessage("w", { value })));
    assert.deepEqual(await run.drain(), values);
  },

  "commit() answers a send with the message's ID, or with why it was refused": async ({ drivers: [a] }) => {
    await enqueue(a, "inbox");
    await (await begin(a, "ended")).end("ERROR");
    const run = await begin(a, "w");
    const operations = [
      send(0, newMessage("inbox", { messageId: "m1", dedupeKey: "k" })),
      send(1, newMessage("inbox", { messageId: "m2", dedupeKey: "k" })),
      send(2, newMessage("inbox", { messageId: "m3", dedupeKey: "k", topic: "other" })),
      send(3, newMessage("missing")),
      send(4, newMessage("ended")),
    ];
    assert.deepEqual(await run.outcomes(operations), [
      { tag: "sent", value: "m1" },
      { tag: "duplicate", value: "m1" },
      { tag: "idempotency_conflict" },
      { tag: "workflow_not_found" },
      { tag: "workflow_ended", value: "ERROR" },
    ]);
    assert.deepEqual(await (await take(a, "inbox")).drain(["", "other"]), ['"hello"']);
  },

  "a workflow may send to itself, also just before it receives": async ({ drivers: [a] }) => {
    const run = await begin(a, "w");
    const result = await run.held([
      receive(0, [""]),
      send(1, newMessage("w", { messageId: "m", value: "1" })),
      receive(2, [""]),
    ]);
    assert.deepEqual(result.woken, []);
    assert.deepEqual(answers(result), ["open", { tag: "sent", value: "m" }, messageOutcome("1")]);
    assert.deepEqual(await run.outcomes([receive(0, [""])]), ["open"]);
  },

  "messages from workflows and from outside share one order": async ({ drivers: [a, b] }) => {
    await enqueue(a, "inbox");
    const run = await begin(a, "w");
    await b.send([newMessage("inbox", { value: "1" })]);
    await run.held([send(0, newMessage("inbox", { value: "2" })), send(null, newMessage("inbox", { value: "3" }))]);
    await b.send([newMessage("inbox", { value: "4" })]);
    assert.deepEqual(await (await take(b, "inbox")).drain(), ["1", "2", "3", "4"]);
  },

  "a message that is sent as its workflow ends arrives": async ({ drivers: [a, b] }) => {
    await enqueue(a, "inbox");
    await (await begin(a, "w")).released([send(0, newMessage("inbox", { value: "last" }))], end());
    assert.deepEqual(await (await take(b, "inbox")).drain(), ["last"]);
  },

  "send() by many at once delivers each message once, those of one sender in order": async ({ drivers }) => {
    const run = await begin(drivers[0], "w", { leaseMs: 100 * LEASE_MS });
    const sender = async (name: number) => {
      for (let index = 0; index < 10; index++) {
        await drivers[name % 2 === 0 ? 0 : 1].send([newMessage("w", { value: `${name}:${index}` })]);
      }
    };
    await Promise.all(Array.from({ length: 10 }, (_, name) => sender(name)));
    const received = await run.drain();
    assert.equal(new Set(received).size, 100);
    assert.equal(received.length, 100);
    for (let name = 0; name < 10; name++) {
      const own = received.filter((value) => value.startsWith(`${name}:`));
      assert.deepEqual(own, Array.from({ length: 10 }, (_, index) => `${name}:${index}`));
    }
  },

  "a receive at the same time as sends misses none and takes none twice": async ({ drivers: [a, b] }) => {
    const run = await begin(a, "w", { leaseMs: 100 * LEASE_MS });
    const sends = Promise.all(
      Array.from({ length: 50 }, (_, index) => b.send([newMessage("w", { value: String(index) })])),
    );
    const received: string[] = [];
    for (let round = 0; round < 20; round++) received.push(...await run.drain());
    await sends;
    received.push(...await run.drain());
    assert.deepEqual(
      received.sort((x, y) => Number(x) - Number(y)),
      Array.from({ length: 50 }, (_, index) => String(index)),
    );
  },

  "two workflows that send to each other at the same time do not block each other": async ({ drivers: [a, b] }) => {
    const [left, right] = [await begin(a, "left"), await begin(b, "right")];
    for (let position = 0; position < 20; position++) {
      const results = await Promise.all([
        left.commit([send(position, newMessage("right", { value: String(position) }))]),
        right.commit([send(position, newMessage("left", { value: String(position) }))]),
      ]);
      assert.deepEqual(results.map(({ state }) => state), ["held", "held"]);
    }
    const expected = Array.from({ length: 20 }, (_, index) => String(index));
    assert.deepEqual([await left.drain(), await right.drain()], [expected, expected]);
  },

  "send() to the same workflows in opposite orders at the same time does not block": async ({ drivers: [a, b] }) => {
    const ids = ["c", "a", "b"];
    const runs: DrivenRun[] = [];
    for (const workflowId of ids) runs.push(await begin(a, workflowId));
    for (let round = 0; round < 20; round++) {
      const results = await Promise.all([
        a.send(ids.map((id) => newMessage(id))),
        b.send(ids.toReversed().map((id) => newMessage(id))),
      ]);
      assert.deepEqual(results.map(({ state }) => state), ["sent", "sent"]);
    }
    for (const run of runs) assert.equal((await run.drain()).length, 40);
  },
};
