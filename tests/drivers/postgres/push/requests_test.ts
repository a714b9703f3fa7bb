/**
 * What a wait costs the database while the database wakes it.
 *
 * @module
 */

import assert from "node:assert/strict";
// @ts-types="@types/pg"
import pg from "pg";
import { delay, systemClock } from "../../../../core/time/clock.ts";
import { postgresDriver, type Queryable } from "../../../../drivers/postgres/mod.ts";
import { SQL_PUSH_TIMING } from "../../../../drivers/postgres/push/push.ts";
import { Parley, stream, workflow } from "../../../../mod.ts";
import { ManualClock } from "../../../../testing/mod.ts";
import { createRequest, newMessage } from "../../../../conformance/requests.ts";
import { Watching } from "../../../support/patience.ts";
import { Requests } from "../../../support/requests.ts";
import { ChannelEar, listenTest, pool } from "../support/listen_setting.ts";
import { postgresUrl } from "../support/server.ts";

class ClosingPool extends pg.Pool implements AsyncDisposable {
  [Symbol.asyncDispose](): Promise<void> {
    return this.end();
  }
}

/** Shorter than half of the time that a notification may take. */
const STEP_MS = 2_000;

listenTest("an idle wait makes about 360 looks and 180 beats in an hour", async ({ open }) => {
  const requests = new Requests();
  const clock = new ManualClock(undefined, { settled: () => requests.settled() });
  const counted = requests.over(pool);
  let beats = 0;
  const queryable: Queryable = {
    query: (text, params) => {
      if (text.includes("listen_v1")) beats++;
      return counted.query(text, params);
    },
  };
  const { driver, push } = open({ queryable, clock, timing: SQL_PUSH_TIMING });
  await using parley = new Parley({ driver, clock });
  const stop = new AbortController();
  const waiting = assert.rejects(parley.getEvent("w", "k", { timeout: "2h", signal: stop.signal }));
  using watching = new Watching({ push }, "due");
  for (; !watching.watch.live; await delay(systemClock, 1)) await clock.advance(10);
  const before = requests.count;
  for (let ms = 0; ms < 3_600_000; ms += STEP_MS) {
    const earlier = beats;
    await clock.advance(STEP_MS);
    // The notification of a beat comes in real time.
    await delay(systemClock, beats > earlier ? 40 : 1);
  }
  const made = requests.count - before;
  assert(watching.watch.live && watching.hints === 1, "the connection has lasted");
  assert(made > 500 && made < 600, `${made} requests`);
  stop.abort();
  await waiting;
  watching.watch.close();
  await clock.advance(2 * SQL_PUSH_TIMING.lingerMs);
});

listenTest("a wait that another process wakes looks once, and does not poll before", async ({ open, schema }) => {
  const requests = new Requests();
  const { driver, push } = open({ queryable: requests.over(pool) });
  const flow = workflow("flow", async (ctx) => await ctx.recv<string>("news"));
  await using parley = new Parley({ driver, workflows: [flow], hotWait: "1h" });
  const handle = await parley.start(flow, undefined);
  using _watching = await Watching.live({ push }, `inbox:${handle.workflowId}`);
  await delay(systemClock, 300);
  const before = requests.count;
  await delay(systemClock, 1_500);
  assert.equal(requests.count - before, 0, "no polling");
  await using sender = new Parley({ driver: postgresDriver(pool, { schema }), wake: "none" });
  await sender.send(handle.workflowId, "hello", { topic: "news" });
  await parley.idle();
  assert.equal(requests.count - before, 2, "the look and the end");
  assert.equal(await handle.result(), "hello");
});

listenTest(
  "a live reader in another process reads once for each value, and does not poll",
  async ({ open, schema }) => {
    const values = stream<number>("values");
    const flow = workflow("flow", async (ctx) => {
      for (;;) await ctx.writeStream(values, await ctx.recv<number>());
    });
    await using writer = new Parley({ driver: postgresDriver(pool, { schema }), workflows: [flow], hotWait: "1h" });
    const { workflowId } = await writer.start(flow, undefined);
    const requests = new Requests();
    const { driver, push } = open({ queryable: requests.over(pool) });
    await using reader = new Parley({ driver });
    const reading = reader.readStream(workflowId, values)[Symbol.asyncIterator]();
    let next = reading.next();
    using _watching = await Watching.live({ push }, `stream:${workflowId}`);
    await delay(systemClock, 300);
    const before = requests.count;
    for (let n = 0; n < 3; n++) {
      await delay(systemClock, 300);
      await writer.send(workflowId, n);
      assert.deepEqual(await next, { done: false, value: n });
      next = reading.next();
    }
    await delay(systemClock, 300);
    assert.equal(requests.count - before, 3);
    await writer.cancel(workflowId);
    assert.equal((await next).done, true);
  },
);

