/**
 * Cancelling workflows.
 *
 * @module
 */

import { listening } from "../push.ts";
import type { SchemaName } from "../schema_name.ts";
import { helper, type SqlPart } from "../sql_function.ts";

/** What cancels a workflow, alone or with its children. */
export const cancelSql: readonly SqlPart[] = [family, lockFamily, cancel];

/** The error that gives up the locks of a family that has grown. Nothing outside sees it. */
const GROWN = "PF001";

/**
 * Returns a workflow and those that it has started, those that these have started, and so on.
 *
 * A workflow may have the ID of one that was purged, so it may be below its own child. The union
 * finds each once.
 */
function family({ identifier: s }: SchemaName): string {
  return helper(`
create function ${s}.family_v1(own text) returns setof text
language plpgsql volatile as
begin
  return query
  with recursive members as (
    select own collate "C" as id
    union
    select c.id from members as m
    cross join lateral (select w.id from ${s}.workflows as w where w.parent = m.id offset 0) as c
  )
  select m.id from members as m;
end;
`);
}

/**
 * Locks the slots of the results of a workflow and of its family, and returns those that have not
 * ended, and the workflow itself.
 *
 * A workflow that starts a child holds the slot of its own result. So the family does not grow once
 * its slots are locked. If it has grown before, this gives up its locks and begins again, because
 * locking another slot later would be out of order.
 */
function lockFamily({ identifier: s }: SchemaName): string {
  const read = `array(
      select f.id from ${s}.family_v1(own) as f (id)
      where f.id = own or (select w.phase from ${s}.workflows as w where w.id = f.id) <> 'ended'
    )`;
  return helper(`
create function ${s}.lock_family_v1(own text) returns text[]
language plpgsql volatile as
declare
  members text[] := ${read};
  grown text[];
begin
  loop
    begin
      perform ${s}.lock_slots_v1(array(select ${s}.result_slot_v1(m.id) from unnest(members) as m (id)));
      grown := ${read};
      if exists (select g.id from unnest(grown) as g (id) except select m.id from unnest(members) as m (id)) then
        raise exception 'the family has grown' using errcode = '${GROWN}';
      end if;
      return grown;
    exception when sqlstate '${GROWN}' then
      members := grown;
    end;
  end loop;
end;
`);
}

/**
 * Cancels a workflow, and with `with_children` those below it.
 *
 * It is atomic because it takes all locks before it looks. It takes the same locks, in the same
 * order, as a commit that ends a workflow. These are the slots of the results, and then the rows of
 * the workflows, their waiters and their children. It needs the rows of the children because purge
 * may remove them once their parent has ended, and not before.
 */
function cancel(schema: SchemaName): string {
  const { identifier: s } = schema;
  return helper(`
create function ${s}.cancel_v1(own text, with_children boolean) returns json
language plpgsql volatile as
declare
  -- The workflows to cancel, those whose results they fill, and those that wait for these
  members text[] := array[own];
  waiters text[];
  children text[];
  locked text[];
  now bigint;
  woken text[];
  w ${s}.workflows;
begin
  if with_children then
    members := ${s}.lock_family_v1(own);
  else
    perform ${s}.lock_slots_v1(array[${s}.result_slot_v1(own)]);
  end if;
  waiters := array(
    select r.waiter_id from ${s}.waiters as r
    where r.slot = any (array(select ${s}.result_slot_v1(m.id) from unnest(members) as m (id)))
  );
  children := array(select c.id from ${s}.workflows as c where c.parent = any (members) and c.kept);
  locked := array(
    select l.id from ${s}.workflows as l where l.id = any (members || waiters || children) order by l.id for update
  );
  select * into w from ${s}.workflows as mine where mine.id = own and own = any (locked);
  now := ${s}.now_ms();
  if not found then
    return json_build_object('state', 'not_found');
  end if;
  if w.phase = 'ended' and w.status <> 'CANCELLED' then
    return json_build_object('state', 'ended', 'status', w.status);
  end if;
  if with_children then
    -- A parent may have recorded the result of a child before its row was locked.
    members := array(select f.id from ${s}.family_v1(own) as f (id) where f.id = any (members));
  end if;
  members := array(
    select m.id from ${s}.workflows as m where m.id = any (members) and m.id = any (locked) and m.phase <> 'ended'
  );
  waiters := array(
    select r.id from unnest(waiters) as r (id) where r.id = any (locked) and r.id <> own and r.id <> all (members)
  );
  if cardinality(members) > 0 then
    update ${s}.workflows as ended set
      status = 'CANCELLED', phase = 'ended', due_at = null, lease_until = null, lease_ms = null,
      ended_at = now, updated_at = now, parks = 0, problem = null,
      waiting_topics = null, waiting_labels = null, waiting_until = null
    where ended.id = any (members);
    delete from ${s}.waiters as r where r.waiter_id = any (members);
    update ${s}.workflows as child set kept = false
    where child.id = any (children) and child.id = any (locked) and child.parent = any (members);
    woken := ${s}.wake_v1(waiters, now);
    if ${listening(schema)} then
      perform ${s}.hint_v1(
        array(select 'inbox:' || m.id from unnest(members) as m (id))
        || array(select 'status:' || m.id from unnest(members) as m (id))
        || case when cardinality(woken) > 0 then 'due' end
      );
    end if;
  end if;
  if w.status = 'CANCELLED' then
    -- A repeat names the workflows that the first call made due and nobody has claimed yet.
    woken := array(select d.id from ${s}.workflows as d where d.id = any (waiters) and d.phase = 'ready');
  end if;
  return json_build_object('state', 'done', 'woken', to_json(woken));
end;
`);
}
