import { PGlite } from "@electric-sql/pglite";
import assert from "node:assert/strict";
import type { Driver } from "../../../../core/driver/driver.ts";
import { ValidationError } from "../../../../core/errors.ts";
import { migrateStatement, MIGRATIONS } from "../../../../drivers/postgres/migrations.ts";
import { postgresDriver, type Queryable } from "../../../../drivers/postgres/mod.ts";
import { pushStatements, statements } from "../../../../drivers/postgres/calls/statements.ts";
import { SCHEMA_FILE } from "../../../../scripts/schema.ts";
import { read } from "../../../project/files.ts";
import { rejection } from "../../../support/rejection.ts";
import { pgliteTest } from "../support/pglite.ts";

// The tests of the file share one database, which takes seconds to boot.
let booting: Promise<PGlite> | null = null;
let schemas = 0;

/**
 * Registers a test with the database and the name of a missing schema, which is dropped after the
 * test.
 */
function test(name: string, run: (database: PGlite, schema: string) => Promise<void>): void {
  pgliteTest(name, async () => {
    booting ??= PGlite.create();
    const database = await booting;
    const schema = `schema_${++schemas}`;
    await run(database, schema);
    await database.query(`drop schema if exists ${schema} cascade`);
  });
}

const CREATE = { workflowId: "w", name: "order", input: "null", owner: "owner", leaseMs: 60_000 };

/** Forwards queries and keeps their texts. */
function counting(database: Queryable): { queryable: Queryable; texts: string[] } {
  const texts: string[] = [];
  const queryable: Queryable = {
    query(text, params) {
      texts.push(text);
      return database.query(text, params);
    },
  };
  return { queryable, texts };
}

/** A client that fails at every query. */
function failing(error: unknown): Driver {
  return postgresDriver({ query: () => Promise.reject(error) });
}

test("postgresDriver() creates its schema at first use, and then costs one query a call", async (database, schema) => {
  const { queryable, texts } = counting(database);
  const driver = postgresDriver(queryable, { schema });
  assert.equal((await driver.create(CREATE)).created, true);
  assert.equal(texts.length, 3, "the call, the migration, the call");
  await driver.readWorkflow("w");
  assert.equal(texts.length, 4);
});

Deno.test("every select names a function of PostgreSQL whose result changes, so that no pooler caches its answer", () => {
  const texts = Object.entries(statements("parley")).filter(([name]) => name !== "migrate").map(([, text]) => text);
  assert(texts.length > 20);
  for (const text of texts) assert.match(text, /^select .* where now\(\) is not null$/);
});

