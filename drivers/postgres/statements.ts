/**
 * Every statement that the driver sends, by the method of the contract that sends it.
 *
 * Each calls one function, with the request as one JSON text, and answers with one row that has one JSON text. A call is
 * one statement and needs no session, so it can travel over HTTP or through a pooler. Versions are in the names: see
 * `migrations.ts`.
 *
 * @module
 */

import { migrateStatement } from "./migrations.ts";
import { schemaName } from "./sql/schema_name.ts";

/** What can be called; also how errors name it. */
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

/** The text of each statement. All but `migrate` have one parameter, the request, and answer with one column, `result`. */
export type Statements = Readonly<Record<StatementName, string>>;

/** What a connection sends that listens for hints. See `sql/push.ts`. */
export interface PushStatements {
  /**
   * Listens, or says that the connection is still there. Parameters: a name for the connection, and for how many milliseconds. Answers with
   * `kept`: whether it has listened all the time since it began to.
   */
  listen: string;
  /** Waits for whoever may not have seen that it listens. */
  settle: string;
  /** Listens no more. Parameter: the name. */
  unlisten: string;
}

/** The statements for push. */
export function pushStatements(schema: string): PushStatements {
  const { identifier } = schemaName(schema);
  return {
    listen: `select ${identifier}.listen_v1($1, $2) as kept`,
    settle: `select ${identifier}.settle_v1()`,
    unlisten: `select ${identifier}.unlisten_v1($1)`,
  };
}

/** The statements for a schema. */
export function statements(schema: string): Statements {
  const { identifier } = schemaName(schema);
  // A parameter of the type jsonb would be encoded once more by clients that ask the server for the types: postgres.js, Bun's, ts-postgres.
  const call = (name: string) => `select ${identifier}.${name}($1::text::jsonb)::text as result`;
  return {
    // Made when it is sent: it is long, takes longer to make than all else in a driver, and hardly any driver sends it.
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
