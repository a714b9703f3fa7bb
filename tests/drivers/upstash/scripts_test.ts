import assert from "node:assert/strict";
import { Redis } from "@upstash/redis";
import type { Driver } from "../../../core/driver/driver.ts";
import { upstashDriver } from "../../../drivers/upstash/mod.ts";
import { SCRIPTS } from "../../../drivers/upstash/scripts.ts";
import {
  closeStream,
  end,
  observeEvent,
  receive,
  record,
  send,
  setEvent,
  start,
  writeStream,
} from "../../../conformance/operations.ts";
import { claimRequest, createRequest, newMessage, newWorkflow } from "../../../conformance/requests.ts";
import { begin, beginSuspended, claimIds, DrivenRun, enqueue, take } from "../../../conformance/driven_run.ts";
import { Bill } from "./support/bill.ts";
import { loadScripts } from "./support/harness.ts";
import { type KeyStore, upstashTest } from "./support/store.ts";

/** A story with every script in it. */
async function everyScript(driver: Driver): Promise<unknown[]> {
  const run = await begin(driver, "w");
  await enqueue(driver, "other");
  const message = newMessage("w", { messageId: "m", value: "1" });
  return [
    await driver.send([message]),
    await run.outcomes([
      receive(0, [""]),
      setEvent(1, "k", "2"),
      writeStream(2, "s", "3"),
      start(3, newWorkflow("child")),
    ]),
    (await driver.readStream({ workflowId: "w", key: "s", from: 0, limit: 10 })).values,
    (await driver.readEvent({ workflowId: "w", key: "k" })).event,
    (await driver.readJournal({ workflowId: "w", after: 0, limit: 10 })).entries.length,
    (await claimIds(driver)).sort(),
    await driver.control({ workflowId: "other", action: "cancel" }),
    (await driver.readWorkflow("other"))?.status,
    (await driver.listWorkflows({ problem: false, values: true, statuses: null, name: null, limit: 10, cursor: null }))
      .workflows.length,
    ...await lookAt(driver, "w"),
    await driver.control({ workflowId: "w", action: "cancel", children: true }),
    await driver.delete({ workflowId: "other" }),
    await driver.purge({ olderThanMs: 0, limit: 10 }),
  ];
}

const STORY = [
  { state: "sent", receipts: [{ messageId: "m", duplicate: false }], woken: [] },
  [{ tag: "message", value: "1", topic: "" }, { tag: "done" }, { tag: "done" }, { tag: "done", value: "child" }],
  ["3"],
  { version: 1, value: "2" },
  4,
  ["child", "other"],
  { state: "done", woken: [] },
  "CANCELLED",
  3,
  ...[4, 1, 1, 1],
  { state: "done", woken: [] },
  { state: "done" },
  { purged: 2 },
];

/** How many operations, messages, events and streams a workflow shows. */
async function lookAt(driver: Driver, workflowId: string): Promise<number[]> {
  const query = { workflowId, after: null, limit: 10 };
  const pages = [
    await driver.readHistory(query),
    await driver.listMessages({ ...query, state: "all", topic: null }),
    await driver.listEvents(query),
    await driver.listStreams(query),
  ];
  return pages.map(({ items }) => items.length);
}

Deno.test("every script locks its keys alone, and is known to Redis by the SHA-1 of its source", async () => {
  const shas = new Set<string>();
  for (const [name, { source, sha }] of Object.entries(SCRIPTS)) {
    assert(source.startsWith("#!lua flags=allow-key-locking\n"), name);
    const digest = await crypto.subtle.digest("SHA-1", new TextEncoder().encode(source));
    assert.equal(await sha, new Uint8Array(digest).toHex(), name);
    shas.add(await sha);
  }
  assert.equal(shas.size, Object.keys(SCRIPTS).length);
});

Deno.test("no function of a script is longer than 40 lines", () => {
  for (const { source } of Object.values(SCRIPTS)) {
    let began: number | null = null;
    let name = "";
    for (const [index, line] of source.split("\n").entries()) {
      if (/^(local )?function /.test(line) && !line.endsWith(" end")) [began, name] = [index, line];
      if (line === "end" && began !== null) {
        assert(index - began < 40, name);
        began = null;
      }
    }
  }
});

