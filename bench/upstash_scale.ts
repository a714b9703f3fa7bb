/**
 * Measures calls of the Upstash driver in a full database, as multiples of their cost in an empty
 * database. Both run in turn, on a stock Redis without HTTP, because HTTP would hide most of the
 * difference.
 *
 *     deno run -A bench/upstash_scale.ts
 *
 * The full database has 500,000 messages in one queue, a stream of 500,000 values, 100,000 due
 * workflows and 100,000 ended workflows. `SCALE` makes it smaller, as in `SCALE=0.1`. The benchmark
 * uses the Redis of `REDIS_URL`, or starts one.
 *
 * @module
 */

import type { Driver, Operation, Transition } from "../core/driver/driver.ts";
import { ScriptCalls } from "../drivers/upstash/script_calls.ts";
import { scriptDriver } from "../drivers/upstash/driver.ts";
import { Keys } from "../drivers/upstash/keys.ts";
import { startRedis } from "../scripts/redis.ts";
import { measure, type Subject } from "./postgres.ts";
import { Redis } from "./redis.ts";

const MILLION = Math.round(1_000_000 * Number(Deno.env.get("SCALE") ?? 1));
const FULL = { messages: MILLION / 2, values: MILLION / 2, due: MILLION / 10, ended: MILLION / 10 };
const EMPTY = { messages: 1_000, values: 1_000, due: 1_000, ended: 1_000 };

const LEASE_MS = 3_600_000;
const VALUE = JSON.stringify("x".repeat(100));
/** The workflow whose queue and stream the calls use. */
const USED = "used";
/** The name of the workflows that fill the database. */
const CROWD = "crowd";

/** A driver, and a function that commits in a run of the workflow `USED`. */
interface Store {
  readonly driver: Omit<Driver, "watch">;
  readonly commit: (operations: readonly Operation[], transition?: Transition) => Promise<void>;
}

async function openStore(redis: Redis, prefix: string): Promise<Store> {
  const driver = scriptDriver(new ScriptCalls({ send: redis.send, keys: new Keys(prefix) }));
  const owner = crypto.randomUUID();
  const { epoch } = await driver.create({ workflowId: USED, name: "bench", input: "null", owner, leaseMs: LEASE_MS });
  let number = 0;
  const commit = async (operations: readonly Operation[]) => {
    const request = {
      workflowId: USED,
      epoch,
      owner,
      number: ++number,
      leaseMs: LEASE_MS,
      operations,
      transition: null,
    };
    const { state } = await driver.commit(request);
    if (state !== "held") throw new Error(`The run is ${state}`);
  };
  return { driver, commit };
}

function message(destinationId: string = USED, topic: string = "t") {
  const id = crypto.randomUUID();
  return { destinationId, topic, messageId: id, dedupeKey: id, value: VALUE };
}

function enqueued(workflowId: string, name: string = "bench") {
  return { workflowId, name, input: "null", owner: crypto.randomUUID(), leaseMs: null };
}

/** Calls `call` once for each `size` of `count` items. */
async function repeat(count: number, size: number, call: (from: number) => Promise<unknown>): Promise<void> {
  for (let from = 0; from < count; from += size) await call(from);
}

async function fill({ driver, commit }: Store, sizes: typeof FULL): Promise<void> {
  const write: Operation = { position: null, label: "writeStream", type: "writeStream", key: "long", value: VALUE };
  const together = (from: number, call: (index: number) => Promise<unknown>) =>
    Promise.all(Array.from({ length: 100 }, (_, index) => call(from + index)));
  await repeat(sizes.messages, 1_000, () => driver.send(Array.from({ length: 1_000 }, () => message())));
  await repeat(sizes.values, 1_000, () => commit(Array(1_000).fill(write)));
  await repeat(sizes.due, 100, (from) => together(from, (index) => driver.create(enqueued(`due ${index}`, CROWD))));
  await repeat(sizes.ended, 100, (from) =>
    together(from, async (index) => {
      await driver.create(enqueued(`ended ${index}`, CROWD));
      await driver.control({ workflowId: `ended ${index}`, action: "cancel" });
    }));
}

/** Returns the calls for a store. */
function calls(store: Store, from: number): Record<string, Omit<Subject, "name">> {
  return { ...runs(store), ...claims(store), ...reads(store, from), ...ends(store) };
}

