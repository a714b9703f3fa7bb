import assert from "node:assert/strict";
import { delay, systemClock } from "../../../core/time/clock.ts";
import type { Driver, EndStatus, Operation } from "../../../core/driver/driver.ts";
import {
  closeStream,
  end,
  observeEvent,
  observeResult,
  receive,
  record,
  send,
  setEvent,
  sleep,
  start,
  writeStream,
} from "../../../conformance/operations.ts";
import { claimRequest, createRequest, newMessage, newWorkflow } from "../../../conformance/requests.ts";
import { begin, beginSuspended, claimIds, DrivenRun, enqueue, take } from "../../../conformance/driven_run.ts";
import { OWN_KINDS } from "../../../drivers/upstash/keys.ts";
import { SCRIPTS } from "../../../drivers/upstash/scripts.ts";
import type { UpstashRequest } from "./server/mod.ts";
import { loadScripts } from "./support/harness.ts";
import { type KeyStore, upstashTest } from "./support/store.ts";

/** Long enough for the calls of a test, and short enough to wait for. */
const RETENTION_MS = 1_000;

async function expired(): Promise<void> {
  await delay(systemClock, RETENTION_MS + 100);
}

/** Makes every kind of key for `w`, and for workflows that wait for it or do not exist. */
async function makeKeys(driver: Driver): Promise<DrivenRun> {
  const run = await begin(driver, "w");
  await enqueue(driver, "friend");
  const values: Operation[] = Array.from({ length: 150 }, (_, index) => writeStream(index, "long", String(index)));
  await run.held(values);
  await driver.send([
    newMessage("w", { topic: "never received" }),
    newMessage("w", { topic: "" }),
    newMessage("w", { topic: "" }),
  ]);
  await run.held([
    record(200, "step"),
    setEvent(201, "k", "v"),
    setEvent(null, "l", "v"),
    closeStream(202, "closed"),
    send(203, newMessage("friend")),
    receive(204, [""]),
    sleep(205, 60_000),
    record(5_000, "far"),
  ]);
  return run;
}

async function endAll(driver: Driver, ...ids: string[]): Promise<void> {
  for (const id of ids) await (await take(driver, id)).end();
}

/** The keys without an expiry. */
async function persistent({ redis, prefix, keys }: KeyStore): Promise<string[]> {
  const all = await keys();
  const times = await Promise.all(all.map((key) => redis.ask("PTTL", `${prefix}/${key}`)));
  return all.filter((_, index) => times[index] === -1);
}

/** The workflows in the index of successes, which has each twice. */
async function indexed({ redis, prefix }: KeyStore): Promise<string[]> {
  const members = await redis.ask("ZRANGE", `${prefix}/index/SUCCESS`, "0", "-1") as string[];
  const ids = members.filter((member) => member.startsWith("i")).map((member) => member.slice(15).split("\0")[0] ?? "");
  assert.equal(members.length, 2 * ids.length);
  return ids;
}

upstashTest("purge() of everything leaves no key behind", async (store) => {
  const driver = store.open();
  const run = await makeKeys(driver);
  await run.end();
  await endAll(driver, "friend");
  const own = (await store.keys()).filter((key) => /\/w(\/|$)/.test(key));
  assert.deepEqual(own, OWN_KINDS.map((kind) => `${kind}/w`).sort());
  assert.deepEqual(await driver.purge({ olderThanMs: 0, limit: 10 }), { purged: 2 });
  assert.deepEqual(await store.keys(), []);
});

upstashTest("a workflow expires with all its data, however it ended", async (store) => {
  const driver = store.open({ retention: RETENTION_MS });
  const run = await makeKeys(driver);
  await run.end();
  await (await begin(driver, "failed")).end("ERROR" satisfies EndStatus, "e");
  await (await begin(driver, "given up")).end("MAX_RECOVERY_ATTEMPTS_EXCEEDED" satisfies EndStatus, "e");
  await enqueue(driver, "cancelled");
  await driver.control({ workflowId: "cancelled", action: "cancel" });
  await driver.control({ workflowId: "friend", action: "cancel" });
  assert.deepEqual(await persistent(store), []);
  assert.equal((await driver.readStream({ workflowId: "w", key: "long", from: 0, limit: 1_000 })).values.length, 150);
  await expired();
  assert.deepEqual(await store.keys(), []);
});

