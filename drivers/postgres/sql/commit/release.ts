/**
 * The end of a lease in a commit.
 *
 * @module
 */

import type { SchemaName } from "../schema_name.ts";
import { helper } from "../sql_function.ts";

/**
 * Makes the transition of a commit, which releases the lease: suspend, yield, park, end or
 * continue as new. Returns when the workflow is due.
 *
 * It is atomic because the caller, commit_v1, holds the workflow's row, the rows of its children,
 * and the slots that it waits for. So a call that fills such a slot after this commit finds the
 * rows that this function writes into waiters.
 *
 * w is the workflow with the counts of this commit; until is the earliest deadline of its open
 * waits. Continuing as new removes the journal alone. Messages that were received keep their rows for
 * their keys, and without an entry they are not listed.
 */
export function release({ identifier: s }: SchemaName): string {
  return helper(`
create function ${s}.release_v1(
  request jsonb, w ${s}.workflows, until bigint, observed bigint[], children text[], now bigint
) returns bigint
language plpgsql volatile as
declare
  operations constant jsonb := request->'operations';
  transition constant jsonb := request->'transition';
  goal constant text := transition->>'to';
  topics text[];
  labels text[];
  next_due constant bigint := case goal
    when 'suspend' then until
    when 'yield' then now
    when 'continueAsNew' then now
    when 'park' then ${s}.after_v1(now, transition->>'delayMs')
  end;
begin
  if goal = 'suspend' then
    topics := array(
      select distinct jsonb_array_elements_text(o->'topics') from jsonb_array_elements(operations) as o
      where o->>'type' = 'receive'
    );
    labels := array(select o->>'label' from jsonb_array_elements(operations) as o order by (o->>'position')::integer);
    if cardinality(observed) > 0 then
      insert into ${s}.waiters (slot, waiter_id, together)
      select o.slot, w.id, o.slot = any (array(
        select ${s}.result_slot_v1(o->>'workflowId') from jsonb_array_elements(operations) as o
        where o->>'type' in ('observeEvent', 'observeResult')
        group by o->>'workflowId'
        having bool_and(o->>'type' = 'observeResult' and (o->>'together')::boolean)
      ))
      from unnest(observed) as o (slot) on conflict do nothing;
    end if;
  elsif goal = 'end' and cardinality(children) > 0 then
    update ${s}.workflows as child set kept = false
    where child.id = any (children) and child.parent = w.id and child.kept;
  elsif goal = 'continueAsNew' then
    delete from ${s}.journal as j where j.workflow_id = w.id;
    w.generation := coalesce(w.generation, 0) + 1;
    w.journal_seq := 0;
    w.recovery_attempts := 0;
  end if;
  update ${s}.workflows as released set
    phase = case goal
      when 'suspend' then 'suspended'
      when 'yield' then 'ready'
      when 'continueAsNew' then 'ready'
      when 'park' then 'parked'
      when 'end' then 'ended'
    end,
    due_at = next_due, lease_until = null, lease_ms = null, released = true,
    waiting_topics = topics, waiting_labels = labels, waiting_until = case goal when 'suspend' then until end,
    parks = case goal when 'park' then w.parks + 1 else 0 end,
    problem = transition->>'problem',
    status = case goal when 'end' then transition->>'status' else w.status end,
    output = transition->>'output', error = transition->>'error', ended_at = case goal when 'end' then now end,
    failed_position = (transition->>'failedPosition')::integer,
    input = coalesce(transition->>'input', released.input), generation = w.generation, received = w.received,
    last_commit = w.last_commit, journal_seq = w.journal_seq, recovery_attempts = w.recovery_attempts, updated_at = now
  where released.id = w.id;
  return next_due;
end;
`);
}
