/**
 * Parley over PGlite, beside bare statements.
 *
 * @module
 */

import type { BenchCase } from "../case.ts";
import { bareCase, over } from "./operations.ts";

const NAMES = ["empty", "step", "setEvent", "sendInside", "writeStream", "recv", "getEventInside", "send"];

const PGLITE_CASE = { group: "pglite", kinds: ["pglite"], isNear: true } as const;

const BARE = { ...PGLITE_CASE, kinds: ["barePglite"] } as const;

/** The cases over PGlite, which runs in the process of the system, so that there is no distance. */
export const PGLITE: readonly BenchCase[] = [
  { ...bareCase("pglite-select", "bare `select 1`, PGlite", "select"), ...BARE },
  { ...bareCase("pglite-function", "insert of a row by a PL/pgSQL function, PGlite", "function"), ...BARE },
  ...NAMES.map((name) => over("pglite", name, { ...PGLITE_CASE, bare: "pglite-function" })),
  over("pglite", "getEvent", { ...PGLITE_CASE, bare: "pglite-select" }),
  over("pglite", "writeMany", PGLITE_CASE),
];