upstashTest("data of the commit that ends a workflow expires with it", async (store) => {
  const driver = store.open({ retention: RETENTION_MS });
  const run = await begin(driver, "w");
  const values = Array.from({ length: 70 }, () => writeStream(null, "s", "v"));
  const operations = [
    ...[record(0, "0"), setEvent(1, "k", "v"), closeStream(2, "closed"), send(3, newMessage("w")), receive(4, [""])],
    ...[send(5, newMessage("w", { topic: "t" })), start(6, newWorkflow("child")), record(9_000, "9")],
  ];
  await run.released([...operations, ...values], end());
  assert.deepEqual(await persistent(store), ["due", "index/PENDING", "schedule", "workflow/child"]);
});

/** Workflows with much of one kind of data each. */
const FAR: Readonly<Record<string, (driver: Driver, run: DrivenRun) => Promise<unknown>>> = {
  journal: (_, run) => run.held(Array.from({ length: 100 }, (_, index) => record(index, "r"))),
  positions: (_, run) => run.held([record(9_000, "r")]),
  stream: (_, run) => run.held(Array.from({ length: 100 }, () => writeStream(null, "s", "v"))),
  queue: (driver) => driver.send([newMessage("w", { topic: "t" })]),
};

for (const [name, make] of Object.entries(FAR)) {
  upstashTest(
    `a driver that does not know a workflow ends it with all its data: a ${name}`,
    async (store) => {
      const driver = store.open();
      await make(driver, await begin(driver, "w"));
      await store.open({ retention: RETENTION_MS }).control({ workflowId: "w", action: "cancel" });
      assert.deepEqual((await persistent(store)).filter((key) => /\/w(\/|$)/.test(key)), []);
    },
  );
}

upstashTest("nothing of a workflow that has not ended expires", async (store) => {
  const driver = store.open({ retention: RETENTION_MS });
  await makeKeys(driver);
  await beginSuspended(driver, "suspended", [observeEvent(0, "nobody", "k"), receive(1, ["t"])]);
  await (await begin(driver, "ended")).end();
  const before = await store.keys();
  await expired();
  const gone = ["ended", "index/SUCCESS", "workflow/ended"];
  assert.deepEqual(gone.filter((key) => !before.includes(key)), []);
  assert.deepEqual(await store.keys(), before.filter((key) => !gone.includes(key)));
});

upstashTest("neither a resumed workflow nor its published data expires", async (store) => {
  const driver = store.open({ retention: RETENTION_MS });
  await makeKeys(driver);
  await driver.control({ workflowId: "w", action: "cancel" });
  const own = (await store.keys()).filter((key) => /\/w(\/|$)/.test(key));
  // A driver without a retention sees in the row that there is an expiry to undo.
  assert.equal((await store.open().control({ workflowId: "w", action: "resume" })).state, "done");
  await expired();
  assert.deepEqual((await store.keys()).filter((key) => /\/w(\/|$)/.test(key)), own);
  assert.deepEqual((await persistent(store)).filter((key) => /\/w(\/|$)/.test(key)), own);
  const run = await take(driver, "w");
  assert.equal(run.claimed.journal.entries.length > 150, true);
  await run.end();
  assert.deepEqual((await persistent(store)).filter((key) => /\/w(\/|$)/.test(key)), []);
});

