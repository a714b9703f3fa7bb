/**
 * The statements that read a system database. Each is one statement, and returns one row with one
 * JSON text named `result`. It has no row if the workflow does not exist, unless it says otherwise.
 *
 * @module
 */

import { type Catalogue, movedExpression } from "./catalogue.ts";
import { NO_TOPIC, type TableOf } from "./names.ts";
import { ACTIVE } from "./writes.ts";

/** About how many bytes of values a page has. A list with values has four times as many. */
const PAGE_BYTES = 1_048_576;
/** Longer errors are left out of a list without values, in bytes. */
const MAX_LISTED_ERROR_BYTES = 4_096;
/** The longest form in which a stream's end is written, in characters, and some more. */
const MAX_MARK_LENGTH = 100;

/**
 * An event `$2` of the workflow `$1`, which need not exist: `status`, `value`, `format`. With
 * `versions` it also has how many operations of the workflow have set it.
 */
export function eventStatement(of: TableOf, versions: boolean): string {
  const version = versions
    ? `, 'version', (select count(*) from ${
      of("workflow_events_history")
    } h where h.workflow_uuid = q.id and h.key = $2)`
    : "";
  return `select json_build_object('status', w.status, 'value', e.value, 'format', e.serialization${version})::text as result
from (select $1::text as id) q
left join ${of("workflow_status")} w on w.workflow_uuid = q.id
left join ${of("workflow_events")} e on e.workflow_uuid = q.id and e.key = $2`;
}

/**
 * A page of the stream `$2` of the workflow `$1`: its `rows` from offset `$3` on, at most `$4`, and
 * its `last` row, whose value is left out if it is too long to be the mark of an end. Status and rows
 * are of one snapshot, so an ended workflow with no more rows has ended its streams.
 */
export function streamStatement(of: TableOf): string {
  const part = `from ${of("streams")} where workflow_uuid = $1 and key = $2`;
  return `select json_build_object('status', w.status,
  'last', (select json_build_array("offset", case when length(value) <= ${MAX_MARK_LENGTH} then value end)
    ${part} order by "offset" desc limit 1),
  'rows', (select coalesce(json_agg(json_build_array("offset", value, serialization) order by "offset"), '[]') from (
    select *, sum(octet_length(value)) over (order by "offset") - octet_length(value) as before
    from (select "offset", value, serialization ${part} and "offset" >= $3::int order by "offset" limit $4::int) p
  ) q where before < ${PAGE_BYTES}))::text as result
from ${of("workflow_status")} w where w.workflow_uuid = $1`;
}

/** The fields of a workflow, as members of a JSON object. `w` is its row, `o` that of its output. */
function workflowMembers(catalogue: Catalogue, { output = "output", error = "error" } = {}): string {
  const { workflow } = catalogue;
  const ended = workflow.has("completed_at") ? "coalesce(w.completed_at, w.updated_at)" : "w.updated_at";
  return `'id', w.workflow_uuid, 'name', w.name, 'status', w.status, 'created', w.created_at, 'updated', w.updated_at,
  'ended', case when w.status not in ${ACTIVE} then ${ended} end, 'attempts', w.recovery_attempts,
  'format', w.serialization, 'output', ${output}, 'error', ${error}`;
}

/** Payloads of rows that are older than their tables are still in the row itself. */
function payloads(of: TableOf, { hasPayloadTables }: Catalogue) {
  return {
    input: hasPayloadTables ? "coalesce(i.inputs, w.inputs)" : "w.inputs",
    output: hasPayloadTables ? "coalesce(o.output, w.output)" : "w.output",
    error: hasPayloadTables ? "coalesce(o.error, w.error)" : "w.error",
    joinInput: hasPayloadTables ? `left join ${of("workflow_input")} i on i.workflow_uuid = w.workflow_uuid` : "",
    joinOutput: hasPayloadTables ? `left join ${of("workflow_output")} o on o.workflow_uuid = w.workflow_uuid` : "",
  };
}

