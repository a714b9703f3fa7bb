import assert from "node:assert/strict";
import type { Driver, Operation } from "../../../core/driver/driver.ts";
import { ValueTooLargeError } from "../../../core/errors.ts";
import { MAX_COLLECTION_BYTES } from "../../../drivers/upstash/script_calls.ts";
import { closeStream, receive, record, send, setEvent, writeStream } from "../../../conformance/operations.ts";
import { newMessage } from "../../../conformance/requests.ts";
import { Parley, workflow } from "../../../mod.ts";
import { begin, type DrivenRun, enqueue } from "../../../conformance/driven_run.ts";
import { dumpKeys } from "./support/harness.ts";
import { type KeyStore, upstashTest } from "./support/store.ts";

/** In place of 90 MB. */
const MAX_BYTES = 10_000;
const VALUE = "x".repeat(1_000);

/** Operations that fill the keys of a workflow. */
const FILLING: Readonly<Record<string, (run: DrivenRun, index: number) => Operation>> = {
  journal: (_, index) => record(index, VALUE),
  streams: () => writeStream(null, "s", VALUE),
  events: (_, index) => setEvent(null, `k${index}`, VALUE),
  messages: () => send(null, newMessage("w", { topic: "t", value: VALUE })),
  "idempotency keys": (_, index) =>
    send(null, newMessage("w", { topic: `${index}`, value: "1", dedupeKey: `${index}${VALUE}` })),
};

/** What shares a key has the limit together, and errors name it so. */
const SHARING = ["journal and events", "messages and idempotency keys", "streams"];

/** The rejection of a call that must not change Redis. */
async function refused({ redis, prefix }: KeyStore, call: () => Promise<unknown>): Promise<ValueTooLargeError> {
  const before = await dumpKeys(redis, prefix);
  const error = await call().then(() => null, (error) => error);
  assert(error instanceof ValueTooLargeError, String(error));
  assert.deepEqual(await dumpKeys(redis, prefix), before, "nothing was written");
  return error;
}

for (const [name, fill] of Object.entries(FILLING)) {
  upstashTest(
    `a commit that would let the ${name} of a workflow grow too large is refused whole, and the run can end`,
    async (store) => {
      const run = await begin(store.open({}, { maxBytes: MAX_BYTES }), "w");
      let count = 0;
      const next = () => [setEvent(null, "small", "1"), fill(run, count)];
      while (count < 20) {
        const request = run.next(next());
        const answer = await run.driver.commit(request).catch(() => null);
        if (answer === null) break;
        count += 1;
      }
      assert(count > 2 && count < 10, `${count} fit`);
      const error = await refused(store, () => run.driver.commit({ ...run.next(next()), number: count + 1 }));
      const what = SHARING.find((names) => names.includes(name));
      assert.match(error.message, new RegExp(`${what} of the workflow "w"`));
      assert.equal(error.limit, MAX_BYTES);
      assert(error.bytes > MAX_BYTES);
      const end = run.next([], { to: "end", status: "ERROR", output: null, error: "1" });
      assert.equal((await run.driver.commit({ ...end, number: count + 1 })).state, "released");
    },
  );
}

upstashTest(
  "a send that would let the messages of a workflow grow too large is refused whole; there is room again when some are received",
  async (store) => {
    const driver = store.open({}, { maxBytes: MAX_BYTES });
    const run = await begin(driver, "w");
    await enqueue(driver, "other");
    const message = (destinationId: string) => newMessage(destinationId, { topic: "t", value: VALUE });
    for (let count = 0; count < 8; count++) await driver.send([message("w")]);
    const both = [message("other"), message("w")];
    assert.match(
      (await refused(store, () => driver.send(both))).message,
      /messages and idempotency keys of the workflow "w"/,
    );
    await run.held([receive(0, ["t"])]);
    assert.equal((await driver.send(both)).state, "sent");
  },
);

upstashTest("a duplicate is recognised when there is no room for another message", async (store) => {
  const driver = store.open({}, { maxBytes: 1_500 });
  await enqueue(driver, "w");
  const message = newMessage("w", { topic: "t", value: VALUE });
  await driver.send([message]);
  const again = await driver.send([message]);
  assert.deepEqual(again, { state: "sent", receipts: [{ messageId: message.messageId, duplicate: false }], woken: [] });
  await refused(store, () => driver.send([newMessage("w", { topic: "t", value: VALUE })]));
});