upstashTest("a script is sent once, and called by its SHA-1 after that", async (store) => {
  const evals: string[] = [];
  using _ = store.server.observe(({ commands }) => void evals.push(...commands.map(([name = ""]) => name)));
  assert.deepEqual(await everyScript(store.open()), STORY);
  assert.equal(
    evals.filter((name) => name === "EVAL").length,
    Object.keys(SCRIPTS).length - 2,
    "each of them was needed, but those of a retention",
  );
  evals.length = 0;
  const driver = store.open({ prefix: `${store.prefix}:2` });
  assert.deepEqual(await everyScript(driver), STORY);
  assert.deepEqual(new Set(evals), new Set(["EVALSHA"]));
  for (const id of ["w", "child"]) await driver.control({ workflowId: id, action: "cancel" });
  await driver.purge({ olderThanMs: 0, limit: 10 });
});

upstashTest("Redis may forget its scripts before any call", async (store) => {
  const flush = async () => {
    await store.transport.send(["SCRIPT", "FLUSH"], "test");
  };
  const driver = store.open();
  const flushing = Object.fromEntries(
    Object.entries(driver).map((
      [name, call],
    ) => [
      name,
      typeof call === "function"
        ? async (...args: unknown[]) => (await flush(), await Reflect.apply(call, driver, args))
        : call,
    ]),
  ) as unknown as Driver;
  assert.deepEqual(await everyScript(flushing), STORY);
});

upstashTest("a client that parses values by default passes them byte for byte", async ({ server, prefix }) => {
  const redis = new Redis({ url: server.url, token: server.token });
  const driver = upstashDriver(redis, { prefix, push: false });
  const values = ["1", "null", "true", '"1"', "[1,2]", '{"a":1}', "01", "1e3", "", " ", "\u{1F600}", "=", "OK"];
  const run = await begin(driver, "w");
  for (const [index, value] of values.entries()) {
    const written = await run.outcomes([
      record(2 * index, value),
      setEvent(2 * index + 1, "k", value),
      writeStream(null, "s", value),
    ]);
    assert.deepEqual(written[0], { tag: "value", value });
    assert.equal((await driver.readEvent({ workflowId: "w", key: "k" })).event?.value, value);
  }
  assert.deepEqual((await driver.readStream({ workflowId: "w", key: "s", from: 0, limit: 100 })).values, values);
  await run.end("SUCCESS", "null");
  assert.equal((await driver.readWorkflow("w"))?.output, "null");
});

upstashTest(
  "numbers are neither rounded nor cut off: instants, offsets, and deadlines of a thousand years",
  async (store) => {
    const driver = store.open();
    const millennium = 1_000 * 365.25 * 24 * 3_600_000;
    const run = await begin(driver, "w", { leaseMs: millennium });
    const { now } = await run.held([receive(0, ["t"], millennium), receive(1, ["u"], 1)]);
    assert(Number.isSafeInteger(now));
    const again = await run.held([receive(0, ["t"]), receive(1, ["v"], 0.5)]);
    assert(Number.isSafeInteger(again.now) && again.now >= now);
    const [open, short] = again.results;
    assert(
      open && "remainingMs" in open && open.remainingMs !== null && open.remainingMs > millennium - 30_000 &&
        open.remainingMs <= millennium,
    );
    assert(short && (!("remainingMs" in short) || short.remainingMs === 1 || short.remainingMs === 0));
    await run.suspend([receive(0, ["t"])]);
    assert.equal((await driver.readWorkflow("w"))?.waiting?.until, open.remainingMs + again.now, "to the millisecond");
  },
);

/** Counts the requests of a call. */
function requestsAt({ server }: KeyStore): (call: () => Promise<unknown>) => Promise<number> {
  const bill = new Bill(server);
  return async (call) => (await bill.of(call)).requests;
}