upstashTest(
  "the indexes live as long as their last workflow, and drop expired workflows",
  async (store) => {
    const [short, long, never] = [
      store.open({ retention: RETENTION_MS }),
      store.open({ retention: "1h" }),
      store.open(),
    ];
    await (await begin(long, "long")).end();
    await (await begin(short, "short")).end();
    await expired();
    store.advance(RETENTION_MS);
    const list = async () =>
      (await short.listWorkflows({ problem: false, values: true, statuses: null, name: null, limit: 10, cursor: null }))
        .workflows;
    assert.deepEqual((await list()).map(({ workflowId }) => workflowId), ["long"]);
    assert.deepEqual(await indexed(store), ["long"], "forgotten");
    assert.deepEqual(await persistent(store), []);
    await (await begin(never, "never")).end();
    assert.deepEqual(await persistent(store), ["ended", "index/SUCCESS", "workflow/never"]);
    store.advance(3_600_000);
    assert.deepEqual(
      await short.purge({ olderThanMs: 0, limit: 10 }),
      { purged: 1 },
      "the other one has expired, as far as the indexes know",
    );
    assert.deepEqual(await persistent(store), []);
  },
);

upstashTest(
  "the indexes drop expired workflows, even if other workflows never expire and none has ended since",
  async (store) => {
    const [never, short] = [store.open(), store.open({ retention: RETENTION_MS })];
    await (await begin(never, "before")).end();
    await (await begin(short, "first")).end();
    await expired();
    store.advance(RETENTION_MS);
    await short.listWorkflows({ problem: false, values: true, statuses: null, name: null, limit: 10, cursor: null });
    assert.deepEqual(await indexed(store), ["before"], "of a retention that came later");
    await never.purge({ olderThanMs: 0, limit: 10 });
    await (await begin(short, "second")).end();
    await (await begin(never, "after")).end();
    await expired();
    store.advance(RETENTION_MS);
    await never.listWorkflows({ problem: false, values: true, statuses: null, name: null, limit: 10, cursor: null });
    assert.deepEqual(await indexed(store), ["after"], "of a retention that was given up");
    assert.equal(await store.redis.ask("ZCOUNT", `${store.prefix}/ended`, "-inf", "(0"), 0, "nothing expires");
  },
);

upstashTest("waits for workflows that never existed leave nothing behind", async (store) => {
  const driver = store.open();
  const waits = [observeEvent(0, "nobody", "k"), observeResult(1, "nobody"), observeEvent(2, "nobody", "l", 60_000)];
  for (const id of ["cancelled", "ended", "goes on"]) await beginSuspended(driver, id, waits);
  assert.deepEqual((await store.keys()).filter((key) => key === "waiting"), ["waiting"]);
  // Another isolate, which does not know the waits.
  await store.open().control({ workflowId: "cancelled", action: "cancel" });
  store.advance(60_000);
  assert.deepEqual((await claimIds(driver, { limit: 10 })).sort(), ["ended", "goes on"]);
  for (const id of ["ended", "goes on"]) await driver.control({ workflowId: id, action: "cancel" });
  assert.deepEqual((await store.keys()).filter((key) => key === "waiting"), []);
  await driver.purge({ olderThanMs: 0, limit: 10 });
  assert.deepEqual(await persistent(store), []);
});

upstashTest("the first commit of a run removes its waits", async (store) => {
  const driver = store.open();
  await beginSuspended(driver, "w", [observeEvent(0, "nobody", "k"), sleep(1, 1_000)]);
  store.advance(1_000);
  const run = await take(driver, "w");
  const { requests } = store.server;
  const before = requests.command;
  await run.held();
  assert.equal(requests.command - before, 1, "it knows the waits from the claim");
  assert.deepEqual((await store.keys()).filter((key) => key === "waiting"), []);
});

upstashTest("a repeat of a cancel changes nothing", async (store) => {
  const driver = store.open({ retention: "1h" });
  await enqueue(driver, "w");
  for (let call = 0; call < 2; call++) {
    assert.equal((await driver.control({ workflowId: "w", action: "cancel" })).state, "done");
    assert.deepEqual(await persistent(store), []);
  }
});

