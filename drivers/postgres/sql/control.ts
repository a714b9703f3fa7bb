/**
 * Cancelling, resuming and purging workflows.
 *
 * @module
 */

import type { SchemaName } from "./schema_name.ts";
import { entryPoint, type SqlPart } from "./sql_function.ts";
import { listening } from "./push.ts";

/** `Driver.control` and `Driver.purge`. */
export const controlSql: readonly SqlPart[] = [cancelOrResume, purge];

/**
 * `Driver.control`: cancels or resumes a workflow.
 *
 * It is atomic because it takes all locks before it looks. It takes the same locks, in the same
 * order, as a commit that ends a workflow. These are the slot of the result, and then the rows of
 * the workflow, its waiters and its children. It needs the rows of the children because purge may
 * remove them once the workflow has ended, and not before.
 */
function cancelOrResume(schema: SchemaName): string {
  const { identifier: s } = schema;
  return entryPoint(`
create function ${s}.control_v1(request jsonb) returns json
language plpgsql volatile as
declare
  own constant text := request->>'workflowId';
  cancels constant boolean := request->>'action' = 'cancel';
  own_slot constant bigint := ${s}.result_slot_v1(own);
  now bigint;
  waiters text[] := '{}';
  children text[];
  locked text[];
  woken text[];
  w ${s}.workflows;
begin
  perform ${s}.lock_slots_v1(array[own_slot]);
  if cancels then
    waiters := array(select r.waiter_id from ${s}.waiters as r where r.slot = own_slot);
  end if;
  children := array(select c.id from ${s}.workflows as c where c.parent = own and c.kept = cancels);
  locked := array(
    select l.id from ${s}.workflows as l where l.id = any (waiters || children || own) order by l.id for update
  );
  waiters := array(select r.id from unnest(waiters) as r (id) where r.id = any (locked) and r.id <> own);
  select * into w from ${s}.workflows as mine where mine.id = own and own = any (locked);
  now := ${s}.now_ms();
  if not found then
    return json_build_object('state', 'not_found');
  end if;
  if cancels and w.phase <> 'ended' then
    update ${s}.workflows as ended set
      status = 'CANCELLED', phase = 'ended', due_at = null, lease_until = null, lease_ms = null,
      ended_at = now, updated_at = now, parks = 0, problem = null,
      waiting_topics = null, waiting_labels = null, waiting_until = null
    where ended.id = own;
    delete from ${s}.waiters as r where r.waiter_id = own;
    update ${s}.workflows as child set kept = false where child.id = any (locked) and child.parent = own;
    woken := ${s}.wake_v1(waiters, now);
    if ${listening(schema)} then
      perform ${s}.hint_v1(array['inbox:' || own, 'status:' || own, case when cardinality(woken) > 0 then 'due' end]);
    end if;
    return json_build_object('state', 'done', 'woken', to_json(woken));
  end if;
  if cancels and w.status = 'CANCELLED' then
    -- A repeat names the workflows that the first call made due and nobody has claimed yet.
    return json_build_object(
      'state', 'done',
      'woken', to_json(array(select d.id from ${s}.workflows as d where d.id = any (waiters) and d.phase = 'ready'))
    );
  end if;
  if not cancels and w.status in ('CANCELLED', 'MAX_RECOVERY_ATTEMPTS_EXCEEDED') then
    -- With the next epoch, calls of an earlier run that are still under way are refused.
    update ${s}.workflows as resumed set
      status = 'PENDING', phase = 'ready', epoch = resumed.epoch + 1, owner = null, last_commit = 0, released = false,
      due_at = now, recovery_attempts = 0, output = null, error = null, ended_at = null, updated_at = now
    where resumed.id = own;
    update ${s}.workflows as child set kept = true where child.id = any (locked) and child.parent = own;
    if ${listening(schema)} then
      perform ${s}.hint_v1(array['inbox:' || own, 'status:' || own, 'due']);
    end if;
    return json_build_object('state', 'done', 'woken', json_build_array(own));
  end if;
  if not cancels and w.phase <> 'ended' then
    -- A parked workflow becomes due at once. If the clock has gone back, a due one gets a new
    -- place, and a lease ends its length from now.
    if w.phase = 'parked' or (w.phase = 'ready' and w.due_at > now) then
      update ${s}.workflows as due set phase = 'ready', due_at = least(due.due_at, now), parks = 0 where due.id = own;
      if w.phase = 'parked'
        and ${listening(schema)}
      then
        perform ${s}.hint_v1(array['inbox:' || own, 'due']);
      end if;
      w.phase := 'ready';
    elsif w.phase = 'running' and w.lease_until - w.lease_ms > now then
      update ${s}.workflows as held set due_at = now + w.lease_ms, lease_until = now + w.lease_ms where held.id = own;
      w.lease_until := now + w.lease_ms;
    end if;
    -- A repeat names it as the first call did, until it is claimed.
    return json_build_object('state', 'done', 'woken', to_json(array(
      select own where w.status = 'PENDING'
        and (w.phase = 'ready' or (w.due_at <= now and (w.lease_until is null or w.lease_until <= now)))
    )));
  end if;
  return json_build_object('state', 'ended', 'status', w.status);
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
 * holds locks. It then takes the next rows that are free.
 *
 * The index that it reads lacks children that are kept for their parents. So a purge costs the
 * same, however many of these there are.
 */
function purge(schema: SchemaName): string {
  const { identifier: s } = schema;
  return entryPoint(`
create function ${s}.purge_v1(request jsonb) returns json
language plpgsql volatile as
declare
  before constant bigint := ${s}.now_ms() - (request->>'olderThanMs')::numeric::bigint;
  size constant integer := (request->>'limit')::integer;
  oldest constant text[] := array(
    select w.id from ${s}.workflows as w where w.ended_at <= before and not w.kept order by w.ended_at limit size
  );
  ids text[];
begin
  ids := array(
    select w.id from ${s}.workflows as w
    where w.id = any (oldest) and w.ended_at <= before and not w.kept
    order by w.id for update
  );
  if cardinality(oldest) > 0 and cardinality(ids) = 0 then
    ids := array(
      select w.id from ${s}.workflows as w
      where w.ended_at <= before and not w.kept
      order by w.ended_at limit size for update skip locked
    );
  end if;
  delete from ${s}.journal as r where r.workflow_id = any (ids);
  delete from ${s}.messages as r where r.workflow_id = any (ids);
  delete from ${s}.inbox_heads as r where r.workflow_id = any (ids);
  delete from ${s}.events as r where r.workflow_id = any (ids);
  delete from ${s}.streams as r where r.workflow_id = any (ids);
  delete from ${s}.stream_values as r where r.workflow_id = any (ids);
  delete from ${s}.workflows as r where r.id = any (ids);
  if cardinality(ids) > 0
    and ${listening(schema)}
  then
    perform ${s}.hint_v1(array(select 'status:' || purged.id from unnest(ids) as purged (id)));
  end if;
  return json_build_object('purged', cardinality(ids));
end;
`);
}
