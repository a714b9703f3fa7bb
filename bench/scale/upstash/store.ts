/**
 * A store in Redis that is full, as after a long life, or new.
 *
 * @module
 */

import type { Driver, Operation } from "../../../core/driver/driver.ts";
import { scriptDriver } from "../../../drivers/upstash/driver.ts";
import { Keys } from "../../../drivers/upstash/keys.ts";
import { ScriptCalls } from "../../../drivers/upstash/script_calls.ts";
import { cancel, enqueued, message, USED, VALUE } from "../call.ts";
import { openRun, type UsedRun } from "../run.ts";
import type { Redis } from "./redis.ts";

/** The name of the workflows that fill the store. */
export const CROWD = "crowd";

/** Access to a store, and a run of the workflow `USED`. */
export interface Store extends UsedRun {
  readonly driver: Omit<Driver, "watch">;
}

/** Opens a store and begins the run. */
export async function openStore(redis: Redis, prefix: string): Promise<Store> {
  const driver = scriptDriver(new ScriptCalls({ send: redis.send, keys: new Keys(prefix) }));
  return { driver, ...await openRun(driver) };
}

/** How much a store holds. */
interface Sizes {
  /** Waiting messages of one queue. */
  readonly messages: number;
  /** Values of one stream. */
  readonly values: number;
  /** Due workflows. */
  readonly due: number;
  /** Ended workflows. */
  readonly ended: number;
}

/**
 * The sizes of a store of so many items, a quarter of them messages and half of them values. A queue of 500,000
 * messages would not fit into a key of Upstash. However few they are, there is enough to fill each page of an answer.
 */
export function sizesOf(items: number): Sizes {
  return { messages: items / 4, values: Math.max(items / 2, 1_000), due: items / 10, ended: items / 10 };
}

/** The most that one request of {@linkcode fill} writes. */
const MAX_AT_ONCE = 1_000;

/** How many requests of {@linkcode fill} are under way at once. */
const TOGETHER = 100;

/** Fills a store. */
export async function fill({ driver, commit }: Store, { messages, values, due, ended }: Sizes): Promise<void> {
  const write: Operation = { position: null, label: "writeStream", type: "writeStream", key: "long", value: VALUE };
  await inParts(messages, MAX_AT_ONCE, (_, length) => driver.send(Array.from({ length }, () => message(USED))));
  await inParts(values, MAX_AT_ONCE, (_, length) => commit(Array(length).fill(write)));
  const each = (count: number, call: (index: number) => Promise<unknown>) =>
    inParts(
      count,
      TOGETHER,
      (from, length) => Promise.all(Array.from({ length }, (_, index) => call(from + index))),
    );
  await each(due, (index) => driver.create(enqueued(`due ${index}`, CROWD)));
  await each(ended, async (index) => {
    await driver.create(enqueued(`ended ${index}`, CROWD));
    await cancel(driver, `ended ${index}`);
  });
}

/** Does something for `count` items, so many at once. */
async function inParts(
  count: number,
  most: number,
  call: (from: number, length: number) => Promise<unknown>,
): Promise<void> {
  for (let from = 0; from < count; from += most) await call(from, Math.min(most, count - from));
}

/** Removes every key of a store. */
export async function removeKeys(redis: Redis, prefix: string): Promise<void> {
  let cursor = "0";
  do {
    const [next, keys] = await redis.ask(["SCAN", cursor, "MATCH", `${prefix}/*`, "COUNT", "1000"]) as [
      string,
      string[],
    ];
    if (keys.length > 0) await redis.ask(["UNLINK", ...keys]);
    cursor = next;
  } while (cursor !== "0");
}
