/**
 * How the shapes of the driver contract are made from columns.
 *
 * @module
 */

import type { SchemaName } from "./schema_name.ts";
import { helper, type SqlPart } from "./sql_function.ts";
import { cut } from "./sizes.ts";

/** The last instant of a JavaScript date. */
export const MAX_INSTANT = 8_640_000_000_000_000;

/** What makes instants, outcomes, records and pages. */
export const valuesSql: readonly SqlPart[] = [after, remaining, outcome, record, journalPage, openEntries];

/**
 * The instant that is so many milliseconds after another; `null` stays `null`. It is at most the
 * last instant of a JavaScript date.
 */
function after({ identifier: s }: SchemaName): string {
  return helper(`
create function ${s}.after_v1(now bigint, ms text) returns bigint
language sql immutable as
select case when ms is not null then now + least(ceil(ms::numeric), ${MAX_INSTANT} - now)::bigint end
`);
}

/** How many milliseconds are left until a deadline; `null` if there is none. */
function remaining({ identifier: s }: SchemaName): string {
  return helper(`
create function ${s}.remaining_v1(deadline bigint, now bigint) returns bigint
language sql immutable as
select case when deadline is not null then greatest(deadline - now, 0) end
`);
}

/** An `Outcome`, with exactly the members that its tag has. */
function outcome({ identifier: s }: SchemaName): string {
  return helper(`
create function ${s}.outcome_v1(tag text, value text, topic text) returns json
language sql stable as
select case
  when topic is not null then json_build_object('tag', tag, 'value', value, 'topic', topic)
  when value is not null or tag in ('value', 'error') then json_build_object('tag', tag, 'value', value)
  else json_build_object('tag', tag)
end
`);
}

/** A `WorkflowRecord`. */
function record({ identifier: s }: SchemaName): string {
  return helper(`
create function ${s}.record_v1(w ${s}.workflows) returns json
language sql stable as
select ${recordOf(s, "w", ["w.input", "w.output", "w.error"])}
`);
}

/**
 * Returns an expression that makes a `WorkflowRecord` or a `ListedWorkflow`.
 *
 * @param w The row with the columns of a workflow.
 * @param texts The columns of the input, the output and the error.
 * @param more Further members.
 */
export function recordOf(s: string, w: string, [input, output, error]: readonly string[], more = ""): string {
  return `json_build_object(
    'workflowId', ${w}.id, 'name', ${w}.name, 'status', ${w}.status,
    'waiting', case
      when ${w}.waiting_labels is not null
        then json_build_object('operations', ${w}.waiting_labels, 'until', ${w}.waiting_until)
    end,
    'input', ${input}, 'output', ${output}, 'error', ${error}, 'problem', ${w}.problem, 'parks', ${w}.parks,
    'failed', case
      when ${w}.failed_position is not null then (
        select json_build_object('position', j.position, 'label', j.label) from ${s}.journal as j
        where j.workflow_id = ${w}.id and j.position = ${w}.failed_position
      )
    end,
    'createdAt', ${w}.created_at, 'updatedAt', ${w}.updated_at, 'endedAt', ${w}.ended_at,
    'unread', ${w}.inbox_seq - ${w}.received, 'generation', coalesce(${w}.generation, 0),
    'rewinds', coalesce(${w}.rewinds, 0), 'recoveryAttempts', ${w}.recovery_attempts${more}
  )`;
}

/**
 * Returns an expression that tells whether a list without values contains the text. It does so up
 * to 4,096 characters.
 *
 * A character has one to four bytes. So the length in bytes decides for most texts, and is known
 * without fetching the text.
 */
export function isShort(text: string): string {
  return `case
    when octet_length(${text}) <= 4096 then true
    when octet_length(${text}) > 16384 then false
    else char_length(${text}) <= 4096
  end`;
}

/**
 * A `JournalPage` of at most so many entries and bytes. With `never_empty` it has at least one
 * entry.
 */
function journalPage({ identifier: s }: SchemaName): string {
  const entries = cut(s, {
    rows: `
          select j.position, j.label, j.seq, j.tag, j.value, j.topic from ${s}.journal as j
          where j.workflow_id = journal_page_v1.workflow_id and j.seq > journal_page_v1.after
          order by j.seq limit journal_page_v1.count + 1`,
    order: "seq",
    texts: ["value", "label", "topic"],
    bytes: "journal_page_v1.bytes",
    first: "journal_page_v1.never_empty",
  });
  return helper(`
create function ${s}.journal_page_v1(workflow_id text, after bigint, count integer, bytes bigint, never_empty boolean)
returns json
language plpgsql stable as
declare
  page json;
begin
  select json_build_object(
    'entries', coalesce(
      json_agg(
        json_build_object(
          'position', e.position, 'label', e.label, 'seq', e.seq,
          'outcome', ${s}.outcome_v1(e.tag, e.value, e.topic)
        )
        order by e.seq
      ) filter (where e.fits and e.place <= journal_page_v1.count),
      '[]'
    ),
    'more', coalesce(bool_or(not e.fits or e.place > journal_page_v1.count), false)
  ) into page
  from ${entries} as e;
  return page;
end;
`);
}

/** The open entries of a workflow, by position. */
function openEntries({ identifier: s }: SchemaName): string {
  return helper(`
create function ${s}.open_entries_v1(workflow_id text, now bigint) returns json
language sql stable as
select coalesce(json_agg(json_build_object(
  'position', j.position, 'label', j.label, 'attempts', coalesce(j.attempts, 0),
  'remainingMs', ${s}.remaining_v1(j.deadline, now)
) order by j.position), '[]')
from ${s}.journal as j where j.workflow_id = open_entries_v1.workflow_id and j.seq is null
`);
}
