/**
 * Rules for dedupe keys: a destination gets one message per key.
 *
 * @module
 */

import assert from "node:assert/strict";
import type { SendResult } from "../../../core/driver/driver.ts";
import { receive, send } from "../../operations.ts";
import { LEASE_MS, newMessage } from "../../requests.ts";
import { begin, claimIds, enqueue, take } from "../../driven_run.ts";
import type { Rules } from "../../suite.ts";

const CONFLICT: SendResult = { state: "refused", index: 0, reason: "idempotency_conflict", status: null };

/** Repeats of `send`. */
export const idempotency: Rules = {
  "send() answers as the first did when it is repeated": async ({ drivers: [a, b] }) => {
    const run = await begin(a, "w");
    await begin(a, "v");
    const sent = [newMessage("w", { messageId: "m1" }), newMessage("v", { messageId: "m2" })];
    for (const driver of [a, b, a]) assert.deepEqual(receipts(await driver.send(sent)), [["m1", false], ["m2", false]]);
    assert.equal((await run.drain()).length, 1);
  },

  "send() with a key that was used is a duplicate and answers with the first one's ID": async ({ drivers: [a, b] }) => {
    const run = await begin(a, "w");
    await a.send([newMessage("w", { messageId: "m1", dedupeKey: "k", value: "first" })]);
    const again = newMessage("w", { messageId: "m2", dedupeKey: "k", value: "second" });
    assert.deepEqual(receipts(await b.send([again])), [["m1", true]]);
    assert.deepEqual(receipts(await b.send([again])), [["m1", true]], "the duplicate repeated");
    assert.deepEqual(
      receipts(await b.send([newMessage("w", { messageId: "m1", dedupeKey: "k" })])),
      [["m1", false]],
      "the first repeated",
    );
    assert.deepEqual(await run.drain(), ["first"]);
  },

  "send() knows a key after its message was received, also by a later run": async ({ drivers: [a, b], advance }) => {
    const message = newMessage("w", { messageId: "m1", dedupeKey: "k" });
    const first = await begin(a, "w");
    await a.send([message]);
    await first.held([receive(0, [""])]);
    await advance(LEASE_MS + 1);
    const run = await take(b, "w");
    assert.deepEqual(receipts(await b.send([message])), [["m1", false]]);
    assert.deepEqual(receipts(await b.send([newMessage("w", { dedupeKey: "k" })])), [["m1", true]]);
    assert.deepEqual(await run.drain(), []);
  },

  "send() knows a key after the workflow ended": async ({ drivers: [a, b] }) => {
    const run = await begin(a, "w");
    const message = newMessage("w", { messageId: "m1", dedupeKey: "k" });
    await a.send([message]);
    await run.end();
    assert.deepEqual(receipts(await b.send([message])), [["m1", false]]);
    assert.deepEqual(receipts(await b.send([newMessage("w", { dedupeKey: "k" })])), [["m1", true]]);
    assert.deepEqual(await b.send([newMessage("w", { dedupeKey: "k", topic: "other" })]), CONFLICT);
    assert.equal((await b.send([newMessage("w", { dedupeKey: "new" })])).state, "refused");
  },

  "send() keeps the keys of each destination apart": async ({ drivers: [a, b] }) => {
    const runs = [await begin(a, "w"), await begin(a, "v")];
    for (const { workflowId } of runs) {
      assert.deepEqual(receipts(await b.send([newMessage(workflowId, { messageId: workflowId, dedupeKey: "k" })])), [[
        workflowId,
        false,
      ]]);
    }
    for (const run of runs) assert.equal((await run.drain()).length, 1);
  },

  "send() with new messages beside a duplicate sends the new ones": async ({ drivers: [a, b] }) => {
    const run = await begin(a, "w");
    await a.send([newMessage("w", { messageId: "m1", dedupeKey: "k", value: "1" })]);
    const result = await b.send([
      newMessage("w", { messageId: "m2", value: "2" }),
      newMessage("w", { messageId: "m3", dedupeKey: "k", value: "never" }),
      newMessage("w", { messageId: "m4", value: "4" }),
    ]);
    assert.deepEqual(receipts(result), [["m2", false], ["m1", true], ["m4", false]]);
    assert.deepEqual(await run.drain(), ["1", "2", "4"]);
  },

  "send() with one key twice in a call sends the first": async ({ drivers: [a, b] }) => {
    const run = await begin(a, "w");
    const messages = ["m1", "m2"].map((messageId) => newMessage("w", { messageId, dedupeKey: "k", value: messageId }));
    assert.deepEqual(receipts(await b.send(messages)), [["m1", false], ["m1", true]]);
    assert.deepEqual(await run.drain(), ["m1"]);
  },

  "send() from a workflow and from outside share the keys of a destination": async ({ drivers: [a, b] }) => {
    await enqueue(a, "inbox");
    const run = await begin(a, "w");
    await b.send([newMessage("inbox", { messageId: "m1", dedupeKey: "k1" })]);
    const operations = [
      send(0, newMessage("inbox", { dedupeKey: "k1" })),
      send(1, newMessage("inbox", { messageId: "m2", dedupeKey: "k2" })),
    ];
    assert.deepEqual(await run.outcomes(operations), [{ tag: "duplicate", value: "m1" }, { tag: "sent", value: "m2" }]);
    assert.deepEqual(receipts(await b.send([newMessage("inbox", { dedupeKey: "k2" })])), [["m2", true]]);
    assert.equal((await (await take(b, "inbox")).drain()).length, 2);
  },

  "send() with a key that was used under another topic is refused": async ({ drivers: [a, b] }) => {
    const run = await begin(a, "w");
    await a.send([newMessage("w", { dedupeKey: "k", topic: "t" })]);
    assert.deepEqual(await b.send([newMessage("w", { dedupeKey: "k" })]), CONFLICT);
    await run.held([receive(0, ["t"])]);
    assert.deepEqual(await b.send([newMessage("w", { dedupeKey: "k" })]), CONFLICT, "after it was received");
    assert.deepEqual(await run.drain(["", "t"]), []);
  },

  "send() with one key under two topics in a call is refused at the second, and sends nothing": async (
    { drivers: [a, b] },
  ) => {
    const run = await begin(a, "w");
    const messages = [
      newMessage("w"),
      newMessage("w", { dedupeKey: "k", topic: "t" }),
      newMessage("w", { dedupeKey: "k", topic: "u" }),
    ];
    assert.deepEqual(await b.send(messages), { ...CONFLICT, index: 2 });
    assert.deepEqual(await run.drain(["", "t", "u"]), []);
    assert.equal(
      (await b.send([newMessage("w", { dedupeKey: "k", topic: "u" })])).state,
      "sent",
      "the key is not used up",
    );
  },

  "send() that is refused does not use up its key": async ({ drivers: [a, b] }) => {
    const message = newMessage("w", { messageId: "m", dedupeKey: "k" });
    assert.equal((await b.send([message])).state, "refused");
    const run = await begin(a, "w");
    assert.deepEqual(receipts(await b.send([message])), [["m", false]]);
    assert.equal((await run.drain()).length, 1);
  },

  "send() by many at once with one key sends one message": async ({ drivers }) => {
    for (let round = 0; round < 5; round++) {
      const run = await begin(drivers[0], `w${round}`);
      const messages = Array.from(
        { length: 20 },
        (_, index) => newMessage(`w${round}`, { messageId: `m${index}`, dedupeKey: "k" }),
      );
      const results = await Promise.all(
        messages.map((message, index) => drivers[index % 2 === 0 ? 0 : 1].send([message])),
      );
      const all = results.flatMap(receipts);
      assert.equal(all.filter(([, duplicate]) => !duplicate).length, 1);
      assert.equal(new Set(all.map(([messageId]) => messageId)).size, 1);
      assert.equal((await run.drain()).length, 1);
    }
  },

  "send() repeated at the same time sends one message and answers both alike": async ({ drivers: [a, b] }) => {
    for (let round = 0; round < 10; round++) {
      const run = await begin(a, `w${round}`);
      const message = newMessage(`w${round}`, { messageId: "m" });
      const results = await Promise.all([a.send([message]), b.send([message])]);
      assert.deepEqual(results.map(receipts), [[["m", false]], [["m", false]]]);
      assert.equal((await run.drain()).length, 1);
    }
    assert.deepEqual(await claimIds(b), []);
  },
};

function receipts(result: SendResult): [string, boolean][] {
  assert.equal(result.state, "sent");
  return result.state === "sent" ? result.receipts.map(({ messageId, duplicate }) => [messageId, duplicate]) : [];
}
