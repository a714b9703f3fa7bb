import { entryPoint, type SchemaName } from "./names.ts";
import { listening, notify } from "./push.ts";

/**
 * `Driver.commit`: lock, look at the fence, apply the operations in order, make the transition. All locks are taken before
 * the first look, and a statement in here sees what was committed before it began; so whatever the fence found stays so
 * until the end.
 *
 * What operations write in number (journal entries, stream values) is gathered and written by one statement each at the end: 100 stream
 * writes cost a few statements, not hundreds.
 */
export function commit(schema: SchemaName): string {
  const { identifier: s } = schema;
  return entryPoint(
    `${s}.commit_v1(request jsonb) returns json`,
    "volatile",
    declarations(s) + beginning(s) + applying(s) + ending(schema),
  );
}

function declarations(s: string): string {
  return `
declare
  own constant text := request->>'workflowId';
  number constant bigint := (request->>'number')::bigint;
  operations constant jsonb := request->'operations';
  goal text := request->'transition'->>'to';
  w ${s}.workflows;
  now bigint;
  lease_end bigint;
  recorded jsonb;
  -- The rows that this call locked or inserted, beside its own; who waits for what it sets; what it waits for.
  locked text[];
  waiters text[];
  observed bigint[];
  woken text[] := '{}';
  -- What changed, for those that watch
  targets text[] := '{}';
  published boolean := false;
  results json[] := '{}';
  -- Operation by operation
  op jsonb;
  kind text;
  entry jsonb;
  tag text;
  value text;
  topic text;
  deadline bigint;
  until bigint;
  settled boolean := false;
  is_woken boolean;
  is_new boolean;
  -- Journal entries to write
  seq bigint;
  positions integer[] := '{}';
  labels text[] := '{}';
  seqs bigint[] := '{}';
  deadlines bigint[] := '{}';
  tags text[] := '{}';
  entry_values text[] := '{}';
  topics text[] := '{}';
  -- Streams that are touched, and values to append
  stream integer;
  tail bigint;
  closed boolean;
  stream_keys text[] := '{}';
  stream_tails bigint[] := '{}';
  stream_closed boolean[] := '{}';
  value_keys text[] := '{}';
  value_offsets bigint[] := '{}';
  value_texts text[] := '{}';
`;
}

/** Locks, the fence, and what is recorded already. */
function beginning(s: string): string {
  return `
begin
  select l.waiters, l.locked, l.observed into waiters, locked, observed from ${s}.commit_locks_v1(request) as l;
  select * into w from ${s}.workflows as mine where mine.id = own and (locked is null or own = any (locked)) for update;
  if not found or w.epoch <> (request->>'epoch')::bigint or w.owner is distinct from request->>'owner' then
    return json_build_object('state', 'lost');
  end if;
  if number <= w.last_commit then
    return ${s}.commit_again_v1(request, w);
  end if;
  if w.status = 'CANCELLED' then
    return json_build_object('state', 'cancelled');
  end if;
  if w.phase <> 'running' then
    return json_build_object('state', 'lost');
  end if;
  now := ${s}.now_ms();
  lease_end := ${s}.after_v1(now, request->>'leaseMs');
  seq := w.journal_seq;
  recorded := ${s}.recorded_v1(own, operations);
`;
}

/** Each operation sets tag, value and topic, or leaves tag null: it has to wait. */
function applying(s: string): string {
  return `
  for i in 0 .. jsonb_array_length(operations) - 1 loop
    op := operations->i;
    kind := op->>'type';
    entry := recorded->(op->>'position');
    tag := null;
    value := null;
    topic := null;
    deadline := null;
    if entry->>'seq' is not null then
      settled := true;
      results := array_append(results, json_build_object('outcome', ${s}.outcome_v1(entry->>'tag', entry->>'value', entry->>'topic')));
      continue;
    end if;
    if op->>'position' is null and kind not in ('send', 'setEvent', 'writeStream') then
      raise exception 'an operation of the type % must have a position', kind using errcode = 'invalid_parameter_value';
    end if;

    if kind = 'record' then
      tag := op->'outcome'->>'tag';
      value := op->'outcome'->>'value';
      topic := op->'outcome'->>'topic';
    elsif kind in ('writeStream', 'closeStream') then
      stream := array_position(stream_keys, op->>'key');
      if stream is null then
        stream_keys := array_append(stream_keys, op->>'key');
        stream := cardinality(stream_keys);
        select t.tail, t.closed into tail, closed from ${s}.streams as t where t.workflow_id = own and t.key = op->>'key';
        stream_tails[stream] := coalesce(tail, 0);
        stream_closed[stream] := coalesce(closed, false);
      end if;
      if stream_closed[stream] then
        tag := 'stream_closed';
      else
        tag := 'done';
        published := true;
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
      published := true;
      insert into ${s}.events as e (workflow_id, key, version, value) values (own, op->>'key', 1, op->>'value')
      on conflict (workflow_id, key) do update set version = e.version + 1, value = excluded.value;
    elsif kind = 'send' then
      if op->'message'->>'destinationId' = own or op->'message'->>'destinationId' = any (locked) then
        select d.tag, d.value, d.woken, d.fresh into tag, value, is_woken, is_new from ${s}.deliver_v1(op->'message', now) as d;
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
      tag := ${s}.start_v1(op->'workflow');
      if tag <> 'workflow_conflict' then
        value := op->'workflow'->>'workflowId';
      end if;
      if tag = 'started' then
        tag := 'done';
        woken := array_append(woken, op->'workflow'->>'workflowId');
        targets := array_append(targets, 'outbox:' || (op->'workflow'->>'workflowId'));
        locked := array_append(locked, op->'workflow'->>'workflowId');
      end if;
    else
      if kind = 'receive' then
        select t.value, t.topic into value, topic
        from ${s}.take_message_v1(own, array(select jsonb_array_elements_text(op->'topics'))) as t;
        tag := case when topic is not null then 'message' end;
      elsif kind <> 'sleep' then
        select l.tag, l.value into tag, value from ${s}.look_v1(op) as l;
      end if;
      deadline := case when entry is null then ${s}.after_v1(now, op->>'timeoutMs') else (entry->>'deadline')::bigint end;
      if tag is null and deadline <= now then
        tag := case kind when 'sleep' then 'done' else 'timeout' end;
      end if;
    end if;

    if tag is null then
      until := least(until, deadline);
      results := array_append(results, json_build_object('remainingMs', ${s}.remaining_v1(deadline, now)));
    else
      settled := true;
      results := array_append(results, json_build_object('outcome', ${s}.outcome_v1(tag, value, topic)));
    end if;
    if op->>'position' is not null and (tag is not null or entry is null) then
      seq := seq + (tag is not null)::integer;
      positions := array_append(positions, (op->>'position')::integer);
      labels := array_append(labels, op->>'label');
      seqs := array_append(seqs, case when tag is not null then seq end);
      deadlines := array_append(deadlines, deadline);
      tags := array_append(tags, tag);
      entry_values := array_append(entry_values, value);
      topics := array_append(topics, topic);
    end if;
  end loop;
`;
}

