/**
 * How many locks a commit of many slots holds, that it still excludes the commits that use one of
 * these slots, and that other software and other schemas have other locks.
 *
 * @module
 */

import assert from "node:assert/strict";
// @ts-types="@types/pg"
import type pg from "pg";
import type { Driver } from "../../../../core/driver/driver.ts";
import { postgresDriver } from "../../../../drivers/postgres/mod.ts";
import { answers, begin, valueOutcome } from "../../../../conformance/driven_run.ts";
import { observeEvent, setEvent, start, SUSPEND } from "../../../../conformance/operations.ts";
import { newWorkflow } from "../../../../conformance/requests.ts";
import { openPool, postgresTest } from "../support/postgres.ts";
import { postgresUrl } from "../support/server.ts";
import { quoted } from "../support/store.ts";

/** Slots that a commit locks one by one, and the locks that stand for any number of them. */
const MAX_LOCKS = 64 + 64;

/** How long the second session has to come to a lock. */
const PATIENCE_MS = 20_000;

const pool = await openPool(await postgresUrl());

function events(count: number) {
  return Array.from({ length: count }, (_, position) => setEvent(position, `key ${position}`, `${position}`));
}

/** A session, and what needs one of its own. */
interface Session {
  readonly driver: Driver;
  readonly client: pg.PoolClient;
  /** How many advisory locks it holds, or waits for. */
  locks(granted: boolean): Promise<number>;
}

async function openSession(schema: string): Promise<Session> {
  const client = await pool.connect();
  const { rows: [{ pid }] } = await client.query("select pg_backend_pid() as pid");
  const locks = async (granted: boolean) => {
    const text =
      "select count(*)::int as locks from pg_locks where locktype = 'advisory' and pid = $1 and granted = $2";
    return (await pool.query(text, [pid, granted])).rows[0].locks;
  };
  return { driver: postgresDriver(client, { schema }), client, locks };
}

/** Registers a test with two sessions. What the first one does stays uncommitted until the second waits. */
function excludes(name: string, run: (first: Session, second: Session) => Promise<() => Promise<unknown>>): void {
  postgresTest(name, async () => {
    const schema = `Slots ${crypto.randomUUID()}`;
    const [first, second] = [await openSession(schema), await openSession(schema)];
    try {
      await first.driver.migrate();
      const late = await run(first, second);
      const locks = await first.locks(true);
      assert(locks <= MAX_LOCKS, `${locks} locks`);
      const settled = late();
      const until = performance.now() + PATIENCE_MS;
      while (await second.locks(false) === 0) {
        assert(performance.now() < until, "it does not wait");
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
      await first.client.query("commit");
      await settled;
    } finally {
      await first.client.query(`drop schema if exists ${quoted(schema)} cascade`);
      for (const { client } of [first, second]) client.release();
    }
  });
}

for (const count of [1, 64, 65, 1_000]) {
  excludes(`a commit of ${count} events holds few locks, and excludes a suspend that waits for one of them`, async (
    { driver: a, client },
    { driver: b },
  ) => {
    const [setter, waiter] = [await begin(a, "setter"), await begin(b, "waiter")];
    await client.query("begin");
    await setter.held(events(count));
    return async () => {
      const suspended = await waiter.held([observeEvent(0, "setter", "key 0")], SUSPEND);
      assert.deepEqual(answers(suspended), [valueOutcome("0")]);
    };
  });

  for (const kind of ["an event", "an end"]) {
    excludes(`a suspend that waits for ${count} events holds few locks, and excludes ${kind} of that workflow`, async (
      { driver: a, client },
      { driver: b },
    ) => {
      const [setter, waiter] = [await begin(b, "setter"), await begin(a, "waiter")];
      await client.query("begin");
      await waiter.suspend(
        Array.from({ length: count }, (_, position) => observeEvent(position, "setter", `key ${position}`)),
      );
      return async () => {
        const { woken } = kind === "an end" ? await setter.end() : await setter.held([setEvent(0, "key 0", "0")]);
        assert.deepEqual(woken, ["waiter"]);
      };
    });
  }
}

excludes("a start of children excludes a cancel with children, which then cancels these too", async (
  { driver: a, client },
  { driver: b },
) => {
  const run = await begin(a, "parent");
  await run.held([start(0, newWorkflow("early"))]);
  await client.query("begin");
  await run.held([start(1, newWorkflow("late")), start(2, newWorkflow("later"))]);
  return async () => {
    await b.control({ workflowId: "parent", action: "cancel", children: true });
    for (const workflowId of ["parent", "early", "late", "later"]) {
      assert.equal((await b.readWorkflow(workflowId))?.status, "CANCELLED", workflowId);
    }
  };
});

for (const count of [1, 1_000]) {
  postgresTest(`no lock of a commit of ${count} events is one of another schema, or has a small number`, async () => {
    const schemas = [`Slots ${crypto.randomUUID()}`, `Slots ${crypto.randomUUID()}`];
    const client = await pool.connect();
    try {
      const held: string[][] = [];
      for (const schema of schemas) {
        const driver = postgresDriver(client, { schema });
        await driver.migrate();
        const setter = await begin(driver, "setter");
        await client.query("begin");
        await setter.held(events(count));
        const { rows } = await client.query(
          `select (classid::bigint << 32 | objid::bigint)::text as lock from pg_locks
           where locktype = 'advisory' and pid = pg_backend_pid()`,
        );
        await client.query("commit");
        held.push(rows.map(({ lock }) => lock));
      }
      const [first, second] = held.map((locks) => new Set(locks));
      assert.deepEqual([...first!.intersection(second!)], []);
      assert.deepEqual(held.flat().filter((lock) => BigInt(lock) >= 0n && BigInt(lock) < 2n ** 31n), []);
    } finally {
      for (const schema of schemas) await client.query(`drop schema if exists ${quoted(schema)} cascade`);
      client.release();
    }
  });
}
