/**
 * Creating workflows.
 *
 * @module
 */

import { listening, MIN_UNHINTED_MS } from "./push.ts";
import type { SchemaName } from "./schema_name.ts";
import { entryPoint, helper, type SqlPart } from "./sql_function.ts";
import { MAX_INSTANT } from "./values.ts";

/** `Driver.create`, and the insert that it shares with the start of a child. */
export const createSql: readonly SqlPart[] = [insertWorkflow, createWorkflows];

/**
 * `Driver.create`, for any number of workflows: inserts each, with a lease or a due time if asked.
 *
 * It is atomic because one insert decides about each workflow, and the answer reads the row that
 * this insert wrote or found. The driver sends the workflows by ID, so that two calls do not wait
 * for each other's inserts.
 */
function createWorkflows(schema: SchemaName): string {
  const { identifier: s } = schema;
  return entryPoint(`
create function ${s}.create_v1(requests jsonb) returns json
language plpgsql volatile as
declare
  request jsonb;
  leased boolean;
  fresh boolean;
  due_in bigint;
  answer json;
  answers json[] := '{}';
  targets text[] := '{}';
begin
  perform ${s}.check_isolation_v1();
  for turn in 0 .. jsonb_array_length(requests) - 1 loop
    request := requests->turn;
    leased := request->>'leaseMs' is not null;
    answer := null;
    -- Runs once, unless a purge removes the workflow that had the ID.
    while answer is null loop
      fresh := ${s}.insert_workflow_v1(
        request, case when leased then 'PENDING' else 'ENQUEUED' end, request->>'owner', request->>'leaseMs', null
      );
      -- A repeat finds its own owner, at the epoch with which the workflow was created.
      select json_build_object(
        'created', fresh or (w.owner is not distinct from request->>'owner' and w.epoch = leased::integer),
        'name', w.name, 'epoch', w.epoch, 'createdAt', w.created_at, 'now', ${s}.now_ms()
      ), w.due_at - w.created_at into answer, due_in
      from ${s}.workflows as w where w.id = request->>'workflowId';
    end loop;
    answers := array_append(answers, answer);
    if fresh then
      targets := targets || array[
        'status:' || (request->>'workflowId'), case when not leased and due_in < ${MIN_UNHINTED_MS} then 'due' end
      ];
    end if;
  end loop;
  if cardinality(targets) > 0
    and ${listening(schema)}
  then
    perform ${s}.hint_v1(targets);
  end if;
  return to_json(answers);
end;
`);
}

/**
 * Inserts a workflow unless its ID exists, and returns whether it did. A workflow with a parent is
 * kept until its parent has ended. A workflow that is due later is suspended until then, and waits
 * for nothing else.
 *
 * It is atomic because the primary key decides between two inserts at the same time. The second one
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
  due constant jsonb := workflow->'due';
  due_later constant bigint := coalesce(
    ${s}.after_v1(now, due->>'inMs'),
    case when due->>'at' is not null then least(ceil((due->>'at')::numeric), ${MAX_INSTANT})::bigint end
  );
begin
  insert into ${s}.workflows (
    id, name, status, phase, epoch, owner,
    due_at, lease_until, lease_ms, created_at, updated_at, input, parent, kept
  )
  values (
    workflow->>'workflowId', workflow->>'name', status,
    case when lease_end is not null then 'running' when due_later is not null then 'suspended' else 'ready' end,
    (lease_end is not null)::integer, owner,
    coalesce(lease_end, due_later, now), lease_end, lease_end - now, now, now,
    workflow->>'input', parent, parent is not null
  )
  on conflict (id) do nothing;
  return found;
end;
`);
}
