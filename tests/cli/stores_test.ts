/**
 * The command line directly at a store.
 *
 * @module
 */

import assert from "node:assert/strict";
import type { Driver } from "../../core/driver/driver.ts";
import { neonDriver } from "../../drivers/neon/mod.ts";
import { sqliteDriver } from "../../drivers/sqlite/mod.ts";
import { upstashDriver } from "../../drivers/upstash/mod.ts";
import { Parley } from "../../mod.ts";
import { startNeonServer } from "../drivers/neon/server/mod.ts";
import { postgresUrl } from "../drivers/postgres/support/server.ts";
import { loadClient } from "../drivers/sqlite/support/client.ts";
import { startUpstashServer } from "../drivers/upstash/server/mod.ts";
import { redisUrl } from "../drivers/upstash/support/redis_server.ts";
import { run } from "./support/process.ts";
import { makeWorkflows } from "./support/server.ts";

const POSTGRES = await postgresUrl();
const REDIS = await redisUrl();
const openSqlite = await loadClient("node:sqlite");

/** A store: how processes of this test and the command line reach it. */
interface Store extends AsyncDisposable {
  readonly driver: Driver;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

/** A database behind a local Neon. The command line reaches it with node-postgres or through that Neon. */
async function openDatabase(kind: "postgres" | "neon"): Promise<Store> {
  const schema = `Cli ${crypto.randomUUID()}`;
  const neon = await startNeonServer({ postgres: POSTGRES });
  const driver = neonDriver(POSTGRES, { schema, push: false, endpoint: { http: neon.http } });
  await driver.migrate();
  return {
    driver,
    args: ["--schema", schema, ...(kind === "neon" ? ["--neon-proxy", neon.http] : [])],
    env: { PARLEY_STORE: POSTGRES },
    [Symbol.asyncDispose]: async () => {
      await neon[Symbol.asyncDispose]();
      await dropSchema(schema);
    },
  };
}

async function dropSchema(schema: string): Promise<void> {
  // @ts-types="@types/pg"
  const { default: pg } = await import("pg");
  const client = new pg.Client({ connectionString: POSTGRES });
  await client.connect();
  await client.query(`drop schema if exists "${schema}" cascade`);
  await client.end();
}

async function openRedis(): Promise<Store> {
  const prefix = `cli:${crypto.randomUUID()}`;
  const server = await startUpstashServer({ redisUrl: REDIS });
  return {
    driver: upstashDriver({ url: server.url, token: server.token }, { prefix, push: false, retention: "1m" }),
    args: ["--store", server.url, "--prefix", prefix],
    env: { PARLEY_TOKEN: server.token },
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

async function openFile(): Promise<Store> {
  const folder = await Deno.makeTempDir();
  const database = openSqlite(`${folder}/shop.db`);
  const driver = sqliteDriver(database);
  await driver.migrate();
  return {
    driver,
    args: ["--store", `sqlite:${folder}/shop.db`],
    env: {},
    async [Symbol.asyncDispose]() {
      database.close();
      await Deno.remove(folder, { recursive: true });
    },
  };
}

const STORES: readonly [name: string, open: () => Promise<Store>][] = [
  ["a PostgreSQL", () => openDatabase("postgres")],
  ["a Neon", () => openDatabase("neon")],
  ["an Upstash", openRedis],
  ["a file of SQLite", openFile],
];

for (const [name, open] of STORES) {
  Deno.test(`the command line works directly at ${name}: an order is started, mended, resumed and purged`, async () => {
    await using store = await open();
    let isOpen = false;
    const workflows = makeWorkflows(() => isOpen);
    const parley = new Parley({ driver: store.driver, workflows, hotWait: 0, wake: "none" });
    const cli = (...args: string[]) => run([...args, ...store.args], { env: store.env });
    const json = async (...args: string[]) => {
      const { code, stdout, stderr } = await cli(...args, "--json");
      assert.deepEqual([code, stderr], [0, ""]);
      return JSON.parse(stdout);
    };

    const started = await cli("start", "order", `"lamp"`, "--id", "order-7");
    assert.deepEqual(
      [started.code, started.stderr, started.stdout],
      [0, "", "Started order-7: a sweep, or a process with work(), continues it\n"],
    );
    assert.equal((await json("show", "order-7")).due, true);
    await parley.sweep();
    await json("send", "order-7", `{"amount": 20}`, "--topic", "paymnet");
    const stuck = await json("show", "order-7");
    assert.deepEqual([stuck.due, stuck.unreadTopics, stuck.open[0].kind], [
      false,
      [{ topic: "paymnet", count: 1 }],
      "recv",
    ]);
    assert.equal((await json("messages", "order-7")).messages[0].topic, "paymnet");
    await json("send", "order-7", `{"amount": 20}`, "--topic", "payment", "--idempotency-key", "delivery-1");
    const repeat = await cli(
      "send",
      "order-7",
      `{"amount": 20}`,
      "--topic",
      "payment",
      "--idempotency-key",
      "delivery-1",
    );
    assert.equal(repeat.stdout, "This key was used before; nothing was sent to order-7\n");
    await parley.sweep();
    assert.match((await cli("list", "--status", "ERROR")).stdout, /\norder-7 .* failed: step "charge"\n/);
    assert.equal((await json("events", "order-7")).events.length, 1);

    isOpen = true;
    assert.match((await cli("resume", "order-7")).stdout, /^Resumed order-7: a sweep, or a process with work/);
    await parley.sweep();
    assert.equal((await json("show", "order-7", "--wait", "--timeout", "30s")).output, "20 charged");

    await parley.start("log", ["one", "two"], { workflowId: "log-1", enqueue: true });
    await parley.sweep();
    const following = cli("stream", "log-1", "log", "--follow");
    await json("cancel", "log-1", "--children", "--yes");
    assert.deepEqual(await following, { code: 0, stdout: "one\ntwo\n", stderr: "" });
    assert.deepEqual(await json("delete", "log-1"), { workflowId: "log-1" });

    const sweep = await cli("sweep");
    assert.equal(sweep.code, 2);
    assert.match(sweep.stderr, /^parley: A sweep runs the code of workflows, and a store has none/);
    assert.deepEqual(await json("purge", "--older-than", "0ms", "--limit", "10", "--yes"), { purged: 1 });
    assert.deepEqual(await json("list"), { workflows: [] });
    assert.equal((await cli("show", "order-7")).code, 3);
  });
}

Deno.test("the command line creates nothing in a file that Parley has not used, and makes no file", async () => {
  const folder = await Deno.makeTempDir();
  const list = async (file: string) => await run(["list", "--store", `sqlite:${folder}/${file}`], { env: {} });
  const database = openSqlite(`${folder}/other.db`);
  database.exec("create table t (x)");
  database.close();
  await Deno.writeTextFile(
    `${folder}/text.txt`,
    "no database, but a text that is long enough to be read as one".repeat(20),
  );
  const [missing, other, text] = [await list("shop.db"), await list("other.db"), await list("text.txt")];
  assert.deepEqual([missing.code, missing.stderr], [3, "parley: Reading the store: there is no such file\n"]);
  assert.match(other.stderr, /^parley: The file has no tables of Parley/);
  assert.match(text.stderr, /^parley: Reading the store: the file is not a database of SQLite/);
  assert.deepEqual((await Array.fromAsync(Deno.readDir(folder), ({ name }) => name)).sort(), ["other.db", "text.txt"]);
  await Deno.remove(folder, { recursive: true });
});

Deno.test("a store that is a folder, or that cannot be opened, is named as such, without the runtime's own error", async () => {
  const folder = await Deno.makeTempDir();
  // Not even an administrator can follow a link to itself.
  await Deno.symlink(`${folder}/loop.db`, `${folder}/loop.db`);
  for (const path of [folder, `${folder}/loop.db`]) {
    const { code, stdout, stderr } = await run(["list", "--store", `sqlite:${path}`], { env: {} });
    assert.deepEqual([code, stdout], [2, ""]);
    assert.equal(
      stderr,
      "parley: Reading the store: it cannot be opened. It must be a file that you may read and write\n",
    );
  }
  await Deno.remove(folder, { recursive: true });
});

Deno.test("the command line creates nothing in a database that Parley has not used", async () => {
  const schema = `Cli ${crypto.randomUUID()}`;
  const read = async () => {
    // @ts-types="@types/pg"
    const { default: pg } = await import("pg");
    const client = new pg.Client({ connectionString: POSTGRES });
    await client.connect();
    const { rows } = await client.query("select from pg_namespace where nspname = $1", [schema]);
    await client.end();
    return rows.length;
  };
  for (const args of [["list"], ["start", "order"]]) {
    const { code, stdout, stderr } = await run([...args, "--schema", schema, "--store", POSTGRES]);
    assert.deepEqual([code, stdout], [3, ""]);
    assert.match(stderr, /^parley: The database has no schema "Cli /);
  }
  assert.equal(await read(), 0);
});

Deno.test("a store is recognised by its address, and --url takes one too", async () => {
  const schema = `Cli ${crypto.randomUUID()}`;
  const ran = await run(["list", "--url", POSTGRES, "--schema", schema], {
    env: { PARLEY_STORE: "https://x.example" },
  });
  assert.deepEqual([ran.code, ran.stdout], [3, ""]);
  const page = await run(["open", "--store", POSTGRES]);
  assert.match(page.stderr, /^parley: A store has no page to open/);
  const both = await run(["list"], { env: { PARLEY_STORE: POSTGRES, PARLEY_URL: "https://x.example" } });
  assert.deepEqual([both.code, /PARLEY_URL and PARLEY_STORE are both set/.test(both.stderr)], [2, true]);
});
