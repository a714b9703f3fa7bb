import { helper, type SchemaName } from "./names.ts";
import { cut } from "./sizes.ts";

/** How the shapes of the driver contract are made from columns. */
export function values({ identifier: s }: SchemaName): string {
  return after(s) + remaining(s) + outcome(s) + record(s) + journalPage(s) + openEntries(s);
}

/** An instant so many milliseconds after another; `null` stays `null`. As far away as a JavaScript date can be at most. */
function after(s: string): string {
  return helper(
    `${s}.after_v1(now bigint, ms text) returns bigint`,
    "sql",
    "immutable",
    `select case when ms is not null then now + least(ceil(ms::numeric), 8640000000000000 - now)::bigint end`,
  );
}

/** How many milliseconds are left until a deadline; `null` where there is none. */
function remaining(s: string): string {
  return helper(
    `${s}.remaining_v1(deadline bigint, now bigint) returns bigint`,
    "sql",
    "immutable",
    `select case when deadline is not null then greatest(deadline - now, 0) end`,
  );
}

/** An `Outcome`: the members that its tag has, and no others. */
function outcome(s: string): string {
  return helper(
    `${s}.outcome_v1(tag text, value text, topic text) returns json`,
    "sql",
    "stable",
    `
select case
  when topic is not null then json_build_object('tag', tag, 'value', value, 'topic', topic)
  when value is not null or tag in ('value', 'error') then json_build_object('tag', tag, 'value', value)
  else json_build_object('tag', tag)
end
`,
  );
}

/** A `WorkflowRecord`. */
function record(s: string): string {
  return helper(
    `${s}.record_v1(w ${s}.workflows) returns json`,
    "sql",
    "stable",
    `select ${recordOf("w", "w.input", "w.output", "w.error")}`,
  );
}

/**
 * A `WorkflowRecord` or a `ListedWorkflow`, an expression.
 *
 * @param w What has the columns of a workflow.
 */
export function recordOf(w: string, input: string, output: string, error: string): string {
  return `json_build_object(
    'workflowId', ${w}.id, 'name', ${w}.name, 'status', ${w}.status,
    'waiting', case
      when ${w}.waiting_labels is not null then json_build_object('operations', ${w}.waiting_labels, 'until', ${w}.waiting_until)
    end,
    'input', ${input}, 'output', ${output}, 'error', ${error}, 'problem', ${w}.problem, 'parks', ${w}.parks,
    'createdAt', ${w}.created_at, 'updatedAt', ${w}.updated_at, 'recoveryAttempts', ${w}.recovery_attempts
  )`;
}

/**
 * Whether a text is in a list that has no values: it has 4,096 characters at most, of one byte to four. The length in bytes, which is known without
 * fetching the text, tells so of most.
 */
export function isShort(text: string): string {
  return `case
    when octet_length(${text}) <= 4096 then true
    when octet_length(${text}) > 16384 then false
    else char_length(${text}) <= 4096
  end`;
}

/** A `JournalPage` of so many entries and bytes at most; of one entry at least if `never_empty`. */
function journalPage(s: string): string {
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
  return helper(
    `${s}.journal_page_v1(workflow_id text, after bigint, count integer, bytes bigint, never_empty boolean) returns json`,
    "plpgsql",
    "stable",
    `
declare
  page json;
begin
  select json_build_object(
    'entries', coalesce(
      json_agg(
        json_build_object('position', e.position, 'label', e.label, 'seq', e.seq, 'outcome', ${s}.outcome_v1(e.tag, e.value, e.topic))
        order by e.seq
      ) filter (where e.fits and e.place <= journal_page_v1.count),
      '[]'
    ),
    'more', coalesce(bool_or(not e.fits or e.place > journal_page_v1.count), false)
  ) into page
  from ${entries} as e;
  return page;
end;
`,
  );
}

/** Every open entry of a workflow, by position. */
function openEntries(s: string): string {
  return helper(
    `${s}.open_entries_v1(workflow_id text, now bigint) returns json`,
    "sql",
    "stable",
    `
select coalesce(json_agg(json_build_object(
  'position', j.position, 'label', j.label, 'attempts', j.attempts, 'remainingMs', ${s}.remaining_v1(j.deadline, now)
) order by j.position), '[]')
from ${s}.journal as j where j.workflow_id = open_entries_v1.workflow_id and j.seq is null
`,
  );
}
