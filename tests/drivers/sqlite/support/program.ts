/**
 * The conformance suite over one SQLite client of Node or Bun. Its arguments are the client, and the
 * path of a new file.
 *
 * @module
 */

import process from "node:process";
import { conformance } from "../../../../conformance/mod.ts";
import { type ClientModule, loadClient } from "./client.ts";
import { harnessOver } from "./store.ts";

const [module, path = ""] = process.argv.slice(2);
const open = await loadClient(module as ClientModule);
const clients = [open(path), open(path)] as const;
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
