import { helper, type SchemaName } from "./names.ts";

/** What `commit_v1` is made of. */
export function commitParts({ identifier: s }: SchemaName): string {
  return locks(s) + recordedEntries(s) + observe(s) + start(s);
}

/**
 * Takes every lock that a commit needs, in the order of all locks, before it looks at anything.
 *
 * A commit that keeps its lease looks without locking slots: what it misses now it finds at its next look. One that
 * suspends locks what it observes, so that whoever fills the slot either was seen by its look or sees its row in waiters. The slot of a workflow's result is
 * filled by its end, which also decides that an event will not come. It is also locked by what starts children: so a workflow's end, which lets
 * purge have them, misses none.
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
      select c.id from ${s}.workflows as c where c.id = any (children) and c.parent = own and c.kept and c.phase = 'ended'
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
`,
  );
}

/**
 * The entries of the operations' positions, by position; null where there are none, as in most commits.
 *
 * Each is looked up by itself. With `position = any (positions)` the plan was to read all of the workflow's journal, since most of them are short: 250
 * blocks for a commit of a workflow that had 20,000 entries.
 */
function recordedEntries(s: string): string {
  return helper(
    `${s}.recorded_entries_v1(own text, operations jsonb) returns jsonb`,
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
    j.position, jsonb_build_object('seq', j.seq, 'deadline', j.deadline, 'attempts', j.attempts, 'tag', j.tag, 'value', j.value, 'topic', j.topic)
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

/**
 * An event or the result of a workflow, if it is there; with `latest`, if it came no later. One statement, since an event may come and its workflow end
 * between two.
 *
 * A child's result counts only if its row is held, so that it is marked as recorded, or if that needs no mark.
 */
function observe(s: string): string {
  return helper(
    `${s}.observe_v1(op jsonb, own text, locked text[], latest bigint, out tag text, out value text)`,
    "plpgsql",
    "volatile",
    `
declare
  started constant boolean := op->>'started';
begin
  if op->>'type' = 'observeEvent' then
    select
      case
        when e.key is not null then case when latest is null or e.set_at <= latest then 'value' end
        when w.id is null then case when started then 'workflow_not_found' end
        when w.phase = 'ended' and (latest is null or w.ended_at <= latest) then 'workflow_ended'
      end,
      case when e.key is not null then e.value when w.phase = 'ended' then w.status end
    into tag, value
    from (select) as nothing
    left join ${s}.events as e on e.workflow_id = op->>'workflowId' and e.key = op->>'key'
    left join ${s}.workflows as w on w.id = op->>'workflowId';
  else
    select
      case
        when w.id is null then case when started then 'workflow_not_found' end
        when w.phase <> 'ended' or w.ended_at > latest then null
        when started and w.kept and w.parent = own and not coalesce(w.id = any (locked), false) then null
        when w.status = 'SUCCESS' then 'value'
        when w.status = 'CANCELLED' then 'cancelled'
        else 'error'
      end,
      case w.status when 'SUCCESS' then w.output else w.error end
    into tag, value
    from (select) as nothing left join ${s}.workflows as w on w.id = op->>'workflowId';
  end if;
  if tag is null then
    value := null;
  end if;
end;
`,
  );
}

/** 'started', 'done' if the workflow existed, or 'workflow_conflict' if it existed under another name. The caller holds the start slot. */
function start(s: string): string {
  return helper(
    `${s}.start_v1(workflow jsonb, parent text) returns text`,
    "plpgsql",
    "volatile",
    `
declare
  existing text;
begin
  -- Once, except where a purge takes away the workflow that was in the way.
  while existing is null loop
    if ${s}.insert_workflow_v1(workflow, 'PENDING', null, null, parent) then
      return 'started';
    end if;
    select w.name into existing from ${s}.workflows as w where w.id = workflow->>'workflowId';
  end loop;
  return case when existing = workflow->>'name' then 'done' else 'workflow_conflict' end;
end;
`,
  );
}