function runs({ driver, commit }: Store): Record<string, Omit<Subject, "name">> {
  let position = 0;
  const next = (label: string) => ({ position: position++, label });
  return {
    create: { run: (round) => driver.create({ ...enqueued(`new ${round}`), leaseMs: LEASE_MS }) },
    send: { run: () => driver.send([message()]) },
    step: { run: () => commit([{ ...next("step"), type: "record", outcome: { tag: "value", value: VALUE } }]) },
    recv: { run: () => commit([{ ...next("recv"), type: "receive", topics: ["t"], timeoutMs: null }]) },
    setEvent: { run: () => commit([{ ...next("setEvent"), type: "setEvent", key: "state", value: VALUE }]) },
    writeStream: { run: () => commit([{ ...next("writeStream"), type: "writeStream", key: "long", value: VALUE }]) },
  };
}

function claims({ driver }: Store): Record<string, Omit<Subject, "name">> {
  const claim = async (names: readonly string[], workflowIds: readonly string[] | null, expected: number) => {
    const { claimed } = await driver.claim({
      workflowIds,
      names,
      except: [],
      limit: 1,
      leaseMs: LEASE_MS,
      owner: crypto.randomUUID(),
    });
    if (claimed.length !== expected) throw new Error(`${claimed.length} of ${names} were claimed`);
  };
  return {
    "claim by ID": {
      prepare: (round) => driver.create(enqueued(`id ${round}`)),
      run: (round) => claim(["bench"], [`id ${round}`], 1),
    },
    "claim behind other due workflows": {
      prepare: (round) => driver.create(enqueued(`time ${round}`, `time ${round}`)),
      run: (round) => claim([`time ${round}`], null, 1),
    },
    "claim one of many due workflows": { run: () => claim([CROWD], null, 1) },
    "claim with nothing due": { run: () => claim(["none", "neither"], null, 0) },
  };
}

function reads({ driver }: Store, from: number): Record<string, Omit<Subject, "name">> {
  const page = { problem: false, values: true, statuses: null, name: null, limit: 10, cursor: null };
  return {
    readWorkflow: { run: () => driver.readWorkflow(USED) },
    readEvent: { run: () => driver.readEvent({ workflowId: USED, key: "state" }) },
    "read 1,000 values": { run: () => driver.readStream({ workflowId: USED, key: "long", from, limit: 1_000 }) },
    "list 10": { run: () => driver.listWorkflows(page) },
    "list 10 of a name": { run: () => driver.listWorkflows({ ...page, name: "bench" }) },
    "list 10 that failed": { run: () => driver.listWorkflows({ ...page, statuses: ["ERROR"] }) },
  };
}

function ends({ driver }: Store): Record<string, Omit<Subject, "name">> {
  return {
    cancel: {
      prepare: (round) => driver.create(enqueued(`cancelled ${round}`)),
      run: (round) => driver.control({ workflowId: `cancelled ${round}`, action: "cancel" }),
    },
    purge: { run: () => driver.purge({ olderThanMs: 0, limit: 1 }) },
  };
}

/** Removes every key that this benchmark has written. */
async function removeKeys(redis: Redis, prefix: string): Promise<void> {
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

const server = Deno.env.get("REDIS_URL") ? null : await startRedis();
using redis = await Redis.connect(Deno.env.get("REDIS_URL") ?? server?.url ?? "");
const prefixes = ["empty", "full"].map((which) => `scale:${which}:${crypto.randomUUID()}`) as [string, string];
try {
  const [empty, full] = [await openStore(redis, prefixes[0]), await openStore(redis, prefixes[1])];
  await fill(empty, EMPTY);
  await fill(full, FULL);
  const [inEmpty, inFull] = [calls(empty, 0), calls(full, FULL.values - 1_000)];
  const medians = await measure(
    Object.keys(inEmpty).flatMap((name) => [
      { ...inEmpty[name]!, name: `${name}, empty` },
      { ...inFull[name]!, name: `${name}, full` },
    ]),
  );
  console.log("| Call | Empty, ms | Full, ms | Ratio |\n| --- | ---: | ---: | ---: |");
  for (const name of Object.keys(inEmpty)) {
    const [before, after] = [medians.get(`${name}, empty`)!, medians.get(`${name}, full`)!];
    console.log(`| ${name} | ${before.toFixed(2)} | ${after.toFixed(2)} | ${(after / before).toFixed(2)} |`);
  }
} finally {
  for (const prefix of prefixes) await removeKeys(redis, prefix);
  await server?.[Symbol.asyncDispose]();
}
