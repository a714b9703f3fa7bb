/**
 * The two kinds of functions in the schema.
 *
 * An entry point is what a statement of the driver calls. Its settings make its plans predictable:
 *
 * - Each statement in it has one generic plan per session. Otherwise Postgres plans the first five
 *   calls again, and plans statements with arrays again at every call.
 * - A plan uses an index, in the order of the index. This holds even if the session planned while
 *   the tables were empty.
 * - `jit` is off. Up to version 17, a plan that needs a switched-off feature counts as expensive,
 *   and Postgres compiles expensive plans. A commit then took 100 ms instead of 1.
 * - A plan has no workers. Starting them to find the next deadline among 1,000,000 workflows took 4
 *   ms; the search takes 0.1.
 *
 * As measured, `recv` takes 0.32 ms with these settings and 0.45 ms without. A page of 50 out of
 * 100,000 workflows takes 0.4 ms. It took 39 ms with a plan from when there were no workflows. A
 * join may still begin with a whole table, which was cheap when the plan was made. So the functions
 * do not join tables by parts of keys. They look rows up with `= any (an array)` of whole keys. Or
 * they use a `lateral` with a `limit`, which runs from the outer side only.
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

const SETTINGS = `set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_bitmapscan = off
set jit = off
set max_parallel_workers_per_gather = 0
`;

/**
 * Returns the SQL that creates an entry point: see {@linkcode helper}.
 *
 * @param settings More settings, each a line such as `set enable_sort = off`.
 */
export function entryPoint(definition: string, settings: string = ""): string {
  return define(definition, `${SETTINGS}${settings}`);
}

/**
 * Returns the SQL that creates a helper. The definition is a `create function` or a
 * `create procedure`, whose body begins after `as`, unquoted.
 */
export function helper(definition: string): string {
  return define(definition, "");
}

/**
 * The end of a definition's head. The text before it contains the schema's name, which may be
 * nearly anything.
 */
const LANGUAGE = /\nlanguage (?:sql|plpgsql)(?: volatile| stable| immutable)?(?= as\n)/;

function define(definition: string, settings: string): string {
  const [language = ""] = LANGUAGE.exec(definition) ?? [];
  const end = definition.indexOf(language) + language.length;
  const body = definition.slice(end + " as".length);
  return `${definition.slice(0, end).trimStart()}\n${settings}as ${dollarQuoted(body)};\n`;
}
