import assert from "node:assert/strict";
import { once } from "node:events";
import { Client, Pool } from "@neondatabase/serverless";
import { atNeon, neonTest, rejection } from "./setup.ts";

neonTest(
  "WebSocket: a transaction, a prepared statement and several statements at once",
  async ({ connect, table, count, server }) => {
    const client = await connect();
    await client.query("begin");
    await client.query({ name: "insert", text: `insert into ${table} (value) values ($1)`, values: ["a"] });
    await client.query({ name: "insert", text: `insert into ${table} (value) values ($1)`, values: ["b"] });
    assert.equal(await count(), 0);
    await client.query("commit; select 1; select 2");
    assert.equal(await count(), 2);
    assert.deepEqual(server.websockets, { opened: 1, open: 1 });
  },
);

neonTest("WebSocket: it carries megabytes both ways", async ({ connect }) => {
  const client = await connect();
  const { rows: [row] } = await client.query("select $1::text as up, repeat('y', 20000000) as down", [
    "x".repeat(5_000_000),
  ]);
  assert.deepEqual([row.up.length, row.down.length], [5_000_000, 20_000_000]);
});

neonTest(
  "WebSocket: a listener gets notifications sent over HTTP, from a batch when it commits",
  async ({ connect, sql }) => {
    const client = await connect();
    const heard: unknown[] = [];
    client.on("notification", ({ channel, payload }) => heard.push([channel, payload]));
    await client.query("listen topic");
    await sql`select pg_notify('topic', 'one')`;
    await sql.transaction([sql`notify topic, 'two'`, sql`select 1`]);
    await rejection(sql.transaction([sql`notify topic, 'never'`, sql`select 1/0`]));
    await sql`notify topic, 'three'`;
    while (heard.length < 3) await client.query("select 1");
    assert.deepEqual(heard, [["topic", "one"], ["topic", "two"], ["topic", "three"]]);
  },
);

neonTest("WebSocket: parameters of the connection string have an effect", async ({ connectionString }) => {
  const client = new Client(`${connectionString}?application_name=mine`);
  try {
    await client.connect();
    assert.equal((await client.query("show application_name")).rows[0].application_name, "mine");
  } finally {
    await client.end();
  }
});

neonTest("WebSocket: a wrong password is an error of the proxy, however the client connects", async () => {
  for (const pipelineConnect of ["password", false] as const) {
    const client = new Client(atNeon({ password: "wrong" }));
    client.neonConfig.pipelineConnect = pipelineConnect;
    client.on("error", () => {});
    const error = await rejection(client.connect().then(() => client.query("select 1")));
    assert.match(String(error.message), /^password authentication failed for user '\w+'$/);
    assert.equal(error.code, "XX000");
    await client.end();
  }
});

neonTest("WebSocket: a session that PostgreSQL ends causes an error and an end", async ({ connect, sql, server }) => {
  const client = await connect();
  const { rows: [row] } = await client.query("select pg_backend_pid() as pid");
  const errors: unknown[] = [];
  client.on("error", (error: Error & { code?: string }) => errors.push(error.code ?? error.message));
  const ended = new Promise<void>((resolve) => client.once("end", () => resolve()));
  await sql`select pg_terminate_backend(${row.pid})`;
  await ended;
  assert.deepEqual(errors, ["57P01", "Connection terminated unexpectedly"]);
  await closed(server);
});

neonTest(
  "WebSocket: a cut connection rejects without an Error, and its statement is cancelled",
  async ({ connect, relay, sleeping, server }) => {
    const client = await connect();
    const errors: unknown[] = [];
    client.on("error", (error: object) => errors.push(error instanceof Error ? error.message : error.constructor.name));
    const ended = new Promise<void>((resolve) => client.once("end", () => resolve()));
    const query = rejection(client.query("select pg_sleep(20) as cut"));
    while (await sleeping("select pg_sleep(20) as cut") === 0);
    await relay.cut("reset");
    const error = await query;
    assert(!(error instanceof Error));
    await ended;
    assert.deepEqual(errors, ["ErrorEvent", "Connection terminated unexpectedly"]);
    await closed(server);
    assert.equal(await sleeping("select pg_sleep(20) as cut"), 0);
  },
);

neonTest("WebSocket: a refused upgrade rejects without an Error", async ({ connectionString, server }) => {
  using refusal = server.refuseWebSockets(() => new Response("busy", { status: 503 }));
  const client = new Client(connectionString);
  client.on("error", () => {});
  assert(!(await rejection(client.connect()) instanceof Error));
  assert.deepEqual([refusal.hits, server.websockets.opened], [1, 0]);
});

neonTest(
  "WebSocket: an idle client that is cut is an error of its pool, and the next query has a new client",
  async ({ connectionString, relay }) => {
    const pool = new Pool({ connectionString });
    const errors: unknown[] = [];
    pool.on("error", (error: unknown) => errors.push(error));
    try {
      await pool.query("select 1");
      const failed = new Promise<void>((resolve) => pool.once("error", () => resolve()));
      await relay.cut();
      await failed;
      assert.deepEqual((await pool.query("select 1 as one")).rows, [{ one: 1 }]);
      assert(errors.length > 0);
    } finally {
      await pool.end();
    }
  },
);

neonTest(
  "WebSocket: a query over a swallowed connection hangs, and new connections work",
  async ({ connect, relay, sql }) => {
    const client = await connect();
    relay.freeze();
    let settled = false;
    const query = rejection(client.query("select 1")).then(() => settled = true);
    await (await connect()).query("select pg_sleep(0.2)");
    await sql`select 1`;
    assert(!settled);
    await relay.cut("reset");
    await query;
  },
);

neonTest("WebSocket: a text frame ends the connection", async ({ server }) => {
  const socket = new WebSocket(server.websocket);
  await once(socket, "open");
  socket.send("text");
  await once(socket, "close");
  await closed(server);
});

/** Polls until the server has no WebSocket, because the server does not report it. */
async function closed({ websockets }: { websockets: { open: number } }): Promise<void> {
  while (websockets.open > 0) await new Promise((resolve) => setTimeout(resolve, 1));
}
