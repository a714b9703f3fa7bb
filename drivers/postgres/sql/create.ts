import { entryPoint, helper, type SchemaName } from "./names.ts";
import { listening, notify } from "./push.ts";

/** Inserting workflows. */
export function create(schema: SchemaName): string {
  const { identifier: s } = schema;
  return insertWorkflow(s) + entryPoint(
    `${s}.create_v1(request jsonb) returns json`,
    "volatile",
    `
declare
  leased constant boolean := request->>'leaseMs' is not null;
  fresh boolean;
  answer json;
begin
  perform ${s}.check_isolation_v1();
  -- Once, except where a purge takes away the workflow that was in the way.
  while answer is null loop
    fresh := ${s}.insert_workflow_v1(
      request, case when leased then 'PENDING' else 'ENQUEUED' end, request->>'owner', request->>'leaseMs', null
    );
    -- A repeat finds its own owner, at the epoch it was created with.
    select json_build_object(
      'created', fresh or (w.owner is not distinct from request->>'owner' and w.epoch = leased::integer),
      'name', w.name, 'epoch', w.epoch, 'createdAt', w.created_at, 'now', ${s}.now_ms()
    ) into answer
    from ${s}.workflows as w where w.id = request->>'workflowId';
  end loop;
  if fresh and ${listening(schema)} then
    ${notify(schema, "array['outbox:' || (request->>'workflowId'), case when not leased then 'due' end]")};
  end if;
  return answer;
end;
`,
  );
}

/**
 * Inserts a workflow unless its ID exists, and says whether it did. The primary key decides between two that insert at
 * once: the second waits until the first has committed. A workflow with a parent is kept until that has ended.
 */
function insertWorkflow(s: string): string {
  return helper(
    `${s}.insert_workflow_v1(workflow jsonb, status text, owner text, lease_ms text, parent text) returns boolean`,
    "plpgsql",
    "volatile",
    `
declare
  now constant bigint := ${s}.now_ms();
  lease_end constant bigint := ${s}.after_v1(now, lease_ms);
begin
  insert into ${s}.workflows (id, name, status, phase, epoch, owner, due_at, lease_until, lease_ms, created_at, updated_at, input, parent, kept)
  values (
    workflow->>'workflowId', workflow->>'name', status, case when lease_end is null then 'ready' else 'running' end,
    (lease_end is not null)::integer, owner, coalesce(lease_end, now), lease_end, lease_end - now, now, now, workflow->>'input',
    parent, parent is not null
  )
  on conflict (id) do nothing;
  return found;
end;
`,
  );
}
