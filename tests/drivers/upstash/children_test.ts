import assert from "node:assert/strict";
import type { Driver } from "../../../core/driver/driver.ts";
import { observeEvent, observeResult, record, setEvent, start, writeStream } from "../../../conformance/operations.ts";
import { claimRequest, newWorkflow } from "../../../conformance/requests.ts";
import { begin, beginSuspended, claimIds, type DrivenRun, take } from "../../../conformance/driven_run.ts";
import { Bill } from "./support/bill.ts";
import { type KeyStore, upstashTest } from "./support/store.ts";

const RETENTION = "1h";

/** Whether keys of a workflow expire: all, none or some of them. */
async function expiry({ redis, prefix, keys }: KeyStore, id: string): Promise<"all" | "none" | "some" | "gone"> {
  const own = (await keys()).filter((key) => key.split("/")[1] === id);
  const times = await Promise.all(own.map((key) => redis.ask("PTTL", `${prefix}/${key}`)));
  if (own.length === 0) return "gone";
  return times.every((time) => Number(time) > 0) ? "all" : times.every((time) => time === -1) ? "none" : "some";
}

/**
 * A parent with a child that has written something and ended. The driver of the child knows neither.
 */
async function family(store: KeyStore, driver: Driver, child: string = "child"): Promise<DrivenRun> {
  const parent = await begin(driver, "parent", { leaseMs: 3_600_000 });
  await parent.held([start(0, newWorkflow(child))]);
  await endChild(store.open({ retention: RETENTION }), child);
  return parent;
}

async function endChild(driver: Driver, id: string): Promise<void> {
  const run = await take(driver, id);
  await run.held([writeStream(0, "s", "1"), setEvent(1, "k", "2"), record(2, "3")]);
  await run.end("SUCCESS", "4");
}

const ENDS: Record<string, (parent: DrivenRun, store: KeyStore) => Promise<unknown>> = {
  "its parent ends": (parent) => parent.end(),
  "its parent is cancelled, by a driver that knows nothing": (_, store) => {
    return store.open({ retention: RETENTION }).control({ workflowId: "parent", action: "cancel" });
  },
  "its parent has its result": (parent) => parent.outcomes([observeResult(1, "child", null, true)]),
};

for (const [name, end] of Object.entries(ENDS)) {
  upstashTest(`with a retention a child stays until ${name}, and expires from then on`, async (store) => {
    const driver = store.open({ retention: RETENTION });
    const parent = await family(store, driver);
    assert.equal(await expiry(store, "child"), "none");
    store.advance(10 * 3_600_000);
    assert.deepEqual(await driver.purge({ olderThanMs: 0, limit: 10 }), { purged: 0 });
    await end(parent, store);
    assert.equal(await expiry(store, "child"), "all");
    assert.equal((await driver.readWorkflow("child"))?.output, "4");
    assert.deepEqual(await kept(store), []);
    store.advance(30 * 60_000);
    assert.equal((await driver.listWorkflows(LIST)).workflows.some(({ workflowId }) => workflowId === "child"), true);
    store.advance(31 * 60_000);
    await driver.listWorkflows(LIST);
    assert.deepEqual(
      await indexed(store),
      name === "its parent has its result" ? ["parent"] : [],
      "it is out of the indexes when its time is over",
    );
  });
}

const LIST = { statuses: null, name: null, problem: false, values: false, limit: 10, cursor: null };

/** The ended children that their parents still need. */
async function kept({ redis, prefix }: KeyStore): Promise<string[]> {
  const members = await redis.ask("ZRANGE", `${prefix}/families`, "0", "-1") as string[];
  return members.filter((member) => member.split("\0").length > 2);
}

/** The IDs in the indexes of all statuses. */
async function indexed({ redis, prefix, keys }: KeyStore): Promise<string[]> {
  const indexes = (await keys()).filter((key) => key.startsWith("index/"));
  const places = await Promise.all(
    indexes.map((key) => redis.ask("ZRANGE", `${prefix}/${key}`, "0", "-1") as Promise<string[]>),
  );
  return places.flat().filter((place) => place.startsWith("i")).map((place) => place.slice(15).split("\0")[0] ?? "");
}

upstashTest("a child that ends after its parent, or was started by nobody, expires at once", async (store) => {
  const driver = store.open({ retention: RETENTION });
  const parent = await begin(driver, "parent");
  await parent.released([start(0, newWorkflow("child"))], { to: "end", status: "SUCCESS", output: "1", error: null });
  await endChild(store.open({ retention: RETENTION }), "child");
  assert.equal(await expiry(store, "child"), "all");
});

upstashTest("neither a purged parent nor a new workflow with its ID keeps a child", async (store) => {
  const driver = store.open();
  const parent = await begin(driver, "parent");
  await parent.held([start(0, newWorkflow("child"))]);
  await parent.end();
  assert.deepEqual(await driver.purge({ olderThanMs: 0, limit: 10 }), { purged: 1 });
  await begin(driver, "parent");
  await endChild(store.open(), "child");
  assert.deepEqual(await store.open().purge({ olderThanMs: 0, limit: 10 }), { purged: 1 });
});

