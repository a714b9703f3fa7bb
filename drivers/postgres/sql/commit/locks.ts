/**
 * The locks of a commit.
 *
 * @module
 */

import type { SchemaName } from "../schema_name.ts";
import { helper } from "../sql_function.ts";

/**
 * Takes every lock that some commits need, in the order of all locks. A commit looks at nothing
 * before.
 *
 * A commit that keeps its lease looks without locking slots, because its next look finds what this
 * look misses. A commit that suspends locks the slots that it observes. Its look then sees whatever
 * filled a slot before. A call that fills a slot later sees the row of the commit in waiters.
 *
 * The end of a workflow fills the slot of its result. It also decides that an event will not come,
 * so a commit that waits for an event locks that slot too. A commit that starts children locks the
 * slot of its own result. So the end of that workflow, after which purge may remove the children,
 * misses none of them.
 */
export function commitLocks({ identifier: s }: SchemaName): string {
  return helper(`
create function ${s}.commit_locks_v1(
  requests jsonb, out locked text[], out children text[], out is_awaited boolean
)
language plpgsql volatile as
declare
  is_alone constant boolean := jsonb_array_length(requests) = 1;
  filled bigint[] := '{}';
  observed bigint[] := '{}';
  started bigint[] := '{}';
  -- The workflows that end, and the children whose results are awaited
  ended text[] := '{}';
  awaited text[] := '{}';
  rows text[] := '{}';
  waiters text[];
  request jsonb;
  own text;
  suspends boolean;
  op jsonb;
  kind text;
begin
  for turn in 0 .. jsonb_array_length(requests) - 1 loop
    request := requests->turn;
    own := request->>'workflowId';
    suspends := request->'transition'->>'to' is not distinct from 'suspend';
    if not is_alone then
      rows := array_append(rows, own);
    end if;
    if request->'transition'->>'to' = 'end' then
      filled := array_append(filled, ${s}.result_slot_v1(own));
      ended := array_append(ended, own);
    end if;
    for i in 0 .. jsonb_array_length(request->'operations') - 1 loop
      op := request->'operations'->i;
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
          awaited := array_append(awaited, op->>'workflowId');
        end if;
      end if;
    end loop;
  end loop;
  if cardinality(filled) > 0 or cardinality(observed) > 0 or cardinality(started) > 0 then
    perform ${s}.lock_slots_v1(filled || observed || started);
  end if;
  if cardinality(filled) > 0 then
    select array_agg(r.waiter_id) into waiters from ${s}.waiters as r where r.slot = any (filled);
    rows := rows || waiters;
  end if;
  -- A commit of this call may begin to wait for what a later one sets.
  is_awaited := cardinality(waiters) > 0 or not is_alone and cardinality(observed) > 0;
  if cardinality(ended) > 0 then
    children := array(select c.id from ${s}.workflows as c where c.parent = any (ended) and c.kept);
    rows := rows || children;
  end if;
  if cardinality(awaited) > 0 then
    rows := rows || array(
      select c.id from ${s}.workflows as c
      where c.id = any (awaited) and c.kept and c.phase = 'ended'
    );
  end if;
  if cardinality(rows) > 0 then
    if is_alone then
      rows := array_append(rows, own);
    end if;
    select array_agg(l.id) into locked from (
      select w.id from ${s}.workflows as w where w.id = any (rows) order by w.id for update
    ) as l;
    children := array(select c.id from unnest(children) as c (id) where c.id = any (locked));
  end if;
end;
`);
}
