/**
 * Rules for streams.
 *
 * @module
 */

import assert from "node:assert/strict";
import { nextTask } from "../../../core/time/clock.ts";
import type { Driver, StreamSnapshot } from "../../../core/driver/driver.ts";
import { closeStream, end, writeStream } from "../../operations.ts";
import { LEASE_MS } from "../../requests.ts";
import { begin, enqueue, take } from "../../driven_run.ts";
import type { Rules } from "../../suite.ts";

/** Writing and reading streams. */
export const streams: Rules = {
  "values get dense offsets from 0, in the order written, over commits and runs": async (
    { drivers: [a, b], advance },
  ) => {
    const first = await begin(a, "w");
    await first.held([writeStream(0, "s", "0"), writeStream(1, "s", "1")]);
    await first.held([writeStream(null, "s", "2")]);
    await advance(LEASE_MS + 1);
    const run = await take(b, "w");
    await run.held([writeStream(2, "s", "3"), writeStream(null, "s", "4")]);
    assert.deepEqual(await read(a), { values: numbers(5), tail: 5, closed: false, status: "PENDING" });
    for (let from = 0; from < 5; from++) assert.deepEqual((await read(b, { from, limit: 1 })).values, [String(from)]);
  },

  "a hundred writes in one commit get their offsets in the order given": async ({ drivers: [a, b] }) => {
    const run = await begin(a, "w");
    await run.held(numbers(100).map((value, index) => writeStream(index % 3 === 0 ? null : 200 - index, "s", value)));
    assert.deepEqual((await read(b)).values, numbers(100));
  },

  "each key of each workflow is a stream of its own": async ({ drivers: [a, b] }) => {
    const run = await begin(a, "w");
    await (await begin(a, "v")).held([writeStream(0, "s", "other")]);
    await run.held([writeStream(0, "s", "1"), writeStream(1, "t", "2"), closeStream(2, "t"), writeStream(3, "s", "3")]);
    assert.deepEqual(await read(b), { values: ["1", "3"], tail: 2, closed: false, status: "PENDING" });
    assert.deepEqual(await read(b, { key: "t" }), { values: ["2"], tail: 1, closed: true, status: "PENDING" });
  },

  "a closed stream takes no write and no second close, and keeps its values": async ({ drivers: [a, b] }) => {
    const run = await begin(a, "w");
    const operations = [
      writeStream(0, "s", "0"),
      closeStream(1, "s"),
      writeStream(2, "s", "1"),
      closeStream(3, "s"),
      writeStream(null, "s", "2"),
    ];
    const expected = [{ tag: "done" }, { tag: "done" }, { tag: "stream_closed" }, { tag: "stream_closed" }, {
      tag: "stream_closed",
    }];
    assert.deepEqual(await run.outcomes(operations), expected);
    assert.deepEqual(await run.outcomes([writeStream(4, "s", "3")]), [{ tag: "stream_closed" }]);
    assert.deepEqual(await read(b), { values: ["0"], tail: 1, closed: true, status: "PENDING" });
  },

  "a stream may be closed before anything was written to it": async ({ drivers: [a, b] }) => {
    const run = await begin(a, "w");
    assert.deepEqual(await run.outcomes([closeStream(0, "s"), writeStream(1, "s", "1")]), [{ tag: "done" }, {
      tag: "stream_closed",
    }]);
    assert.deepEqual(await read(b), { values: [], tail: 0, closed: true, status: "PENDING" });
  },

  "readStream() yields from `from` on, up to limit, with the tail": async ({ drivers: [a, b] }) => {
    const run = await begin(a, "w");
    await run.held(numbers(10).map((value, index) => writeStream(index, "s", value)));
    const state = { tail: 10, closed: false, status: "PENDING" };
    assert.deepEqual(await read(b, { from: 3, limit: 4 }), { values: numbers(4, 3), ...state });
    assert.deepEqual(await read(b, { from: 8, limit: 4 }), { values: numbers(2, 8), ...state });
    assert.deepEqual(await read(b, { from: 10, limit: 4 }), { values: [], ...state });
    assert.deepEqual(await read(b, { from: 1_000_000, limit: 4 }), { values: [], ...state });
    assert.deepEqual(await read(b, { from: 2, limit: 0 }), { values: [], ...state });
  },

  "readStream() answers an empty page when nothing was written, or there is no such workflow": async (
    { drivers: [a] },
  ) => {
    assert.deepEqual(await read(a), { values: [], tail: 0, closed: false, status: null });
    assert.deepEqual(await read(a, { limit: 0 }), { values: [], tail: 0, closed: false, status: null });
    await enqueue(a, "w");
    assert.deepEqual(await read(a), { values: [], tail: 0, closed: false, status: "ENQUEUED" });
  },

  "readStream() answers with the status, and with closed only for closeStream, after the workflow ended": async (
    { drivers: [a, b] },
  ) => {
    await (await begin(a, "w")).released(
      [writeStream(0, "s", "0"), writeStream(1, "t", "0"), closeStream(2, "t")],
      end(),
    );
    assert.deepEqual(await read(b), { values: ["0"], tail: 1, closed: false, status: "SUCCESS" });
    assert.deepEqual(await read(b, { key: "t" }), { values: ["0"], tail: 1, closed: true, status: "SUCCESS" });
  },

  "a stream of 5,000 values is read whole, in pages of any size": async ({ drivers: [a, b] }) => {
    const run = await begin(a, "w", { leaseMs: 100 * LEASE_MS });
    for (let from = 0; from < 5_000; from += 500) {
      await run.held(numbers(500, from).map((value) => writeStream(null, "s", value)));
    }
    for (const limit of [700, 1_000]) {
      const values: string[] = [];
      while (values.length < 5_000) {
        const page = await read(b, { from: values.length, limit });
        assert(page.values.length > 0 && page.values.length <= limit);
        assert.equal(page.tail, 5_000);
        values.push(...page.values);
      }
      assert.deepEqual(values, numbers(5_000));
    }
  },

  "a page of a stream ends at about 1 MiB, and is never empty while there are more": async ({ drivers: [a, b] }) => {
    const run = await begin(a, "w");
    const lengths = [400_000, 400_000, 400_000, 400_000, 400_000, 400_000, 1_500_000, 1_500_000, 1];
    for (const [position, length] of lengths.entries()) {
      await run.held([writeStream(position, "s", "x".repeat(length))]);
    }
    let next = 0;
    while (next < lengths.length) {
      const { values, tail } = await read(b, { from: next, limit: 1_000 });
      assert.equal(tail, lengths.length);
      assert(values.length > 0, "empty");
      assert(values.slice(0, -1).join("").length <= 1_048_576, "too large");
      assert.deepEqual(values.map((value) => value.length), lengths.slice(next, next + values.length));
      next += values.length;
    }
  },

  "readStream() at the same time as writes sees the values up to its tail, and misses none": async (
    { drivers: [a, b] },
  ) => {
    const run = await begin(a, "w", { leaseMs: 100 * LEASE_MS });
    const write = async () => {
      for (let from = 0; from < 100; from += 5) {
        await run.held(numbers(5, from).map((value) => writeStream(null, "s", value)));
      }
    };
    const readLive = async () => {
      const values: string[] = [];
      while (values.length < 100) {
        const page = await read(b, { from: values.length });
        assert.equal(page.tail, values.length + page.values.length);
        values.push(...page.values);
        await nextTask();
      }
      return values;
    };
    const [, values] = await Promise.all([write(), readLive()]);
    assert.deepEqual(values, numbers(100));
  },

  "readStream() at the same time as the last write and the end never sees the end without the value": async (
    { drivers: [a, b] },
  ) => {
    for (let round = 0; round < 20; round++) {
      const workflowId = `w${round}`;
      const run = await begin(a, workflowId);
      const readSome = async () => {
        const seen: StreamSnapshot[] = [];
        for (let count = 0; count < 5; count++) {
          seen.push(await b.readStream({ workflowId, key: "s", from: 0, limit: 10 }));
        }
        return seen;
      };
      const [, seen] = await Promise.all([
        run.released([writeStream(0, "s", "last"), closeStream(1, "s")], end()),
        readSome(),
      ]);
      for (const { values, tail, closed, status } of seen) {
        const ended = status === "SUCCESS";
        assert.deepEqual([values, tail, closed], ended ? [["last"], 1, true] : [[], 0, false]);
      }
    }
  },
};

function read(
  driver: Driver,
  { from = 0, limit = 10_000, key = "s" }: { from?: number; limit?: number; key?: string } = {},
): Promise<StreamSnapshot> {
  return driver.readStream({ workflowId: "w", key, from, limit });
}

function numbers(count: number, from: number = 0): string[] {
  return Array.from({ length: count }, (_, index) => String(from + index));
}
