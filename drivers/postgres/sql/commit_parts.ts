import { helper, type SchemaName } from "./names.ts";

/** What `commit_v1` is made of. */
export function commitParts({ identifier: s }: SchemaName): string {
  return locks(s) + recorded(s) + look(s) + start(s) + again(s);
}

/**
 * Takes every lock that a commit needs, in the order of all locks, before it looks at anything.
 *
 * A commit that keeps its lease looks without locking slots: what it misses now it finds at its next look. One that
 * suspends locks what it observes, so that whoever fills the slot either was seen by its look or sees its row in waiters.
 */
function locks(s: string): string {
  return helper(
    `${s}.commit_locks_v1(request jsonb, out waiters text[], out locked text[], out observed bigint[])`,
    "plpgsql",
    "volatile",
    `
declare
  own constant text := request->>'workflowId';
  operations constant jsonb := request->'operations';
  suspends constant boolean := request->'transition'->>'to' is not distinct from 'suspend';
  filled bigint[] := '{}';
  started bigint[] := '{}';
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
      started := array_append(started, ${s}.start_slot_v1(op->'workflow'->>'workflowId'));
    elsif suspends and kind = 'observeEvent' then
      observed := array_append(observed, ${s}.event_slot_v1(op->>'workflowId', op->>'key'));
    elsif suspends and kind = 'observeResult' then
      observed := array_append(observed, ${s}.result_slot_v1(op->>'workflowId'));
    end if;
  end loop;
  if cardinality(filled) > 0 or cardinality(observed) > 0 or cardinality(started) > 0 then
    perform ${s}.lock_slots_v1(filled || observed || started);
  end if;
  if cardinality(filled) > 0 then
    select array_agg(r.waiter_id) into waiters from ${s}.waiters as r where r.slot = any (filled);
    rows := rows || waiters;
  end if;
  if cardinality(rows) > 0 then
    rows := array_append(rows, own);
    select array_agg(l.id) into locked from (
      select w.id from ${s}.workflows as w where w.id = any (rows) order by w.id for update
    ) as l;
    waiters := array(select r.id from unnest(waiters) as r (id) where r.id = any (locked));
  end if;
end;
`,
  );
}

/**
 * The entries of the operations' positions, by position; null where there are none, as in most commits.
 *
 * Each is looked up by itself. With `position = any (positions)` the plan was to read all of the workflow's journal, since most of them are short: 250
 * blocks for a commit of a workflow that had 20,000 entries.
 */
function recorded(s: string): string {
  return helper(
    `${s}.recorded_v1(own text, operations jsonb) returns jsonb`,
    "plpgsql",
    "volatile",
    `
declare
  positions integer[] := '{}';
  answer jsonb;
begin
  for i in 0 .. jsonb_array_length(operations) - 1 loop
    positions := array_append(positions, (operations->i->>'position')::integer);
  end loop;
  select jsonb_object_agg(
    j.position, jsonb_build_object('seq', j.seq, 'deadline', j.deadline, 'tag', j.tag, 'value', j.value, 'topic', j.topic)
  ) into answer
  from unnest(positions) as given (position)
  cross join lateral (
    select j.* from ${s}.journal as j where j.workflow_id = own and j.position = given.position limit 1
  ) as j;
  return answer;
end;
`,
  );
}

/** An event or the result of a workflow, if it is there. */
function look(s: string): string {
  return helper(
    `${s}.look_v1(op jsonb, out tag text, out value text)`,
    "plpgsql",
    "volatile",
    `
begin
  if op->>'type' = 'observeEvent' then
    select 'value', e.value into tag, value from ${s}.events as e where e.workflow_id = op->>'workflowId' and e.key = op->>'key';
  else
    select
      case w.status when 'SUCCESS' then 'value' when 'CANCELLED' then 'cancelled' else 'error' end,
      case w.status when 'SUCCESS' then w.output else w.error end
    into tag, value
    from ${s}.workflows as w where w.id = op->>'workflowId' and w.phase = 'ended';
  end if;
end;
`,
  );
}

/** 'started', 'done' if the workflow existed, or 'workflow_conflict' if it existed under another name. The caller holds the start slot. */
function start(s: string): string {
  return helper(
    `${s}.start_v1(workflow jsonb) returns text`,
    "plpgsql",
    "volatile",
    `
declare
  existing text;
begin
  -- Once, except where a purge takes away the workflow that was in the way.
  while existing is null loop
    if ${s}.insert_workflow_v1(workflow, 'PENDING', null, null) then
      return 'started';
    end if;
    select w.name into existing from ${s}.workflows as w where w.id = workflow->>'workflowId';
  end loop;
  return case when existing = workflow->>'name' then 'done' else 'workflow_conflict' end;
end;
`,
  );
}

/**
 * The answer to a commit that was made before: what is recorded, and nothing is written. An open wait does not look again.
 * `woken` has what this commit may have made due and nobody has claimed yet, since the first answer may have reached no one.
 */
function again(s: string): string {
  return helper(
    `${s}.commit_again_v1(request jsonb, w ${s}.workflows) returns json`,
    "plpgsql",
    "volatile",
    `
declare
  is_last constant boolean := (request->>'number')::bigint = w.last_commit;
  released constant boolean := w.released and is_last;
  operations constant jsonb := request->'operations';
  recorded constant jsonb := ${s}.recorded_v1(w.id, operations);
  now constant bigint := ${s}.now_ms();
  results json[] := '{}';
  outcome json;
  op jsonb;
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
    entry := recorded->(op->>'position');
    if op->>'position' is null then
      results := array_append(results, json_build_object('outcome', ${s}.unrecorded_v1(w.id, op)));
    elsif entry->>'seq' is not null then
      results := array_append(results, json_build_object('outcome', ${s}.outcome_v1(entry->>'tag', entry->>'value', entry->>'topic')));
    elsif entry is not null then
      results := array_append(results, json_build_object('remainingMs', ${s}.remaining_v1((entry->>'deadline')::bigint, now)));
    else
      raise exception 'the number of this commit was used before, without position %', op->>'position'
        using errcode = 'invalid_parameter_value';
    end if;
  end loop;
  return json_build_object(
    'state', case when released then 'released' else 'held' end,
    'results', to_json(results), 'woken', ${s}.still_due_v1(request), 'now', now
  );
end;
`,
  ) + unrecorded(s) + stillDue(s);
}

/** What came of an operation that leaves no entry. */
function unrecorded(s: string): string {
  return helper(
    `${s}.unrecorded_v1(own text, op jsonb) returns json`,
    "plpgsql",
    "volatile",
    `
declare
  message constant jsonb := op->'message';
  answer json;
begin
  if op->>'type' <> 'send' then
    perform from ${s}.streams as t where op->>'type' = 'writeStream' and t.workflow_id = own and t.key = op->>'key' and t.closed;
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
`,
  );
}

/** Which workflows a commit made due and nobody has claimed since: a hint, which may name one that something else made due. */
function stillDue(s: string): string {
  return helper(
    `${s}.still_due_v1(request jsonb) returns json`,
    "plpgsql",
    "volatile",
    `
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
      touched := touched || array(select w.id from ${s}.workflows as w where w.id = op->'workflow'->>'workflowId' and w.epoch = 0);
    end if;
  end loop;
  touched := touched || array(select r.waiter_id from ${s}.waiters as r where r.slot = any (filled));
  select coalesce(json_agg(w.id), '[]') into answer
  from ${s}.workflows as w where w.id = any (touched) and w.phase = 'ready' and w.id <> own;
  return answer;
end;
`,
  );
}
