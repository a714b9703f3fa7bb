/**
 * Rules for a receive over several topics.
 *
 * @module
 */

import assert from "node:assert/strict";
import { receive } from "../../operations.ts";
import { newMessage } from "../../requests.ts";
import { begin, beginSuspended, claimIds, messageOutcome, sent, take } from "../../driven_run.ts";
import type { Rules } from "../../suite.ts";

/** Receiving over several topics. */
export const recvAny: Rules = {
  "a receive takes the oldest message over its topics, in whatever order they are listed": async (
    { drivers: [a, b] },
  ) => {
    const run = await begin(a, "w");
    for (const topic of ["b", "a", "", "c", "b"]) await b.send([newMessage("w", { topic, value: `in ${topic}` })]);
    const topics = ["c", "", "a", "b"];
    assert.deepEqual(
      await run.outcomes([
        receive(0, topics),
        receive(1, topics.toReversed()),
        receive(2, topics),
        receive(3, topics),
        receive(4, topics),
      ]),
      [
        messageOutcome("in b", "b"),
        messageOutcome("in a", "a"),
        messageOutcome("in "),
        messageOutcome("in c", "c"),
        messageOutcome("in b", "b"),
      ],
    );
  },

  "a receive over several topics takes exactly one message and leaves the rest": async ({ drivers: [a, b] }) => {
    const run = await begin(a, "w");
    for (const topic of ["a", "b", "a"]) await b.send([newMessage("w", { topic, value: `in ${topic}` })]);
    await run.held([receive(0, ["a", "b"])]);
    assert.deepEqual(await run.drain(["b"]), ["in b"]);
    assert.deepEqual(await run.drain(["a"]), ["in a"]);
  },

  "a workflow is suspended for 10,000 topics, and a message in the last one wakes it": async ({ drivers: [a, b] }) => {
    const topics = Array.from({ length: 10_000 }, (_, nth) => `topic ${nth}`);
    await beginSuspended(a, "w", [receive(0, topics)]);
    const message = newMessage("w", { topic: "topic 9999", value: "last" });
    assert.deepEqual(sent(await b.send([message])).woken, ["w"]);
    assert.deepEqual(await (await take(b, "w")).outcomes([receive(0, topics)]), [messageOutcome("last", "topic 9999")]);
  },

  "a receive takes no message of a topic that it does not list": async ({ drivers: [a, b] }) => {
    const run = await begin(a, "w");
    for (const topic of ["", "c", "ab"]) await b.send([newMessage("w", { topic })]);
    assert.deepEqual(await run.outcomes([receive(0, ["a", "b"])]), ["open"]);
    assert.deepEqual(await run.outcomes([receive(1, ["a"], 0)]), [{ tag: "timeout" }]);
  },

  "a receive over several topics takes one message when they come at the same time": async ({ drivers: [a, b] }) => {
    for (let round = 0; round < 10; round++) {
      const run = await begin(a, `w${round}`);
      await Promise.all(
        ["a", "b", "c"].map((topic, index) =>
          [a, b][index % 2]?.send([newMessage(`w${round}`, { topic, value: topic })])
        ),
      );
      const received = await run.drain(["c", "b", "a"]);
      assert.deepEqual(received.toSorted(), ["a", "b", "c"]);
    }
  },

  "a suspended receive is woken by a message under any of its topics and no other": async ({ drivers: [a, b] }) => {
    for (const topic of ["a", ""]) {
      const workflowId = `w${topic}`;
      await beginSuspended(a, workflowId, [receive(0, ["a", "b", ""])]);
      const other = await b.send([newMessage(workflowId, { topic: "c" })]);
      assert.deepEqual(other.state === "sent" && other.woken, []);
      assert.deepEqual(await claimIds(b), []);
      assert.deepEqual(sent(await b.send([newMessage(workflowId, { topic, value: "1" })])).woken, [workflowId]);
      assert.deepEqual(await (await take(b, workflowId)).outcomes([receive(0, ["a", "b", ""])]), [
        messageOutcome("1", topic),
      ]);
    }
  },
};
