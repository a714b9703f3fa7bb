/**
 * Every statement that the driver sends, by the method of the contract that sends it.
 *
 * Each statement calls one function with the request as a JSON text, and returns one row with one
 * JSON text. A call is one statement and needs no session, so it can go over HTTP or through a
 * pooler. The names have versions: see `migrations.ts`.
 *
 * @module
 */

import { migrateStatement } from "./migrations.ts";
import { schemaName } from "./sql/schema_name.ts";

/** The calls, under the names that errors use. */
export type StatementName =
  | "migrate"
  | "create"
  | "claim"
  | "commit"
  | "readJournal"
  | "send"
  | "readWorkflow"
  | "listWorkflows"
  | "readEvent"
  | "readStream"
  | "control"
  | "purge";

/**
 * The text of each statement. All except `migrate` have one parameter, the request, and return one
 * column, `result`.
 */
export type Statements = Readonly<Record<StatementName, string>>;

/** The statements of a connection that listens for hints. See `sql/push.ts`. */
export interface PushStatements {
  /**
   * Listens, or extends the time for which the connection listens. Parameters: a name for the
   * connection, and the time in milliseconds. Returns `kept`: whether the connection has listened
   * without a gap.
   */
  listen: string;
  /** Waits for transactions that may not have seen that the connection listens. */
  settle: string;
  /** Stops listening. Parameter: the name. */
  unlisten: string;
}

/** Makes the statements of push for a schema. */
export function pushStatements(schema: string): PushStatements {
  const { identifier } = schemaName(schema);
  return {
    listen: `select ${identifier}.listen_v1($1, $2) as kept`,
    settle: `select ${identifier}.settle_v1()`,
    unlisten: `select ${identifier}.unlisten_v1($1)`,
  };
}

/** Makes the statements of the driver for a schema. */
export function statements(schema: string): Statements {
  const { identifier } = schemaName(schema);
  // Some clients ask the server for the types of parameters, and would encode a parameter of the
  // type jsonb a second time: postgres.js, Bun's client, ts-postgres.
  const call = (name: string) => `select ${identifier}.${name}($1::text::jsonb)::text as result`;
  return {
    // The text is made when it is sent. It is long, making it takes longer than making the rest of
    // a driver, and few drivers send it.
    get migrate() {
      return migrateStatement(schema);
    },
    create: call("create_v1"),
    claim: call("claim_v1"),
    commit: call("commit_v1"),
    readJournal: call("read_journal_v1"),
    send: call("send_v1"),
    readWorkflow: call("read_workflow_v1"),
    listWorkflows: call("list_workflows_v1"),
    readEvent: call("read_event_v1"),
    readStream: call("read_stream_v1"),
    control: call("control_v1"),
    purge: call("purge_v1"),
  };
}
