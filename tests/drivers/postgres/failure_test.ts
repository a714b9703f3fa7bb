/**
 * Errors of a client, and clients of a wrong shape.
 *
 * @module
 */

import assert from "node:assert/strict";
// @ts-types="@types/pg"
import pg from "pg";
import type { Driver } from "../../../core/driver/driver.ts";
import { ValidationError } from "../../../core/errors.ts";
import { postgresDriver, type Queryable } from "../../../drivers/postgres/mod.ts";
import { Parley, workflow } from "../../../mod.ts";
import { rejection } from "../../support/rejection.ts";

/** A client that fails at every query. */
function failing(error: unknown): Driver {
  return postgresDriver({ query: () => Promise.reject(error) });
}

/** Makes a driver over any value, as callers in JavaScript may. */
function asClient(client: unknown): Queryable {
  return client as Queryable;
}

const withCode = (code: unknown) => Object.assign(new Error("no"), { code });

Deno.test("an error is retryable when it may pass or its outcome is unknown", async () => {
  const retryable =
    `40001 40003 40P01 08006 08P01 25006 25P03 25P04 57014 57P01 57P02 57P03 57P05 53300 53200 55P03 ECONNRESET EPIPE`
      .split(" ");
  const final = "42501 22P02 23505 28P01 3D000 0A000 57P04 P0001 XX000".split(" ");
  for (const code of [...retryable, ...final, undefined]) {
    const error = await rejection(failing(withCode(code)).readWorkflow("w"));
    assert.equal(error.retryable, !final.includes(String(code)), code ?? "no code");
  }
  assert.equal((await rejection(failing("a string").readWorkflow("w"))).retryable, true);
});

Deno.test("a client that the application has closed is no fault that may pass", async () => {
  const pool = new pg.Pool({ connectionString: "postgres://nobody@127.0.0.1:1/none" });
  await pool.end();
  for (const driver of [postgresDriver(pool), failing(withCode("CONNECTION_ENDED"))]) {
    const error = await rejection(driver.readWorkflow("w"));
    assert.equal(error.retryable, false);
    assert.match(String(error), /the client was closed before; close the Parley first/);
  }
});

Deno.test("an error names the call and the SQLSTATE", async () => {
  const error = await rejection(failing(withCode("40001")).purge({ olderThanMs: 0, limit: 1 }));
  assert.equal(error.message, "Postgres: purge failed (SQLSTATE 40001)");
});

Deno.test("an SQLSTATE is found wherever a client keeps it", async () => {
  const own = { code: "42501", message: "permission denied" };
  const errors: Record<string, object> = {
    "node-postgres, PGlite, postgres.js": own,
    "Bun": { code: "ERR_POSTGRES_SERVER_ERROR", errno: "42501" },
    "deno-postgres": { fields: own },
    "Drizzle": { cause: own },
    "Sequelize": { name: "SequelizeDatabaseError", parent: own, original: own },
    "TypeORM": { driverError: own },
    "Prisma's adapter": { cause: { kind: "postgres", originalCode: "42501", originalMessage: own.message } },
    "Prisma's client": { code: "P2010", meta: { driverAdapterError: { cause: { originalCode: "42501" } } } },
    "an error that holds itself": Object.assign(withCode("EPIPE"), { cause: own }),
  };
  for (const [client, members] of Object.entries(errors)) {
    const error: Error & { parent?: unknown } = Object.assign(new Error("failed"), members);
    error.parent ??= error;
    const { message, retryable } = await rejection(failing(error).readWorkflow("w"));
    assert.deepEqual([message, retryable], ["Postgres: readWorkflow failed (SQLSTATE 42501)", false], client);
  }
  assert.match((await rejection(failing(withCode("P2010")).readWorkflow("w"))).message, /\(P2010\)/);
});

