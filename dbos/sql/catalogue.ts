/**
 * What a system database has. Each version of DBOS adds to it.
 *
 * @module
 */

import { UnsupportedError } from "../../core/errors.ts";
import { literal } from "../../drivers/postgres/sql/schema_name.ts";
import type { Table, TableOf } from "./names.ts";

/** The columns of `workflow_status` that statements use where they exist. */
const WORKFLOW_COLUMNS = [
  "workflow_uuid",
  "name",
  "class_name",
  "config_name",
  "queue_name",
  "priority",
  "queue_partition_key",
  "application_version",
  "application_name",
  "workflow_timeout_ms",
  "workflow_deadline_epoch_ms",
  "authenticated_user",
  "creator_xid",
  "owner_xid",
  "deduplication_id",
  "delay_until_epoch_ms",
  "started_at_epoch_ms",
  "updated_at",
  "completed_at",
  "recovery_attempts",
] as const;

/** The columns of `notifications` that statements use where they exist. */
const MESSAGE_COLUMNS = ["consumed", "consumed_by_function_id"] as const;

/** A column of `workflow_status` that may be missing. */
export type WorkflowColumn = typeof WORKFLOW_COLUMNS[number];

/** The parts of a system database that statements depend on. */
export interface Catalogue {
  /** Whether inputs and outputs have tables of their own. */
  readonly hasPayloadTables: boolean;
  /** The columns of `workflow_status`. */
  readonly workflow: ReadonlySet<WorkflowColumn>;
  /** The columns of `notifications`. */
  readonly message: ReadonlySet<typeof MESSAGE_COLUMNS[number]>;
  /** Whether it has everything that statements can use. */
  readonly isWhole: boolean;
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
    'payloads', ${movedExpression(of)},
    'workflow', ${columns(of("workflow_status"))},
    'message', ${columns(of("notifications"))})::text as result`;
}

function exists(of: TableOf, table: Table): string {
  return `to_regclass(${literal(of(table))}) is not null`;
}

/**
 * Whether the app has moved inputs and outputs to tables of their own since the client asked for the
 * catalogue. Without the tables, each answer that depends on them has this as its member `moved`.
 */
export function movedExpression(of: TableOf): string {
  return `(${exists(of, "workflow_input")} and ${exists(of, "workflow_output")})`;
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
  const columns = WORKFLOW_COLUMNS.filter((column) => workflow.includes(column));
  const ofMessages = MESSAGE_COLUMNS.filter((column) => message.includes(column));
  return {
    hasPayloadTables: payloads,
    workflow: new Set(columns),
    message: new Set(ofMessages),
    isWhole: payloads && columns.length === WORKFLOW_COLUMNS.length && ofMessages.length === MESSAGE_COLUMNS.length,
  };
}
