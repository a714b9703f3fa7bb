/**
 * The connection that listens: when it is open, and what happens when it fails.
 *
 * @module
 */

import assert from "node:assert/strict";
// @ts-types="@types/pg"
import pg from "pg";
import { type Clock, delay, systemClock } from "../../../../core/time/clock.ts";
import { ValidationError } from "../../../../core/errors.ts";
import { type Listen, postgresDriver } from "../../../../drivers/postgres/mod.ts";
import { Parley, workflow } from "../../../../mod.ts";
import { enqueue } from "../../../../conformance/driven_run.ts";
import { newMessage } from "../../../../conformance/requests.ts";
import { until, warnings, Watching } from "../../../support/patience.ts";
import { listenTest, pool } from "../support/listen_setting.ts";
import { postgresUrl } from "../support/server.ts";
import { quoted } from "../support/store.ts";

const url = await postgresUrl();

/** A clock whose timers end sooner. */
const HURRIED: Clock = { now: () => systemClock.now(), after: (ms, run) => systemClock.after(ms / 20, run) };

listenTest("any number of watches share one connection, from the first to the last", async (setting) => {
  const { open, connections, listeners } = setting;
  const opened = open();
  assert.equal(await connections(), 0);
  const watching = Array.from({ length: 100 }, (_, n) => new Watching(opened, `inbox:${n % 10}`));
  await until(() => watching.every(({ watch }) => watch.live));
  assert.deepEqual([await connections(), await listeners()], [1, 1]);
  assert.deepEqual(new Set(watching.map(({ hints }) => hints)), new Set([1]), "one hint when the connection is live");
  await enqueue(opened.driver, "3");
  await opened.driver.send([newMessage("3")]);
  await until(() => watching.filter(({ hints }) => hints === 2).length === 10);
  for (const it of watching) it.watch.close();
  await opened.push.idle;
  await until(async () => await connections() === 0);
  assert.equal(await listeners(), 0);
});

listenTest(
  "the connection does not count for the pool, which may end at any time",
  async ({ schema, open, connections }) => {
    const small = new pg.Pool({ connectionString: url, max: 1, application_name: schema });
    {
      await using parley = new Parley({ driver: open({ queryable: small, listen: true }).driver });
      const stop = new AbortController();
      const waiting = assert.rejects(parley.getEvent("w", "k", { signal: stop.signal }));
      await until(async () => await connections() === 2);
      stop.abort();
      await waiting;
    }
    await small.end();
    await until(async () => await connections() === 0);
  },
);

for (const ending of ["fin", "reset"] as const) {
  listenTest(
    `a connection that is cut (${ending}) is opened again, and all are told to look`,
    async ({ open, relay, connections }) => {
      const opened = open({ timing: { openAfterMs: 20 } });
      using watching = await Watching.live(opened, "result:w");
      assert.equal(watching.hints, 1);
      await relay.cut(ending);
      await until(() => !watching.watch.live);
      assert.equal(watching.hints, 2, "so that waits poll from now on");
      await enqueue(opened.driver, "missed");
      await until(() => watching.watch.live);
      assert.equal(watching.hints, 3);
      await enqueue(opened.driver, "w");
      await until(() => watching.hints === 4);
      assert.equal(await connections(), 1);
    },
  );
}

listenTest("a connection that the server ends is opened again", async ({ open, schema }) => {
  using watching = await Watching.live(open(), "due");
  await pool.query("select pg_terminate_backend(pid) from pg_stat_activity where application_name = $1", [schema]);
  await until(() => watching.hints === 3);
  assert(watching.watch.live);
});

listenTest("the next beat detects a swallowed connection, and it is opened again", async ({ open, relay }) => {
  using watching = await Watching.live(open({ clock: HURRIED, timing: { beatMs: 2_000 } }), "due");
  relay.freeze();
  await until(() => !watching.watch.live);
  await until(() => watching.watch.live);
  assert.equal(watching.hints, 3);
  await relay.cut();
});

listenTest("a stop while the connection opens leaves nothing behind", async ({ open, relay, connections }) => {
  const fault = relay.fault({ at: "connect", action: { kind: "blackHole" } });
  const opened = open();
  const watching = new Watching(opened, "due");
  await fault.met;
  watching.watch.close();
  const stopped = performance.now();
  await opened.push.idle;
  assert(performance.now() - stopped < 3_000, "it does not wait for the time limit");
  await relay.cut();
  assert.equal(await connections(), 0);
});

