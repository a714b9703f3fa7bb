/**
 * A harness over the SQLite driver in Deno: two connections to one file.
 *
 * @module
 */

import type { CountingHarness } from "../../../support/costs.ts";
import { loadClient, type OpenClient } from "./client.ts";
import { harnessOver } from "./store.ts";

/** The connections of all tests of a file. */
let connections: Promise<readonly [OpenClient, OpenClient]> | undefined;

async function connect(): Promise<readonly [OpenClient, OpenClient]> {
  const directory = await Deno.makeTempDir({ prefix: "parley-sqlite-" });
  const path = `${directory}/store.db`;
  const open = await loadClient("node:sqlite");
  const databases = [open(path), open(path)] as const;
  globalThis.addEventListener("unload", () => {
    for (const database of databases) database.close();
    Deno.removeSync(directory, { recursive: true });
  });
  return databases;
}

/** Two drivers over one empty store. */
export async function sqliteHarness(): Promise<CountingHarness> {
  connections ??= connect();
  return harnessOver(await connections);
}
