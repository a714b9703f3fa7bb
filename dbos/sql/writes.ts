/**
 * The statements that change a system database. Each is one statement, and returns one row with one
 * JSON text named `result`.
 *
 * A statement sees one snapshot. What it selects is as it was before its own changes.
 *
 * @module
 */

import { type Catalogue, movedExpression, type WorkflowColumn } from "./catalogue.ts";
import type { TableOf } from "./names.ts";

/** The time of the database in epoch milliseconds. `now()` is the start of the transaction. */
export const NOW = "(extract(epoch from clock_timestamp()) * 1000)::bigint";

/** The statuses of workflows that may still run. */
export const ACTIVE = "('PENDING', 'ENQUEUED', 'DELAYED')";
/** The statuses from which DBOS resumes a workflow. The last one is an older name. */
export const RESUMABLE = "('CANCELLED', 'MAX_RECOVERY_ATTEMPTS_EXCEEDED', 'RETRIES_EXCEEDED')";

/** The queue that every app has. */
export const INTERNAL_QUEUE = "_dbos_internal_queue";

/**
 * Inserts messages: `$1` is a list of `{ id, destination, topic, message, floor, n }`. The trigger
 * of DBOS tells the app.
 *
 * DBOS orders the messages of a topic by their time alone. So each message gets a time above those
 * that this client has given before (`floor`), and above those before it in the list (`n`).
 *
 * The statement needs no right but `INSERT`, unless it names what it has stored.
 *
 * @param named Whether `stored` has the IDs of the messages, and not only one item for each.
 */
export function sendStatement(of: TableOf, named: boolean): string {
  return `with m as (
  select t.*, greatest(${NOW}, t.floor) + t.n as stamp
  from jsonb_to_recordset($1::jsonb) as t(id text, destination text, topic text, message text, floor bigint, n int, place int)
), i as (
  insert into ${
    of("notifications")
  } (destination_uuid, topic, message, serialization, message_uuid, created_at_epoch_ms)
  select destination, topic, message, 'portable_json', id, stamp from m order by place
  on conflict do nothing returning ${named ? "message_uuid" : "1"} as stored
)
select json_build_object('stamps', (select json_agg(stamp order by place) from m),
  'stored', (select coalesce(json_agg(stored), '[]') from i))::text as result`;
}

/** Names those workflows of the list `$1` that do not exist. */
export function unknownStatement(of: TableOf): string {
  return `select coalesce(json_agg(id), '[]')::text as result from jsonb_array_elements_text($1::jsonb) as id
where not exists (select 1 from ${of("workflow_status")} where workflow_uuid = id)`;
}

/** The columns of a new workflow that {@linkcode startStatement} fills, with their types. */
const START_COLUMNS = {
  workflow_uuid: "text",
  name: "text",
  class_name: "text",
  config_name: "text",
  queue_name: "text",
  priority: "int",
  queue_partition_key: "text",
  application_version: "text",
  application_name: "text",
  workflow_timeout_ms: "bigint",
  authenticated_user: "text",
  creator_xid: "text",
} as const satisfies Partial<Record<WorkflowColumn, string>>;

/** What a start may say, by column. */
export type StartColumn = keyof typeof START_COLUMNS;

/**
 * Inserts a workflow that an app takes from its queue. The parameters are a JSON object of columns,
 * the input, and when it is to begin: a delay or an instant in milliseconds, or neither.
 *
 * A row that exists stays as it is. `created` says whether this call has inserted it; where rows
 * have `creator_xid`, a repeat of the call says so too.
 */
