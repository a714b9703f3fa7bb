/**
 * What a system database has. Each version of DBOS adds to it, so a client asks once.
 *
 * @module
 */

import { UnsupportedError } from "../../core/errors.ts";
import { literal } from "../../drivers/postgres/sql/schema_name.ts";
import type { TableOf } from "./names.ts";

/** The parts of a system database that statements depend on. */
export interface Catalogue {
  /** Whether inputs and outputs have tables of their own. */
  readonly hasPayloadTables: boolean;
  /** The columns of `workflow_status`. */
  readonly workflow: ReadonlySet<string>;
  /** The columns of `notifications`. */
  readonly message: ReadonlySet<string>;
}

/** The answer of {@linkcode catalogueStatement}. */
export interface CatalogueAnswer {
  readonly payloads: boolean;
  readonly workflow: readonly string[] | null;
  readonly message: readonly string[] | null;
}

/** Asks for the catalogue. */
export function catalogueStatement(of: TableOf): string {
  const columns = (table: string) =>
    `(select json_agg(attname::text) from pg_attribute where attrelid = to_regclass(${literal(table)}) ` +
    `and attnum > 0 and not attisdropped)`;
  return `select json_build_object(
    'payloads', to_regclass(${literal(of("workflow_input"))}) is not null,
    'workflow', ${columns(of("workflow_status"))},
    'message', ${columns(of("notifications"))})::text as result`;
}

/**
 * Reads the answer.
 *
 * @throws {UnsupportedError} If the schema is no system database, or is too old to have values that
 * other languages can read.
 */
export function readCatalogue({ payloads, workflow, message }: CatalogueAnswer, schema: string): Catalogue {
  const name = JSON.stringify(schema);
  if (workflow === null || message === null) {
    throw new UnsupportedError(
      `Using DBOS: the schema ${name} of this database has no tables of DBOS; the address must be that of the system ` +
        "database, and a DBOS app must have started on it",
    );
  }
  if (!workflow.includes("serialization") || !message.includes("serialization")) {
    throw new UnsupportedError(
      `Using DBOS: the schema ${name} is that of a DBOS whose values have no column "serialization"; ` +
        "the app must use a newer DBOS",
    );
  }
  return { hasPayloadTables: payloads, workflow: new Set(workflow), message: new Set(message) };
}
