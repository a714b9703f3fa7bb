/**
 * Commits that were made before.
 *
 * @module
 */

import type { SchemaName } from "../schema_name.ts";
import { helper } from "../sql_function.ts";
import { defer, WAIT_TYPES } from "./defer.ts";

/**
 * Returns the answer to a commit that was made before, from the entries that the commit has
 * recorded. It writes nothing, and an open wait does not look again.
 *
 * `woken` names the workflows that this commit may have made due and nobody has claimed yet,
 * because the first answer may have been lost.
 */
export function repeatCommit({ identifier: s }: SchemaName): string {
  return helper(`
create function ${s}.repeat_commit_v1(request jsonb, w ${s}.workflows) returns json
language plpgsql volatile as
declare
  is_last constant boolean := (request->>'number')::bigint = w.last_commit;
  released constant boolean := w.released and is_last;
  operations constant jsonb := request->'operations';
  recorded constant jsonb := ${s}.recorded_entries_v1(w.id, operations);
  now constant bigint := ${s}.now_ms();
  results json[] := '{}';
  has_outcome boolean := false;
  echoed_bytes bigint;
  outcome_bytes bigint := 0;
  is_deferring boolean := false;
  op jsonb;
  kind text;
  entry jsonb;
begin
  if not released and w.status = 'CANCELLED' then
    return json_build_object('state', 'cancelled');
  end if;
  if not released and w.phase <> 'running' then
    return json_build_object('state', 'lost');
  end if;
  for i in 0 .. jsonb_array_length(operations) - 1 loop
    op := operations->i;
    kind := op->>'type';
    entry := recorded->(op->>'position');
${defer(s)}
    if op->>'position' is null then
      has_outcome := true;
      results := array_append(results, json_build_object('outcome', ${s}.step_outcome_v1(w.id, op)));
    elsif entry->>'seq' is not null then
      has_outcome := true;
      if kind in ${WAIT_TYPES} then
        outcome_bytes := outcome_bytes + ${s}.wire_bytes_v1(entry->>'value');
      end if;
      results := array_append(results, json_build_object(
        'outcome', ${s}.outcome_v1(entry->>'tag', entry->>'value', entry->>'topic')
      ));
    elsif entry is not null then
      results := array_append(results, json_build_object(
        'remainingMs', ${s}.remaining_v1((entry->>'deadline')::bigint, now)
      ));
    else
      raise exception 'the number of this commit was used before, without position %', op->>'position'
        using errcode = 'invalid_parameter_value';
    end if;
  end loop;
  return json_build_object(
    'state', case when released then 'released' else 'held' end,
    'results', to_json(results), 'woken', ${s}.still_due_workflows_v1(request), 'now', now
  );
end;
`);
}

/**
 * Returns the outcome of an operation that a step has made, which leaves no entry in the journal.
 */
export function stepOutcome({ identifier: s }: SchemaName): string {
  return helper(`
create function ${s}.step_outcome_v1(own text, op jsonb) returns json
language plpgsql volatile as
declare
  message constant jsonb := op->'message';
  answer json;
begin
  if op->>'type' <> 'send' then
    perform from ${s}.streams as t
    where op->>'type' = 'writeStream' and t.workflow_id = own and t.key = op->>'key' and t.closed;
    return ${s}.outcome_v1(case when found then 'stream_closed' else 'done' end, null, null);
  end if;
  select case
    when m.topic <> message->>'topic' then ${s}.outcome_v1('idempotency_conflict', null, null)
    when m.message_id = message->>'messageId' then ${s}.outcome_v1('sent', m.message_id, null)
    when m.message_id is not null then ${s}.outcome_v1('duplicate', m.message_id, null)
    when d.phase = 'ended' then ${s}.outcome_v1('workflow_ended', d.status, null)
  end into answer
  from ${s}.workflows as d
  left join ${s}.messages as m on m.workflow_id = d.id and m.dedupe_key = message->>'dedupeKey'
  where d.id = message->>'destinationId';
  return coalesce(answer, ${s}.outcome_v1('workflow_not_found', null, null));
end;
`);
}

/**
 * Returns the workflows that a commit made due and nobody has claimed since. It is a hint, and may
 * name one that something else made due.
 */
export function stillDueWorkflows({ identifier: s }: SchemaName): string {
  return helper(`
create function ${s}.still_due_workflows_v1(request jsonb) returns json
language plpgsql volatile as
declare
  own constant text := request->>'workflowId';
  filled bigint[] := '{}';
  touched text[] := '{}';
  answer json;
  op jsonb;
begin
  if request->'transition'->>'to' = 'end' then
    filled := array[${s}.result_slot_v1(own)];
  end if;
  for op in select jsonb_array_elements(request->'operations') loop
    if op->>'type' = 'setEvent' then
      filled := array_append(filled, ${s}.event_slot_v1(own, op->>'key'));
    elsif op->>'type' = 'send' then
      touched := touched || array(
        select w.id from ${s}.workflows as w
        where w.id = op->'message'->>'destinationId' and op->'message'->>'topic' = any (w.waiting_topics)
      );
    elsif op->>'type' = 'start' then
      touched := touched || array(
        select w.id from ${s}.workflows as w where w.id = op->'workflow'->>'workflowId' and w.epoch = 0
      );
    end if;
  end loop;
  touched := touched || array(select r.waiter_id from ${s}.waiters as r where r.slot = any (filled));
  select coalesce(json_agg(w.id), '[]') into answer
  from ${s}.workflows as w where w.id = any (touched) and w.phase = 'ready' and w.id <> own;
  return answer;
end;
`);
}
