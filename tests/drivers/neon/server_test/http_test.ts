import assert from "node:assert/strict";
import { neon } from "@neondatabase/serverless";
import { atNeon, neonTest, rejection } from "./setup.ts";

neonTest("HTTP: the client returns the values that it would return from Neon", async ({ sql, server }) => {
  const [row] = await sql`select ${1}::int as int, ${[1, null, 3]}::int[] as ints, ${[
    "a",
    'b"',
    "c,d",
  ]}::text[] as texts,
    ${{ a: [1, "x"] }}::jsonb as json, ${null}::text as nothing, 'NaN'::float8 as nan, '-Infinity'::float8 as infinite,
    ${new Uint8Array([
    0,
    65,
  ])} as bytes, ${"é"}::text as text, 9007199254740993::int8 as big, 1.10::numeric as exact, ${true}::bool as yes`;
  const { bytes, ...values } = row ?? {};
  assert.deepEqual(values, {
    int: 1,
    ints: [1, null, 3],
    texts: ["a", 'b"', "c,d"],
    json: { a: [1, "x"] },
    nothing: null,
    nan: NaN,
    infinite: -Infinity,
    text: "é",
    big: "9007199254740993",
    exact: "1.10",
    yes: true,
  });
  assert.deepEqual([...bytes], [0, 65]);
  assert.deepEqual([server.requests, server.statements], [1, 1]);
});

neonTest("HTTP: an array for jsonb and a zero byte in text are refused, as by Neon", async ({ sql }) => {
  assert.equal((await rejection(sql`select ${[{ a: 1 }]}::jsonb`)).code, "22P02");
  assert.equal((await rejection(sql`select ${"a\0b"}::text`)).code, "22021");
});

neonTest("HTTP: full results have fields, command and count", async ({ sql, table }) => {
  const result = await sql.query(`insert into ${table} (value) values ($1), ($2) returning id, value`, ["a", "b"], {
    fullResults: true,
  });
  assert.deepEqual([result.command, result.rowCount], ["INSERT", 2]);
  assert.deepEqual(result.fields.map(({ name, dataTypeID }) => [name, dataTypeID]), [["id", 23], ["value", 25]]);
  const created = await sql.query(`create temp table t ()`, [], { fullResults: true });
  assert.deepEqual([created.command, created.rowCount], ["CREATE", null]);
  const nothing = await sql.query("-- nothing", [], { fullResults: true });
  assert.deepEqual([nothing.command, nothing.rowCount, nothing.rows], ["", null, []]);
});

neonTest("HTTP: an error of PostgreSQL has all its members", async ({ sql, post }) => {
  const error = await rejection(sql`select * from no_such_table`);
  assert.deepEqual([error.name, error.code, error.severity, error.position], ["NeonDbError", "42P01", "ERROR", "15"]);
  assert.match(String(error.message), /relation "no_such_table" does not exist/);
  const response = await post({ query: "select 1/0" });
  assert.equal(response.status, 400);
  const { file, line, routine, ...members } = await response.json();
  assert(file && line && routine);
  assert.deepEqual(members, {
    message: "division by zero",
    code: "22012",
    severity: "ERROR",
    ...Object.fromEntries(
      [
        "detail",
        "hint",
        "position",
        "internalPosition",
        "internalQuery",
        "where",
        "table",
        "column",
        "schema",
        "dataType",
        "constraint",
      ]
        .map((name) => [name, null]),
    ),
  });
});

neonTest("HTTP: the error of a violated constraint names the constraint and its table", async ({ sql, table }) => {
  await sql.query(`alter table ${table} add constraint positive check (id > 0)`);
  const error = await rejection(sql.query(`insert into ${table} (id) values (0)`));
  assert.deepEqual([error.code, error.constraint, error.table, error.schema], ["23514", "positive", table, "public"]);
});

neonTest("HTTP: several statements in one text are refused", async ({ sql, table, count }) => {
  const error = await rejection(sql.query(`insert into ${table} default values; select 1`));
  assert.deepEqual([error.code, error.message], ["42601", "cannot insert multiple commands into a prepared statement"]);
  assert.equal(await count(), 0);
});

neonTest("HTTP: a wrong password and an unknown user have the same error, without an SQLSTATE", async () => {
  for (const changes of [{ password: "wrong" }, { user: "nobody_known" }]) {
    const url = new URL(atNeon(changes));
    const error = await rejection(neon(url.href)`select 1`);
    assert.deepEqual([error.message, error.code], [`password authentication failed for user '${url.username}'`, ""]);
  }
});

neonTest(
  "HTTP: parameters of the connection string other than user and database have no effect",
  async ({ connectionString }) => {
    const sql = neon(`${connectionString}?options=-c%20statement_timeout%3D1&application_name=mine`);
    assert.deepEqual(
      await sql`select current_setting('statement_timeout') as timeout, current_setting('application_name') as name`,
      [
        { timeout: "0", name: "" },
      ],
    );
  },
);

neonTest("HTTP: the state of a session does not outlive its request", async ({ sql, server, table, count }) => {
  const before = await sql`select pg_backend_pid() as pid`;
  const run = [
    "begin",
    `insert into ${table} default values`,
    "set statement_timeout = 7",
    "create temp table mine ()",
    "select pg_advisory_lock(4711)",
    "prepare p as select 1",
    "listen c",
  ];
  for (const text of run) await sql.query(text);
  const [after] = await sql`select pg_backend_pid() as pid, current_setting('statement_timeout') as timeout,
    to_regclass('pg_temp.mine') as temp, (select count(*)::int from pg_prepared_statements) as prepared,
    (select count(*)::int from pg_listening_channels()) as channels,
    (select count(*)::int from pg_locks where locktype = 'advisory' and pid = pg_backend_pid()) as locks`;
  assert.deepEqual(after, { ...before[0], timeout: "0", temp: null, prepared: 0, channels: 0, locks: 0 });
  assert.equal(await count(), 1);
  assert.equal(server.statements, run.length + 2);
});

neonTest("HTTP: a failed single statement closes its session, and a failed batch does not", async ({ sql }) => {
  const pid = async () => (await sql`select pg_backend_pid() as pid`)[0]?.pid;
  const first = await pid();
  await rejection(sql.transaction([sql`select 1/0`]));
  assert.equal(await pid(), first);
  await rejection(sql`select 1/0`);
  assert.notEqual(await pid(), first);
});

neonTest("HTTP: many requests at once share few sessions", async ({ sql }) => {
  const pids = await Promise.all(
    Array.from({ length: 100 }, () => sql`select pg_backend_pid() as pid, pg_sleep(0.001)`),
  );
  assert(new Set(pids.map(([row]) => row?.pid)).size <= 20);
});
