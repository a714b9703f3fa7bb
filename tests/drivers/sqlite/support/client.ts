/**
 * Opens files with any client of SQLite.
 *
 * @module
 */

import type { SqliteClient } from "../../../../drivers/sqlite/mod.ts";

/** A connection that a test has opened. */
export type OpenClient = SqliteClient & { close(): void };

/** The class of each client, by the client's module. */
const CLASSES = { "node:sqlite": "DatabaseSync", "bun:sqlite": "Database", "better-sqlite3": "default" } as const;

/** The module of a client. */
export type ClientModule = keyof typeof CLASSES;

/** Opens a file. */
export type OpenFile = (path: string) => OpenClient;

/**
 * Returns what opens files with a client. No runtime has all of the modules, and neither have the
 * types of one, so the import is dynamic.
 */
export async function loadClient(module: ClientModule): Promise<OpenFile> {
  const Client: new (path: string) => OpenClient = (await import(module))[CLASSES[module]];
  return (path) => new Client(path);
}
