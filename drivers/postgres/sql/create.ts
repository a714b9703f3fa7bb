/**
 * Creating workflows.
 *
 * @module
 */

import { listening } from "./push.ts";
import type { SchemaName } from "./schema_name.ts";
import { entryPoint, helper, type SqlPart } from "./sql_function.ts";

/** `Driver.create`, and the insert that it shares with the start of a child. */
export const createSql: readonly SqlPart[] = [insertWorkflow, createWorkflow];

/**
 * `Driver.create`: inserts a workflow, with a lease if asked.
 *
 * It is atomic because one insert decides, and the answer reads the row that this insert wrote or
 * found.
 */
function createWorkflow(schema: SchemaName): string {
  const { identifier: s } = schema;
  return entryPoint(`
create function ${s}.create_v1(request jsonb) returns json
language plpgsql volatile as
declare
  leased constant boolean := request->>'leaseMs' is not null;
  fresh boolean;
  answer json;
begin
  perform ${s}.check_isolation_v1();
  -- Runs once, unless a purge removes the workflow that had the ID.
  while answer is null loop
    fresh := ${s}.insert_workflow_v1(
      request, case when leased then 'PENDING' else 'ENQUEUED' end, request->>'owner', request->>'leaseMs', null
    );
    -- A repeat finds its own owner, at the epoch with which the workflow was created.
    select json_build_object(
      'created', fresh or (w.owner is not distinct from request->>'owner' and w.epoch = leased::integer),
      'name', w.name, 'epoch', w.epoch, 'createdAt', w.created_at, 'now', ${s}.now_ms()
    ) into answer
    from ${s}.workflows as w where w.id = request->>'workflowId';
  end loop;
  if fresh and ${listening(schema)} then
    perform ${s}.hint_v1(array['outbox:' || (request->>'workflowId'), case when not leased then 'due' end]);
  end if;
  return answer;
end;
`);
}

/**
 * Inserts a workflow unless its ID exists, and returns whether it did. A workflow with a parent is
 * kept until its parent has ended.
 *
 * It is atomic because the primary key decides between two inserts at the same time: the second one
 * waits until the first has committed.
 */
function insertWorkflow({ identifier: s }: SchemaName): string {
  return helper(`
create function ${s}.insert_workflow_v1(workflow jsonb, status text, owner text, lease_ms text, parent text)
returns boolean
language plpgsql volatile as
declare
  now constant bigint := ${s}.now_ms();
  lease_end constant bigint := ${s}.after_v1(now, lease_ms);
begin
  insert into ${s}.workflows (
    id, name, status, phase, epoch, owner,
    due_at, lease_until, lease_ms, created_at, updated_at, input, parent, kept
  )
  values (
    workflow->>'workflowId', workflow->>'name', status, case when lease_end is null then 'ready' else 'running' end,
    (lease_end is not null)::integer, owner,
    coalesce(lease_end, now), lease_end, lease_end - now, now, now, workflow->>'input', parent, parent is not null
  )
  on conflict (id) do nothing;
  return found;
end;
`);
}