/** The bytes of the fields and values of a hash. */
async function bytesOf({ redis, prefix }: KeyStore, key: string): Promise<number> {
  const texts = await redis.ask("HGETALL", `${prefix}/${key}`) as string[];
  return texts.reduce((sum, text) => sum + new TextEncoder().encode(text).length, 0);
}

/** Uses each collection a few times. */
async function use(driver: Driver, run: DrivenRun): Promise<void> {
  for (let index = 0; index < 12; index++) {
    await driver.send([newMessage("w", { topic: "\u20ac", value: `${index}\u{1F600}` })]);
    const published = [
      writeStream(null, "s", "\u20ac"),
      setEvent(null, "k", `${index}`),
      writeStream(null, `s${index}`, VALUE),
    ];
    await run.held([record(2 * index, VALUE), receive(2 * index + 1, ["\u20ac"]), ...published]);
  }
  await driver.send([newMessage("w", { topic: "left", value: VALUE })]);
  await run.held([closeStream(100, "closed")]);
}

upstashTest("the row and the inbox count all bytes, or a few more", async (store) => {
  const driver = store.open();
  await use(driver, await begin(driver, "w"));
  const text = await store.redis.ask("HGET", `${store.prefix}/workflow/w`, "row");
  const row: Readonly<Record<string, number>> = JSON.parse(String(text));
  const sent = Number(await store.redis.ask("HGET", `${store.prefix}/inbox/w`, "bytes"));
  const taken = row["takenBytes"] ?? 0;
  assert(taken > 0);
  const counted: Readonly<Record<string, number>> = {
    "workflow/w": (row["bytes"] ?? 0) + `row${text}`.length,
    "streams/w": row["streamBytes"] ?? 0,
    // The counter itself is not counted.
    "inbox/w": sent - taken + `bytes${sent}`.length,
  };
  for (const [key, bytes] of Object.entries(counted)) {
    const actual = await bytesOf(store, key);
    assert(bytes >= actual && bytes < actual * 1.2 + 100, `${key}: ${bytes} of ${actual}`);
  }
});

upstashTest("the default limit is 90 MB, so that no key reaches the 100 MB of Upstash", async (store) => {
  const driver = store.open();
  const run = await begin(driver, "w", { leaseMs: 3_600_000 });
  const value = "x".repeat(1_000_000);
  const batch = Array.from({ length: 7 }, () => writeStream(null, "s", value));
  for (let written = 0; written < 84; written += 7) await run.held(batch);
  const error = await refused(store, () => run.commit(batch));
  assert.deepEqual([error.limit, error.bytes > 90_000_000, MAX_COLLECTION_BYTES], [90_000_000, true, 90_000_000]);
  const page = await driver.readStream({ workflowId: "w", key: "s", from: 83, limit: 10 });
  assert.deepEqual([page.tail, page.values], [84, [value]]);
});

upstashTest(
  "a workflow whose journal is full ends when its recovery attempts are used up",
  async (store) => {
    const driver = store.open({}, { maxBytes: MAX_BYTES });
    const reported: unknown[] = [];
    const endless = workflow("endless", async (ctx) => {
      for (;;) await ctx.step("step", () => VALUE);
    }, { maxRecoveryAttempts: 2 });
    const parley = new Parley({
      driver,
      workflows: [endless],
      wake: "none",
      onError: (error) => void reported.push(error),
    });
    const handle = await parley.start(endless, undefined, { workflowId: "w", enqueue: true });
    for (
      let sweeps = 0;
      sweeps < 100 && (await handle.status()).status !== "MAX_RECOVERY_ATTEMPTS_EXCEEDED";
      sweeps++
    ) {
      await parley.sweep();
      store.advance(3_600_000);
    }
    assert.equal((await handle.status()).status, "MAX_RECOVERY_ATTEMPTS_EXCEEDED");
    assert(reported.some((error) => error instanceof ValueTooLargeError));
  },
);
