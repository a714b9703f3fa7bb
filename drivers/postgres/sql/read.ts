import { STATUSES } from "../../../core/driver/statuses.ts";
import { entryPoint, type SchemaName } from "./names.ts";
import { cut, MAX_LIST_BYTES, MAX_PAGE_BYTES } from "./sizes.ts";
import { isShort, recordOf } from "./values.ts";

/**
 * Reads. They are `stable`: everything inside sees the snapshot of the statement that calls them, so the parts of an
 * answer belong together.
 */
export function read({ identifier: s }: SchemaName): string {
  return readWorkflow(s) + readJournal(s) + listWorkflows(s) + readEvent(s) + readStream(s);
}

function readWorkflow(s: string): string {
  return entryPoint(
    `${s}.read_workflow_v1(request jsonb) returns json`,
    "stable",
    `
declare
  answer json;
begin
  select ${s}.record_v1(w) into answer from ${s}.workflows as w where w.id = request->>'workflowId';
  return answer;
end;
`,
  );
}

function readJournal(s: string): string {
  return entryPoint(
    `${s}.read_journal_v1(request jsonb) returns json`,
    "stable",
    `
begin
  return ${s}.journal_page_v1(
    request->>'workflowId', (request->>'after')::bigint, (request->>'limit')::integer, ${MAX_PAGE_BYTES}, true
  );
end;
`,
  );
}

/**
 * Newest first, then by ID; the cursor is the place of the last row of a page. A page is made of one for each status, by an index in this order, so
 * that it costs the same however many others there are. An index over all statuses would be taken for a single one too, and be read to its end where
 * there is none of it: 1,400 blocks in place of 4, of 20,000 workflows. Those that are parked have indexes of their own, and one status.
 *
 * A page is cut where it gets too large, and so its last row is known only then. Rows are carried column by column: one as a whole would have its
 * values fetched.
 */
function listWorkflows(s: string): string {
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
  return entryPoint(
    `${s}.list_workflows_v1(request jsonb) returns json`,
    "stable",
    `
declare
  wanted constant text := request->>'name';
  statuses text[] := array(select distinct jsonb_array_elements_text(
    case when request->>'statuses' is not null then request->'statuses' else '${JSON.stringify(STATUSES)}' end
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
`,
  );
}

/** The IDs of a page and of one more, as an expression. */
function page(s: string, condition: string): string {
  return `array(
      select one.id from unnest(statuses) as given (status)
      cross join lateral (
        select w.id, w.created_at from ${s}.workflows as w
        where ${condition} and w.created_at <= coalesce(cursor_at, 9223372036854775807)
          and (cursor_at is null or w.created_at < cursor_at or w.id > cursor_id)
        order by w.created_at desc, w.id limit size + 1
      ) as one
      order by one.created_at desc, one.id limit size + 1
    )`;
}

function readEvent(s: string): string {
  return entryPoint(
    `${s}.read_event_v1(request jsonb) returns json`,
    "stable",
    `
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
`,
  );
}

function readStream(s: string): string {
  const values = cut(s, {
    rows: `
      select v.stream_offset, v.value from ${s}.stream_values as v
      where v.workflow_id = own and v.key = stream_key and v.stream_offset >= (request->>'from')::bigint
      order by v.stream_offset limit size`,
    order: "stream_offset",
    texts: ["value"],
    bytes: `${MAX_PAGE_BYTES}`,
  });
  return entryPoint(
    `${s}.read_stream_v1(request jsonb) returns json`,
    "stable",
    `
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
`,
  );
}
