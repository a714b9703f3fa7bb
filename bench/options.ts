/**
 * The command line.
 *
 * @module
 */

import { parseArgs } from "node:util";

/** What a run measures. */
export interface BenchOptions {
  /** The names of the cases, or of their groups. All if there are none. */
  readonly names: readonly string[];
  readonly rounds: number;
  readonly distances: readonly number[];
  /** The git revision of Parley to compare with, measured as `before`. */
  readonly compare?: string;
  /** The numbers of items in the stores whose growth is measured, smallest first. */
  readonly sizes: readonly number[];
  /** The systems to leave out. */
  readonly without: readonly string[];
  /** Whether Parley runs in Node, from a bundle, or in this Deno, from its sources. */
  readonly runtime: "node" | "deno";
  /** The file for the results. */
  readonly json?: string;
  /** What readers have to know about the run. */
  readonly note?: string;
  /** Whether a single round with few operations shows that everything runs. */
  readonly smoke: boolean;
}

/** Shown by `--help`. */
export const HELP = `deno task bench [NAME...] [options]

Measures the named cases or groups, or all, in rounds in which the systems take turns.

  --rounds N           rounds, default 9
  --distance MS,...    milliseconds that each round trip to the store has on top, default 0,5,20,50
  --scale ITEMS        the most items of the stores whose growth is measured, default 1000000
  --compare REVISION   also measures that git revision of Parley, as "before"
  --without SYSTEM,... leaves systems out: dbos, bare, realtime
  --runtime RUNTIME    node (default), or deno, which leaves DBOS out
  --json FILE          writes the results
  --note TEXT          says on the page what readers have to know about the run
  --smoke              one round of few operations
  --list               names the cases

DATABASE_URL names a PostgreSQL to use; its role must be allowed to create databases. REDIS_URL names a Redis to use.
Otherwise they are started.`;

/** Reads the command line. Returns `null` if help or a list is wanted. */
export function readOptions(args: readonly string[]): BenchOptions | "help" | "list" {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      rounds: { type: "string", default: "9" },
      distance: { type: "string", default: "0,5,20,50" },
      scale: { type: "string", default: "1000000" },
      compare: { type: "string" },
      without: { type: "string", default: "" },
      runtime: { type: "string", default: "node" },
      json: { type: "string" },
      note: { type: "string" },
      smoke: { type: "boolean", default: false },
      list: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) return "help";
  if (values.list) return "list";
  if (values.runtime !== "node" && values.runtime !== "deno") {
    throw new Error(`--runtime ${values.runtime}: node or deno`);
  }
  return {
    names: positionals,
    rounds: values.smoke ? 1 : wholeNumber(values.rounds, "--rounds", 1),
    distances: values.distance.split(",").map((text) => wholeNumber(text, "--distance", 0)),
    sizes: values.smoke ? SMOKE_SIZES : sizesTo(wholeNumber(values.scale, "--scale", 2 * MIN_ITEMS)),
    without: values.without.split(",").filter((it) => it !== ""),
    runtime: values.runtime,
    smoke: values.smoke,
    ...values.compare !== undefined && { compare: values.compare },
    ...values.json !== undefined && { json: values.json },
    ...values.note !== undefined && { note: values.note },
  };
}

/** The smallest store fills the pages of all answers. */
const MIN_ITEMS = 1_000;

const SMOKE_SIZES = [10, 100];

/** The powers of ten up to a number, and the number. */
function sizesTo(most: number): number[] {
  const sizes = [most];
  for (let items = MIN_ITEMS; items < most; items *= 10) sizes.splice(-1, 0, items);
  return sizes;
}

function wholeNumber(text: string, name: string, min: number): number {
  const number = Number(text);
  if (Number.isInteger(number) && number >= min) return number;
  throw new Error(`${name} ${text}: a whole number from ${min} is needed`);
}
