/**
 * Rules for the list of a workflow's messages.
 *
 * @module
 */

import assert from "node:assert/strict";
import type { Driver, MessageQuery, MessageRecord } from "../../../core/driver/driver.ts";
import { begin, take } from "../../driven_run.ts";
import { end, receive, send } from "../../operations.ts";
import { LEASE_MS, newMessage } from "../../requests.ts";
import type { Rules } from "../../suite.ts";
import { assertAt } from "./history.ts";

/** Listed messages. */
export const listedMessages: Rules = {
  "listMessages() has unread and received messages in the order of their sends": async (
    { drivers: [a, b], advance },
  ) => {
    const run = await begin(a, "w");
    const { createdAt } = (await a.readWorkflow("w"))!;
    await a.send([
      newMessage("w", { value: "1", messageId: "m1", dedupeKey: "key:k" }),
      newMessage("w", { value: "2", topic: "t" }),
      newMessage("w", { value: "3" }),
    ]);
    await advance(LEASE_MS / 2);
    await run.held([receive(7, [""])]);
    const all = await messagesOf(b, "w", { state: "all" });
    assert.deepEqual(all.map(({ value, topic }) => [value, topic]), [["1", ""], ["2", "t"], ["3", ""]]);
    const [first, second] = all;
    assert.deepEqual([first!.messageId, first!.dedupeKey, first!.received?.position], ["m1", "key:k", 7]);
    assertAt(first!.sentAt, createdAt);
    assertAt(first!.received?.at, createdAt + LEASE_MS / 2);
    assert.equal(second!.received, null);
    const numbers = all.map(({ number }) => number);
    assert.deepEqual(numbers, [...numbers].sort((x, y) => x - y));
    assert.deepEqual((await messagesOf(b, "w", { state: "unread" })).map(({ value }) => value), ["2", "3"]);
    assert.deepEqual((await messagesOf(b, "w", { state: "received" })).map(({ value }) => value), ["1"]);
  },

  "listMessages() lists one topic": async ({ drivers: [a, b] }) => {
    await begin(a, "w");
    for (const topic of ["", "t", "T", ""]) await a.send([newMessage("w", { topic, value: topic || "none" })]);
    const of = async (topic: string) =>
      (await messagesOf(b, "w", { state: "unread", topic })).map(({ value }) => value);
    assert.deepEqual(await of(""), ["none", "none"]);
    assert.deepEqual(await of("t"), ["t"]);
    assert.deepEqual(await of("other"), []);
  },

  "listMessages() answers in pages, of any state": async ({ drivers: [a, b] }) => {
    const run = await begin(a, "w");
    await a.send(
      Array.from({ length: 9 }, (_, index) => newMessage("w", { value: `${index}`, topic: `${index % 2}` })),
    );
    await run.held([receive(0, ["0"]), receive(1, ["1"]), receive(2, ["0"])]);
    const expected = {
      all: ["0", "1", "2", "3", "4", "5", "6", "7", "8"],
      unread: ["3", "4", "5", "6", "7", "8"],
      received: ["0", "1", "2"],
    };
    for (const state of ["all", "unread", "received"] as const) {
      const seen: string[] = [];
      for (let after: number | null = null;;) {
        const page = await b.listMessages({ workflowId: "w", state, topic: null, after, limit: 2 });
        assert(page.items.length <= 2);
        seen.push(...page.items.map(({ value }) => value));
        if (!page.more) break;
        after = page.items.at(-1)!.number;
      }
      assert.deepEqual(seen, expected[state], state);
    }
  },

  "listMessages() ends a page of large values early": async ({ drivers: [a, b] }) => {
    const run = await begin(a, "w");
    const value = JSON.stringify("x".repeat(400_000));
    for (let count = 0; count < 4; count++) await a.send([newMessage("w", { value })]);
    await run.held([receive(0, [""])]);
    const page = await b.listMessages({ workflowId: "w", state: "all", topic: null, after: null, limit: 100 });
    assert(page.items.length >= 1 && page.items.length < 4, `${page.items.length} of 4`);
    assert(page.more && page.items.every((it) => it.value === value));
  },

  "listMessages() lists after the end, and has no status if there is no workflow": async ({ drivers: [a, b] }) => {
    const run = await begin(a, "w");
    await a.send([newMessage("w", { value: "left" })]);
    await run.released([], end());
    const query = { state: "all", topic: null, after: null, limit: 10 } as const;
    const page = await b.listMessages({ workflowId: "w", ...query });
    assert.deepEqual([page.status, page.items.map(({ value }) => value)], ["SUCCESS", ["left"]]);
    assert.deepEqual(await b.listMessages({ workflowId: "missing", ...query }), {
      status: null,
      items: [],
      more: false,
    });
  },

  "readWorkflow(), listWorkflows() and claim() count the unread messages": async ({ drivers: [a, b] }) => {
    const run = await begin(a, "w");
    const other = await begin(a, "other");
    const unread = async () => (await b.readWorkflow("w", { counts: true }))!.unread;
    assert.equal(await unread(), 0);
    const message = newMessage("w", { dedupeKey: "key:k" });
    await a.send([message, newMessage("w", { topic: "t" })]);
    await a.send([message]);
    await other.held([send(0, newMessage("w")), send(null, newMessage("w"))]);
    assert.equal(await unread(), 4);
    const request = run.next([receive(0, [""]), receive(1, ["none"])]);
    await a.commit(request);
    await a.commit(request);
    assert.equal(await unread(), 3);
    await run.released([receive(2, ["t"])], { to: "yield" });
    assert.equal((await take(b, "w")).claimed.workflow.unread ?? 2, 2);
    assert.equal(await unread(), 2);
    const query = { statuses: null, name: null, problem: false, values: false, limit: 10, cursor: null };
    const listed = await b.listWorkflows(query);
    assert.equal(listed.workflows.find(({ workflowId }) => workflowId === "w")!.unread ?? 2, 2);
  },
};

/** All messages, from one page. */
async function messagesOf(
  driver: Driver,
  workflowId: string,
  query: Pick<MessageQuery, "state"> & Partial<MessageQuery>,
): Promise<MessageRecord[]> {
  const { items, more } = await driver.listMessages({ workflowId, topic: null, after: null, limit: 1_000, ...query });
  assert(!more);
  return items;
}