upstashTest(
  "a driver that does not know a workflow needs one request for each call, however large the workflow is",
  async (store) => {
    const [driver, stranger] = [store.open(), store.open()];
    await loadScripts(store.server);
    const count = requestsAt(store);
    const run = await begin(driver, "w");
    for (let from = 0; from < 1_000; from += 100) {
      assert.equal(
        await count(() => run.held(Array.from({ length: 100 }, (_, index) => writeStream(from + index, "s", "v")))),
        1,
      );
    }
    const other = new DrivenRun(stranger, "w", run);
    for (let number = 0; number < 10; number++) other.next();
    const operations = [
      setEvent(1_100, "k", "v"),
      closeStream(1_101, "t"),
      send(1_102, newMessage("w")),
      record(1_103, "r"),
    ];
    assert.equal(await count(() => other.held([writeStream(1_000, "s", "v"), ...operations])), 1);
    await other.released([], { to: "yield" });
    const claimed = await take(store.open(), "w");
    assert.equal(await count(() => claimed.held([writeStream(1_001, "s", "v"), record(1_002, "r")])), 1);
    assert.deepEqual((await driver.readStream({ workflowId: "w", key: "s", from: 999, limit: 10 })).values, [
      "v",
      "v",
      "v",
    ]);
    assert.equal(await count(() => claimed.end()), 1);
  },
);

upstashTest(
  "messages of many megabytes arrive in order, from any driver, and an empty queue leaves nothing behind",
  async (store) => {
    const [driver, stranger] = [store.open(), store.open()];
    const run = await begin(driver, "w", { leaseMs: 3_600_000 });
    const messages = async () => {
      const fields = await store.redis.ask("HKEYS", `${store.prefix}/inbox/w`) as string[];
      return fields.filter((field) => /^[\dt]/.test(field)).length;
    };
    const value = (index: number) => `${index}:${"x".repeat(900_000)}`;
    const count = 45;
    for (let index = 0; index < count; index++) {
      await (index % 2 ? driver : stranger).send([newMessage("w", { topic: "t", value: value(index) })]);
    }
    assert.equal(await messages(), count + 1);
    for (let index = 0; index < count; index++) {
      const [outcome] = await run.outcomes([receive(index, ["t"])]);
      assert(outcome !== "open" && outcome?.value === value(index), `message ${index}`);
      if (index === 30) await stranger.send([newMessage("w", { topic: "t", value: "last" })]);
    }
    assert.deepEqual(await run.outcomes([receive(count, ["t"]), receive(count + 1, ["t"])]), [
      { tag: "message", value: "last", topic: "t" },
      "open",
    ]);
    assert.equal(await messages(), 0);
    await stranger.send([newMessage("w", { topic: "t", value: "anew" })]);
    assert.deepEqual(await run.drain(["t"]), ["anew"]);
  },
);

upstashTest("a claim by due time costs 1 request if nothing is due, and 2 otherwise", async (store) => {
  const driver = store.open();
  const count = requestsAt(store);
  await enqueue(driver, "a", "b");
  await claimIds(driver);
  assert.equal(await count(() => driver.claim(claimRequest())), 1);
  await driver.create(createRequest("c", { leaseMs: null }));
  const request = claimRequest();
  assert.equal(await count(() => driver.claim(request)), 2);
  assert.equal(await count(() => driver.claim(request)), 2, "the repeat");
});

upstashTest("a claim skips any number of workflows of other names, and of lapsed leases", async (store) => {
  const driver = store.open();
  for (let index = 0; index < 150; index++) {
    await driver.create(createRequest(`foreign ${index}`, { name: "foreign", leaseMs: null }));
  }
  for (let index = 0; index < 20; index++) {
    await driver.create(createRequest(`lapsed ${index}`, { name: "foreign", leaseMs: 1 }));
  }
  store.advance(1_000);
  for (const id of ["a", "b", "c"]) await driver.create(createRequest(id, { name: "mine", leaseMs: null }));
  const lapsing = await begin(driver, "mine too", { leaseMs: 1 });
  store.advance(1_000);
  const { claimed, unknown } = await driver.claim(claimRequest({ names: ["absent", "mine"], limit: 10 }));
  assert.deepEqual([claimed.map(({ workflow }) => workflow.workflowId), unknown], [["a", "b", "c"], ["foreign"]]);
  // In `due`, the end of a lease comes behind all instants.
  const leased = () =>
    store.redis.ask("ZRANGEBYSCORE", `${store.prefix}/due`, "100000000000000", "(inf") as Promise<string[]>;
  assert.deepEqual(
    (await leased()).map((member) => member.split("\0")[0]),
    ["a", "b", "c"],
    "those that lapsed are due, and nowhere else",
  );
  // A claim has moved the workflow to those that are due, and no run has taken it over.
  await lapsing.held([record(0, "0")]);
  store.advance(1_000);
  assert.deepEqual(await claimIds(driver), []);
  await lapsing.end();
  const scheduled = await store.redis.ask("ZRANGE", `${store.prefix}/schedule`, "0", "-1") as string[];
  for (const members of [await leased(), scheduled]) {
    assert.deepEqual(members.filter((it) => it.includes("mine too")), []);
  }
  assert.deepEqual((await driver.claim(claimRequest({ names: ["foreign"], limit: 1_000 }))).claimed.length, 170);
});

