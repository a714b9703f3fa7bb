/**
 * Parley and bare statements over PGlite, a PostgreSQL in this process. It keeps its data in memory.
 *
 * @module
 */

import type { PGlite } from "@electric-sql/pglite";
import { postgresDriver } from "@parley/parley/postgres";
import { SETUP, STATEMENTS } from "./bare.ts";
import { parleySystem } from "./parley.ts";
import { countRequest } from "./requests.ts";
import type { Commands } from "./serve.ts";
import type { System } from "./system.ts";
import { timed } from "./tasks.ts";

/** Opens a database whose statements are counted. */
async function openPglite(): Promise<Pick<PGlite, "query" | "listen">> {
  const { PGlite } = await import("@electric-sql/pglite");
  const pglite = await PGlite.create();
  return {
    query: (...args) => {
      countRequest();
      return pglite.query(...args);
    },
    listen: (...args) => pglite.listen(...args),
  };
}

/** Opens Parley over a database of its own. */
export async function pgliteSystem(): Promise<System> {
  return parleySystem(postgresDriver(await openPglite(), { listen: true }));
}

/** The commands of bare statements. */
export async function barePgliteCommands(): Promise<Commands> {
  const pglite = await openPglite();
  for (const statement of SETUP) await pglite.query(statement);
  return {
    statement: ({ count, program }) => {
      const { text, values } = STATEMENTS[program as keyof typeof STATEMENTS];
      return timed(count, () => pglite.query(text, [...values]));
    },
  };
}