Deno.test("an error names table, column and constraint, and no name that may be data", async () => {
  const names: [members: object, shown: string][] = [
    [{ table: "workflows" }, ', table "workflows"'],
    [{ table_name: "workflows", column_name: "input" }, ', column "input" of table "workflows"'],
    [{ constraint: "c", column: "d", table: "t" }, ', constraint "c", column "d" of table "t"'],
    [{ constraint: "a card: 4242", table: "x".repeat(64), column: 1 }, ""],
    [{ message: 'duplicate key value violates unique constraint "c"' }, ', constraint "c"'],
    [{ message: 'insert or update on table "t" violates foreign key constraint "c"' }, ', constraint "c" of table "t"'],
    [{ message: 'value "4242" violates no constraint of relation "hunter 2"' }, ""],
  ];
  for (const [members, shown] of names) {
    const error = await rejection(failing(Object.assign(withCode("23505"), members)).readWorkflow("w"));
    assert.equal(error.message, `Postgres: readWorkflow failed (SQLSTATE 23505${shown})`);
  }
});

Deno.test("an error of class 22 has a text of the driver, and not the client's", async () => {
  const error = await rejection(failing(Object.assign(withCode("22P05"), { message: "hunter2" })).readWorkflow("w"));
  assert.equal(
    error.message,
    "Postgres: readWorkflow failed (SQLSTATE 22P05): a text has a NUL or a character that the database cannot hold",
  );
});

Deno.test("a client without query(), or a promise of one, is refused when the driver is made", () => {
  const clients = [
    undefined,
    null,
    "postgres://",
    {},
    { query: "no" },
    Object.assign(() => {}, { unsafe: () => [] }),
    Promise.resolve(),
  ];
  for (const client of clients) {
    assert.throws(
      () => postgresDriver(asClient(client)),
      (error: Error) => error instanceof ValidationError && /docs\/postgres/.test(error.message),
    );
  }
});

Deno.test("a client whose answer has no rows is refused at its first answer", async () => {
  const answers = {
    "an array": [{ result: "null" }],
    "undefined": undefined,
    "an object without rows": { rows: 1 },
    "null": null,
  };
  for (const [found, answer] of Object.entries(answers)) {
    let asked = 0;
    const driver = postgresDriver(asClient({ query: () => (asked++, Promise.resolve(answer)) }));
    await using parley = new Parley({ driver, workflows: [workflow("w", () => Promise.resolve())] });
    await assert.rejects(
      parley.start("w", null),
      (error: Error) => error instanceof ValidationError && error.message.includes(`with ${found};`),
    );
    assert.equal(asked, 1, "there is no second query");
  }
});

Deno.test("a query method that was separated from its client is refused at the first call", async () => {
  class Database {
    #rows = [{ result: "null" }];
    query() {
      return Promise.resolve({ rows: this.#rows });
    }
  }
  const pool = new pg.Pool();
  const connection = new pg.Client();
  for (const client of [new Database(), pool, connection]) {
    const driver = postgresDriver(asClient({ query: client.query }));
    await assert.rejects(
      driver.readWorkflow("w"),
      (error: Error) => error instanceof ValidationError && /method of the client/.test(error.message),
    );
  }
  await pool.end();
});

Deno.test("a programming error of a client that has worked is not retryable, and shows its place but not its text", async () => {
  for (const error of [new TypeError("hunter2 is not a function"), new ReferenceError("hunter2 is not defined")]) {
    let asked = 0;
    const driver = postgresDriver({
      query: () => asked++ === 0 ? Promise.resolve({ rows: [{ result: "null" }] }) : Promise.reject(error),
    });
    await driver.readWorkflow("w");
    const rejected = await rejection(driver.readWorkflow("w"));
    assert.deepEqual([rejected.retryable, rejected.message], [
      false,
      `Postgres: readWorkflow failed (${error.name} in the client or the driver)`,
    ]);
    assert(rejected.cause instanceof Error && /postgres\/failure_test/.test(rejected.cause.stack ?? ""));
    assert(!Deno.inspect(rejected, { depth: 9, showHidden: true }).includes("hunter2"));
  }
});

Deno.test("a TypeError of fetch means that the network failed, and may pass", async () => {
  const errors = [
    new TypeError("fetch failed", { cause: new Error() }),
    new TypeError("Failed to fetch"),
    new TypeError("Load failed"),
    new TypeError("NetworkError when attempting to fetch resource."),
    await fetch("http://127.0.0.1:1").then(() => null, (error) => error),
  ];
  for (const error of errors) {
    assert.equal((await rejection(failing(error).readWorkflow("w"))).retryable, true, error.message);
  }
});