/** Writes what was gathered, wakes, and makes the transition or renews the lease. */
function ending(schema: SchemaName): string {
  const { identifier: s } = schema;
  return `
  if cardinality(positions) > 0 then
    insert into ${s}.journal (workflow_id, position, label, seq, deadline, tag, value, topic)
    select own, e.* from unnest(positions, labels, seqs, deadlines, tags, entry_values, topics) as e
    on conflict (workflow_id, position) do update
    set seq = excluded.seq, tag = excluded.tag, value = excluded.value, topic = excluded.topic;
  end if;
  if cardinality(stream_keys) > 0 then
    insert into ${s}.streams as t (workflow_id, key, tail, closed)
    select own, c.* from unnest(stream_keys, stream_tails, stream_closed) as c
    on conflict (workflow_id, key) do update set tail = excluded.tail, closed = excluded.closed
    where t.tail <> excluded.tail or t.closed <> excluded.closed;
    insert into ${s}.stream_values (workflow_id, key, stream_offset, value)
    select own, v.* from unnest(value_keys, value_offsets, value_texts) as v;
  end if;
  if cardinality(waiters) > 0 then
    woken := woken || ${s}.wake_v1(waiters, now);
  end if;

  w.last_commit := number;
  w.journal_seq := seq;
  if cardinality(positions) > 0 then
    w.recovery_attempts := 0;
  end if;
  if goal = 'suspend' and settled then
    goal := null;
  end if;
  if goal is null then
    update ${s}.workflows as held set
      last_commit = w.last_commit, journal_seq = w.journal_seq, recovery_attempts = w.recovery_attempts, updated_at = now,
      lease_until = lease_end,
      due_at = case when held.due_at < now + (lease_end - now) * 2 / 3 then lease_end else least(held.due_at, lease_end) end
    where held.id = own;
  else
    if goal = 'suspend' then
      w.phase := 'suspended';
      w.due_at := until;
      w.waiting_until := until;
      w.waiting_topics := array(
        select distinct jsonb_array_elements_text(o->'topics') from jsonb_array_elements(operations) as o where o->>'type' = 'receive'
      );
      w.waiting_labels := array(select o->>'label' from jsonb_array_elements(operations) as o order by (o->>'position')::integer);
      insert into ${s}.waiters (slot, waiter_id) select o.slot, own from unnest(observed) as o (slot) on conflict do nothing;
    elsif goal = 'yield' then
      w.phase := 'ready';
      w.due_at := now;
    else
      w.phase := 'ended';
      w.due_at := null;
      w.status := request->'transition'->>'status';
      w.output := request->'transition'->>'output';
      w.error := request->'transition'->>'error';
      w.ended_at := now;
    end if;
    update ${s}.workflows as let_go set
      last_commit = w.last_commit, journal_seq = w.journal_seq, recovery_attempts = w.recovery_attempts, updated_at = now,
      lease_until = null, released = true, phase = w.phase, due_at = w.due_at, status = w.status,
      waiting_topics = w.waiting_topics, waiting_labels = w.waiting_labels, waiting_until = w.waiting_until,
      output = w.output, error = w.error, ended_at = w.ended_at
    where let_go.id = own;
  end if;
  if published or goal = 'end' then
    targets := array_append(targets, 'outbox:' || own);
  end if;
  if cardinality(woken) > 0 or goal = 'yield' then
    targets := array_append(targets, 'due');
  end if;
  if cardinality(targets) > 0 and ${listening(schema)} then
    ${notify(schema, "targets")};
  end if;
  return json_build_object(
    'state', case when goal is null then 'held' else 'released' end,
    'results', to_json(results), 'woken', to_json(woken), 'now', now
  );
end;
`;
}
