/**
 * The files of results from which the page is made.
 *
 * @module
 */

import { ROOT } from "../../scripts/deno.ts";
import type { Results } from "../results.ts";

/** The folder of the results and the plots. */
export const FOLDER: URL = new URL("docs/benchmarks/", ROOT);

/** The results of one run. */
export interface ResultsFile {
  /** The name of the file. */
  readonly name: string;
  readonly results: Results;
}

/** Reads all results, the oldest first. Those of one day are in the order of their names. */
export function readResultsFiles(): ResultsFile[] {
  const names = [...Deno.readDirSync(FOLDER)].map(({ name }) => name).filter((name) => name.endsWith(".json"));
  return names.toSorted()
    .map((name) => ({ name, results: JSON.parse(Deno.readTextFileSync(new URL(name, FOLDER))) as Results }))
    .toSorted((a, b) => a.results.date.localeCompare(b.results.date));
}
