/**
 * What calls cost in a full database, as multiples of what they cost in an empty one that runs in turn with it.
 *
 *     deno run -A bench/postgres_scale.ts
 *
 * Full: 1,000,000 workflows; in the inbox of the one that is used 1,000,000 received and 100,000 waiting messages; a stream of
 * 1,000,000 values. On the Postgres of `DATABASE_URL`, else on one that is started for it. `SCALE` makes it smaller, as in `SCALE=0.1`.
 *
 * @module
 */

// @ts-types="@types/pg"
import pg from "pg";
import type { Driver, Operation } from "../core/driver.ts";
import { postgresDriver } from "../drivers/postgres/mod.ts";
import { startPostgres } from "../scripts/postgres.ts";
import { measure } from "./postgres.ts";

const SCALE = Number(Deno.env.get("SCALE") ?? 1);
const WORKFLOWS = Math.round(1_000_000 * SCALE);
const RECEIVED = Math.round(1_000_000 * SCALE);
const WAITING = Math.round(100_000 * SCALE);
const VALUES = Math.round(1_000_000 * SCALE);
const LEASE_MS = 3_600_000;
const VALUE = JSON.stringify("x".repeat(100));
/** The workflow whose inbox and streams are used. */
const USED = "used";

/** A database's driver, and a run of the workflow that is used. */
interface Store {
  driver: Driver;
  commit: (operations: readonly Operation[]) => Promise<void>;
}

async function openStore(pool: pg.Pool, schema: string): Promise<Store> {
  const driver = postgresDriver(pool, { schema });
  const owner = crypto.randomUUID();
  const { epoch } = await driver.create({ workflowId: USED, name: "bench", input: "null", owner, leaseMs: LEASE_MS });
  let number = 0;
  const commit = async (operations: readonly Operation[]) => {
    const result = await driver.commit({
      workflowId: USED,
      epoch,
      owner,
      number: ++number,
      leaseMs: LEASE_MS,
      operations,
      transition: null,
    });
    if (result.state !== "held") throw new Error(`The run is ${result.state}`);
  };
  return { driver, commit };
}

/** Writes the rows directly: through the driver it would take an hour. Four in five workflows have ended, the others are suspended. */
async function fill(pool: pg.Pool, s: string): Promise<void> {
  await pool.query(`insert into ${s}.workflows
    (id, name, status, phase, epoch, due_at, waiting_topics, created_at, updated_at, ended_at, inbox_seq, journal_seq, input)
    select 'w' || n, 'bench', case when n % 5 = 0 then 'PENDING' else 'SUCCESS' end, case when n % 5 = 0 then 'suspended' else 'ended' end, 1,
      case when n % 10 = 0 then ${s}.now_ms() + 86400000 + n end, case when n % 5 = 0 then array['t'] end, n, n,
      case when n % 5 <> 0 then n end, 0, 0, 'null' from generate_series(1, ${WORKFLOWS}) as n`);
  await pool.query(`insert into ${s}.messages (workflow_id, seq, topic, message_id, dedupe_key, value)
    select '${USED}', n, 't', 'm' || n, 'id:m' || n, case when n > ${RECEIVED} then '${VALUE}' end
    from generate_series(1, ${RECEIVED + WAITING}) as n`);
  await pool.query(`update ${s}.workflows set inbox_seq = ${RECEIVED + WAITING} where id = '${USED}'`);
  await pool.query(`insert into ${s}.streams (workflow_id, key, tail, closed) values ('${USED}', 'long', ${VALUES}, false)`);
  await pool.query(`insert into ${s}.stream_values (workflow_id, key, stream_offset, value)
    select '${USED}', 'long', n, '${VALUE}' from generate_series(0, ${VALUES - 1}) as n`);
}

/** The calls, for either store. */
function calls({ driver, commit }: Store, from: number): Record<string, (round: number) => Promise<unknown>> {
  let position = 0;
  const next = () => position++;
  const message = () => ({ destinationId: USED, topic: "t", messageId: crypto.randomUUID(), dedupeKey: crypto.randomUUID(), value: VALUE });
  return {
    send: () => driver.send([message()]),
    recv: () => commit([{ position: next(), label: "recv", type: "receive", topics: ["t"], timeoutMs: null }]),
    claim: async (round) => {
      const name = `due ${round}`;
      await driver.create({ workflowId: name, name, input: "null", owner: crypto.randomUUID(), leaseMs: null });
      const { claimed } = await driver.claim({ workflowIds: null, names: [name], limit: 1, leaseMs: LEASE_MS, owner: crypto.randomUUID() });
      if (claimed.length !== 1) throw new Error("Nothing was due");
    },
    setEvent: () => commit([{ position: next(), label: "setEvent", type: "setEvent", key: "state", value: VALUE }]),
    writeStream: () => commit([{ position: next(), label: "writeStream", type: "writeStream", key: "long", value: VALUE }]),
    "read 1,000 values": () => driver.readStream({ workflowId: USED, key: "long", from, limit: 1_000 }),
    "read the status": () => driver.readWorkflow(USED),
    "list 50": () => driver.listWorkflows({ statuses: null, name: null, limit: 50, cursor: null }),
  };
}

/** How often each table of the schema was read from end to end. */
async function sequentialScans(pool: pg.Pool, schema: string): Promise<Map<string, number>> {
  await pool.query("select pg_stat_force_next_flush()");
  const { rows } = await pool.query("select relname, seq_scan::int from pg_stat_user_tables where schemaname = $1", [schema]);
  return new Map(rows.map(({ relname, seq_scan }) => [relname, seq_scan]));
}

const server = Deno.env.get("DATABASE_URL") ? null : await startPostgres();
const pool = new pg.Pool({ connectionString: Deno.env.get("DATABASE_URL") ?? server?.url, max: 1 });
const suffix = crypto.randomUUID().slice(0, 8);
const [emptySchema, fullSchema] = [`scale_empty_${suffix}`, `scale_full_${suffix}`];
try {
  const [empty, full] = [await openStore(pool, emptySchema), await openStore(pool, fullSchema)];
  await fill(pool, fullSchema);
  // Both read 1,000 values: the empty store has no more than those.
  await empty.commit(
    Array.from({ length: 1_000 }, (_, n) => ({ position: n + 1_000_000, label: "w", type: "writeStream", key: "long", value: VALUE })),
  );
  const inEmpty = calls(empty, 0);
  const inFull = calls(full, VALUES - 1_000);
  const subjects = Object.keys(inEmpty).flatMap((name) => [
    { name: `${name}, empty`, run: inEmpty[name]! },
    { name: `${name}, full`, run: inFull[name]! },
  ]);
  const scansBefore = await sequentialScans(pool, fullSchema);
  const medians = await measure(subjects);
  console.log("| call | empty, ms | full, ms | ratio |\n| --- | --- | --- | --- |");
  for (const name of Object.keys(inEmpty)) {
    const [before, after] = [medians.get(`${name}, empty`)!, medians.get(`${name}, full`)!];
    console.log(`| ${name} | ${before.toFixed(2)} | ${after.toFixed(2)} | ${(after / before).toFixed(2)} |`);
  }
  const scanned = [...await sequentialScans(pool, fullSchema)].filter(([table, scans]) => scans > scansBefore.get(table)!).map(([table]) =>
    table
  );
  console.log(`\nTables of the full database that were read from end to end: ${scanned.join(", ") || "none"}`);
} finally {
  for (const schema of [emptySchema, fullSchema]) await pool.query(`drop schema if exists ${schema} cascade`);
  await pool.end();
  await server?.stop();
}