upstashTest("the set of a claim by due time is gone when its runs have let go", async (store) => {
  const driver = store.open();
  await enqueue(driver, "a", "b");
  const request = claimRequest();
  await driver.claim(request);
  const claims = async () => (await store.keys()).filter((key) => key.startsWith("claim/"));
  await new DrivenRun(driver, "a", { epoch: 1, owner: request.owner }).end();
  assert.equal((await claims()).length, 1);
  await new DrivenRun(driver, "b", { epoch: 1, owner: request.owner }).end();
  assert.deepEqual(await claims(), []);
});

upstashTest("a purge whose request fails has removed a workflow as a whole, or not at all", async (store) => {
  const driver = store.open();
  await loadScripts(store.server);
  await (await makeKeys(driver)).end();
  const own = async () => (await store.keys()).filter((key) => /\/w(\/|$)/.test(key));
  const before = await own();
  for (const at of ["before", "after"] as const) {
    store.server.fault({ at, matches: removes, answer: () => new Response("gone", { status: 502 }) });
    await assert.rejects(driver.purge({ olderThanMs: 0, limit: 10 }), { code: "driver", retryable: true });
    assert.deepEqual(await own(), at === "before" ? before : []);
  }
  assert.equal(await driver.readWorkflow("w"), null);
  assert.deepEqual(await driver.send([newMessage("w")]), {
    state: "refused",
    index: 0,
    reason: "workflow_not_found",
    status: null,
  });
  assert.deepEqual(await store.open().purge({ olderThanMs: 0, limit: 10 }), { purged: 0 });
});

upstashTest(
  "an ID is free as soon as its workflow is removed, and a new workflow has nothing of the old one",
  async (store) => {
    const driver = store.open();
    const parent = await begin(driver, "parent");
    for (const make of ["create", "start"] as const) {
      await (await makeKeys(driver)).end();
      assert.deepEqual(await driver.purge({ olderThanMs: 0, limit: 10 }), { purged: 1 });
      if (make === "create") assert.equal((await store.open().create(createRequest("w"))).created, true);
      else assert.deepEqual(await parent.outcomes([start(0, newWorkflow("w"))]), [{ tag: "done", value: "w" }]);
      const own = (await store.keys()).filter((key) => /\/w(\/|$)/.test(key));
      assert.deepEqual(own, ["workflow/w"], make);
      await driver.control({ workflowId: "w", action: "cancel" });
      await driver.control({ workflowId: "friend", action: "cancel" });
      // A workflow that was started stays, because its parent may still ask for it.
      assert.deepEqual(await driver.purge({ olderThanMs: 0, limit: 10 }), { purged: make === "create" ? 2 : 1 });
    }
  },
);

upstashTest("a late purge removes nothing of a new workflow with the same ID", async (store) => {
  const [driver, late] = [store.open(), store.open()];
  await (await makeKeys(driver)).end();
  const { promise: held, resolve: release } = Promise.withResolvers<undefined>();
  const fault = store.server.fault({ matches: removes, answer: () => held });
  const purging = late.purge({ olderThanMs: 0, limit: 10 });
  while (fault.hits === 0) await delay(systemClock, 5);
  assert.deepEqual(await driver.purge({ olderThanMs: 0, limit: 10 }), { purged: 1 });
  const run = await begin(driver, "w");
  await run.held([writeStream(0, "long", "new"), setEvent(1, "k", "new")]);
  release(undefined);
  assert.deepEqual(await purging, { purged: 0 });
  assert.deepEqual((await driver.readStream({ workflowId: "w", key: "long", from: 0, limit: 10 })).values, ["new"]);
  assert.equal((await driver.readEvent({ workflowId: "w", key: "k" })).event?.value, "new");
});

/**
 * Matches requests that remove keys, with the script or with its SHA-1.
 */
const removal = await SCRIPTS.purge.sha;
function removes({ commands }: UpstashRequest): boolean {
  return commands.some(([, script]) => script === removal || script === SCRIPTS.purge.source);
}
