import { applyOperations } from "./commit_operations.ts";
import { entryPoint, type SchemaName } from "./names.ts";
import { listening, notify } from "./push.ts";

/** How near a deadline is of which those hear who listen for what is due. */
const NEAR_MS = 10_000;

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
    declarations(s) + beginning(s) + applyOperations(s) + ending(schema),
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
  together bigint[];
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
  latest bigint;
  attempts integer;
  settled boolean := false;
  is_woken boolean;
  is_new boolean;
  -- How much the answer holds, and whether it is so much that waits are deferred
  has_outcome boolean := false;
  echoed_bytes bigint;
  outcome_bytes bigint := 0;
  is_deferring boolean := false;
  -- Journal entries to write
  seq bigint;
  positions integer[] := '{}';
  labels text[] := '{}';
  seqs bigint[] := '{}';
  deadlines bigint[] := '{}';
  tags text[] := '{}';
  entry_values text[] := '{}';
  topics text[] := '{}';
  all_attempts integer[] := '{}';
  -- Children whose results are recorded
  finished text[] := '{}';
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
    return ${s}.repeat_commit_v1(request, w);
  end if;
  if w.status = 'CANCELLED' then
    return json_build_object('state', 'cancelled');
  end if;
  -- With a number that skips one, the store has lost commits.
  if w.phase <> 'running' or number <> w.last_commit + 1 then
    return json_build_object('state', 'lost');
  end if;
  now := ${s}.now_ms();
  lease_end := ${s}.after_v1(now, request->>'leaseMs');
  seq := w.journal_seq;
  recorded := ${s}.recorded_entries_v1(own, operations);
`;
}

/** Writes what was gathered, wakes, and makes the transition or renews the lease. */
function ending(schema: SchemaName): string {
  const { identifier: s } = schema;
  return `
  if cardinality(positions) > 0 then
    insert into ${s}.journal (workflow_id, position, label, seq, deadline, attempts, tag, value, topic)
    select own, e.* from unnest(positions, labels, seqs, deadlines, all_attempts, tags, entry_values, topics) as e
    on conflict (workflow_id, position) do update set
      seq = excluded.seq, deadline = excluded.deadline, attempts = excluded.attempts, tag = excluded.tag, value = excluded.value,
      topic = excluded.topic;
  end if;
  if cardinality(stream_keys) > 0 then
    insert into ${s}.streams as t (workflow_id, key, tail, closed)
    select own, c.* from unnest(stream_keys, stream_tails, stream_closed) as c
    on conflict (workflow_id, key) do update set tail = excluded.tail, closed = excluded.closed
    where t.tail <> excluded.tail or t.closed <> excluded.closed;
    insert into ${s}.stream_values (workflow_id, key, stream_offset, value)
    select own, v.* from unnest(value_keys, value_offsets, value_texts) as v;
  end if;
  if cardinality(finished) > 0 then
    update ${s}.workflows as child set parent = null, kept = false where child.id = any (finished) and child.parent = own;
  end if;
  if cardinality(waiters) > 0 then
    if goal = 'end' and request->'transition'->>'status' = 'SUCCESS' then
      waiters := ${s}.complete_waiters_v1(${s}.result_slot_v1(own), waiters);
    end if;
    woken := woken || ${s}.wake_v1(waiters, now);
  end if;

  w.last_commit := number;
  w.journal_seq := seq;
  if cardinality(positions) > 0 then
    w.recovery_attempts := 0;
    w.parks := 0;
    w.problem := null;
  end if;
  if is_deferring or (goal = 'suspend' and settled) then
    goal := null;
  end if;
  if goal is null then
    update ${s}.workflows as held set
      last_commit = w.last_commit, journal_seq = w.journal_seq, recovery_attempts = w.recovery_attempts, updated_at = now,
      parks = w.parks, problem = w.problem, lease_until = lease_end, lease_ms = lease_end - now,
      due_at = case when held.due_at < now + (lease_end - now) * 2 / 3 then lease_end else least(held.due_at, lease_end) end
    where held.id = own;
  else
    if goal = 'park' then
      w.phase := 'parked';
      w.due_at := ${s}.after_v1(now, request->'transition'->>'delayMs');
      w.parks := w.parks + 1;
      w.problem := request->'transition'->>'problem';
    else
      w.parks := 0;
      w.problem := null;
    end if;
    if goal = 'suspend' then
      w.phase := 'suspended';
      w.due_at := until;
      w.waiting_until := until;
      w.waiting_topics := array(
        select distinct jsonb_array_elements_text(o->'topics') from jsonb_array_elements(operations) as o where o->>'type' = 'receive'
      );
      w.waiting_labels := array(select o->>'label' from jsonb_array_elements(operations) as o order by (o->>'position')::integer);
      if cardinality(observed) > 0 then
        together := array(
          select ${s}.result_slot_v1(o->>'workflowId') from jsonb_array_elements(operations) as o
          where o->>'type' in ('observeEvent', 'observeResult')
          group by o->>'workflowId'
          having bool_and(o->>'type' = 'observeResult' and (o->>'together')::boolean)
        );
        insert into ${s}.waiters (slot, waiter_id, together)
        select o.slot, own, o.slot = any (together) from unnest(observed) as o (slot) on conflict do nothing;
      end if;
    elsif goal = 'yield' then
      w.phase := 'ready';
      w.due_at := now;
    elsif goal = 'end' then
      w.phase := 'ended';
      w.due_at := null;
      w.status := request->'transition'->>'status';
      w.output := request->'transition'->>'output';
      w.error := request->'transition'->>'error';
      w.ended_at := now;
      update ${s}.workflows as child set kept = false where child.id = any (locked) and child.parent = own and child.kept;
    end if;
    update ${s}.workflows as let_go set
      last_commit = w.last_commit, journal_seq = w.journal_seq, recovery_attempts = w.recovery_attempts, updated_at = now,
      parks = w.parks, problem = w.problem, lease_until = null, lease_ms = null, released = true, phase = w.phase, due_at = w.due_at, status = w.status,
      waiting_topics = w.waiting_topics, waiting_labels = w.waiting_labels, waiting_until = w.waiting_until,
      output = w.output, error = w.error, ended_at = w.ended_at
    where let_go.id = own;
  end if;
  if published or goal = 'end' then
    targets := array_append(targets, 'outbox:' || own);
  end if;
  -- A deadline that is near is told too: those who listen would look later than that.
  if cardinality(woken) > 0 or goal = 'yield' or (goal in ('suspend', 'park') and w.due_at < now + ${NEAR_MS}) then
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
