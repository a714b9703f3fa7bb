/**
 * Reads. They are `stable`, so every query in such a function sees the snapshot of the statement
 * that calls it. All parts of an answer therefore belong together.
 *
 * @module
 */

import type { SchemaName } from "../schema_name.ts";
import { cut, MAX_PAGE_BYTES } from "../sizes.ts";
import { entryPoint, type SqlPart } from "../sql_function.ts";
import { recordOf } from "../values.ts";
import { listSql } from "./list_workflows.ts";
import { partsSql } from "./parts.ts";

/** The reads of the contract. */
export const readSql: readonly SqlPart[] = [
  readWorkflow,
  readJournal,
  ...listSql,
  ...partsSql,
  readEvent,
  readStream,
];

/** `Driver.readWorkflow`: a workflow as it is, with the store's time, or null. */
function readWorkflow({ identifier: s }: SchemaName): string {
  const record = recordOf(s, "w", ["w.input", "w.output", "w.error"], `, 'now', ${s}.now_ms()`);
  return entryPoint(`
create function ${s}.read_workflow_v1(request jsonb) returns json
language plpgsql stable as
declare
  answer json;
begin
  select ${record} into answer from ${s}.workflows as w where w.id = request->>'workflowId';
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

/** `Driver.readEvent`: an event, the status of its workflow, and the store's time. */
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
    'status', (select w.status from ${s}.workflows as w where w.id = request->>'workflowId'),
    'now', ${s}.now_ms()
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