upstashTest("a lease lasts until its exact end, although most commits renew it in the row alone", async (store) => {
  const driver = store.open();
  const dueAt = async () => Number(await store.redis.ask("ZSCORE", `${store.prefix}/due`, "w\0order")) % 1e14;
  for (const names of [["order"], ["foreign"]]) {
    const run = await begin(driver, "w", { leaseMs: 60_000 });
    const listed = await dueAt();
    store.advance(19_000);
    await run.held([record(0, "0")]);
    assert.equal(await dueAt(), listed, "less than a third of the lease was over");
    store.advance(42_000);
    assert.deepEqual(await claimIds(driver, { names }), []);
    assert.equal(await dueAt() > listed, names[0] === "order", "corrected by a claim that may take it");
    await run.held([record(1, "1")]);
    store.advance(59_000);
    assert.deepEqual(await claimIds(driver), []);
    store.advance(2_000);
    assert.deepEqual(await claimIds(driver), ["w"]);
    await driver.control({ workflowId: "w", action: "cancel" });
    assert.equal(await store.redis.ask("EXISTS", `${store.prefix}/due`, `${store.prefix}/schedule`), 0);
    await driver.purge({ olderThanMs: 0, limit: 1 });
  }
});

upstashTest("a place of the schedule that a moved lease has left behind stops no claim", async (store) => {
  const driver = store.open();
  const run = await begin(driver, "moved", { leaseMs: 1_000 });
  store.advance(1_001);
  await claimIds(driver, { names: ["foreign"] });
  store.advance(-60_000);
  await run.suspend([receive(0, ["t"])]);
  store.advance(120_000);
  for (let index = 0; index < 100; index++) {
    await driver.create(createRequest(`foreign ${index}`, { name: "foreign", leaseMs: null }));
  }
  await enqueue(driver, "w");
  const left = async () => {
    const places = await store.redis.ask("ZRANGE", `${store.prefix}/schedule`, "0", "-1") as string[];
    return places.filter((place) => place.endsWith("\0moved")).length;
  };
  assert.equal(await left(), 1);
  assert.deepEqual(await claimIds(driver, { limit: 1 }), []);
  assert.equal(await left(), 0);
  assert.deepEqual(await claimIds(driver, { limit: 1 }), ["w"]);
});

upstashTest(
  "eight claimers at once take each workflow once, and each gets one while there are more",
  async (store) => {
    const drivers = Array.from({ length: 8 }, () => store.open());
    const ids = Array.from({ length: 64 }, (_, index) => `w${index}`);
    await Promise.all(ids.map((id, index) => drivers[index % 8]?.create(createRequest(id, { leaseMs: null }))));
    const taken: string[] = [];
    for (let round = 0; round < 8; round++) {
      const claims = await Promise.all(drivers.map((driver) => claimIds(driver, { limit: 1 })));
      assert(claims.every((claim) => claim.length === 1), `round ${round}: ${claims.map(({ length }) => length)}`);
      taken.push(...claims.flat());
    }
    assert.deepEqual(taken.sort(), ids.sort());
    // Without contention: 2 for each claim, 1 for each create, and 5 for scripts that Redis did not
    // know. It was 306 when this was written.
    assert(store.server.requests.command < 400, `${store.server.requests.command} requests`);
  },
);

upstashTest(
  "a repeat of an end names the workflows that it woke, as the first did, until they are claimed",
  async (store) => {
    const driver = store.open();
    const run = await begin(driver, "w");
    await beginSuspended(driver, "waits", [observeEvent(0, "w", "k")]);
    const request = run.next([setEvent(0, "k", "v")], end());
    for (let call = 0; call < 3; call++) {
      const answer = await driver.commit(request);
      assert(answer.state === "released");
      assert.deepEqual(answer.woken, ["waits"]);
    }
    await take(driver, "waits");
    const answer = await driver.commit(request);
    assert.deepEqual(answer.state === "released" && answer.woken, []);
  },
);
