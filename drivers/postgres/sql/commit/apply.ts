/**
 * The loop of a commit over its operations.
 *
 * @module
 */

import { defer, WAIT_TYPES } from "./defer.ts";

/**
 * Returns the third part of `commit_v1`, which applies the operations under the locks of the first
 * part. Each operation sets tag, value and topic. An operation that has to wait leaves tag null.
 *
 * Once the answer is full, waits are deferred before they look. This depends only on the request
 * and on recorded entries, so a repeat of the commit defers the same waits.
 */
export function applyOperations(s: string): string {
  return `
  for i in 0 .. jsonb_array_length(operations) - 1 loop
    op := operations->i;
    kind := op->>'type';
    entry := recorded->(op->>'position');
    tag := null;
    value := null;
    topic := null;
    message_key := null;
    deadline := null;
    attempts := 0;
${defer(s)}
    if entry->>'seq' is not null then
      settled := true;
      has_outcome := true;
      if kind in ${WAIT_TYPES} then
        outcome_bytes := outcome_bytes + ${s}.wire_bytes_v1(entry->>'value');
      end if;
      results := array_append(results, json_build_object(
        'outcome', ${s}.outcome_v1(entry->>'tag', entry->>'value', entry->>'topic')
      ));
      continue;
    end if;
    if op->>'position' is null and kind not in ('send', 'setEvent', 'writeStream') then
      raise exception 'an operation of the type % must have a position', kind
        using errcode = 'invalid_parameter_value';
    end if;

    if kind = 'record' then
      tag := op->'outcome'->>'tag';
      value := op->'outcome'->>'value';
      topic := op->'outcome'->>'topic';
      attempts := coalesce((op->>'attempts')::integer, 0);
    elsif kind in ('writeStream', 'closeStream') then
      stream := array_position(stream_keys, op->>'key');
      if stream is null then
        stream_keys := array_append(stream_keys, op->>'key');
        stream := cardinality(stream_keys);
        select t.tail, t.closed into tail, closed from ${s}.streams as t
        where t.workflow_id = own and t.key = op->>'key';
        stream_tails[stream] := coalesce(tail, 0);
        stream_closed[stream] := coalesce(closed, false);
      end if;
      if stream_closed[stream] then
        tag := 'stream_closed';
      else
        tag := 'done';
        has_values := true;
        if kind = 'closeStream' then
          stream_closed[stream] := true;
        else
          value_keys := array_append(value_keys, op->>'key');
          value_offsets := array_append(value_offsets, stream_tails[stream]);
          value_texts := array_append(value_texts, op->>'value');
          stream_tails[stream] := stream_tails[stream] + 1;
        end if;
      end if;
    elsif kind = 'setEvent' then
      tag := 'done';
      has_events := true;
      if is_awaited then
        filled := array_append(filled, ${s}.event_slot_v1(own, op->>'key'));
      end if;
      insert into ${s}.events as e (workflow_id, key, set_at, version, value)
      values (own, op->>'key', now, 1, op->>'value')
      on conflict (workflow_id, key) do update set
        updated_at = excluded.set_at, version = e.version + 1, value = excluded.value;
    elsif kind = 'send' then
      if op->'message'->>'destinationId' = own or op->'message'->>'destinationId' = any (locked) then
        select d.tag, d.value, d.woken, d.fresh into tag, value, is_woken, is_new
        from ${s}.deliver_v1(op->'message', now) as d;
        if is_new then
          targets := array_append(targets, 'inbox:' || (op->'message'->>'destinationId'));
        end if;
        if is_woken then
          woken := array_append(woken, op->'message'->>'destinationId');
        end if;
      else
        tag := 'workflow_not_found';
      end if;
    elsif kind = 'start' then
      tag := ${s}.start_v1(op->'workflow', own);
      if tag <> 'workflow_conflict' then
        value := op->'workflow'->>'workflowId';
      end if;
      if tag = 'started' then
        tag := 'done';
        woken := array_append(woken, op->'workflow'->>'workflowId');
        targets := array_append(targets, 'status:' || (op->'workflow'->>'workflowId'));
        locked := array_append(locked, op->'workflow'->>'workflowId');
        children := array_append(children, op->'workflow'->>'workflowId');
      end if;
    elsif kind = 'pause' then
      -- Only a higher number begins a new pause, so a run that looks again does not begin the same
      -- pause a second time.
      is_new := coalesce((op->>'attempts')::integer > (entry->>'attempts')::integer, true);
      attempts := case when is_new then op->>'attempts' else entry->>'attempts' end;
      deadline := case
        when is_new then ${s}.after_v1(now, op->>'timeoutMs')
        else (entry->>'deadline')::bigint
      end;
      settled := settled or deadline <= now;
    else
      is_new := entry is null;
      deadline := case
        when is_new then coalesce(${s}.after_v1(now, op->>'timeoutMs'), (op->>'until')::bigint)
        else (entry->>'deadline')::bigint
      end;
      -- Once the deadline has passed, only what came before it counts. The first look takes
      -- everything that is there.
      latest := case when not is_new and deadline <= now then deadline end;
      if kind = 'receive' then
        select t.value, t.topic, t.dedupe_key into value, topic, message_key
        from ${s}.take_message_v1(own, array(select jsonb_array_elements_text(op->'topics')), latest) as t;
        if topic is not null then
          tag := 'message';
          w.received := w.received + 1;
        end if;
      elsif kind <> 'sleep' then
        if goal = 'suspend' then
          observed := array_append(observed, ${s}.result_slot_v1(op->>'workflowId'));
          if kind = 'observeEvent' then
            observed := array_append(observed, ${s}.event_slot_v1(op->>'workflowId', op->>'key'));
          end if;
        end if;
        select l.tag, l.value into tag, value from ${s}.observe_v1(op, own, locked, latest) as l;
        if tag <> 'workflow_not_found' and kind = 'observeResult' and (op->>'started')::boolean then
          finished := array_append(finished, op->>'workflowId');
        end if;
      end if;
      if tag is null and deadline <= now then
        tag := case kind when 'sleep' then 'done' else 'timeout' end;
      end if;
      if tag is not null then
        outcome_bytes := outcome_bytes + ${s}.wire_bytes_v1(value);
      end if;
    end if;

    if tag is null then
      until := least(until, deadline);
      results := array_append(results, json_build_object('remainingMs', ${s}.remaining_v1(deadline, now)));
    else
      settled := true;
      has_outcome := true;
      results := array_append(results, json_build_object('outcome', ${s}.outcome_v1(tag, value, topic)));
    end if;
    if op->>'position' is not null and (tag is not null or is_new) then
      seq := seq + (tag is not null)::integer;
      began_at := coalesce((entry->>'beganAt')::bigint, now - coalesce((op->>'ageMs')::bigint, 0));
      positions := array_append(positions, (op->>'position')::integer);
      labels := array_append(labels, op->>'label');
      seqs := array_append(seqs, case when tag is not null then seq::integer end);
      begins := array_append(begins, began_at);
      times := array_append(times, case when tag is not null then nullif(now - began_at, 0) end);
      deadlines := array_append(deadlines, case when tag is null or tag = 'timeout' then deadline end);
      tags := array_append(tags, tag);
      entry_values := array_append(entry_values, value);
      topics := array_append(topics, topic);
      message_keys := array_append(message_keys, message_key);
      all_attempts := array_append(all_attempts, nullif(attempts, 0));
    end if;
  end loop;
`;
}
