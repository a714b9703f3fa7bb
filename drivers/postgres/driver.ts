/**
 * The driver contract over one function that sends a statement and returns its rows. Every driver
 * for a Postgres uses it.
 *
 * @module
 */

import type { Driver, DriverLimits, ListPage, ListQuery } from "../../core/driver/driver.ts";
import { ValidationError } from "../../core/errors.ts";
import { checkName } from "../../core/values/checks.ts";
import { POSTGRES_LIMITS } from "./limits.ts";
import { type RunQuery, SqlCalls } from "./sql_calls.ts";
import { statements } from "./statements.ts";

/** The whole contract except `watch`. */
export type SqlDriver = Omit<Driver, "watch">;

/** Options of {@linkcode sqlDriver}. */
export interface SqlDriverOptions {
  /** What errors call the store, as in `Postgres`. */
  store: string;
  /** The schema's name, unquoted. */
  schema: string;
  /**
   * How much a request may carry. Default: what a connection in Postgres' own protocol lets
   * through.
   */
  limits?: DriverLimits;
}

/**
 * Makes a driver that sends one query per call.
 *
 * @throws {ValidationError} If Postgres cannot have a schema of that name.
 */
export function sqlDriver(query: RunQuery, { store, schema, limits = POSTGRES_LIMITS }: SqlDriverOptions): SqlDriver {
  const calls = new SqlCalls(query, store, statements(checkedSchema(schema)));
  return {
    contract: 1,
    limits,
    migrate: () => calls.migrate(),
    create: (request) => calls.call("create", request),
    claim: (request) => calls.call("claim", request),
    commit: (request) => calls.call("commit", request),
    readJournal: (request) => calls.call("readJournal", request),
    send: (messages) => calls.call("send", messages),
    readWorkflow: (workflowId) => calls.call("readWorkflow", { workflowId }),
    listWorkflows: (query) => listWorkflows(calls, query),
    readEvent: (request) => calls.call("readEvent", request),
    readStream: (request) => calls.call("readStream", request),
    control: (request) => calls.call("control", request),
    purge: (request) => calls.call("purge", request),
  };
}

/** The cursor is the place of the last row, as JSON. */
async function listWorkflows(calls: SqlCalls, query: ListQuery): Promise<ListPage> {
  const cursor = query.cursor === null ? null : parseCursor(query.cursor);
  const page = await calls.call<Omit<ListPage, "cursor"> & { cursor: unknown }>("listWorkflows", { ...query, cursor });
  return { workflows: page.workflows, cursor: page.cursor === null ? null : JSON.stringify(page.cursor) };
}

function parseCursor(text: string): [number, string] {
  try {
    const [createdAt, workflowId] = JSON.parse(text);
    // An ID that no store can hold would look like an error of the store.
    checkName(workflowId, "workflow ID");
    if (Number.isSafeInteger(createdAt)) return [createdAt, workflowId];
  } catch {
    // Not JSON, or no ID: the same error as below.
  }
  throw new ValidationError("Listing workflows: the cursor must be one that an earlier page gave");
}

/** Postgres cuts longer names off, so two of them could mean one schema. */
function checkedSchema(schema: string): string {
  const bytes = new TextEncoder().encode(schema).length;
  if (bytes >= 1 && bytes <= 63 && schema.isWellFormed() && !schema.includes("\0") && !schema.startsWith("pg_")) {
    return schema;
  }
  throw new ValidationError(
    `Using the schema ${JSON.stringify(schema)}: its name must have 1 to 63 bytes, no NUL, and not begin with "pg_"`,
  );
}
