/**
 * The driver contract over one function that sends a statement and returns its rows. Every driver
 * for a Postgres uses it.
 *
 * @module
 */

import type { Driver, DriverLimits, ListPage, ListQuery } from "../../core/driver/driver.ts";
import { parseListCursor } from "../../core/values/list_cursor.ts";
import { GroupedCalls } from "./calls/grouped_calls.ts";
import { POSTGRES_LIMITS } from "./limits.ts";
import { shortSend } from "./calls/short_calls.ts";
import { type RunQuery, SqlCalls } from "./calls/sql_calls.ts";
import { checkSchemaName } from "./sql/schema_name.ts";

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
  /** How many statements the client carries out at once. */
  connections: number;
  /** Whether the client never sends a statement in a transaction of the caller. */
  isAlone: boolean;
  /** Whether short functions carry out common calls. Default `true`; a test compares both. */
  short?: boolean;
}

/**
 * Makes a driver that sends one query per call.
 *
 * @throws {ValidationError} If Postgres cannot have a schema of that name.
 */
export function sqlDriver(
  query: RunQuery,
  { store, schema, limits = POSTGRES_LIMITS, connections, isAlone, short = true }: SqlDriverOptions,
): SqlDriver {
  checkSchemaName(schema);
  const calls = new SqlCalls(query, store, schema, isAlone);
  const grouped = new GroupedCalls(calls, connections, short);
  return {
    contract: 1,
    limits,
    migrate: () => calls.migrate(),
    create: (request) => grouped.call("create", request),
    claim: (request) => calls.call("claim", request),
    commit: (request) => grouped.call("commit", request),
    readJournal: (request) => calls.call("readJournal", request),
    send: (messages) => calls.call("send", messages, short ? shortSend(messages) : null),
    readWorkflow: (workflowId, { now } = {}) => timed(calls.call("readWorkflow", { workflowId }), now),
    listWorkflows: (query) => listWorkflows(calls, query),
    readEvent: (request) => timed(calls.call("readEvent", request), request.now),
    readStream: (request) => calls.call("readStream", request),
    readHistory: (request) => calls.call("readHistory", request),
    listMessages: (request) => calls.call("listMessages", request),
    listEvents: (request) => calls.call("listEvents", request),
    listStreams: (request) => calls.call("listStreams", request),
    control: (request) => calls.call("control", request),
    delete: (request) => calls.call("delete", request),
    purge: (request) => calls.call("purge", request),
  };
}

/** Leaves the store's time out of an answer, which always has it, unless the caller asks for it. */
async function timed<Answer extends object | null>(
  answer: Promise<Answer & { now?: number } | null>,
  isAsked = false,
): Promise<Answer> {
  const found = await answer;
  if (!isAsked && found !== null) delete found.now;
  return found as Answer;
}

async function listWorkflows(calls: SqlCalls, query: ListQuery): Promise<ListPage> {
  const cursor = parseListCursor(query.cursor);
  const page = await calls.call<Omit<ListPage, "cursor"> & { cursor: unknown }>("listWorkflows", { ...query, cursor });
  return { workflows: page.workflows, cursor: page.cursor === null ? null : JSON.stringify(page.cursor) };
}
