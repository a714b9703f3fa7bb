/**
 * Every statement that the driver sends, by the method of the contract that sends it.
 *
 * Each statement calls one function, and returns one row with one JSON text. The function gets the
 * request as a JSON text, or a text for each member. A call is one statement and needs no session,
 * so it can go over HTTP or through a pooler. The names have versions: see `../migrations.ts`.
 *
 * @module
 */

import { migrateStatement } from "../migrations.ts";
import { HEARD } from "../sql/push.ts";
import { schemaName } from "../sql/schema_name.ts";

/** The short functions. Errors use the names of the calls that they carry out. */
export type ShortName =
  | "createOne"
  | "record"
  | "setEvent"
  | "writeOne"
  | "writeStream"
  | "receive"
  | "observeEvent"
  | "sendOne"
  | "sendFromRun"
  | "end"
  | "createMany"
  | "commitMany";

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
  | "readHistory"
  | "listMessages"
  | "listEvents"
  | "listStreams"
  | "control"
  | "delete"
  | "purge";

/**
 * The text of each statement. All except `migrate` return a column `result`. Their parameter is the
 * request. For `create` and `commit` both are arrays, with one element per workflow. A short function
 * has several parameters. Those that may send hints return a second column, `heard`, which is `t`
 * if they have sent some.
 */
export type Statements = Readonly<Record<StatementName | ShortName, string>>;

/** What a driver that has been heard sends in place of the statements of the same names. */
export type Procedures = Readonly<Record<keyof typeof HINTING, string>>;

/** The statements of push. All parameters are texts. See `../sql/push.ts`. */
export interface PushStatements {
  /** The channel to listen to. It is an identifier that needs no quotes. */
  channel: string;
  /**
   * Registers a listener, or extends the time for which it is registered, and notifies its name.
   * Parameters: the name, and the time in milliseconds. Returns `kept`: `true` if the listener has
   * been registered without a gap, else `false`, as a text.
   */
  listen: string;
  /** Waits for transactions that may not have seen the listener. */
  settle: string;
  /** Removes a listener. Parameter: the name. */
  unlisten: string;
}

/** Makes the statements of push for a schema. */
export function pushStatements(schema: string): PushStatements {
  const { identifier, channel } = schemaName(schema);
  return {
    channel,
    listen: `select ${identifier}.listen_v1($1::text, $2::text::integer)::text as kept`,
    settle: `select ${identifier}.settle_v1()::text as settled`,
    unlisten: `select ${identifier}.unlisten_v1($1::text)::text as removed`,
  };
}

/** The type of the parameter of a function for all cases. */
const REQUEST = "jsonb";

/** The types of the parameters that every commit has: see `../sql/short/parts.ts`. */
const RUN = "text bigint text bigint bigint";

/** The types of the parameters that every operation has. */
const ENTRY = `${RUN} integer text bigint`;

/** What writes and may send hints: the function, and the types of its parameters. */
const HINTING = {
  create: ["create_v1", REQUEST],
  claim: ["claim_v1", REQUEST],
  commit: ["commit_v1", REQUEST],
  send: ["send_v1", REQUEST],
  control: ["control_v1", REQUEST],
  delete: ["delete_v1", REQUEST],
  purge: ["purge_v1", REQUEST],
  createOne: ["create_one_v1", "text text text text bigint"],
  setEvent: ["set_event_v1", `${ENTRY} text text`],
  writeOne: ["write_one_v1", `${ENTRY} text text`],
  writeStream: ["write_stream_v1", `${RUN} integer text jsonb text jsonb`],
  sendOne: ["send_one_v1", "text text text text text"],
  sendFromRun: ["send_from_run_v1", `${ENTRY} text text text text text`],
  end: ["end_v1", `${RUN} text text text integer`],
  createMany: ["create_many_v1", REQUEST],
  commitMany: ["commit_many_v1", REQUEST],
} as const satisfies Partial<Record<keyof Statements, readonly [name: string, types: string]>>;

/**
 * Some clients ask the server for the types of parameters, and would encode a parameter of the type
 * jsonb a second time: postgres.js, Bun's client, ts-postgres. So each one is a text.
 */
function parameters(types: string): string {
  return types.split(" ").map((type, index) => `$${index + 1}::text${type === "text" ? "" : `::${type}`}`).join(", ");
}

/**
 * How each `select` ends. Cloudflare's Hyperdrive keeps answers to a `select` for a minute, unless
 * the text names a function of PostgreSQL whose result may change, such as this one. It cannot know
 * that of the driver's own functions, and most of them write.
 */
const NEVER_CACHED = "where now() is not null";

/** Makes the statements of the driver for a schema. */
export function statements(schema: string): Statements {
  const { identifier } = schemaName(schema);
  const select = (name: string, types: string, more = "") =>
    `select ${identifier}.${name}(${parameters(types)})::text as result${more} ${NEVER_CACHED}`;
  const call = (name: string, types = REQUEST) => select(name, types);
  return {
    // The text is made when it is sent, because few drivers send it. It is long, and takes longer
    // to make than the rest of a driver.
    get migrate() {
      return migrateStatement(schema);
    },
    readJournal: call("read_journal_v1"),
    readWorkflow: call("read_workflow_v1"),
    listWorkflows: call("list_workflows_v1"),
    readEvent: call("read_event_v1"),
    readStream: call("read_stream_v1"),
    readHistory: call("read_history_v1"),
    listMessages: call("list_messages_v1"),
    listEvents: call("list_events_v1"),
    listStreams: call("list_streams_v1"),
    record: call("record_one_v1", `${ENTRY} text text text integer`),
    receive: call("receive_v1", `${ENTRY} text text`),
    observeEvent: call("observe_event_v1", `${ENTRY} text text text boolean`),
    ...hinting((name, types) => select(name, types, `, current_setting(${HEARD}, true) as heard`)),
  };
}

/**
 * Makes the statements that send hints in a transaction of their own. None may be part of a
 * transaction of the caller. See `../sql/push.ts`.
 */
export function procedures(schema: string): Procedures {
  const { identifier } = schemaName(schema);
  return hinting((name, types) => `call ${identifier}.${name}(${parameters(types)}, null::text, null::text)`);
}

/** Makes a text for each statement that may send hints. */
function hinting(text: (name: string, types: string) => string): Procedures {
  const texts = Object.entries(HINTING).map(([statement, [name, types]]) => [statement, text(name, types)]);
  return Object.fromEntries(texts);
}
