/**
 * Removing workflows.
 *
 * @module
 */

import { listening } from "../push.ts";
import type { SchemaName } from "../schema_name.ts";
import { entryPoint, helper, type SqlPart } from "../sql_function.ts";

/** `Driver.delete` and `Driver.purge`. */
export const removeSql: readonly SqlPart[] = [remove, deleteWorkflow, purge];

/**
 * Removes workflows with all that is their own, and their links from children that are left. A
 * workflow that gets one of the IDs later is not the parent of these.
 *
 * It is atomic because the caller holds the rows of the workflows and of their children.
 */
function remove(schema: SchemaName): string {
  const { identifier: s } = schema;
  return helper(`
create function ${s}.remove_v1(ids text[], children text[]) returns void
language plpgsql volatile as
begin
  delete from ${s}.journal as r where r.workflow_id = any (ids);
  delete from ${s}.messages as r where r.workflow_id = any (ids);
  delete from ${s}.inbox_heads as r where r.workflow_id = any (ids);
  delete from ${s}.events as r where r.workflow_id = any (ids);
  delete from ${s}.streams as r where r.workflow_id = any (ids);
  delete from ${s}.stream_values as r where r.workflow_id = any (ids);
  delete from ${s}.workflows as r where r.id = any (ids);
  if cardinality(children) > 0 then
    update ${s}.workflows as c set parent = null, kept = false where c.id = any (children) and c.parent = any (ids);
  end if;
  if cardinality(ids) > 0
    and ${listening(schema)}
  then
    perform ${s}.hint_v1(array(select 'status:' || removed.id from unnest(ids) as removed (id)));
  end if;
end;
`);
}

/**
 * `Driver.delete`: removes one workflow that has ended.
 *
 * It is atomic because it holds the row of the workflow, and those of its children, before it looks.
 * A workflow that has ended starts no more children.
 */
function deleteWorkflow(schema: SchemaName): string {
  const { identifier: s } = schema;
  return entryPoint(`
create function ${s}.delete_v1(request jsonb) returns json
language plpgsql volatile as
declare
  own constant text := request->>'workflowId';
  children text[];
  locked text[];
  w ${s}.workflows;
begin
  perform ${s}.lock_slots_v1(array[${s}.result_slot_v1(own)]);
  children := array(select c.id from ${s}.workflows as c where c.parent = own);
  locked := array(
    select l.id from ${s}.workflows as l where l.id = any (children || own) order by l.id for update
  );
  select * into w from ${s}.workflows as mine where mine.id = own and own = any (locked);
  if not found then
    return json_build_object('state', 'not_found');
  end if;
  if w.phase <> 'ended' then
    return json_build_object('state', 'active', 'status', w.status);
  end if;
  perform ${s}.remove_v1(array[own], array(select c.id from unnest(children) as c (id) where c.id = any (locked)));
  return json_build_object('state', 'done');
end;
`);
}

/**
 * `Driver.purge`: removes ended workflows, the oldest first.
 *
 * It is atomic because it holds their rows first. A send or a resume that is under way comes before
 * the purge. A call that waits for the purge finds no workflow.
 *
 * It waits for rows that another call holds, since the answer 0 means that no workflow is left. It
 * waits only once. If another purge has removed all of these rows meanwhile, this purge already
 * holds locks. It then takes the next rows that are free, and whose children it need not lock too.
 *
 * The index that it reads lacks children that are kept for their parents. So a purge costs the
 * same, however many of these there are.
 */
function purge({ identifier: s }: SchemaName): string {
  return entryPoint(`
create function ${s}.purge_v1(request jsonb) returns json
language plpgsql volatile as
declare
  before constant bigint := ${s}.now_ms() - (request->>'olderThanMs')::numeric::bigint;
  size constant integer := (request->>'limit')::integer;
  oldest constant text[] := array(
    select w.id from ${s}.workflows as w where w.ended_at <= before and not w.kept order by w.ended_at limit size
  );
  children text[] := array(select c.id from ${s}.workflows as c where c.parent = any (oldest));
  locked text[];
  ids text[];
begin
  locked := array(
    select w.id from ${s}.workflows as w where w.id = any (oldest || children) order by w.id for update
  );
  children := array(select c.id from ${s}.workflows as c where c.id = any (locked) and c.id = any (children));
  ids := array(
    select w.id from ${s}.workflows as w
    where w.id = any (locked) and w.id = any (oldest) and w.ended_at <= before and not w.kept
  );
  if cardinality(oldest) > 0 and cardinality(ids) = 0 then
    ids := array(
      select w.id from ${s}.workflows as w
      where w.ended_at <= before and not w.kept
        and (select true from ${s}.workflows as c where c.parent = w.id limit 1) is null
      order by w.ended_at limit size for update skip locked
    );
  end if;
  perform ${s}.remove_v1(ids, children);
  return json_build_object('purged', cardinality(ids));
end;
`);
}