listenTest("behind a pooler in transaction mode a warning comes once, and waits poll", async ({ open, schema }) => {
  // Like such a pooler, the pool lends its session to others after each statement, and drops what
  // the session is notified of.
  const listen: Listen = async (channel) => {
    await pool.query(`listen ${channel}`);
    return { unlisten: () => pool.query(`unlisten ${channel}`) };
  };
  const said = await warnings(async () => {
    const flow = workflow("flow", async (ctx) => await ctx.recv<string>());
    const { driver } = open({ listen, clock: HURRIED });
    await using parley = new Parley({ driver, workflows: [flow], hotWait: "1h" });
    const handle = await parley.start(flow, undefined);
    using watching = new Watching({ push: driver }, "due");
    await delay(systemClock, 2_000);
    assert.equal(watching.watch.live, false);
    await using sender = new Parley({ driver: postgresDriver(pool, { schema }), wake: "none" });
    await sender.send(handle.workflowId, "hello");
    assert.equal(await handle.result({ timeout: "5s" }), "hello");
  });
  assert.deepEqual(said, [
    "Parley on Postgres: the connection for push fails (no notification arrives; a pooler in transaction mode, " +
    "for example, does not pass them on), so waits poll until it succeeds",
  ]);
});

listenTest("a client that listens again by itself tells all to look", async ({ open }) => {
  let resume = () => {};
  const listen: Listen = async (channel, onNotification, onListen) => {
    const client = new pg.Client({ connectionString: url });
    client.on("notification", ({ payload = "" }) => onNotification(payload));
    await client.connect();
    await client.query(`listen ${channel}`);
    onListen();
    resume = onListen;
    return { unlisten: () => client.end() };
  };
  using watching = await Watching.live(open({ listen }), "due");
  assert.equal(watching.hints, 1);
  resume();
  assert.equal(watching.hints, 2);
});

listenTest("a function that never begins to listen is given up, and ended when it does", async ({ open }) => {
  const late: PromiseWithResolvers<{ unlisten(): void }>[] = [];
  const listen: Listen = () => {
    late.push(Promise.withResolvers());
    return late.at(-1)!.promise;
  };
  let ended = 0;
  const said = await warnings(async () => {
    using _watching = new Watching(open({ listen, requestTimeout: 20 }), "due");
    await until(() => late.length === 4);
  });
  assert.deepEqual(said, ["Parley on Postgres: the connection for push fails, so waits poll until it succeeds"]);
  for (const { resolve } of late) resolve({ unlisten: () => void ended++ });
  await until(() => ended === late.length);
});

listenTest("a subscription that cannot end is left alone", async ({ open }) => {
  let asked = 0;
  const listen: Listen = async (channel, onNotification) => {
    const client = new pg.Client({ connectionString: url });
    client.on("notification", ({ payload = "" }) => onNotification(payload));
    await client.connect();
    await client.query(`listen ${channel}`);
    return {
      unlisten: async () => {
        asked += 1;
        await client.end();
        throw new Error("no");
      },
    };
  };
  const opened = open({ listen });
  (await Watching.live(opened, "due")).watch.close();
  await opened.push.idle;
  assert.equal(asked, 1);
});

listenTest("a function that answers with something else is reported", async ({ open }) => {
  const said = await warnings(async () => {
    using _watching = new Watching(open({ listen: (() => Promise.resolve()) as unknown as Listen }), "due");
    await delay(systemClock, 200);
  });
  assert.match(said.join(), /`listen`: it must answer with \{ unlisten \}/);
});

listenTest("a watch creates a missing schema", async ({ open, schema }) => {
  await pool.query(`drop schema ${quoted(schema)} cascade`);
  using watching = await Watching.live(open(), "due");
  assert.equal(watching.hints, 1);
});

Deno.test("`listen` refuses a client that cannot listen", () => {
  const client = { query: () => Promise.resolve({ rows: [] }) };
  for (const listen of [true, client, null, 7] as unknown as true[]) {
    assert.throws(() => postgresDriver(client, { listen }), ValidationError);
  }
  assert.equal(postgresDriver(client).watch, undefined);
  assert.equal(postgresDriver(client, { listen: false }).watch, undefined);
});