listenTest("1,000 stream values send no NOTIFY while nobody listens, and else one for each commit", async (
  { open, schema },
) => {
  const flow = workflow("flow", async (ctx) => {
    await Promise.all(Array.from({ length: 1_000 }, (_, n) => ctx.writeStream("values", n)));
  });
  await using parley = new Parley({ driver: postgresDriver(pool, { schema }), workflows: [flow] });
  await using ear = await ChannelEar.at(schema);
  const write = async (workflowId: string) => void await (await parley.start(flow, undefined, { workflowId })).result();
  assert.deepEqual(await ear.during(() => write("unheard")), []);
  using _watching = await Watching.live(open(), "due");
  const heard = await ear.during(() => write("w"));
  assert.deepEqual(heard, ["status:w", "stream:w", "status:w"], "the start, the values, the end");
});

listenTest(
  "through a pool, the hints of a write have a transaction of their own once one was heard; no other write has two",
  async (
    { open, schema },
  ) => {
    await using one = new ClosingPool({ connectionString: await postgresUrl(), max: 1, idleTimeoutMillis: 0 });
    const driver = postgresDriver(one, { schema });
    // A session numbers its transactions, each of these queries included.
    const number = async () => {
      const { rows } = await one.query(
        "select split_part(virtualtransaction, '/', 2)::int as n from pg_locks where pid = pg_backend_pid() limit 1",
      );
      return rows[0].n;
    };
    const transactions = async (id: string) => {
      const before = await number();
      await driver.send([newMessage("w", { messageId: id, dedupeKey: id })]);
      return await number() - before - 1;
    };
    await driver.create(createRequest("w"));
    await driver.send([newMessage("w")]);
    assert.equal(await transactions("unheard"), 1);
    using _watching = await Watching.live(open(), "due");
    assert.equal(await transactions("heard first"), 1, "the hints are in the transaction that writes");
    assert.equal(await transactions("heard"), 2);
  },
);

listenTest(
  "a write in a transaction of the caller is undone with it, and gives its hints once it has committed",
  async (
    { open, schema },
  ) => {
    const flow = workflow("flow", () => {});
    await using parley = new Parley({ driver: postgresDriver(pool, { schema }), workflows: [flow] });
    await parley.start(flow, undefined, { workflowId: "before", enqueue: true });
    using _watching = await Watching.live(open(), "due");
    await using ear = await ChannelEar.at(schema);
    const startIn = async (workflowId: string, end: "commit" | "rollback") => {
      const client = await pool.connect();
      try {
        await client.query("begin");
        const inside = new Parley({ driver: postgresDriver(client, { schema }) });
        await inside.start("flow", undefined, { workflowId, enqueue: true });
        await client.query(end);
      } finally {
        client.release();
      }
    };
    assert.deepEqual(await ear.during(() => startIn("undone", "rollback")), []);
    assert.deepEqual(await ear.during(() => startIn("kept", "commit")), ["due", "status:kept"]);
    const { workflows } = await parley.list();
    assert.deepEqual(workflows.map(({ workflowId }) => workflowId).toSorted(), ["before", "kept"]);
  },
);

listenTest("a function that is called without its procedure sends its hints too", async ({ open, schema }) => {
  await using parley = new Parley({
    driver: postgresDriver(pool, { schema }),
    workflows: [workflow("flow", () => {})],
  });
  await parley.start("flow", undefined, { workflowId: "w", enqueue: true });
  await using ear = await ChannelEar.at(schema);
  using _watching = await Watching.live(open(), "due");
  const send = (statement: string, messageId: string) => {
    const message = { destinationId: "w", topic: "", messageId, dedupeKey: messageId, value: "1" };
    return ear.during(() => pool.query(statement, [JSON.stringify([message])]).then(() => {}));
  };
  assert.deepEqual(await send(`select "${schema}".send_v1($1::text::jsonb)`, "a"), ["inbox:w"]);
  assert.deepEqual(await send(`call "${schema}".send_v1($1::text::jsonb, null::text, null::text)`, "b"), ["inbox:w"]);
});
