/**
 * The locks of a commit.
 *
 * @module
 */

import type { SchemaName } from "../schema_name.ts";
import { helper } from "../sql_function.ts";

/**
 * Takes every lock that a commit needs, in the order of all locks, before the commit looks at
 * anything.
 *
 * A commit that keeps its lease looks without locking slots, because its next look finds what this
 * one misses. A commit that suspends locks the slots that it observes. Then its look sees what
 * filled a slot before, and what fills a slot later sees its row in waiters.
 *
 * The end of a workflow fills the slot of its result. It also decides that an event will not come,
 * so a commit that waits for an event locks that slot too. A commit that starts children locks the
 * slot of its own result. So the end of that workflow, after which purge may remove the children,
 * misses none of them.
 */
export function commitLocks({ identifier: s }: SchemaName): string {
  return helper(`
create function ${s}.commit_locks_v1(request jsonb, out waiters text[], out locked text[], out observed bigint[])
language plpgsql volatile as
declare
  own constant text := request->>'workflowId';
  operations constant jsonb := request->'operations';
  suspends constant boolean := request->'transition'->>'to' is not distinct from 'suspend';
  filled bigint[] := '{}';
  started bigint[] := '{}';
  children text[] := '{}';
  rows text[] := '{}';
  op jsonb;
  kind text;
begin
  observed := '{}';
  if request->'transition'->>'to' = 'end' then
    filled := array[${s}.result_slot_v1(own)];
  end if;
  for i in 0 .. jsonb_array_length(operations) - 1 loop
    op := operations->i;
    kind := op->>'type';
    if kind = 'setEvent' then
      filled := array_append(filled, ${s}.event_slot_v1(own, op->>'key'));
    elsif kind = 'send' then
      rows := array_append(rows, op->'message'->>'destinationId');
    elsif kind = 'start' then
      started := started || array[${s}.start_slot_v1(op->'workflow'->>'workflowId'), ${s}.result_slot_v1(own)];
    elsif kind in ('observeEvent', 'observeResult') then
      if suspends then
        observed := array_append(observed, ${s}.result_slot_v1(op->>'workflowId'));
      end if;
      if suspends and kind = 'observeEvent' then
        observed := array_append(observed, ${s}.event_slot_v1(op->>'workflowId', op->>'key'));
      end if;
      if kind = 'observeResult' and (op->>'started')::boolean then
        children := array_append(children, op->>'workflowId');
      end if;
    end if;
  end loop;
  if cardinality(filled) > 0 or cardinality(observed) > 0 or cardinality(started) > 0 then
    perform ${s}.lock_slots_v1(filled || observed || started);
  end if;
  if cardinality(filled) > 0 then
    select array_agg(r.waiter_id) into waiters from ${s}.waiters as r where r.slot = any (filled);
    rows := rows || waiters;
  end if;
  if request->'transition'->>'to' = 'end' then
    rows := rows || array(select c.id from ${s}.workflows as c where c.parent = own and c.kept);
  end if;
  if cardinality(children) > 0 then
    rows := rows || array(
      select c.id from ${s}.workflows as c
      where c.id = any (children) and c.parent = own and c.kept and c.phase = 'ended'
    );
  end if;
  if cardinality(rows) > 0 then
    rows := array_append(rows, own);
    select array_agg(l.id) into locked from (
      select w.id from ${s}.workflows as w where w.id = any (rows) order by w.id for update
    ) as l;
    waiters := array(select r.id from unnest(waiters) as r (id) where r.id = any (locked));
  end if;
end;
`);
}
