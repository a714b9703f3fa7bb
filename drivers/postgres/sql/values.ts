import { helper, type SchemaName } from "./names.ts";

/** How the shapes of the driver contract are made from columns. */
export function values({ identifier: s }: SchemaName): string {
  return after(s) + remaining(s) + outcome(s) + record(s) + journalPage(s);
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
    `
select json_build_object(
  'workflowId', w.id, 'name', w.name, 'status', w.status,
  'waiting', case when w.waiting_labels is not null then json_build_object('operations', w.waiting_labels, 'until', w.waiting_until) end,
  'input', w.input, 'output', w.output, 'error', w.error,
  'createdAt', w.created_at, 'updatedAt', w.updated_at, 'recoveryAttempts', w.recovery_attempts
)
`,
  );
}

/**
 * A `JournalPage`. Sizes come from `octet_length`, which does not fetch a value that is stored out of line;
 * only those on the page are fetched.
 */
function journalPage(s: string): string {
  return helper(
    `${s}.journal_page_v1(workflow_id text, after bigint, count integer, bytes bigint) returns json`,
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
      ) filter (where e.fits),
      '[]'
    ),
    'more', coalesce(bool_or(not e.fits), false)
  ) into page
  from (
    select j.*,
      row_number() over recorded <= journal_page_v1.count
      and (row_number() over recorded = 1 or sum(coalesce(octet_length(j.value), 0)) over recorded <= journal_page_v1.bytes) as fits
    from (
      select j.position, j.label, j.seq, j.tag, j.value, j.topic from ${s}.journal as j
      where j.workflow_id = journal_page_v1.workflow_id and j.seq > journal_page_v1.after
      order by j.seq limit journal_page_v1.count + 1
    ) as j
    window recorded as (order by j.seq rows unbounded preceding)
  ) as e;
  return page;
end;
`,
  );
}
