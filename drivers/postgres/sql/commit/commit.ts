/**
 * Commits: a run writes what it has done, and takes what it waits for.
 *
 * @module
 */

import { listening, MIN_UNHINTED_MS } from "../push.ts";
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

/**
 * The bytes of answers after which the remaining commits are left to another call. The largest
 * answer to one commit comes on top.
 */
const MAX_ANSWERS_BYTES = 1_048_576;

/**
 * `Driver.commit`, for any number of commits of different workflows. For each, it checks the fence,
 * applies the operations in order, and makes the transition or renews the lease. If the answers of
 * earlier commits have many bytes, a commit is not carried out, and its answer is null.
 *
 * One transaction for several commits costs one flush of the log, and one set-up of this function.
 * If one commit fails, all fail, and the driver sends each by itself.
 *
 * It is atomic because it takes all locks before it looks at anything. Each statement in it sees
 * what was committed before the statement began. So the findings of the fence and of each operation
 * stay true until the end. Journal entries and stream values are gathered first. One statement per
 * table writes them, so 100 stream writes cost a few statements and not hundreds.
 *
 * The loop is part of this function, because each call of a function takes time. With a function
 * for one wait, `recv` took 2% longer, and a suspend with three waits 3%.
 */
function commitRun(schema: SchemaName): string {
  const { identifier: s } = schema;
  return entryPoint(`
create function ${s}.commit_v1(requests jsonb) returns json
language plpgsql volatile as${beginning(s)}${indented(s, each)}${finish(schema)}`);
}

/** Indents what is carried out for each commit, but not the schema's name, which may have lines. */
function indented(s: string, part: (s: string) => string): string {
  return part("\0").replaceAll(/^(?=.)/gm, "    ").replaceAll("\0", () => s);
}

/** Returns what is carried out for each commit. */
function each(s: string): string {
  return declarations(s) + fence(s) + applyOperations(s) + ending(s);
}

