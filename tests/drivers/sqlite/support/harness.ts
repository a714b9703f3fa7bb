/**
 * A harness over the SQLite driver in Deno: two connections to one file.
 *
 * @module
 */

import { DatabaseSync } from "node:sqlite";
import type { CountingHarness } from "../../../support/costs.ts";
import { harnessOver } from "./store.ts";

/** The connections of all tests of a file. */
let connections: readonly [DatabaseSync, DatabaseSync] | undefined;

function connect(): readonly [DatabaseSync, DatabaseSync] {
  const directory = Deno.makeTempDirSync({ prefix: "parley-sqlite-" });
  const open = () => new DatabaseSync(`${directory}/store.db`);
  const databases = [open(), open()] as const;
  globalThis.addEventListener("unload", () => {
    for (const database of databases) database.close();
    Deno.removeSync(directory, { recursive: true });
  });
  return databases;
}

/** Two drivers over one empty store. */
export function sqliteHarness(): Promise<CountingHarness> {
  connections ??= connect();
  return Promise.resolve(harnessOver(connections));
}
