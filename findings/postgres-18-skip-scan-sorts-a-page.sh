#!/usr/bin/env bash
# PostgreSQL 18 reads and sorts 80,000 rows for a page of ten, although an index has them in order.
#
# Package: @electric-sql/pglite@0.5.16 (npm), which is PostgreSQL 18.6.
# Expected: a prepared statement "where status = $1 and created_at between $2 and $3 order by created_at
#   desc limit 10" reads ten entries of the index (status, created_at desc), as PostgreSQL 14 does.
# Seen: there is another index, (name, status, created_at desc), and statistics are fresh. The generic
#   plan takes any range of times for 0.5 % of the rows, and with two more filters for one row. For one
#   row, a skip through the other index, whose first column has few values, looks cheaper. The plan
#   reads all 80,000 rows of the status and sorts them. Without the other index, and with values that
#   the planner knows (a custom plan), it reads ten entries. Before ANALYZE it did too.
# Impact: after autovacuum has run once, a list that pages by an index took 80 times as long among
#   100,000 rows. Generic plans are those of prepared statements and of PL/pgSQL.
# Way out: "set enable_sort = off" on the function of the list.
# Exits 1 when this changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm pkg set type=module >/dev/null
npm install --silent --no-audit --no-fund @electric-sql/pglite@0.5.16
cat >list.js <<'JS'
import { PGlite } from "@electric-sql/pglite";

const db = await PGlite.create();
const { rows: [{ version }] } = await db.query("select version()");
await db.exec(`
  create table jobs (id bigint primary key, name text, status text, created_at bigint);
  insert into jobs
    select n, case n % 1000 when 0 then 'rare' else 'common' end, case when n % 5 = 0 then 'open' else 'done' end, n
    from generate_series(1, 100000) as n;
  create index jobs_status on jobs (status, created_at desc);
  create index jobs_name on jobs (name, status, created_at desc);
  analyze jobs;
  set enable_seqscan = off;
  set enable_bitmapscan = off;
`);
const page = `select id from jobs
  where status = $1 and created_at >= $2 and created_at <= $3
    and ($4::bigint is null or created_at < $4) and ($5::text = '' or left(name, char_length($5)) = $5)
  order by created_at desc limit 10`;

/** The index of the plan, the rows that it reads, and whether it sorts. */
async function plan(settings) {
  await db.exec(`${settings}; prepare page (text, bigint, bigint, bigint, text) as ${page}`);
  const { rows } = await db.query("explain (analyze) execute page ('done', 0, 1000000, null, '')");
  await db.exec("deallocate page; reset enable_sort");
  const text = rows.map((row) => row["QUERY PLAN"]).join("\n");
  const [, index, read] = /Index Scan using (\w+) .*\(actual .*rows=(\d+)/.exec(text);
  return `${index}, ${read} rows${/\bSort\b/.test(text) ? ", sorted" : ""}`;
}

const seen = {
  generic: await plan("set plan_cache_mode = force_generic_plan"),
  custom: await plan("set plan_cache_mode = force_custom_plan"),
  withoutSort: await plan("set plan_cache_mode = force_generic_plan; set enable_sort = off"),
};
console.log(version.split(" on ")[0], seen);
const expected = { generic: "jobs_name, 80000 rows, sorted", custom: "jobs_status, 10 rows", withoutSort: "jobs_status, 10 rows" };
if (JSON.stringify(seen) !== JSON.stringify(expected)) {
  console.log("This has changed. It was", expected);
  process.exit(1);
}
JS
node list.js
