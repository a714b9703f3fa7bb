/**
 * How the processes of a fleet reach a file of SQLite.
 *
 * @module
 */

import { sqliteDriver } from "../../../drivers/sqlite/mod.ts";
import { loadClient } from "../../drivers/sqlite/support/client.ts";
import type { OpenDriver } from "./mod.ts";

const open = await loadClient("node:sqlite");

/** `argument`: the path of the file. */
export const openDriver: OpenDriver = (argument) => {
  const database = open(argument);
  return { driver: sqliteDriver(database), close: () => Promise.resolve(database.close()) };
};
