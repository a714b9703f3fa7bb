/**
 * Commits: a run writes what it has done, and takes what it waits for.
 *
 * @module
 */

import { listening } from "../push.ts";
import type { SchemaName } from "../schema_name.ts";
import { entryPoint, type SqlPart } from "../sql_function.ts";
import { applyOperations } from "./apply.ts";
import { commitLocks } from "./locks.ts";
import { observe, recordedEntries, startChild } from "./operations.ts";
import { release } from "./release.ts";
import { repeatCommit, stepOutcome, stillDueWorkflows } from "./repeat_commit.ts";

/** `Driver.commit`, and its steps. */
export const commitSql: readonly SqlPart[] = [
  commitLocks,
  recordedEntries,
  observe,
  startChild,
  release,
  stepOutcome,
  stillDueWorkflows,
  repeatCommit,
  commitRun,
];

/** A hint of `due` is also sent for a deadline that is nearer than this. */
const MIN_UNHINTED_MS = 10_000;

/**
 * `Driver.commit`: checks the fence, applies the operations in order, and makes the transition or
 * renews the lease.
 *
 * It is atomic because it takes all locks before it looks at anything. Each statement in it sees
 * what was committed before the statement began. So what the fence has found stays true until the
 * end, and so does what each operation has found. Journal entries and stream values are gathered
 * first. One statement per table writes them, so 100 stream writes cost a few statements and not
 * hundreds.
 *
 * The loop is part of this function, because each call of a function takes time. With a function
 * for one wait, `recv` took 2% longer, and a suspend with three waits 3%.
 */
function commitRun(schema: SchemaName): string {
  const { identifier: s } = schema;
  return entryPoint(`
create function ${s}.commit_v1(request jsonb) returns json
language plpgsql volatile as${declarations(s)}${beginning(s)}${applyOperations(s)}${ending(schema)}`);
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
  -- The other rows that this call has locked or inserted
  locked text[];
  -- The workflows that wait for what it sets, the slots that it waits for, and the workflows that
  -- it has made due
  waiters text[];
  observed bigint[];
  woken text[] := '{}';
  -- Hints
  targets text[] := '{}';
  published boolean := false;
  due_at bigint;
  -- The answer
  results json[] := '{}';
  settled boolean := false;
  -- The operation of this turn of the loop
  op jsonb;
  kind text;
  entry jsonb;
  tag text;
  value text;
  topic text;
  deadline bigint;
  latest bigint;
  attempts integer;
  is_woken boolean;
  is_new boolean;
  -- The earliest deadline
  until bigint;
  -- How full the answer is, and whether waits are deferred for that reason
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
  -- Children whose results are recorded by this commit
  finished text[] := '{}';
  -- Streams that are written or closed, and values to append
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

/**
 * Returns the first part: it locks, checks the fence, and reads entries that are recorded already.
 */
function beginning(s: string): string {
  return `
begin
  -- 1. The locks.
  select l.waiters, l.locked, l.observed into waiters, locked, observed from ${s}.commit_locks_v1(request) as l;
  select * into w from ${s}.workflows as mine
  where mine.id = own and (locked is null or own = any (locked)) for update;

  -- 2. The fence.
  if not found or w.epoch <> (request->>'epoch')::bigint or w.owner is distinct from request->>'owner' then
    return json_build_object('state', 'lost');
  end if;
  if number <= w.last_commit then
    return ${s}.repeat_commit_v1(request, w);
  end if;
  if w.status = 'CANCELLED' then
    return json_build_object('state', 'cancelled');
  end if;
  -- A number that skips one shows that the store has lost commits.
  if w.phase <> 'running' or number <> w.last_commit + 1 then
    return json_build_object('state', 'lost');
  end if;

  -- 3. The operations, in order.
  now := ${s}.now_ms();
  lease_end := ${s}.after_v1(now, request->>'leaseMs');
  seq := w.journal_seq;
  recorded := ${s}.recorded_entries_v1(own, operations);
`;
}

/**
 * Returns the last part: it writes what was gathered, wakes, makes the transition or renews the
 * lease, and hints.
 */
function ending(schema: SchemaName): string {
  const { identifier: s } = schema;
  return `
  -- 4. What the operations have gathered.
  if cardinality(positions) > 0 then
    insert into ${s}.journal (workflow_id, position, label, seq, deadline, attempts, tag, value, topic)
    select own, e.* from unnest(positions, labels, seqs, deadlines, all_attempts, tags, entry_values, topics) as e
    on conflict (workflow_id, position) do update set
      seq = excluded.seq, deadline = excluded.deadline, attempts = excluded.attempts,
      tag = excluded.tag, value = excluded.value, topic = excluded.topic;
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
    update ${s}.workflows as child set parent = null, kept = false
    where child.id = any (finished) and child.parent = own;
  end if;

  -- 5. The workflows that wait for what this commit sets.
  if cardinality(waiters) > 0 then
    if goal = 'end' and request->'transition'->>'status' = 'SUCCESS' then
      waiters := ${s}.complete_waiters_v1(${s}.result_slot_v1(own), waiters);
    end if;
    woken := woken || ${s}.wake_v1(waiters, now);
  end if;

  -- 6. The transition, or the lease. A suspend keeps its lease if an operation has an outcome, so
  --    that the run goes on.
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
      last_commit = w.last_commit, journal_seq = w.journal_seq, recovery_attempts = w.recovery_attempts,
      updated_at = now, parks = w.parks, problem = w.problem, lease_until = lease_end, lease_ms = lease_end - now,
      due_at = case
        when held.due_at < now + (lease_end - now) * 2 / 3 then lease_end
        else least(held.due_at, lease_end)
      end
    where held.id = own;
  else
    due_at := ${s}.release_v1(request, w, until, observed, locked, now);
  end if;

  -- 7. Hints. A deadline that is near is hinted too, because connections that listen would look
  --    later than that.
  if published or goal = 'end' then
    targets := array_append(targets, 'outbox:' || own);
  end if;
  if cardinality(woken) > 0 or goal = 'yield'
    or (goal in ('suspend', 'park') and due_at < now + ${MIN_UNHINTED_MS})
  then
    targets := array_append(targets, 'due');
  end if;
  if cardinality(targets) > 0
    and ${listening(schema)}
  then
    perform ${s}.hint_v1(targets);
  end if;
  return json_build_object(
    'state', case when goal is null then 'held' else 'released' end,
    'results', to_json(results), 'woken', to_json(woken), 'now', now
  );
end;
`;
}