/** A member that says whether payloads are elsewhere now. See {@linkcode movedExpression}. */
function movedMember(of: TableOf, { hasPayloadTables }: Catalogue): string {
  return hasPayloadTables ? "" : `, 'moved', ${movedExpression(of)}`;
}

/** The workflow `$1`. With `whole` it has its input, and the number of its unread messages. */
export function workflowStatement(of: TableOf, catalogue: Catalogue, whole: boolean): string {
  const { input, output, error, joinInput, joinOutput } = payloads(of, catalogue);
  const consumed = catalogue.message.has("consumed") ? " and not consumed" : "";
  const more = whole
    ? `, 'input', ${input}, 'unread', (select count(*) from ${
      of("notifications")
    } where destination_uuid = $1${consumed})`
    : "";
  return `select json_build_object(${workflowMembers(catalogue, { output, error })}${more}${
    movedMember(of, catalogue)
  })::text as result
from ${of("workflow_status")} w ${joinOutput} ${whole ? joinInput : ""} where w.workflow_uuid = $1`;
}

/** The filters of a list. Each is a condition on a parameter. */
const FILTERS = {
  statuses: (at: string) => `w.status in (select jsonb_array_elements_text(${at}::jsonb))`,
  name: (at: string) => `w.name = ${at}`,
  idPrefix: (at: string) => `starts_with(w.workflow_uuid, ${at})`,
  createdAfter: (at: string) => `w.created_at > ${at}::bigint`,
  createdBefore: (at: string) => `w.created_at < ${at}::bigint`,
  cursor: (at: string) => `(w.created_at, w.workflow_uuid) < ((${at}::jsonb->>0)::bigint, ${at}::jsonb->>1)`,
} as const;

/** The name of a filter of a list. */
export type ListFilter = keyof typeof FILTERS;

/**
 * A list of workflows, the newest first: `rows`, and how many were `found`. `$1` is the largest
 * number, and the filters have the parameters behind it. Only filters that are used are in the text,
 * so that the planner need not think of the others. There is always a row.
 */
export function listStatement(
  of: TableOf,
  catalogue: Catalogue,
  filters: readonly ListFilter[],
  values: boolean,
): string {
  const { input, output, error, joinInput, joinOutput } = payloads(of, catalogue);
  const conditions = filters.map((filter, index) => FILTERS[filter](`$${index + 2}`));
  const where = conditions.length > 0 ? `where ${conditions.join(" and ")}` : "";
  const members = values
    ? `${workflowMembers(catalogue, { output, error })}, 'input', ${input}`
    : workflowMembers(catalogue, {
      output: "null",
      error: `case when octet_length(${error}) <= ${MAX_LISTED_ERROR_BYTES} then ${error} end`,
    });
  const size = values ? `coalesce(octet_length(${input}), 0) + coalesce(octet_length(${output}), 0)` : "0";
  return `with p as (
  select w.* from ${of("workflow_status")} w ${where} order by w.created_at desc, w.workflow_uuid desc limit $1::int
), q as (
  select json_build_object(${members}) as item, row_number() over newest as n,
    sum(${size}) over newest - ${size} as before
  from p w ${joinOutput} ${values ? joinInput : ""} window newest as (order by w.created_at desc, w.workflow_uuid desc)
)
select json_build_object('found', (select count(*) from p),
  'rows', (select coalesce(json_agg(item order by n), '[]') from q where before < ${4 * PAGE_BYTES})${
    movedMember(of, catalogue)
  })::text as result`;
}

/**
 * A page of parts of the workflow `$1`: its status, `rows`, and how many were `found`.
 *
 * @param items Selects the parts: `item`, `place` by which they are sorted, and `size` in bytes.
 */
function pageStatement(of: TableOf, items: string): string {
  return `select json_build_object('status', w.status, 'found', p.found, 'rows', p.rows)::text as result
from ${of("workflow_status")} w left join lateral (
  select max(found) as found, coalesce(json_agg(item order by place) filter (where before < ${PAGE_BYTES}), '[]') as rows
  from (select item, place, count(*) over () as found, sum(size) over (order by place) - size as before from (${items}) s) t
) p on true where w.workflow_uuid = $1`;
}

