/**
 * Measures every statement in a full database, as a multiple of its cost in an empty database. Both
 * run in turn.
 *
 *     deno run -A bench/postgres_scale.ts
 *
 * The full database has:
 *
 * - 1,000,000 workflows, each with an entry, an event and a stream,
 * - two journals of 1,000,000 entries,
 * - an inbox of 1,000,000 received and 100,000 waiting messages,
 * - a stream of 1,000,000 values.
 *
 * `SCALE` makes it smaller, as in `SCALE=0.1`. The benchmark uses the Postgres of `DATABASE_URL`,
 * or starts one.
 *
 * @module
 */

// @ts-types="@types/pg"
import pg from "pg";
import { startPostgres } from "../scripts/postgres.ts";
import { measure, type Subject } from "./postgres.ts";
import { calls } from "./scale/calls.ts";
import { blocksRead } from "./scale/reads.ts";
import { fill, openStore, type Sizes, type Store } from "./scale/store.ts";

const MILLION = Math.round(1_000_000 * Number(Deno.env.get("SCALE") ?? 1));
const FULL: Sizes = { workflows: MILLION, entries: MILLION, received: MILLION, waiting: MILLION / 10, values: MILLION };
/** Just enough to fill each page of an answer. */
const EMPTY: Sizes = { workflows: 20, entries: 1_001, received: 0, waiting: 1_000, values: 1_000 };

function subjects(store: Store, values: number): Subject[] {
  return Object.entries(calls(store, values - 1_000)).flatMap(([statement, variants]) =>
    Object.entries(variants).map(([variant, call]) => ({ name: `${statement} ${variant}`.trim(), ...call }))
  );
}

/** Times the subjects of both databases in turn, and prints a table. */
async function compare(
  client: pg.Client,
  schemas: readonly [string, string],
  lists: readonly [Subject[], Subject[]],
): Promise<void> {
  const turns = lists[0].flatMap((
    one,
    index,
  ) => [{ ...one, name: `${one.name}, empty` }, { ...lists[1][index]!, name: `${one.name}, full` }]);
  const medians = await measure(turns);
  console.log(
    "| Call | Empty, ms | Full, ms | Ratio | Blocks, empty | Blocks, full |\n| --- | ---: | ---: | ---: | ---: | ---: |",
  );
  for (const [index, { name }] of lists[0].entries()) {
    const [empty, full] = [medians.get(`${name}, empty`)!, medians.get(`${name}, full`)!];
    const blocks: number[] = [];
    for (const [which, schema] of schemas.entries()) {
      const { prepare, run } = lists[which]![index]!;
      await prepare?.(-1);
      blocks.push(await blocksRead(client, schema, () => run(-1)));
    }
    console.log(
      `| ${name} | ${empty.toFixed(2)} | ${full.toFixed(2)} | ${(full / empty).toFixed(2)} | ${blocks.join(" | ")} |`,
    );
  }
}

const server = Deno.env.get("DATABASE_URL") ? null : await startPostgres();
const client = new pg.Client({ connectionString: Deno.env.get("DATABASE_URL") ?? server?.url });
const suffix = crypto.randomUUID().slice(0, 8);
const schemas = [`scale_empty_${suffix}`, `scale_full_${suffix}`] as const;
try {
  await client.connect();
  const [empty, full] = [await openStore(client, schemas[0]), await openStore(client, schemas[1])];
  await fill(empty, schemas[0], EMPTY);
  await fill(full, schemas[1], FULL);
  // Autovacuum would do this after a while.
  await client.query("vacuum analyze");
  console.log(`${new Date().toISOString().slice(0, 10)}, ${server?.version ?? "DATABASE_URL"}\n`);
  await compare(client, schemas, [subjects(empty, EMPTY.values), subjects(full, FULL.values)]);
} finally {
  for (const schema of schemas) await client.query(`drop schema if exists ${schema} cascade`);
  await client.end();
  await server?.stop();
}
