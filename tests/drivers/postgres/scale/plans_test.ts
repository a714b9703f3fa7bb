import assert from "node:assert/strict";
// @ts-types="@types/pg"
import pg from "pg";
import type { Call } from "../../../../bench/scale/call.ts";
import { CALLS } from "../../../../bench/scale/postgres/calls.ts";
import { blocksRead } from "../../../../bench/scale/postgres/reads.ts";
import { fill, openStore, type Store } from "../../../../bench/scale/postgres/store.ts";
import { postgresTest } from "../support/postgres.ts";
import { oldestPostgresUrl, postgresUrl } from "../support/server.ts";
import { quoted } from "../support/store.ts";

/** With so many rows, a whole table or index has more than {@linkcode MAX_MORE} blocks. */
const ROWS = 20_000;
/**
 * The most blocks that a call may read more than in a small store. Indexes are a level or two deeper. A suspend, which
 * writes to the most indexes, has read up to 36 more. Without any one index, a call reads more than this.
 */
const MAX_MORE = 50;

/**
 * The same for lists by two things that no index has both. They read up to 200 workflows, wherever
 * these are, and sort them.
 */
const MAX_MORE_SORTED = 500;
const SORTED = /^listWorkflows of (due workflows|a prefix|10 with a common prefix)/;

/**
 * A small and a large store over one session, which keeps the plans that it made while both were
 * empty.
 */
interface Stores {
  readonly client: pg.Client;
  /** The schema of the large store, quoted. */
  readonly large: string;
  /** Returns how many more blocks each call reads in the large store. */
  more(): Promise<Map<string, number>>;
}

async function withStores(url: string, run: (stores: Stores) => Promise<void>): Promise<void> {
  await using database = await ownDatabase(url);
  const client = new pg.Client({ connectionString: database.url });
  await client.connect();
  const schemas = ["small", "large"].map((size) => `Plans, ${size} ${crypto.randomUUID()}`);
  try {
    const [small, large] = [await openStore(client, schemas[0]!), await openStore(client, schemas[1]!)];
    for (const schema of schemas) await stopAutovacuum(client, schema);
    const all = [callsOf(small), callsOf(large)];
    let round = 0;
    const more = async () => {
      round += 1;
      const read: Map<string, number>[] = [];
      for (const [index, it] of all.entries()) read.push(await blocks(client, schemas[index]!, it, round));
      return new Map([...read[1]!].map(([name, count]) => [name, count - read[0]!.get(name)!]));
    };
    // This runs twice, because the first writes to a table also make it longer.
    for (let n = 0; n < 2; n++) await more();
    await fill(small, quoted(schemas[0]!), {
      workflows: 10,
      entries: 1_100,
      received: 10,
      waiting: 1_000,
      values: 1_000,
    });
    await fill(large, quoted(schemas[1]!), {
      workflows: ROWS,
      entries: ROWS,
      received: ROWS,
      waiting: ROWS / 10,
      values: ROWS,
    });
    await more();
    await run({ client, large: quoted(schemas[1]!), more });
  } finally {
    await client.end();
  }
}

/**
 * Creates a database for the stores alone. In a shared one, the transactions of other tests decide which dead rows and
 * index entries this one still has to read.
 */
async function ownDatabase(url: string): Promise<AsyncDisposable & { url: string }> {
  const admin = new pg.Client({ connectionString: url });
  await admin.connect();
  const name = `plans ${crypto.randomUUID()}`;
  await admin.query(`create database ${quoted(name)}`);
  const own = new URL(url);
  own.pathname = `/${encodeURIComponent(name)}`;
  return {
    url: own.href,
    async [Symbol.asyncDispose]() {
      // With `force` this would fail while autovacuum is there. Without, PostgreSQL ends autovacuum.
      await admin.query(`drop database if exists ${quoted(name)}`);
      await admin.end();
    },
  };
}

/** Stops autovacuum, because its reads would be counted too. */
async function stopAutovacuum(client: pg.Client, schema: string): Promise<void> {
  const { rows } = await client.query(
    "select format('%I.%I', schemaname, tablename) as name from pg_tables where schemaname = $1",
    [
      schema,
    ],
  );
  for (const { name } of rows) await client.query(`alter table ${name} set (autovacuum_enabled = false)`);
}

function callsOf(store: Store): [name: string, call: Call][] {
  return [...CALLS].map(([name, make]) => [name, make(store, 0)]);
}

async function blocks(
  client: pg.Client,
  schema: string,
  all: [string, Call][],
  round: number,
): Promise<Map<string, number>> {
  const read = new Map<string, number>();
  for (const [name, { prepare, run }] of all) {
    await prepare?.(round);
    read.set(name, await blocksRead(client, schema, () => run(round)));
  }
  return read;
}

/** Returns the calls that read too much. */
function greedy(more: Map<string, number>): string[] {
  const mostOf = (name: string) => SORTED.test(name) ? MAX_MORE_SORTED : MAX_MORE;
  return [...more].filter(([name, count]) => count > mostOf(name)).map(([name, count]) =>
    `${name}: ${count} blocks more`
  );
}

const urls = { newest: await postgresUrl(), oldest: await oldestPostgresUrl() };

for (const [version, url] of Object.entries(urls)) {
  if (url === null) continue;
  postgresTest(`every statement reads as little of a large store as of a small one (${version})`, async () => {
    await withStores(url, async ({ client, more }) => {
      assert.deepEqual(greedy(await more()), [], "with plans from when the store was empty");
      await client.query("analyze");
      assert.deepEqual(greedy(await more()), [], "with new plans");
    });
  });
}

postgresTest("a statement reads too much if any one index is missing", async () => {
  await withStores(urls.newest, async ({ client, large, more }) => {
    const { rows } = await client.query(
      `select format('%I.%I', n.nspname, c.relname) as name, pg_get_indexdef(i.indexrelid) as definition
       from pg_index as i join pg_class as c on c.oid = i.indexrelid join pg_namespace as n on n.oid = c.relnamespace
       where format('%I', n.nspname) = $1 and not i.indisunique`,
      [large],
    );
    assert.equal(rows.length, 13);
    for (const { name, definition } of rows) {
      await client.query(`drop index ${name}`);
      assert.notDeepEqual(greedy(await more()), [], name);
      await client.query(definition);
    }
  });
});
