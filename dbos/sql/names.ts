/**
 * The names of a system database, quoted. Everything is quoted, because a schema may have any name.
 *
 * @module
 */

import { checkSchemaName, schemaName } from "../../drivers/postgres/sql/schema_name.ts";

/** The topic of messages without one. Old ones have `NULL` in its place. */
export const NO_TOPIC = "__null__topic__";

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
  checkSchemaName(schema);
  const { identifier } = schemaName(schema);
  return (table) => `${identifier}.${table}`;
}