test(
  "every function that a statement calls has generic plans, without compilation and workers",
  async (database, schema) => {
    await postgresDriver(database, { schema }).migrate();
    const { rows } = await database.query<{ name: string; config: string[] | null }>(
      `select p.proname as name, p.proconfig as config from pg_proc as p
       where p.pronamespace = to_regnamespace($1) and p.prokind = 'f'`,
      [schema],
    );
    const settings = new Map(rows.map(({ name, config }) => [name, config ?? []]));
    for (const [statement, text] of Object.entries(statements(schema))) {
      const called = /\."?(\w+_v\d+)"?\(/.exec(text)?.[1];
      if (statement === "migrate" || !called) continue;
      assert.deepEqual(
        new Set(settings.get(called)),
        new Set([
          "plan_cache_mode=force_generic_plan",
          "enable_seqscan=off",
          "enable_bitmapscan=off",
          "jit=off",
          "max_parallel_workers_per_gather=0",
          ...(called.startsWith("list_workflows") ? ["enable_sort=off"] : []),
        ]),
        called,
      );
    }
  },
);

test("every method is one query of one statement", async (database, schema) => {
  const { queryable, texts } = counting(database);
  const driver = postgresDriver(queryable, { schema });
  await driver.migrate();
  const message = { destinationId: "w", topic: "", messageId: "m", dedupeKey: "m", value: "1" };
  const calls: Record<Exclude<keyof Driver, "contract" | "watch" | "limits">, () => Promise<unknown>> = {
    migrate: () => driver.migrate(),
    create: () => driver.create(CREATE),
    claim: () =>
      driver.claim({ workflowIds: null, names: ["order"], except: [], limit: 10, leaseMs: 1, owner: "other" }),
    commit: () =>
      driver.commit({
        workflowId: "w",
        epoch: 1,
        owner: CREATE.owner,
        number: 1,
        leaseMs: 60_000,
        operations: [],
        transition: null,
      }),
    readJournal: () => driver.readJournal({ workflowId: "w", after: 0, limit: 10 }),
    send: () => driver.send([message, { ...message, messageId: "n", dedupeKey: "n" }]),
    readWorkflow: () => driver.readWorkflow("w"),
    listWorkflows: () =>
      driver.listWorkflows({ problem: false, values: true, statuses: null, name: null, limit: 10, cursor: null }),
    readEvent: () => driver.readEvent({ workflowId: "w", key: "k" }),
    readStream: () => driver.readStream({ workflowId: "w", key: "k", from: 0, limit: 10 }),
    readHistory: () => driver.readHistory({ workflowId: "w", after: null, limit: 10 }),
    listMessages: () => driver.listMessages({ workflowId: "w", state: "all", topic: null, after: null, limit: 10 }),
    listEvents: () => driver.listEvents({ workflowId: "w", after: null, limit: 10 }),
    listStreams: () => driver.listStreams({ workflowId: "w", after: null, limit: 10 }),
    control: () => driver.control({ workflowId: "w", action: "cancel", children: true }),
    delete: () => driver.delete({ workflowId: "w" }),
    purge: () => driver.purge({ olderThanMs: 0, limit: 10 }),
  };
  for (const [name, call] of Object.entries(calls)) {
    texts.length = 0;
    await call();
    assert.equal(texts.length, 1, name);
  }
});

test("migrate() by many at once runs once per driver and creates everything once", async (database, schema) => {
  const { queryable, texts } = counting(database);
  const [a, b] = [postgresDriver(queryable, { schema }), postgresDriver(queryable, { schema })];
  await Promise.all([a.migrate(), a.migrate(), b.migrate(), b.create(CREATE)]);
  assert(texts.filter((text) => text.startsWith("do ")).length <= 3);
  assert.deepEqual(await versions(database, schema), MIGRATIONS.map((_, index) => index + 1));
});

test("a rejected migration is not kept: the next call tries again", async (database, schema) => {
  let broken = true;
  const driver = postgresDriver({
    query: (text, params) =>
      broken && text.startsWith("do ") ? Promise.reject(new Error("connection lost")) : database.query(text, params),
  }, { schema });
  assert.equal((await rejection(driver.create(CREATE))).retryable, true);
  broken = false;
  assert.equal((await driver.create(CREATE)).created, true);
});

test("a schema that is dropped while a driver lives is created again", async (database, schema) => {
  const driver = postgresDriver(database, { schema });
  await driver.create(CREATE);
  await database.query(`drop schema ${schema} cascade`);
  assert.equal(await driver.readWorkflow("w"), null);
});

for (let from = 1; from < MIGRATIONS.length; from++) {
  test(`migrate() upgrades a schema of migration ${from}`, async (database, schema) => {
    await database.query(migrateStatement(schema, MIGRATIONS.slice(0, from)));
    assert.equal((await versions(database, schema)).length, from);
    assert.equal(
      (await postgresDriver(database, { schema }).create(CREATE)).created,
      true,
      "by the first call that misses something",
    );
    assert.equal((await versions(database, schema)).length, MIGRATIONS.length);
  });
}

test("schema.sql creates what migrate() creates, and the driver finds nothing missing", async (database, schema) => {
  await database.exec(read(SCHEMA_FILE));
  const { queryable, texts } = counting(database);
  const driver = postgresDriver(queryable);
  assert.equal((await driver.create(CREATE)).created, true);
  assert.equal(texts.length, 1, "no migration");
  await driver.migrate();
  await postgresDriver(database, { schema }).migrate();
  const [channel = "", channelOfParley = ""] = [schema, "parley"].map((name) => pushStatements(name).channel);
  const migrated = (await catalog(database, schema)).map((text) =>
    text.replaceAll(`"${schema}"`, "parley").replaceAll(schema, "parley").replaceAll(channel, channelOfParley)
  );
  assert.deepEqual(await catalog(database, "parley"), migrated);
  await database.query("drop schema parley cascade");
});

test("two schemas in one database do not see each other", async (database, schema) => {
  const [a, b] = [postgresDriver(database, { schema }), postgresDriver(database, { schema: `${schema}_b` })];
  await a.create(CREATE);
  assert.equal(await b.readWorkflow("w"), null);
  assert.equal((await b.create(CREATE)).created, true);
  assert.equal((await a.control({ workflowId: "w", action: "cancel" })).state, "done");
  assert.equal((await b.readWorkflow("w"))?.status, "PENDING");
  await database.query(`drop schema ${schema}_b cascade`);
});

// deno-fmt-ignore
const ODD_SCHEMAS = [
  "Upper", "with space", 'a"b', "it's", "$parley$", "$$", "back\\slash", "a.b", "select", "%s", "\u{1F600}", "--", "a as\nb", "x".repeat(63),
];

for (const odd of ODD_SCHEMAS) {
  test(`a schema may be called ${JSON.stringify(odd)}`, async (database) => {
    const driver = postgresDriver(database, { schema: odd });
    await driver.create(CREATE);
    // This calls a slot's function, which contains the schema's name as a string constant.
    assert.deepEqual(await driver.control({ workflowId: "w", action: "cancel" }), { state: "done", woken: [] });
    const { rows } = await database.query("select 1 from pg_namespace where nspname = $1", [odd]);
    assert.equal(rows.length, 1);
    await database.query(`drop schema "${odd.replaceAll('"', '""')}" cascade`);
  });
}

Deno.test("postgresDriver() refuses a schema that Postgres cannot have", () => {
  for (const schema of ["", "x".repeat(64), "\u{1F600}".repeat(16), "a\0b", "pg_parley", "\ud800"]) {
    assert.throws(() => postgresDriver({ query: () => Promise.resolve({ rows: [] }) }, { schema }), ValidationError);
  }
});

test("a role that may not create schemas migrates one that was made for it", async (database, schema) => {
  await asRole(database, schema, async () => {
    const driver = postgresDriver(database, { schema });
    assert.match(String((await rejection(driver.create(CREATE))).cause), /permission denied for database/);
    await database.query("reset role");
    await database.query(`create schema ${schema} authorization role_${schema}`);
    await database.query(`set role role_${schema}`);
    assert.equal((await driver.create(CREATE)).created, true);
  });
});

test(
  "a role that may create nothing works on a complete schema, and may call migrate()",
  async (database, schema) => {
    const driver = postgresDriver(database, { schema });
    await driver.migrate();
    await asRole(database, schema, async () => {
      await database.query("reset role");
      await database.query(`grant usage on schema ${schema} to role_${schema}`);
      await database.query(`grant select, insert, update, delete on all tables in schema ${schema} to role_${schema}`);
      await database.query(`set role role_${schema}`);
      await driver.migrate();
      assert.equal((await driver.create(CREATE)).created, true);
    });
  },
);

for (const level of ["repeatable read", "serializable"]) {
  test(
    `create(), migrate() and what waits are refused under the isolation level ${level}`,
    async (database, schema) => {
      const driver = postgresDriver(database, { schema });
      const wanted = new RegExp(
        `SQLSTATE 25000\\): Parley needs the isolation level "read committed", and this session has "${level}"`,
      );
      await database.query(`set default_transaction_isolation = '${level}'`);
      assert.match((await rejection(driver.migrate())).message, wanted);
      assert.match((await rejection(driver.create(CREATE))).message, wanted);
      await database.query("set default_transaction_isolation = 'read uncommitted'");
      await driver.migrate();
      assert.equal((await driver.create(CREATE)).created, true);
      await database.query(`set default_transaction_isolation = '${level}'`);
      for (
        const call of [
          driver.create({ ...CREATE, workflowId: "x" }),
          driver.control({ workflowId: "w", action: "cancel" }),
        ]
      ) {
        assert.match((await rejection(call)).message, wanted);
      }
      await database.query("reset default_transaction_isolation");
    },
  );
}

test("neither an error nor its cause contains anything of the request or the connection", async (database, schema) => {
  const secret = "hunter2";
  const driver = postgresDriver(database, { schema });
  await driver.migrate();
  const shown = (error: Error) => Deno.inspect(error, { depth: 20, showHidden: true }) + JSON.stringify(error);
  // A real error. PGlite's errors contain the query and its parameters.
  const invalid = { ...CREATE, workflowId: secret, input: `${secret}\0` };
  assert(!shown(await rejection(driver.create(invalid))).includes(secret));
  for (const code of [undefined, "22P02", "23505", "P0001", "ECONNREFUSED", `postgres://${secret}`]) {
    const error = Object.assign(new Error(`key (${secret}) exists`), {
      code,
      detail: secret,
      query: secret,
      params: [secret],
      where: secret,
    });
    error.cause = new Error(`postgres://user:${secret}@host`);
    assert(!shown(await rejection(failing(error).create(CREATE))).includes(secret), code ?? "no code");
  }
});

test("values come back byte for byte", async (database, schema) => {
  const driver = postgresDriver(database, { schema });
  const values = ['"\\u0000"', "\u2028\u2029", "\u{1F600}", '"\\ud800"', "\\", "not JSON {", "é".repeat(524_288)];
  for (const [index, input] of values.entries()) {
    await driver.create({ ...CREATE, workflowId: `w${index}`, input });
    assert.equal((await driver.readWorkflow(`w${index}`))?.input === input, true, input.slice(0, 20));
  }
});

/** The functions, columns and indexes of a schema, and the versions of its migrations. */
async function catalog(database: PGlite, schema: string): Promise<string[]> {
  const { rows } = await database.query<{ text: string }>(
    `select pg_get_functiondef(p.oid) as text from pg_proc as p where p.pronamespace = to_regnamespace($1)
     union all select indexdef from pg_indexes where schemaname = $1
     union all
     select concat_ws(' ', c.relname, c.reloptions, a.attnum, a.attname, format_type(a.atttypid, a.atttypmod),
       a.attcollation::regcollation, a.attnotnull, pg_get_expr(d.adbin, d.adrelid))
     from pg_class as c join pg_attribute as a on a.attrelid = c.oid
     left join pg_attrdef as d on d.adrelid = c.oid and d.adnum = a.attnum
     where c.relnamespace = to_regnamespace($1) and a.attnum > 0
     union all select version::text from ${schema}.migrations
     order by 1`,
    [schema],
  );
  assert(rows.length > 100);
  return rows.map(({ text }) => text);
}

async function versions(database: Queryable, schema: string): Promise<unknown[]> {
  const { rows } = await database.query(`select version from ${schema}.migrations order by version`);
  return rows.map(({ version }) => version);
}

/** Runs a function as a role that may create nothing, neither in the database nor in the schema. */
async function asRole(database: Queryable, schema: string, run: () => Promise<void>): Promise<void> {
  await database.query(`create role role_${schema}`);
  await database.query(`set role role_${schema}`);
  try {
    await run();
  } finally {
    await database.query("reset role");
    await database.query(`drop schema if exists ${schema} cascade`);
    await database.query(`drop role role_${schema}`);
  }
}