upstashTest(
  "if the request for an expiry fails, the next call that finds the child sets it",
  async (store) => {
    const driver = store.open({ retention: RETENTION });
    const parent = await family(store, driver);
    const fault = store.server.fault({
      matches: ({ commands }) => JSON.stringify(commands).includes('\\"places\\"'),
      answer: () => new Response("gone", { status: 502 }),
    });
    assert.equal((await parent.end()).state, "released");
    assert(fault.hits > 0);
    assert.equal(await expiry(store, "child"), "none");
    await store.open().listWorkflows(LIST);
    assert.equal(await expiry(store, "child"), "none", "a driver without a retention does not set it");
    await store.open({ retention: RETENTION }).listWorkflows(LIST);
    assert.equal(await expiry(store, "child"), "all");
  },
);

upstashTest("a kept child that is resumed does not expire before it has ended again", async (store) => {
  const driver = store.open({ retention: RETENTION });
  const parent = await begin(driver, "parent", { leaseMs: 3_600_000 });
  await parent.held([start(0, newWorkflow("child"))]);
  await store.open({ retention: RETENTION }).control({ workflowId: "child", action: "cancel" });
  assert.equal(await expiry(store, "child"), "none");
  assert.equal((await store.open().control({ workflowId: "child", action: "resume" })).state, "done");
  assert.deepEqual(await kept(store), []);
  await parent.end();
  assert.deepEqual((await store.keys()).filter((key) => key === "families"), []);
  assert.equal(await expiry(store, "child"), "none");
  await endChild(store.open({ retention: RETENTION }), "child");
  assert.equal(await expiry(store, "child"), "all");
});

/** The ends that `resume` undoes. */
const UNDONE_ENDS = {
  "was cancelled": ENDS["its parent is cancelled, by a driver that knows nothing"],
  "was recovered too often": (parent) => parent.end("MAX_RECOVERY_ATTEMPTS_EXCEEDED", "1"),
} satisfies Record<string, (typeof ENDS)[string] | undefined>;

/** Resumes `parent` through a driver that knows nothing. */
const resumeParent = (store: KeyStore) => {
  return store.open({ retention: RETENTION }).control({ workflowId: "parent", action: "resume" });
};

for (const [name, end] of Object.entries(UNDONE_ENDS)) {
  upstashTest(
    `if a parent that ${name} is resumed, its children do not expire before it has ended again`,
    async (store) => {
      const driver = store.open({ retention: RETENTION });
      const parent = await family(store, driver);
      await parent.held([start(3, newWorkflow("late")), start(4, newWorkflow("alive")), record(5, "5")]);
      await end?.(parent, store);
      await endChild(store.open({ retention: RETENTION }), "late");
      assert.deepEqual([await expiry(store, "child"), await expiry(store, "late")], ["all", "all"]);
      assert.equal((await resumeParent(store)).state, "done");
      assert.deepEqual([await expiry(store, "child"), await expiry(store, "late")], ["none", "none"]);
      store.advance(10 * 3_600_000);
      assert.deepEqual((await driver.listWorkflows(LIST)).workflows.map(({ workflowId }) => workflowId).sort(), [
        "alive",
        "child",
        "late",
        "parent",
      ]);
      assert.deepEqual(await driver.purge({ olderThanMs: 0, limit: 10 }), { purged: 0 });
      const again = await take(driver, "parent");
      assert.deepEqual(await again.outcomes([observeResult(6, "child", null, true)]), [{ tag: "value", value: "4" }]);
      assert.deepEqual([await expiry(store, "child"), await expiry(store, "late")], ["all", "none"]);
      await again.end();
      assert.equal(await expiry(store, "late"), "all");
      assert.deepEqual(await kept(store), []);
    },
  );
}

upstashTest("if the request that lets children stay fails, a repeat of resume makes it", async (store) => {
  const parent = await family(store, store.open({ retention: RETENTION }));
  await parent.held([start(1, newWorkflow("other"))]);
  await store.open({ retention: RETENTION }).control({ workflowId: "parent", action: "cancel" });
  store.server.fault({
    matches: ({ commands }) => JSON.stringify(commands).includes('\\"workflowIds\\"'),
    answer: () => new Response("gone", { status: 502 }),
  });
  await assert.rejects(resumeParent(store), { code: "driver" });
  assert.equal(await expiry(store, "child"), "all");
  assert.equal((await resumeParent(store)).state, "done");
  assert.equal(await expiry(store, "child"), "none");
});