/** The operations of `$1` that have an outcome, above position `$2`, at most `$3`. */
export function historyStatement(of: TableOf): string {
  return pageStatement(
    of,
    `select json_build_object('position', function_id, 'name', function_name, 'output', output, 'error', error,
    'format', serialization, 'child', child_workflow_id, 'started', started_at_epoch_ms, 'ended', completed_at_epoch_ms) as item,
    function_id as place, coalesce(octet_length(output), 0) + coalesce(octet_length(error), 0) as size
  from ${of("operation_outputs")} where workflow_uuid = $1 and ($2::bigint is null or function_id > $2::bigint)
  order by function_id limit $3::int`,
  );
}

/**
 * The messages of `$1` behind number `$2`, at most `$3`, of the state `$4` and the topic `$5`. A
 * message's number counts all messages of the workflow, in the order in which it receives them.
 */
export function messagesStatement(of: TableOf, { message }: Catalogue): string {
  const consumed = message.has("consumed") ? "consumed" : "false";
  const by = message.has("consumed_by_function_id") ? "m.consumed_by_function_id" : "null::int";
  return pageStatement(
    of,
    `select json_build_object('number', n, 'id', message_uuid, 'topic', topic, 'value', message, 'format', serialization,
    'sent', created_at_epoch_ms, 'consumed', is_consumed, 'position', position,
    'received', (select completed_at_epoch_ms from ${
      of("operation_outputs")
    } where workflow_uuid = $1 and function_id = position)
  ) as item, n as place, octet_length(message) as size
  from (select m.*, ${consumed} as is_consumed, ${by} as position,
    row_number() over (order by created_at_epoch_ms, message_uuid) as n
    from ${of("notifications")} m where destination_uuid = $1) m
  where n > coalesce($2::bigint, 0) and ($4::text = 'all' or is_consumed = ($4::text = 'received'))
    and ($5::text is null or coalesce(topic, '${NO_TOPIC}') = $5::text) order by n limit $3::int`,
  );
}

/** When an operation of `$1` has ended, for what has no time of its own. */
function endOf(of: TableOf, position: string): string {
  return `(select completed_at_epoch_ms from ${
    of("operation_outputs")
  } where workflow_uuid = $1 and function_id = ${position})`;
}

/** The events of `$1` with keys behind `$2`, at most `$3`. */
export function eventsStatement(of: TableOf): string {
  return pageStatement(
    of,
    `select json_build_object('key', e.key, 'value', e.value, 'format', e.serialization, 'version', h.version,
    'updated', coalesce(${endOf(of, "h.last")}, w.updated_at)) as item, e.key collate "C" as place,
    octet_length(e.value) as size
  from ${of("workflow_events")} e left join lateral (
    select count(*) as version, max(function_id) as last from ${of("workflow_events_history")} h
    where h.workflow_uuid = $1 and h.key = e.key) h on true
  where e.workflow_uuid = $1 and ($2::text is null or e.key collate "C" > $2::text) order by e.key collate "C" limit $3::int`,
  );
}

/** The streams of `$1` with keys behind `$2`, at most `$3`: how many `rows` each has, and the last. */
export function streamsStatement(of: TableOf): string {
  return pageStatement(
    of,
    `select json_build_object('key', s.key, 'rows', s.rows,
    'last', case when length(l.value) <= ${MAX_MARK_LENGTH} then l.value end,
    'updated', coalesce(${endOf(of, "l.function_id")}, w.updated_at)) as item, s.key collate "C" as place, 0 as size
  from (select key, count(*) as rows, max("offset") as last from ${of("streams")}
    where workflow_uuid = $1 and ($2::text is null or key collate "C" > $2::text)
    group by key order by key collate "C" limit $3::int) s
  join ${of("streams")} l on l.workflow_uuid = $1 and l.key = s.key and l."offset" = s.last`,
  );
}
