import assert from "node:assert/strict";
import { delay, systemClock } from "../../../core/time/clock.ts";
import type { Driver } from "../../../core/driver/driver.ts";
import { SCRIPTS } from "../../../drivers/upstash/scripts.ts";
import { receive, record, send, writeStream } from "../../../conformance/operations.ts";
import { newMessage } from "../../../conformance/requests.ts";
import { answers, begin, committed, type DrivenRun, enqueue, take } from "../../../conformance/driven_run.ts";
import { seeded } from "../../support/random.ts";
import { type KeyStore, upstashTest } from "./support/store.ts";

const FILLING = 18;
const MEGABYTE = "x".repeat(1_000_000);

async function fill(driver: Driver, workflowId: string): Promise<void> {
  for (let count = 0; count < FILLING; count++) {
    await driver.send([newMessage(workflowId, { topic: "t", value: MEGABYTE })]);
  }
}

upstashTest("a commit receives the last message of a queue, sends itself another, and receives that", async (store) => {
  const driver = store.open();
  const run = await begin(driver, "w", { leaseMs: 3_600_000 });
  await fill(driver, "w");
  for (let position = 0; position < FILLING - 1; position++) await run.held([receive(position, ["t"])]);
  const self = send(101, newMessage("w", { topic: "t", messageId: "m", value: "self" }));
  const outcomes = await run.outcomes([receive(100, ["t"]), self, receive(102, ["t"]), receive(103, ["t"])]);
  assert.deepEqual(outcomes, [
    { tag: "message", value: MEGABYTE, topic: "t" },
    { tag: "sent", value: "m" },
    { tag: "message", value: "self", topic: "t" },
    "open",
  ]);
  const fields = await store.redis.ask("HKEYS", `${store.prefix}/inbox/w`) as string[];
  assert.deepEqual(fields.filter((field) => /^[\dt]/.test(field)), [], "nothing is left of the queue");
});

upstashTest("a driver that knows nothing of 1,200 workflows sends to all of them at once", async (store) => {
  const [driver, stranger] = [store.open(), store.open()];
  const ids = Array.from({ length: 1_200 }, (_, index) => `w${index}`);
  for (let from = 0; from < ids.length; from += 100) {
    await Promise.all(ids.slice(from, from + 100).map((id) => enqueue(driver, id)));
  }
  await fill(driver, "w0");
  assert.equal((await stranger.send(ids.map((id) => newMessage(id, { topic: "t" })))).state, "sent");
});

Deno.test("no script lets Lua order texts, because Lua orders them by the locale of the server", () => {
  for (const [name, { source }] of Object.entries(SCRIPTS)) assert.doesNotMatch(source, /table\.sort\(\w+\)/, name);
});

/** Lets a run write as fast as it can until it has lost its workflow. */
async function writeAway(run: DrivenRun): Promise<string> {
  for (let count = 0;; count++) {
    const { state } = await run.commit([writeStream(count, "s", "v"), record(1_000_000 + count, "v")]);
    if (state !== "held") return state;
  }
}

upstashTest("a workflow that grows all the time is cancelled, with all its data", async (store) => {
  const driver = store.open({ retention: "1h" });
  const writing = writeAway(await begin(driver, "w"));
  await delay(systemClock, 100);
  // The cancelling driver is far away, so the run makes many requests between two of its own.
  const isCancel = (text: string) => text.includes('"action":"cancel"');
  using _ = store.server.fault({
    times: Infinity,
    matches: ({ commands }) => commands[0]?.some(isCancel) ?? false,
    answer: () => delay(systemClock, 20).then(() => undefined),
  });
  assert.equal((await store.open({ retention: "1h" }).control({ workflowId: "w", action: "cancel" })).state, "done");
  assert.equal(await writing, "cancelled");
  const own = (await store.keys()).filter((key) => /\/w(\/|$)/.test(key));
  for (const key of own) assert.notEqual(await store.redis.ask("PTTL", `${store.prefix}/${key}`), -1, key);
});

/** A transport whose answers arrive in any order. */
function disordered({ server }: KeyStore): Disposable {
  const random = seeded(1);
  return server.fault({
    at: "after",
    times: Infinity,
    matches: () => true,
    answer: () => delay(systemClock, random.between(0, 10)).then(() => undefined),
  });
}

upstashTest(
  "messages that are sent at once are received once and in order, even if answers arrive out of order",
  async (store) => {
    const driver = store.open();
    using _ = disordered(store);
    const ids = ["a", "b"];
    for (const id of ids) await enqueue(driver, id);
    const topics = ["", "t", "u"];
    const sending = topics.map(async (topic) => {
      for (let index = 0; index < 40; index++) {
        await driver.send(ids.map((id) => newMessage(id, { topic, value: `${topic}:${index}` })));
      }
    });
    const receiving = ids.map(async (id) => {
      const received: string[] = [];
      const run = await take(driver, id);
      for (let position = 0; received.length < 120; position += 4) {
        const waits = [0, 1, 2, 3].map((offset) =>
          receive(position + offset, offset < 2 ? topics : [topics[position / 4 % 3] ?? ""], 0)
        );
        const writes = waits.map((_, index) => writeStream(null, `s${index}`, "v"));
        for (const answer of answers(committed(await run.commit([...waits, ...writes]), "held"))) {
          if (answer !== "open" && answer.tag === "message") received.push(answer.value ?? "");
        }
      }
      return received;
    });
    await Promise.all(sending);
    for (const received of await Promise.all(receiving)) {
      for (const topic of topics) {
        const own = received.filter((value) => value.startsWith(`${topic}:`)).map((value) =>
          Number(value.slice(topic.length + 1))
        );
        assert.deepEqual(own, Array.from({ length: 40 }, (_, index) => index), `topic ${JSON.stringify(topic)}`);
      }
    }
  },
);
