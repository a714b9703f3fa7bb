/**
 * Clients that do not answer, and servers with limits for statements or connections.
 *
 * @module
 */

import assert from "node:assert/strict";
// @ts-types="@types/pg"
import pg from "pg";
import { delay, systemClock } from "../../../core/time/clock.ts";
import { DriverError, ValidationError } from "../../../core/errors.ts";
import { clientQuery } from "../../../drivers/postgres/queryable.ts";
import { postgresDriver } from "../../../drivers/postgres/mod.ts";
import { Parley } from "../../../mod.ts";
import { ManualClock } from "../../../testing/mod.ts";
import { openPool } from "./support/postgres.ts";
import { postgresUrl } from "./support/server.ts";
import { quoted } from "./support/store.ts";
import { rejection } from "../../support/rejection.ts";
import { type Relay, startRelay } from "../../support/relay.ts";

const url = await postgresUrl();
const direct = await openPool(url);
const CREATE = { workflowId: "w", name: "order", input: "null", owner: "owner", leaseMs: 60_000 };

/** Registers a test with a schema that has a workflow, and with a relay in front of the server. */
function relayTest(name: string, run: (schema: string, relay: Relay) => Promise<void>): void {
  // The end of the relay cuts calls that hang in node-postgres.
  Deno.test({
    name,
    sanitizeOps: false,
    sanitizeResources: false,
    fn: async () => {
      const schema = `Timeout ${crypto.randomUUID()}`;
      await postgresDriver(direct, { schema }).create(CREATE);
      const { hostname, port } = new URL(url);
      try {
        await using relay = await startRelay({ target: { hostname, port: Number(port) }, protocol: "tcp" });
        await run(schema, relay);
      } finally {
        await direct.query(`drop schema ${quoted(schema)} cascade`);
      }
    },
  });
}

relayTest("a call over connections that are open and dead rejects when its time is up", async (schema, relay) => {
  const pool = new pg.Pool({ connectionString: relay.through(url) });
  pool.on("error", () => {});
  const driver = postgresDriver(pool, { schema, requestTimeout: "200ms" });
  await pool.query("select"); // its connection is open
  relay.freeze();
  const error = await rejection(driver.control({ workflowId: "w", action: "cancel" }));
  assert.deepEqual([error.retryable, error.message], [
    true,
    "Postgres: control failed (TIMEOUT): no answer within 200 ms, outcome unknown",
  ]);
  const ended = pool.end();
  await relay.cut();
  await ended;
});

relayTest("send() rejects, and work() reports, when all connections are open and dead", async (schema, relay) => {
  const pool = new pg.Pool({ connectionString: relay.through(url) });
  pool.on("error", () => {});
  const reported = Promise.withResolvers<unknown>();
  const driver = postgresDriver(pool, { schema, requestTimeout: "100ms" });
  await pool.query("select");
  const isBlackHole = relay.fault({ at: "connect", action: { kind: "blackHole" }, times: Infinity });
  relay.freeze();
  {
    await using parley = new Parley({ driver, workflows: [], onError: reported.resolve });
    const stop = new AbortController();
    const working = parley.work({ signal: stop.signal });
    await assert.rejects(parley.send("w", 1), { code: "driver", retryable: true, message: /TIMEOUT/ });
    assert((await reported.promise) instanceof DriverError);
    stop.abort();
    await working;
  }
  isBlackHole[Symbol.dispose]();
  const ended = pool.end();
  await relay.cut();
  await ended;
});

relayTest("a pool with a query_timeout below requestTimeout replaces its dead connections", async (schema, relay) => {
  const pool = new pg.Pool({ connectionString: relay.through(url), query_timeout: 1_500, max: 2 });
  pool.on("error", () => {});
  const driver = postgresDriver(pool, { schema, requestTimeout: "30s" });
  await Promise.all(Array.from({ length: 2 }, () => driver.readWorkflow("w")));
  const { opened } = relay.connections;
  relay.freeze();
  const errors = await Promise.all(Array.from({ length: opened }, () => rejection(driver.readWorkflow("w"))));
  assert.deepEqual([...new Set(errors.map(({ retryable }) => retryable))], [true]);
  assert.equal((await driver.readWorkflow("w"))?.workflowId, "w");
  await pool.end();
});

Deno.test("an answer or an error that comes after the time is up is dropped", async () => {
  const clock = new ManualClock();
  for (const settle of ["resolve", "reject"] as const) {
    const late = Promise.withResolvers<{ rows: Record<string, unknown>[] }>();
    const call = clientQuery({ query: () => late.promise }, 10_000, clock)("select", []);
    const rejected = assert.rejects(call, { code: "TIMEOUT" });
    await clock.advance(10_000);
    await rejected;
    if (settle === "resolve") late.resolve({ rows: [] });
    else late.reject(new Error("late"));
    await delay(systemClock, 1);
  }
});

Deno.test("requestTimeout is 1 ms or more", () => {
  const client = { query: () => Promise.resolve({ rows: [] }) };
  for (const requestTimeout of [0, -1, NaN, Infinity]) {
    assert.throws(() => postgresDriver(client, { requestTimeout }), ValidationError);
  }
});

relayTest("a statement that takes longer than statement_timeout may be made again", async (schema) => {
  const pool = new pg.Pool({ connectionString: url, options: "-c statement_timeout=100" });
  const locker = await direct.connect();
  await locker.query(`begin; lock table ${quoted(schema)}.workflows`);
  const error = await rejection(postgresDriver(pool, { schema }).readWorkflow("w"));
  await locker.query("rollback");
  locker.release();
  await pool.end();
  assert.deepEqual([error.retryable, error.message], [true, "Postgres: readWorkflow failed (SQLSTATE 57014)"]);
});

Deno.test("migrate() repeats itself while its error may pass, and not otherwise", async () => {
  for (const [code, wanted] of [["53300", 2], ["42501", 1]] as const) {
    let asked = 0;
    const driver = postgresDriver({
      query: () => ++asked === 1 ? Promise.reject(Object.assign(new Error(), { code })) : Promise.resolve({ rows: [] }),
    });
    const error = await driver.migrate().then(() => null, (error) => error);
    assert.deepEqual([asked, error instanceof DriverError], [wanted, wanted === 1]);
  }
});

Deno.test("a call repeats its migration and not the failed call, on a server that accepts no other connection at once", async () => {
  // After a failed statement node-postgres closes the connection, and opens another one for the
  // next statement.
  const texts: string[] = [];
  const failures = [{ code: "3F000" }, { code: "ECONNRESET" }];
  const driver = postgresDriver({
    query: (text) => {
      texts.push(text.slice(0, 3));
      const failure = failures[texts.length - 1];
      return failure
        ? Promise.reject(Object.assign(new Error(), failure))
        : Promise.resolve({ rows: [{ result: "null" }] });
    },
  });
  assert.equal(await driver.readWorkflow("w"), null);
  assert.deepEqual(texts, ["sel", "do ", "do ", "sel"]);
});
