/**
 * The two kinds of functions in the schema.
 *
 * An entry point is what a statement of the driver calls. Its settings make its plans predictable:
 *
 * - Each statement in it has one generic plan per session. Otherwise Postgres plans the first five
 *   calls again, and plans statements with arrays again at every call.
 * - A plan uses an index, in the order of the index. This holds even if the session planned while
 *   the tables were empty.
 * - `jit` is off. Up to version 17, a plan that needs what was switched off counts as expensive,
 *   and Postgres compiles expensive plans: a commit took 100 ms instead of 1.
 * - A plan has no workers. Starting them to find the next deadline among 1,000,000 workflows took 4
 *   ms; the search takes 0.1.
 *
 * Measured: `recv` takes 0.32 ms with these settings and 0.45 ms without. A page of 50 out of
 * 100,000 workflows takes 0.4 ms, and 39 ms with a plan from when there were none. A join may still
 * begin with a whole table, which was cheap when the plan was made. So the functions do not join
 * tables by parts of keys. They look rows up with `= any (an array)` of whole keys, or in a
 * `lateral` with a `limit`, which runs from the outer side only.
 *
 * A helper is called by functions of the schema alone. It runs under the settings of its caller.
 *
 * @module
 */

import { dollarQuoted, type SchemaName } from "./schema_name.ts";

/**
 * Returns the SQL that creates one function or table. Its doc comment is the comment in
 * `schema.sql`.
 */
export type SqlPart = (schema: SchemaName) => string;

/** Returns the SQL that creates an entry point, which is written in PL/pgSQL. */
export function entryPoint(signature: string, volatility: "volatile" | "stable", body: string): string {
  return `create function ${signature}
language plpgsql ${volatility}
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_bitmapscan = off
set jit = off
set max_parallel_workers_per_gather = 0
as ${dollarQuoted(body)};
`;
}

/** Returns the SQL that creates a helper. */
export function helper(
  signature: string,
  language: "sql" | "plpgsql",
  volatility: "volatile" | "stable" | "immutable",
  body: string,
): string {
  return `create function ${signature}
language ${language} ${volatility}
as ${dollarQuoted(body)};
`;
}