upstashTest("a child whose expiry was still to be set stays if its parent is resumed", async (store) => {
  const parent = await family(store, store.open({ retention: RETENTION }));
  const fault = store.server.fault({
    matches: ({ commands }) => JSON.stringify(commands).includes('\\"places\\"'),
    answer: () => new Response("gone", { status: 502 }),
  });
  await parent.end("MAX_RECOVERY_ATTEMPTS_EXCEEDED", "1");
  assert(fault.hits > 0);
  await store.open().control({ workflowId: "parent", action: "resume" });
  await store.open({ retention: RETENTION }).listWorkflows(LIST);
  assert.equal(await expiry(store, "child"), "none");
  await store.open({ retention: RETENTION }).control({ workflowId: "parent", action: "cancel" });
  assert.equal(await expiry(store, "child"), "all");
});

upstashTest("a hundred children expire when their parent ends, with a few requests", async (store) => {
  const driver = store.open({ retention: RETENTION });
  const parent = await begin(driver, "parent", { leaseMs: 3_600_000 });
  const ids = Array.from({ length: 100 }, (_, index) => `child ${index}`);
  await parent.held(ids.map((id, index) => start(index, newWorkflow(id))));
  for (const id of ids) await (await take(driver, id)).end();
  const { requests } = await new Bill(store.server).of(() => parent.end());
  assert(requests <= 15, `${requests} requests`);
  assert.deepEqual(new Set(await Promise.all(ids.map((id) => expiry(store, id)))), new Set(["all"]));
});

upstashTest("the end of a parent costs one command more, or two if it has not recorded all results", async (store) => {
  const driver = store.open();
  const bill = new Bill(store.server);
  await (await begin(driver, "first")).end();
  const costs: number[] = [];
  for (const parent of ["of none", "that knows all", "that knows one"]) {
    const run = await begin(driver, parent);
    const children = parent === "of none" ? [] : [`${parent}: a`, `${parent}: b`];
    await run.held(children.map((id, index) => start(index, newWorkflow(id))));
    for (const id of children.slice(0, parent === "that knows all" ? 2 : 1)) {
      await endChild(driver, id);
      await run.held([observeResult(10 + children.indexOf(id), id, null, true)]);
    }
    costs.push((await bill.of(() => run.end())).commands);
  }
  const [none = 0, all = 0, one = 0] = costs;
  assert.deepEqual([all - none, one - none], [1, 2]);
});

upstashTest(
  "purge() leaves any number of kept children, and removes them when nobody needs them any more",
  async (store) => {
    const driver = store.open();
    const parent = await begin(driver, "parent", { leaseMs: 3_600_000 });
    const ids = Array.from({ length: 30 }, (_, index) => `child ${index}`);
    await parent.held(ids.map((id, index) => start(index, newWorkflow(id))));
    for (const id of ids) await (await take(driver, id)).end();
    await (await begin(driver, "other")).end();
    assert.deepEqual(await store.open().purge({ olderThanMs: 0, limit: 2 }), { purged: 1 });
    assert.deepEqual(await parent.outcomes([observeResult(100, "child 7", null, true)]), [{
      tag: "value",
      value: "null",
    }]);
    assert.deepEqual(await store.open().purge({ olderThanMs: 0, limit: 2 }), { purged: 1 });
    assert.equal(await driver.readWorkflow("child 7"), null);
    await parent.end();
    assert.deepEqual(await store.open().purge({ olderThanMs: 0, limit: 100 }), { purged: 30 });
    assert.deepEqual(await store.keys(), []);
  },
);

upstashTest("any end wakes workflows that wait for events, and leaves none of their waits behind", async (store) => {
  const driver = store.open();
  const run = await begin(driver, "w");
  await beginSuspended(driver, "a", [observeEvent(0, "w", "k"), observeEvent(1, "w", "l"), observeResult(2, "w")]);
  await beginSuspended(driver, "b", [observeEvent(0, "w", "k\u0001")]);
  assert.deepEqual((await run.held([setEvent(0, "k", "1")])).woken, ["a"]);
  assert.deepEqual((await run.end()).woken, ["b"]);
  for (const id of ["a", "b"]) await (await take(driver, id)).end();
  assert.deepEqual((await store.keys()).filter((key) => key === "waiting"), []);
});

upstashTest(
  "when the clock has gone back, a claim finds a lease among many that ends too late, and shortens it",
  async (store) => {
    const driver = store.open();
    await begin(driver, "stuck");
    for (let index = 0; index < 5; index++) {
      await driver.create({
        ...newWorkflow(`due ${index}`),
        owner: `${index}`,
        leaseMs: null,
      });
    }
    store.advance(-3_600_000);
    for (let index = 0; index < 120; index++) await begin(driver, `held ${index}`);
    const taken = await claimIds(driver, { limit: 5 });
    assert.deepEqual(
      taken,
      Array.from({ length: 5 }, (_, index) => `due ${index}`),
      "due at once is due, whatever the clock says",
    );
    store.advance(61_000);
    const { claimed } = await driver.claim(claimRequest({ limit: 1_000 }));
    assert.equal(claimed.length, 126, "the others, and the one that the first claim has found");
  },
);
