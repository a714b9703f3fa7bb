/**
 * Reads. They are `stable`, so every query in such a function sees the snapshot of the statement
 * that calls it. All parts of an answer therefore belong together.
 *
 * @module
 */

import { STATUSES } from "../../../core/driver/statuses.ts";
import type { SchemaName } from "./schema_name.ts";
import { entryPoint, type SqlPart } from "./sql_function.ts";
import { cut, MAX_LIST_BYTES, MAX_PAGE_BYTES } from "./sizes.ts";
import { isShort, recordOf } from "./values.ts";

/** The five reads of the contract. */
export const readSql: readonly SqlPart[] = [readWorkflow, readJournal, listWorkflows, readEvent, readStream];

/** `Driver.readWorkflow`: a workflow as it is, or null. */
function readWorkflow({ identifier: s }: SchemaName): string {
  return entryPoint(`
create function ${s}.read_workflow_v1(request jsonb) returns json
language plpgsql stable as
declare
  answer json;
begin
  select ${s}.record_v1(w) into answer from ${s}.workflows as w where w.id = request->>'workflowId';
  return answer;
end;
`);
}

/** `Driver.readJournal`: a page of recorded entries. */
function readJournal({ identifier: s }: SchemaName): string {
  return entryPoint(`
create function ${s}.read_journal_v1(request jsonb) returns json
language plpgsql stable as
begin
  return ${s}.journal_page_v1(
    request->>'workflowId', (request->>'after')::bigint, (request->>'limit')::integer, ${MAX_PAGE_BYTES}, true
  );
end;
`);
}

/**
 * `Driver.listWorkflows`: a page, newest first, then by ID. The cursor is the place of its last
 * row.
 *
 * The page is merged from one page per status. Each of these comes from an index by time, and has
 * all workflows of its last instant. So a page costs the same, however many other workflows there
 * are. The indexes lack the ID, which would take 40 bytes of each entry. Postgres would use an
 * index over all statuses for a single status too. It would read the index to its end if that
 * status has no workflows. For 20,000 workflows, that took 1,400 blocks instead of 4. Parked
 * workflows have indexes of their own, and one status.
 *
 * The page ends where it gets too large, so its last row is known only then. Rows are carried
 * column by column, because carrying a whole row would fetch its values.
 */
function listWorkflows({ identifier: s }: SchemaName): string {
  const rows = cut(s, {
    rows: `
          select w.*, w.waiting_labels::text as labels, case when with_values then w.input end as shown_input,
            case when with_values then w.output end as shown_output,
            case when with_values or ${isShort("w.error")} then w.error end as shown_error
          from ${s}.workflows as w where w.id = any (ids[:size])`,
    order: "created_at desc, id",
    texts: ["id", "name", "labels", "shown_input", "shown_output", "shown_error", "problem"],
    bytes: `${MAX_LIST_BYTES}`,
  });
  return entryPoint(`
create function ${s}.list_workflows_v1(request jsonb) returns json
language plpgsql stable as
declare
  wanted constant text := request->>'name';
  statuses text[] := array(select distinct jsonb_array_elements_text(
    case
      when request->>'statuses' is not null then request->'statuses'
      else '${JSON.stringify(STATUSES)}'
    end
  ));
  with_values constant boolean := request->>'values';
  size constant integer := (request->>'limit')::integer;
  cursor_at constant bigint := request->'cursor'->>0;
  cursor_id constant text := request->'cursor'->>1;
  ids text[];
  answer json;
begin
  if (request->>'problem')::boolean then
    statuses := array(select given.status from unnest(statuses) as given (status) where given.status = 'PENDING');
    if wanted is null then
      ids := ${page(s, "w.problem is not null and given.status is not null")};
    else
      ids := ${page(s, "w.name = wanted and w.problem is not null and given.status is not null")};
    end if;
  elsif wanted is null then
    ids := ${page(s, "w.status = given.status")};
  else
    ids := ${page(s, "w.name = wanted and w.status = given.status")};
  end if;
  with page as materialized (select p.* from ${rows} as p where p.fits)
  select json_build_object(
    'workflows', coalesce(json_agg(${
    recordOf("p", "p.shown_input", "p.shown_output", "p.shown_error")
  } order by p.place), '[]'),
    'cursor', case when cardinality(ids) > count(*) then (
      select json_build_array(last.created_at, last.id) from page as last order by last.place desc limit 1
    ) end
  ) into answer from page as p;
  return answer;
end;
`);
}

/** Returns an expression for the IDs of a page and one more. */
function page(s: string, condition: string): string {
  return `array(
      select one.id from unnest(statuses) as given (status)
      cross join lateral (
        select w.id, w.created_at from ${s}.workflows as w
        where ${condition}
          and w.created_at <= coalesce(cursor_at, 9223372036854775807)
          and (cursor_at is null or w.created_at < cursor_at or w.id > cursor_id)
        order by w.created_at desc fetch first (size + 1) rows with ties
      ) as one
      order by one.created_at desc, one.id limit size + 1
    )`;
}

/** `Driver.readEvent`: an event, and the status of its workflow. */
function readEvent({ identifier: s }: SchemaName): string {
  return entryPoint(`
create function ${s}.read_event_v1(request jsonb) returns json
language plpgsql stable as
declare
  answer json;
begin
  select json_build_object(
    'event', (
      select json_build_object('version', e.version, 'value', e.value) from ${s}.events as e
      where e.workflow_id = request->>'workflowId' and e.key = request->>'key'
    ),
    'status', (select w.status from ${s}.workflows as w where w.id = request->>'workflowId')
  ) into answer;
  return answer;
end;
`);
}

/** `Driver.readStream`: a page of values, the end of the stream, and the status of its workflow. */
function readStream({ identifier: s }: SchemaName): string {
  const values = cut(s, {
    rows: `
          select v.stream_offset, v.value from ${s}.stream_values as v
          where v.workflow_id = own and v.key = stream_key and v.stream_offset >= (request->>'from')::bigint
          order by v.stream_offset limit size`,
    order: "stream_offset",
    texts: ["value"],
    bytes: `${MAX_PAGE_BYTES}`,
  });
  return entryPoint(`
create function ${s}.read_stream_v1(request jsonb) returns json
language plpgsql stable as
declare
  own constant text := request->>'workflowId';
  stream_key constant text := request->>'key';
  size constant integer := (request->>'limit')::integer;
  answer json;
begin
  select json_build_object(
    'values', (select coalesce(json_agg(v.value order by v.place) filter (where v.fits), '[]') from ${values} as v),
    'tail', coalesce(t.tail, 0), 'closed', coalesce(t.closed, false), 'status', w.status
  ) into answer
  from (select) as nothing
  left join ${s}.streams as t on t.workflow_id = own and t.key = stream_key
  left join ${s}.workflows as w on w.id = own;
  return answer;
end;
`);
}
