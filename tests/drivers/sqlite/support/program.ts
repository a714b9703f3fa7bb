/**
 * The conformance suite over one SQLite client of Node or Bun. Its arguments are the client, and the
 * path of a new file.
 *
 * @module
 */

import process from "node:process";
import { conformance } from "../../../../conformance/mod.ts";
import type { SqliteClient } from "../../../../drivers/sqlite/mod.ts";
import { harnessOver } from "./store.ts";

type Opened = SqliteClient & { close(): void };

/** The module of each client, and its class. */
const CLIENTS: Readonly<Record<string, string>> = {
  "node:sqlite": "DatabaseSync",
  "bun:sqlite": "Database",
  "better-sqlite3": "default",
};

const [module = "", path = ""] = process.argv.slice(2);
const Client: new (path: string) => Opened = (await import(module))[CLIENTS[module] ?? ""];
const clients = [new Client(path), new Client(path)] as const;
const tests = new Map<string, () => Promise<void>>();
conformance((name, run) => void tests.set(name, run), () => Promise.resolve(harnessOver(clients)));
let failed = 0;
for (const [name, run] of tests) {
  try {
    await run();
  } catch (error) {
    failed += 1;
    console.error(`${name}: ${error instanceof Error ? error.stack : error}`);
  }
}
for (const client of clients) client.close();
console.log(`done: ${tests.size - failed} passed, ${failed} failed`);