export function startStatement(of: TableOf, { workflow, hasPayloadTables }: Catalogue): string {
  const columns = Object.entries(START_COLUMNS).filter(([column]) => workflow.has(column as StartColumn));
  const names = columns.map(([column]) => column).join(", ");
  const values = columns.map(([column]) => `r.${column}`).join(", ");
  const delayed = workflow.has("delay_until_epoch_ms");
  const isOwn = workflow.has("creator_xid")
    ? "w.creator_xid is not distinct from (select creator_xid from r)"
    // The row has no locker before it is updated.
    : "w.xmax = 0";
  return `with r as (
  select *, coalesce($4::bigint, ${NOW} + $3::bigint) as begin
  from jsonb_to_record($1::jsonb) as r(${columns.map(([column, type]) => `${column} ${type}`).join(", ")})
), i as (
  insert into ${
    of("workflow_status")
  } as w (${names}, status, assumed_role, authenticated_roles, executor_id, application_id,
    recovery_attempts, serialization${delayed ? ", delay_until_epoch_ms" : ""}${hasPayloadTables ? "" : ", inputs"})
  select ${values}, ${
    delayed ? "case when begin is null then 'ENQUEUED' else 'DELAYED' end" : "'ENQUEUED'"
  }, '', '[]', '', '',
    0, 'portable_json'${delayed ? ", begin" : ""}${hasPayloadTables ? "" : ", $2::text"} from r
  on conflict (workflow_uuid) do update set updated_at = w.updated_at
  returning w.workflow_uuid, w.name, w.class_name, w.config_name, ${isOwn} as created
)${
    hasPayloadTables
      ? `, p as (
  insert into ${of("workflow_input")} (workflow_uuid, inputs) select workflow_uuid, $2::text from i where created
  on conflict (workflow_uuid) do nothing
)`
      : ""
  }
select json_build_object('name', name, 'class', class_name, 'config', config_name, 'created', created)::text as result from i`;
}

/** Sets columns that this database has. */
function assignments({ workflow }: Catalogue, values: Partial<Record<WorkflowColumn, string>>): string {
  return Object.entries(values).filter(([column]) => workflow.has(column as WorkflowColumn))
    .map(([column, value]) => `${column} = ${value}`).join(", ");
}

/** Columns that a cancel and a resume clear, so that a run under way can record nothing more. */
const LET_GO = { owner_xid: "null", deduplication_id: "null", started_at_epoch_ms: "null", updated_at: NOW };

/**
 * Cancels `$1`, with `children` also the workflows that it has started, and those that they have
 * started. `before` is the status before; `changed` says whether the workflow itself was cancelled.
 */
export function cancelStatement(of: TableOf, catalogue: Catalogue, children: boolean): string {
  const status = of("workflow_status");
  const set = assignments(catalogue, { ...LET_GO, queue_name: "null", completed_at: NOW });
  const tree = children
    ? `select $1::text union select w.workflow_uuid from tree join ${status} w on w.parent_workflow_id = tree.id`
    : "select $1::text";
  return `with recursive tree(id) as (${tree}), u as (
  update ${status} set status = 'CANCELLED', ${set} where workflow_uuid in (select id from tree) and status in ${ACTIVE}
    and exists (select 1 from ${status} where workflow_uuid = $1 and (status = 'CANCELLED' or status in ${ACTIVE}))
  returning workflow_uuid
)
select json_build_object('before', (select status from ${status} where workflow_uuid = $1),
  'changed', exists (select 1 from u where workflow_uuid = $1))::text as result`;
}

/** Lets an app run `$1` again, from where it was. */
export function resumeStatement(of: TableOf, catalogue: Catalogue): string {
  const status = of("workflow_status");
  const set = assignments(catalogue, {
    ...LET_GO,
    queue_name: `'${INTERNAL_QUEUE}'`,
    recovery_attempts: "0",
    workflow_deadline_epoch_ms: "null",
    completed_at: "null",
  });
  return `with u as (
  update ${status} set status = 'ENQUEUED', ${set} where workflow_uuid = $1 and status in ${RESUMABLE} returning 1
)
select json_build_object('before', (select status from ${status} where workflow_uuid = $1),
  'changed', exists (select 1 from u))::text as result`;
}

/**
 * Removes `$1`, if it has ended. Rows of tables without a foreign key are removed by name. It removes
 * nothing if the app has got tables since that this statement does not name.
 */
export function deleteStatement(of: TableOf, { hasPayloadTables }: Catalogue): string {
  const status = of("workflow_status");
  const tables = [
    ...hasPayloadTables ? ["workflow_input", "workflow_output"] as const : [],
    "operation_outputs",
  ] as const;
  const parts = tables.map((table, index) =>
    `, d${index} as (delete from ${of(table)} where workflow_uuid = $1 and exists (select 1 from d))`
  );
  return `with d as (
  delete from ${status} where workflow_uuid = $1 and status not in ${ACTIVE}${
    hasPayloadTables ? "" : ` and not ${movedExpression(of)}`
  } returning 1
)${parts.join("")}
select json_build_object('before', (select status from ${status} where workflow_uuid = $1),
  'changed', exists (select 1 from d)${hasPayloadTables ? "" : `, 'moved', ${movedExpression(of)}`})::text as result`;
}
