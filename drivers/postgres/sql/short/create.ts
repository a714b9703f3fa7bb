/**
 * Starts of workflows with a lease.
 *
 * @module
 */

import { listening } from "../push.ts";
import type { SchemaName } from "../schema_name.ts";
import { entryPoint } from "../sql_function.ts";
import { hintIfHeard, HINTING, wrapped } from "./parts.ts";

/**
 * `Driver.create` of one workflow that is leased and new. The answer is the time.
 *
 * It is atomic because the primary key decides, as in `create_v1`.
 */
export function createOne(schema: SchemaName): string {
  const { identifier: s } = schema;
  return entryPoint(`
create function ${s}.create_one_v1(
  ${wrapped(HINTING.create_one_v1)}
) returns json
language plpgsql volatile as
declare
  now constant bigint := ${s}.now_ms();
  is_heard boolean;
begin
  if current_setting('transaction_isolation') = 'read committed' then
    insert into ${s}.workflows (
      id, name, status, phase, epoch, owner, due_at, lease_until, lease_ms, created_at, updated_at, input
    )
    values (
      own, workflow_name, 'PENDING', 'running', 1, run_owner, now + lease, now + lease, lease, now, now, workflow_input
    )
    on conflict on constraint workflows_pkey do nothing
    returning ${listening(schema)} into is_heard;
    if found then
      ${hintIfHeard(s, "status")}
      return to_json(now);
    end if;
  end if;
  return ${s}.create_v1(jsonb_build_array(jsonb_build_object(
    'workflowId', own, 'name', workflow_name, 'input', workflow_input, 'owner', run_owner, 'leaseMs', lease
  )))->0;
end;
`);
}

/**
 * `Driver.create` of several workflows that are leased. The answer is a list of the time for each
 * workflow that is new, and a null for each other one. Of the latter, nothing was written.
 *
 * It is atomic because the primary key decides, as in `create_v1`. The rows are inserted by ID, so
 * that two calls do not wait for each other's inserts.
 */
export function createMany(schema: SchemaName): string {
  const { identifier: s } = schema;
  return entryPoint(`
create function ${s}.create_many_v1(requests jsonb) returns json
language plpgsql volatile as
declare
  now constant bigint := ${s}.now_ms();
  created text[];
  is_heard boolean;
  answer json;
begin
  perform ${s}.check_isolation_v1();
  with given as materialized (
    select row_number() over () as nth, c.* from jsonb_to_recordset(requests) as c (
      own text, workflow_name text, workflow_input text, run_owner text, lease bigint
    )
  ), inserted as (
    insert into ${s}.workflows (
      id, name, status, phase, epoch, owner, due_at, lease_until, lease_ms, created_at, updated_at, input
    )
    select
      g.own, g.workflow_name, 'PENDING', 'running', 1, g.run_owner, now + g.lease, now + g.lease, g.lease, now, now,
      g.workflow_input
    from given as g order by g.own collate "C"
    on conflict on constraint workflows_pkey do nothing
    returning id, owner
  )
  select
    json_agg(case when i.id is not null then now end order by g.nth),
    array_agg('status:' || i.id) filter (where i.id is not null),
    ${listening(schema)}
  into answer, created, is_heard
  from given as g left join inserted as i on i.id = g.own and i.owner = g.run_owner;
  if is_heard and created is not null then
    perform ${s}.hint_v1(created);
  end if;
  return answer;
end;
`);
}
