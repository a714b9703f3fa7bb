/**
 * What a commit calls for an operation.
 *
 * @module
 */

import type { SchemaName } from "../schema_name.ts";
import { helper } from "../sql_function.ts";

/**
 * Returns the journal entries of the operations' positions, by position. It returns null if there
 * are none, as in most commits.
 *
 * Each entry is looked up by itself. With `position = any (positions)` Postgres planned to read the
 * whole journal, since most journals are short. For a workflow with 20,000 entries, that took 250
 * blocks for each commit.
 */
export function recordedEntries({ identifier: s }: SchemaName): string {
  return helper(`
create function ${s}.recorded_entries_v1(own text, operations jsonb) returns jsonb
language plpgsql volatile as
declare
  positions integer[] := '{}';
  answer jsonb;
begin
  for i in 0 .. jsonb_array_length(operations) - 1 loop
    positions := array_append(positions, (operations->i->>'position')::integer);
  end loop;
  select jsonb_object_agg(
    j.position, jsonb_build_object(
      'seq', j.seq, 'beganAt', j.began_at, 'deadline', j.deadline, 'attempts', coalesce(j.attempts, 0),
      'tag', j.tag, 'value', j.value, 'topic', j.topic
    )
  ) into answer
  from unnest(positions) as given (position)
  cross join lateral (
    select j.* from ${s}.journal as j where j.workflow_id = own and j.position = given.position limit 1
  ) as j;
  return answer;
end;
`);
}

/**
 * Returns an event or the result of a workflow, if it is there. With `latest`, only what came no
 * later than that counts.
 *
 * It is one statement, because the event may come and the workflow may end between two statements.
 * The result of a child counts only if the commit holds the child's row, or if the child needs no
 * mark. The commit marks the result as recorded in that row.
 */
export function observe({ identifier: s }: SchemaName): string {
  return helper(`
create function ${s}.observe_v1(op jsonb, own text, locked text[], latest bigint, out tag text, out value text)
language plpgsql volatile as
declare
  started constant boolean := op->>'started';
begin
  if op->>'type' = 'observeEvent' then
    select
      case
        when e.key is not null then case when latest is null or e.set_at <= latest then 'value' end
        when w.id is null then case when started then 'workflow_not_found' end
        when w.phase = 'ended' and (latest is null or w.ended_at <= latest) then 'workflow_ended'
      end,
      case when e.key is not null then e.value when w.phase = 'ended' then w.status end
    into tag, value
    from (select) as nothing
    left join ${s}.events as e on e.workflow_id = op->>'workflowId' and e.key = op->>'key'
    left join ${s}.workflows as w on w.id = op->>'workflowId';
  else
    select
      case
        when w.id is null then case when started then 'workflow_not_found' end
        when w.phase <> 'ended' or w.ended_at > latest then null
        when started and w.kept and w.parent = own and not coalesce(w.id = any (locked), false) then null
        when w.status = 'SUCCESS' then 'value'
        when w.status = 'CANCELLED' then 'cancelled'
        else 'error'
      end,
      case w.status when 'SUCCESS' then w.output else w.error end
    into tag, value
    from (select) as nothing left join ${s}.workflows as w on w.id = op->>'workflowId';
  end if;
  if tag is null then
    value := null;
  end if;
end;
`);
}

/**
 * Starts a child, and returns `started`. If the workflow exists, it returns `done`, or
 * `workflow_conflict` for another name.
 *
 * It is atomic because the insert decides. The caller also holds the child's start slot, so no
 * other commit starts the same child meanwhile.
 */
export function startChild({ identifier: s }: SchemaName): string {
  return helper(`
create function ${s}.start_v1(workflow jsonb, parent text) returns text
language plpgsql volatile as
declare
  existing text;
begin
  -- Runs once, unless a purge removes the workflow that had the ID.
  while existing is null loop
    if ${s}.insert_workflow_v1(workflow, 'PENDING', null, null, parent) then
      return 'started';
    end if;
    select w.name into existing from ${s}.workflows as w where w.id = workflow->>'workflowId';
  end loop;
  return case when existing = workflow->>'name' then 'done' else 'workflow_conflict' end;
end;
`);
}
