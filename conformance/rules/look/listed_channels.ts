/**
 * Rules for the lists of a workflow's events and streams.
 *
 * @module
 */

import assert from "node:assert/strict";
import type { PartPage, PartQuery } from "../../../core/driver/driver.ts";
import { begin } from "../../driven_run.ts";
import { closeStream, end, setEvent, writeStream } from "../../operations.ts";
import { LEASE_MS } from "../../requests.ts";
import type { Rules } from "../../suite.ts";
import { assertAt } from "./history.ts";

/** Keys whose order as UTF-16 differs from their order as UTF-8, and keys that look like parts of others. */
const KEYS = ["a", "a:b", "B", "é", "\uffff", "\u{10000}", "z"];

/** The same, in the order of their UTF-8 bytes. */
const SORTED = ["B", "a", "a:b", "z", "é", "\uffff", "\u{10000}"];

/** Listed channels. */
export const listedChannels: Rules = {
  "listEvents() has each event with its version, value and time": async ({ drivers: [a, b], advance }) => {
    const run = await begin(a, "w");
    const { createdAt } = (await a.readWorkflow("w"))!;
    await run.held([setEvent(0, "state", "1"), setEvent(null, "other", "x")]);
    await advance(LEASE_MS / 2);
    await run.held([setEvent(1, "state", "2")]);
    const { status, items, more } = await b.listEvents({ workflowId: "w", after: null, limit: 10 });
    assert.deepEqual([status, more], ["PENDING", false]);
    assert.deepEqual(items.map(({ key, version, value }) => [key, version, value]), [
      ["other", 1, "x"],
      ["state", 2, "2"],
    ]);
    assertAt(items[0]!.updatedAt, createdAt);
    assertAt(items[1]!.updatedAt, createdAt + LEASE_MS / 2);
  },

  "listStreams() has each stream with its length and time, and whether it is closed": async (
    { drivers: [a, b], advance },
  ) => {
    const run = await begin(a, "w");
    const { createdAt } = (await a.readWorkflow("w"))!;
    await run.held([writeStream(0, "log", "1"), writeStream(1, "log", "2"), closeStream(2, "empty")]);
    await advance(LEASE_MS / 2);
    await run.held([writeStream(null, "log", "3"), writeStream(3, "done", "1")]);
    await run.held([closeStream(4, "done"), writeStream(5, "empty", "late")]);
    await run.released([], end());
    const { status, items, more } = await b.listStreams({ workflowId: "w", after: null, limit: 10 });
    assert.deepEqual([status, more], ["SUCCESS", false]);
    assert.deepEqual(items.map(({ key, length, closed }) => [key, length, closed]), [
      ["done", 1, true],
      ["empty", 0, true],
      ["log", 3, false],
    ]);
    assertAt(items[0]!.updatedAt, createdAt + LEASE_MS / 2);
    assertAt(items[1]!.updatedAt, createdAt);
    assertAt(items[2]!.updatedAt, createdAt + LEASE_MS / 2);
  },

  "listEvents() and listStreams() answer in pages, sorted by the bytes of the keys": async ({ drivers: [a, b] }) => {
    const run = await begin(a, "w");
    await run.held(KEYS.map((key, index) => setEvent(index, key, "1")));
    await run.held(KEYS.map((key, index) => writeStream(100 + index, key, "1")));
    assert.deepEqual(await keysOf((query) => b.listEvents(query)), SORTED);
    assert.deepEqual(await keysOf((query) => b.listStreams(query)), SORTED);
  },

  "listEvents() ends a page of large values early": async ({ drivers: [a, b] }) => {
    const run = await begin(a, "w");
    const value = JSON.stringify("x".repeat(400_000));
    for (let index = 0; index < 4; index++) await run.held([setEvent(index, `k${index}`, value)]);
    const page = await b.listEvents({ workflowId: "w", after: null, limit: 100 });
    assert(page.items.length >= 1 && page.items.length < 4, `${page.items.length} of 4`);
    assert(page.more && page.items.every((it) => it.value === value));
  },

  "listEvents() and listStreams() have no status if there is no workflow": async ({ drivers: [a] }) => {
    const query = { workflowId: "missing", after: null, limit: 10 };
    const nothing = { status: null, items: [], more: false };
    assert.deepEqual(await a.listEvents(query), nothing);
    assert.deepEqual(await a.listStreams(query), nothing);
  },
};

/** The keys of all pages of three. */
async function keysOf(
  list: (query: PartQuery<string>) => Promise<PartPage<{ key: string }>>,
): Promise<string[]> {
  const keys: string[] = [];
  for (let after: string | null = null;;) {
    const page = await list({ workflowId: "w", after, limit: 3 });
    assert(page.items.length <= 3);
    keys.push(...page.items.map(({ key }) => key));
    if (!page.more) return keys;
    after = keys.at(-1)!;
  }
}