/** Returns the first part, which takes the locks of all commits. */
function beginning(s: string): string {
  return `
declare
  request jsonb;
  -- The rows that this call has locked or inserted, or null while it holds none
  locked text[];
  -- Children that this call has locked or inserted, and that are to be kept until their parent ends
  children text[];
  -- Whether a workflow waits for what these commits set
  is_awaited boolean;
  -- Hints
  targets text[] := '{}';
  answer json;
  answers json[] := '{}';
  answer_bytes integer := 0;
begin
  -- 1. The locks.
  select l.locked, l.children, l.is_awaited into locked, children, is_awaited
  from ${s}.commit_locks_v1(requests) as l;

  for turn in 0 .. jsonb_array_length(requests) - 1 loop
    request := requests->turn;
    if answer_bytes > ${MAX_ANSWERS_BYTES} then
      answers := array_append(answers, null);
      continue;
    end if;
`;
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
  -- The slots that this commit fills, the workflows that wait for them, the slots that it waits
  -- for, and the workflows that it has made due
  filled bigint[] := '{}';
  waiters text[];
  observed bigint[] := '{}';
  woken text[] := '{}';
  has_events boolean := false;
  has_values boolean := false;
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
  message_key text;
  began_at bigint;
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
  seqs integer[] := '{}';
  begins bigint[] := '{}';
  times bigint[] := '{}';
  deadlines bigint[] := '{}';
  tags text[] := '{}';
  entry_values text[] := '{}';
  topics text[] := '{}';
  message_keys text[] := '{}';
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
 * Returns the second part, which checks the fence and reads the entries that are recorded already.
 */
function fence(s: string): string {
  return `
begin
  select * into w from ${s}.workflows as mine
  where mine.id = own and (locked is null or own = any (locked)) for update;

  -- 2. The fence.
  if not found or w.epoch <> (request->>'epoch')::bigint or w.owner is distinct from request->>'owner' then
    answers := array_append(answers, json_build_object('state', 'lost'));
    continue;
  end if;
  if number <= w.last_commit then
    answer := ${s}.repeat_commit_v1(request, w);
    answers := array_append(answers, answer);
    answer_bytes := answer_bytes + octet_length(answer::text);
    continue;
  end if;
  if w.status = 'CANCELLED' then
    answers := array_append(answers, json_build_object('state', 'cancelled'));
    continue;
  end if;
  -- A number that skips one shows that the store has lost commits.
  if w.phase <> 'running' or number <> w.last_commit + 1 then
    answers := array_append(answers, json_build_object('state', 'lost'));
    continue;
  end if;

  -- 3. The operations, in order.
  now := ${s}.now_ms();
  lease_end := ${s}.after_v1(now, request->>'leaseMs');
  seq := w.journal_seq;
  recorded := ${s}.recorded_entries_v1(own, operations);
`;
}

/**
 * Returns the fourth part, which writes what was gathered, wakes workflows, and makes the
 * transition or renews the lease.
 */
function ending(s: string): string {
  return `
  -- 4. What the operations have gathered.
  if cardinality(positions) > 0 then
    insert into ${s}.journal (
      workflow_id, position, seq, began_at, took, deadline, attempts, label, tag, value, topic, message_key
    )
    select own, e.* from unnest(
      positions, seqs, begins, times, deadlines, all_attempts, labels, tags, entry_values, topics, message_keys
    ) as e
    on conflict (workflow_id, position) do update set
      seq = excluded.seq, took = excluded.took, deadline = excluded.deadline, attempts = excluded.attempts,
      tag = excluded.tag, value = excluded.value, topic = excluded.topic, message_key = excluded.message_key;
  end if;
  if cardinality(stream_keys) > 0 then
    insert into ${s}.streams as t (workflow_id, key, updated_at, tail, closed)
    select own, c.key, now, c.tail, c.closed
    from unnest(stream_keys, stream_tails, stream_closed) as c (key, tail, closed)
    on conflict (workflow_id, key) do update set
      updated_at = excluded.updated_at, tail = excluded.tail, closed = excluded.closed
    where t.tail <> excluded.tail or t.closed <> excluded.closed;
    insert into ${s}.stream_values (workflow_id, key, stream_offset, value)
    select own, v.* from unnest(value_keys, value_offsets, value_texts) as v;
  end if;
  if cardinality(finished) > 0 then
    update ${s}.workflows as child set parent = null, kept = false
    where child.id = any (finished) and child.parent = own;
  end if;

  -- 5. The workflows that wait for what this commit sets. A suspend keeps its lease if an operation
  --    has an outcome, so that the run goes on.
  if is_deferring or (goal = 'suspend' and settled) then
    goal := null;
  end if;
  if is_awaited then
    if goal = 'end' then
      filled := array_append(filled, ${s}.result_slot_v1(own));
    end if;
    if cardinality(filled) > 0 then
      select array_agg(r.waiter_id) into waiters from ${s}.waiters as r
      where r.slot = any (filled) and array_position(locked, r.waiter_id) is not null;
    end if;
    if cardinality(waiters) > 0 then
      if goal = 'end' and request->'transition'->>'status' = 'SUCCESS' then
        waiters := ${s}.complete_waiters_v1(${s}.result_slot_v1(own), waiters);
      end if;
      woken := woken || ${s}.wake_v1(waiters, now);
    end if;
  end if;

  -- 6. The transition, or the lease.
  w.last_commit := number;
  w.journal_seq := seq;
  if cardinality(positions) > 0 then
    w.recovery_attempts := 0;
    w.parks := 0;
    w.problem := null;
  end if;
  if goal is null then
    update ${s}.workflows as held set
      received = w.received, last_commit = w.last_commit, journal_seq = w.journal_seq,
      recovery_attempts = w.recovery_attempts, updated_at = now, parks = w.parks, problem = w.problem,
      lease_until = lease_end, lease_ms = lease_end - now,
      due_at = case
        when held.due_at < now + (lease_end - now) * 2 / 3 or held.lease_ms <> lease_end - now then lease_end
        else least(held.due_at, lease_end)
      end
    where held.id = own;
  else
    due_at := ${s}.release_v1(request, w, until, observed, children, now);
  end if;

  -- 7. The hints and the answer. A deadline that is near is hinted too, because connections that listen would look
  --    later than that.
  targets := targets || array_remove(array[
    case when has_events then 'event:' || own end,
    case when has_values then 'stream:' || own end,
    case when goal = 'end' then 'status:' || own end
  ], null);
  if cardinality(woken) > 0 or goal in ('yield', 'continueAsNew')
    or (goal in ('suspend', 'park') and due_at < now + ${MIN_UNHINTED_MS})
  then
    targets := array_append(targets, 'due');
  end if;
  answer := json_build_object(
    'state', case when goal is null then 'held' else 'released' end,
    'results', to_json(results), 'woken', to_json(woken), 'now', now
  );
  answers := array_append(answers, answer);
  answer_bytes := answer_bytes + octet_length(answer::text);
end;
`;
}

/** Returns the last part, which sends the hints of all commits. */
function finish(schema: SchemaName): string {
  const { identifier: s } = schema;
  return `  end loop;
  if cardinality(targets) > 0
    and ${listening(schema)}
  then
    perform ${s}.hint_v1(targets);
  end if;
  return to_json(answers);
end;
`;
}
