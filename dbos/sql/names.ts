/**
 * The names of a system database, quoted. Everything is quoted, because a schema may have any name.
 *
 * @module
 */

import { ValidationError } from "../../core/errors.ts";
import { schemaName } from "../../drivers/postgres/sql/schema_name.ts";

/** The tables of a system database that a client uses. */
export type Table =
  | "workflow_status"
  | "workflow_input"
  | "workflow_output"
  | "notifications"
  | "workflow_events"
  | "workflow_events_history"
  | "streams"
  | "operation_outputs";

/** Names a table, as in `"dbos"."streams"`. */
export type TableOf = (table: Table) => string;

/**
 * Names the tables of a schema.
 *
 * @throws {ValidationError} If PostgreSQL cannot have a schema of that name.
 */
export function tablesOf(schema: string): TableOf {
  const bytes = new TextEncoder().encode(schema).length;
  if (bytes < 1 || bytes > 63 || !schema.isWellFormed() || schema.includes("\0")) {
    throw new ValidationError(
      `Using the schema ${JSON.stringify(schema)}: its name must have 1 to 63 bytes and no NUL`,
    );
  }
  const { identifier } = schemaName(schema);
  return (table) => `${identifier}.${table}`;
}
