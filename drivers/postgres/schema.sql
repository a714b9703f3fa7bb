-- The schema of Parley for PostgreSQL 14 and later.
--
-- Generated from drivers/postgres/sql/ by `deno task schema`. Edit the sources and not this
-- file. A test checks that it is up to date.
--
-- The driver creates all of this at its first call. You can also create it by hand, for example
-- with a role that has more rights:
--
--     psql --file schema.sql
--
-- It is one transaction. It needs a database with the encoding UTF8, without a schema "parley". The
-- driver then finds that nothing is missing. Its role needs usage on the schema, and select,
-- insert, update and delete on the tables. For a schema of another name, call migrate() of the
-- driver.

begin;

create schema parley;

-- -------------------------------------------------------------------------------------------------
-- The two kinds of functions in the schema.
--
-- An entry point is what a statement of the driver calls. Its settings make its plans predictable:
--
-- - Each statement in it has one generic plan per session. Otherwise Postgres plans the first five
--   calls again, and plans statements with arrays again at every call.
-- - A plan uses an index, in the order of the index. This holds even if the session planned while
--   the tables were empty.
-- - `jit` is off. Up to version 17, a plan that needs what was switched off counts as expensive,
--   and Postgres compiles expensive plans: a commit took 100 ms instead of 1.
-- - A plan has no workers. Starting them to find the next deadline among 1,000,000 workflows took 4
--   ms; the search takes 0.1.
--
-- Measured: `recv` takes 0.32 ms with these settings and 0.45 ms without. A page of 50 out of
-- 100,000 workflows takes 0.4 ms, and 39 ms with a plan from when there were none. A join may still
-- begin with a whole table, which was cheap when the plan was made. So the functions do not join
-- tables by parts of keys. They look rows up with `= any (an array)` of whole keys, or in a
-- `lateral` with a `limit`, which runs from the outer side only.
--
-- A helper is called by functions of the schema alone. It runs under the settings of its caller.
-- -------------------------------------------------------------------------------------------------

-- -------------------------------------------------------------------------------------------------
-- The tables and the store's clock.
--
-- There are no foreign keys. Each would lock the workflow's row once more for every message, entry
-- and value, and whatever writes a workflow's rows already holds the lock of that row. `purge`
-- removes what belongs to a workflow.
--
-- An ID, topic or key has up to 255 code points, which is 1,020 bytes. A row of a B-tree has up to
-- about 2,700 bytes, so no index contains three of them.
-- -------------------------------------------------------------------------------------------------

-- The versions of the migrations that were applied.
create table parley.migrations (
  version integer primary key,
  applied_at timestamptz not null default clock_timestamp()
);

-- One row per workflow.
--
-- - phase is `ready` (due now: never run, woken or yielded), `running` (leased to a run),
--   `suspended` (waits for waiting_topics, for its rows in waiters, and until waiting_until),
--   `parked` (its code is tried again at due_at) or `ended`.
-- - due_at is what claims look at. It is the earliest deadline or null for `suspended`, and null
--   for `ended`. For `running` it says when to look at lease_until, which is exact and changes with
--   every commit. due_at has an index, so it follows only when less than two thirds of a lease are
--   left. Until then a commit rewrites no index entry: it is a HOT update, for which the fill
--   factor leaves room.
-- - lease_ms is the length of the lease, null while there is none.
-- - released tells a repeated commit that its first execution released the lease. The columns
--   waiting_* are kept until the next claim for the same reason.
-- - problem and parks belong to a parked workflow. They stay until a run has made progress or
--   released its lease in another way.
-- - parent is the workflow that has started this one and has not recorded its result. kept says
--   that parent has not ended either, so purge leaves this row.
--
-- The clock may go back. So a workflow that is `ready` is due whatever due_at says: due_at only
-- gives the order, in an index of its own. A lease that seems to begin in the future, at due_at -
-- lease_ms, is found by another index. It then ends lease_ms after the time at which it is found
-- (see correct_leases_v1).
create table parley.workflows (
  id text collate "C" primary key,
  name text collate "C" not null,
  status text collate "C" not null,
  phase text collate "C" not null,
  epoch bigint not null,
  owner text collate "C",
  last_commit bigint not null default 0,
  released boolean not null default false,
  due_at bigint,
  lease_until bigint,
  inbox_seq bigint not null default 0,
  journal_seq bigint not null default 0,
  recovery_attempts integer not null default 0,
  parks integer not null default 0,
  kept boolean not null default false,
  lease_ms bigint,
  waiting_topics text[] collate "C",
  waiting_labels text[] collate "C",
  waiting_until bigint,
  created_at bigint not null,
  updated_at bigint not null,
  ended_at bigint,
  parent text collate "C",
  input text not null,
  output text,
  error text,
  problem text
) with (fillfactor = 70);
create index workflows_ready on parley.workflows (due_at) where phase = 'ready';
create index workflows_due on parley.workflows (due_at) where due_at is not null and phase <> 'ready';
create index workflows_leased on parley.workflows ((due_at - lease_ms)) where lease_ms is not null;
create index workflows_owner on parley.workflows (owner) where phase = 'running';
create index workflows_status on parley.workflows (status, created_at desc, id);
create index workflows_name on parley.workflows (name, status, created_at desc, id);
create index workflows_problem on parley.workflows (created_at desc, id) where problem is not null;
create index workflows_problem_name on parley.workflows (name, created_at desc, id) where problem is not null;
create index workflows_ended on parley.workflows (ended_at) where ended_at is not null and not kept;
create index workflows_parent on parley.workflows (parent) where parent is not null;

-- The entries of each workflow's journal.
--
-- - seq is the place in recorded order, null while the entry is open. The index on it serves both,
--   because it also contains nulls.
-- - attempts is how many tries of a step have failed, while the step pauses before the next try.
create table parley.journal (
  workflow_id text collate "C" not null,
  position integer not null,
  label text not null,
  seq bigint,
  deadline bigint,
  attempts integer not null default 0,
  tag text collate "C",
  value text,
  topic text collate "C",
  primary key (workflow_id, position)
);
create index journal_recorded on parley.journal (workflow_id, seq);

-- The messages that were sent to each workflow.
--
-- value is null once the message was received: the journal has it then, and the row stays because
-- of its dedupe_key. The second index contains waiting messages only. sent_at is taken under the
-- lock of the receiver's row.
create table parley.messages (
  workflow_id text collate "C" not null,
  seq bigint not null,
  topic text collate "C" not null,
  message_id text collate "C" not null,
  dedupe_key text collate "C" not null,
  sent_at bigint not null,
  value text,
  primary key (workflow_id, dedupe_key)
);
create index messages_waiting on parley.messages (workflow_id, topic, seq) where value is not null;

-- How far each topic of a workflow was received: every message up to seq was.
--
-- Without this table the search for the next message passes over the index entries of all received
-- messages that no vacuum has removed yet: 1.5 ms instead of 0.45 after 100,000 of them. A row is
-- written about every 64th time.
create table parley.inbox_heads (
  workflow_id text collate "C" not null,
  topic text collate "C" not null,
  seq bigint not null,
  primary key (workflow_id, topic)
);

-- The events of each workflow. set_at is when the key was first set.
create table parley.events (
  workflow_id text collate "C" not null,
  key text collate "C" not null,
  version bigint not null,
  set_at bigint not null,
  value text not null,
  primary key (workflow_id, key)
);

-- The streams of each workflow. tail is the offset of the next value.
create table parley.streams (
  workflow_id text collate "C" not null,
  key text collate "C" not null,
  tail bigint not null,
  closed boolean not null,
  primary key (workflow_id, key)
);

-- The values of each stream.
create table parley.stream_values (
  workflow_id text collate "C" not null,
  key text collate "C" not null,
  stream_offset bigint not null,
  value text not null,
  primary key (workflow_id, key, stream_offset)
);

-- Which workflow waits for which slot (see event_slot_v1). A row is written when the workflow
-- suspends and removed when it is claimed.
--
-- together says that the waiter needs all of its slots that are marked so, and that this one has
-- not been filled yet.
create table parley.waiters (
  slot bigint not null,
  waiter_id text collate "C" not null,
  together boolean not null,
  primary key (slot, waiter_id)
);
create index waiters_of on parley.waiters (waiter_id, together);

-- The connections that listen for hints. Each row counts until its connection has been silent for a
-- while (see listen_v1).
create table parley.listeners (
  id text collate "C" primary key,
  until timestamptz not null
);

-- The time in milliseconds since 1970. No other function reads it for the store, so a test can move
-- the clock by replacing this function.
create function parley.now_ms() returns bigint
language sql volatile
as $parley$
select floor(extract(epoch from pg_catalog.clock_timestamp()) * 1000)::bigint
$parley$;

-- -------------------------------------------------------------------------------------------------
-- Slots: what a workflow can wait for beside messages and deadlines. Each is named by a 64-bit
-- hash.
--
-- Both sides of a wait take the slot's advisory lock before they look and write. One side is about
-- to fill the slot: it reads the waiters, then fills. The other is about to suspend: it looks, then
-- writes its row in waiters. So neither misses the other, even while there is no row to lock. If
-- two things have the same hash, their waiters wake each other, and look again.
--
-- All functions take locks in the same order, so no two calls wait for each other: first slots, by
-- number; then rows of workflows, by ID, in one statement. A row that this statement did not lock
-- does not exist for the call, even if it appears a moment later, because locking it then would be
-- out of order.
-- -------------------------------------------------------------------------------------------------

-- The slot of an event. It is filled when the event is set.
create function parley.event_slot_v1(id text, key text) returns bigint
language sql immutable
as $parley$
select hashtextextended(key, hashtextextended(id, hashtextextended('parley', 1)))
$parley$;

-- The slot of a workflow's result. The end of the workflow fills it.
create function parley.result_slot_v1(id text) returns bigint
language sql immutable
as $parley$
select hashtextextended(id, hashtextextended('parley', 2))
$parley$;

-- The slot of a workflow that a commit starts. Without it, two commits that start the same children
-- in another order would wait for each other's inserts.
create function parley.start_slot_v1(id text) returns bigint
language sql immutable
as $parley$
select hashtextextended(id, hashtextextended('parley', 3))
$parley$;

-- The slot of an owner. A claim and its repeat may arrive at the same time, and without this slot
-- both would find nothing claimed yet.
create function parley.owner_slot_v1(owner text) returns bigint
language sql immutable
as $parley$
select hashtextextended(owner, hashtextextended('parley', 4))
$parley$;

-- Refuses an isolation level at which a call would miss what it has waited for.
create function parley.check_isolation_v1() returns void
language plpgsql volatile
as $parley$
begin
  if current_setting('transaction_isolation') not in ('read committed', 'read uncommitted') then
    raise exception 'Parley needs the isolation level "read committed", and this session has "%": %',
      current_setting('transaction_isolation'),
      'set default_transaction_isolation of the role, the database or the connection'
      using errcode = 'invalid_transaction_state';
  end if;
end;
$parley$;

-- Locks slots until the transaction ends, in order.
--
-- The caller looks under these locks. That needs a snapshot for each statement, as `read committed`
-- takes: an older snapshot would not contain what the call has waited for.
create function parley.lock_slots_v1(slots bigint[]) returns void
language plpgsql volatile
as $parley$
begin
  perform parley.check_isolation_v1();
  perform pg_advisory_xact_lock(sorted.slot)
  from (select distinct given.slot from unnest(slots) as given (slot) order by 1) as sorted;
end;
$parley$;

-- Makes the suspended ones among these workflows due at once, and returns their IDs. Their deadline
-- may have passed already, since the clock may go back.
--
-- It is atomic because the caller holds their rows: none of them is claimed or suspends meanwhile.
create function parley.wake_v1(ids text[], now bigint) returns text[]
language plpgsql volatile
as $parley$
declare
  woken text[];
begin
  with changed as (
    update parley.workflows as w set phase = 'ready', due_at = least(w.due_at, now)
    where w.id = any (ids) and w.phase = 'suspended'
    returning w.id
  )
  select coalesce(array_agg(c.id order by c.id), '{}') into woken from changed as c;
  return woken;
end;
$parley$;

-- Returns the waiters that can go on after a success in this slot: all but those that also need
-- other slots.
--
-- It is atomic because the caller holds the rows of the waiters. Of two successes at the same time,
-- the later one sees which slots the earlier one has filled.
create function parley.complete_waiters_v1(filled bigint, waiters text[]) returns text[]
language plpgsql volatile
as $parley$
declare
  counted text[];
begin
  with filling as (
    update parley.waiters as r set together = false where r.slot = filled and r.waiter_id = any (waiters) and r.together
    returning r.waiter_id
  )
  select array_agg(f.waiter_id) into counted from filling as f;
  if counted is null then
    return waiters;
  end if;
  return array(
    select given.id from unnest(waiters) as given (id)
    where given.id <> all (counted)
      or not exists (select from parley.waiters as r where r.waiter_id = given.id and r.together)
  );
end;
$parley$;

-- -------------------------------------------------------------------------------------------------
-- How much a request and an answer may carry, and what the functions measure to stay below that.
-- -------------------------------------------------------------------------------------------------

-- How many bytes a text takes in an answer. An answer is JSON, and over Neon's HTTP it is a text
-- inside of JSON. So a quote or a backslash of a value becomes four bytes, and a control character
-- up to seven.
--
-- A short text counts as four times its length without being read, because 1,000 of them fill one
-- page at most. A longer text is escaped only if it has control characters, which no JSON has:
-- escaping 1 MB of quotes takes 20 times as long as counting them. `replace` takes a tenth of the
-- time of `translate` where there are few of both.
create function parley.wire_bytes_v1(value text) returns bigint
language sql stable
as $parley$
select case
  when value is null then 0
  when octet_length(value) <= 256 then 4 * octet_length(value)
  when value ~ '[\x01-\x1f]' then octet_length(to_json(to_json(value)::text)::text)
  else 4 * octet_length(value) - 3 * octet_length(replace(replace(value, '"', ''), '\', ''))
end::bigint
$parley$;

-- How many bytes a claim carries for a workflow, without its journal.
create function parley.claim_bytes_v1(workflow_id text, name text, input text, problem text) returns bigint
language sql stable
as $parley$
select 400
  + parley.wire_bytes_v1(workflow_id) + parley.wire_bytes_v1(name)
  + parley.wire_bytes_v1(input) + parley.wire_bytes_v1(problem)
  + coalesce((
    select sum(100 + parley.wire_bytes_v1(j.label)) from parley.journal as j
    where j.workflow_id = claim_bytes_v1.workflow_id and j.seq is null
  ), 0)::bigint
$parley$;

-- How many bytes of its request a commit's answer repeats: the outcomes that the run has recorded
-- itself.
create function parley.echoed_bytes_v1(operations jsonb) returns bigint
language sql stable
as $parley$
select coalesce(sum(parley.wire_bytes_v1(o->'outcome'->>'value')), 0)::bigint
from jsonb_array_elements(operations) as o
$parley$;

-- -------------------------------------------------------------------------------------------------
-- How the shapes of the driver contract are made from columns.
-- -------------------------------------------------------------------------------------------------

-- The instant that is so many milliseconds after another; `null` stays `null`. It is at most the
-- last instant of a JavaScript date.
create function parley.after_v1(now bigint, ms text) returns bigint
language sql immutable
as $parley$
select case when ms is not null then now + least(ceil(ms::numeric), 8640000000000000 - now)::bigint end
$parley$;

-- How many milliseconds are left until a deadline; `null` if there is none.
create function parley.remaining_v1(deadline bigint, now bigint) returns bigint
language sql immutable
as $parley$
select case when deadline is not null then greatest(deadline - now, 0) end
$parley$;

-- An `Outcome`, with exactly the members that its tag has.
create function parley.outcome_v1(tag text, value text, topic text) returns json
language sql stable
as $parley$
select case
  when topic is not null then json_build_object('tag', tag, 'value', value, 'topic', topic)
  when value is not null or tag in ('value', 'error') then json_build_object('tag', tag, 'value', value)
  else json_build_object('tag', tag)
end
$parley$;

-- A `WorkflowRecord`.
create function parley.record_v1(w parley.workflows) returns json
language sql stable
as $parley$
select json_build_object(
    'workflowId', w.id, 'name', w.name, 'status', w.status,
    'waiting', case
      when w.waiting_labels is not null
        then json_build_object('operations', w.waiting_labels, 'until', w.waiting_until)
    end,
    'input', w.input, 'output', w.output, 'error', w.error, 'problem', w.problem, 'parks', w.parks,
    'createdAt', w.created_at, 'updatedAt', w.updated_at, 'recoveryAttempts', w.recovery_attempts
  )
$parley$;

-- A `JournalPage` of at most so many entries and bytes. With `never_empty` it has at least one
-- entry.
create function parley.journal_page_v1(workflow_id text, after bigint, count integer, bytes bigint, never_empty boolean)
returns json
language plpgsql stable
as $parley$
declare
  page json;
begin
  select json_build_object(
    'entries', coalesce(
      json_agg(
        json_build_object(
          'position', e.position, 'label', e.label, 'seq', e.seq,
          'outcome', parley.outcome_v1(e.tag, e.value, e.topic)
        )
        order by e.seq
      ) filter (where e.fits and e.place <= journal_page_v1.count),
      '[]'
    ),
    'more', coalesce(bool_or(not e.fits or e.place > journal_page_v1.count), false)
  ) into page
  from (
    select m.*,
      m.may_fit and (
        (m.place = 1 and journal_page_v1.never_empty) or sum(m.wire_bytes) over in_order <= journal_page_v1.bytes
      ) as fits
    from (
      select k.*,
        case
          when k.may_fit then 100
            + coalesce(parley.wire_bytes_v1(k.value), 0)
            + coalesce(parley.wire_bytes_v1(k.label), 0)
            + coalesce(parley.wire_bytes_v1(k.topic), 0)
        end as wire_bytes
      from (
        select r.*, row_number() over in_order as place,
          row_number() over in_order = 1 or sum(
            coalesce(octet_length(r.value), 0)
            + coalesce(octet_length(r.label), 0)
            + coalesce(octet_length(r.topic), 0)
          ) over in_order <= journal_page_v1.bytes as may_fit
        from (
          select j.position, j.label, j.seq, j.tag, j.value, j.topic from parley.journal as j
          where j.workflow_id = journal_page_v1.workflow_id and j.seq > journal_page_v1.after
          order by j.seq limit journal_page_v1.count + 1
        ) as r
        window in_order as (order by seq rows unbounded preceding)
      ) as k
    ) as m
    window in_order as (order by seq rows unbounded preceding)
  ) as e;
  return page;
end;
$parley$;

-- The open entries of a workflow, by position.
create function parley.open_entries_v1(workflow_id text, now bigint) returns json
language sql stable
as $parley$
select coalesce(json_agg(json_build_object(
  'position', j.position, 'label', j.label, 'attempts', j.attempts, 'remainingMs', parley.remaining_v1(j.deadline, now)
) order by j.position), '[]')
from parley.journal as j where j.workflow_id = open_entries_v1.workflow_id and j.seq is null
$parley$;

-- -------------------------------------------------------------------------------------------------
-- Creating workflows.
-- -------------------------------------------------------------------------------------------------

-- Inserts a workflow unless its ID exists, and returns whether it did. A workflow with a parent is
-- kept until its parent has ended.
--
-- It is atomic because the primary key decides between two inserts at the same time: the second one
-- waits until the first has committed.
create function parley.insert_workflow_v1(workflow jsonb, status text, owner text, lease_ms text, parent text)
returns boolean
language plpgsql volatile
as $parley$
declare
  now constant bigint := parley.now_ms();
  lease_end constant bigint := parley.after_v1(now, lease_ms);
begin
  insert into parley.workflows (
    id, name, status, phase, epoch, owner,
    due_at, lease_until, lease_ms, created_at, updated_at, input, parent, kept
  )
  values (
    workflow->>'workflowId', workflow->>'name', status, case when lease_end is null then 'ready' else 'running' end,
    (lease_end is not null)::integer, owner,
    coalesce(lease_end, now), lease_end, lease_end - now, now, now, workflow->>'input', parent, parent is not null
  )
  on conflict (id) do nothing;
  return found;
end;
$parley$;

-- `Driver.create`: inserts a workflow, with a lease if asked.
--
-- It is atomic because one insert decides, and the answer reads the row that this insert wrote or
-- found.
create function parley.create_v1(request jsonb) returns json
language plpgsql volatile
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_bitmapscan = off
set jit = off
set max_parallel_workers_per_gather = 0
as $parley$
declare
  leased constant boolean := request->>'leaseMs' is not null;
  fresh boolean;
  answer json;
begin
  perform parley.check_isolation_v1();
  -- Runs once, unless a purge removes the workflow that had the ID.
  while answer is null loop
    fresh := parley.insert_workflow_v1(
      request, case when leased then 'PENDING' else 'ENQUEUED' end, request->>'owner', request->>'leaseMs', null
    );
    -- A repeat finds its own owner, at the epoch with which the workflow was created.
    select json_build_object(
      'created', fresh or (w.owner is not distinct from request->>'owner' and w.epoch = leased::integer),
      'name', w.name, 'epoch', w.epoch, 'createdAt', w.created_at, 'now', parley.now_ms()
    ) into answer
    from parley.workflows as w where w.id = request->>'workflowId';
  end loop;
  if fresh and exists (select from parley.listeners as l where l.until > pg_catalog.clock_timestamp()) then
    perform parley.hint_v1(array['outbox:' || (request->>'workflowId'), case when not leased then 'due' end]);
  end if;
  return answer;
end;
$parley$;

-- -------------------------------------------------------------------------------------------------
-- Messages.
--
-- A send holds the row of its destination. A receive holds the same row, and so does a suspend. The
-- counter on that row gives each message its place, and the order of places is the order in which
-- the sends took effect.
-- -------------------------------------------------------------------------------------------------

-- `Driver.send`: sends some messages, or none of them.
--
-- It is atomic because it locks all destinations first. Then one statement judges all messages, and
-- its later parts write only if none is refused.
--
-- It looks for a message's key before it looks at the status, so a repeat gets the answer of the
-- first call even if the destination has ended since. In a repeat, `woken` also names destinations
-- that the first call made due and nobody has claimed yet.
create function parley.send_v1(messages jsonb) returns json
language plpgsql volatile
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_bitmapscan = off
set jit = off
set max_parallel_workers_per_gather = 0
as $parley$
declare
  destinations constant text[] := array(select distinct m->>'destinationId' from jsonb_array_elements(messages) as m);
  locked constant text[] := array(
    select w.id from parley.workflows as w where w.id = any (destinations) order by w.id for update
  );
  now bigint;
  answer json;
  targets text[];
begin
  now := parley.now_ms();
  with given as materialized (
    select m.place - 1 as index, m.message->>'destinationId' as id, m.message->>'topic' as topic,
      m.message->>'messageId' as message_id, m.message->>'dedupeKey' as dedupe_key, m.message->>'value' as value
    from jsonb_array_elements(messages) with ordinality as m (message, place)
  ), judged as materialized (
    -- If a key occurs twice in one call, the later message is judged as if the earlier one had been
    -- sent.
    select g.*, w.id is not null as exists, w.status, w.phase, w.inbox_seq, w.waiting_topics,
      coalesce(stored.topic, first_value(g.topic) over same_key) as first_topic,
      coalesce(stored.message_id, first_value(g.message_id) over same_key) as first_id,
      stored.message_id is null and row_number() over same_key = 1 as is_new
    from given as g
    left join lateral (
      select w.* from parley.workflows as w where w.id = g.id and w.id = any (locked) limit 1
    ) as w on true
    left join lateral (
      select m.* from parley.messages as m where m.workflow_id = g.id and m.dedupe_key = g.dedupe_key limit 1
    ) as stored on true
    window same_key as (partition by g.id, g.dedupe_key order by g.index)
  ), refused as materialized (
    select j.index, case
        when not j.exists then 'workflow_not_found'
        when j.first_topic <> j.topic then 'idempotency_conflict'
        else 'workflow_ended'
      end as reason, j.status
    from judged as j
    where not j.exists or j.first_topic <> j.topic or (j.is_new and j.phase = 'ended')
    order by j.index limit 1
  ), inserted as (
    insert into parley.messages (workflow_id, seq, topic, message_id, dedupe_key, sent_at, value)
    select j.id, j.inbox_seq + row_number() over (partition by j.id order by j.index), j.topic,
      j.message_id, j.dedupe_key, now, j.value
    from judged as j where j.is_new and not exists (select from refused)
    returning workflow_id, topic
  ), arrived as (
    select i.workflow_id, count(*) as count, array_agg(i.topic) as topics from inserted as i group by i.workflow_id
  ), bumped as (
    update parley.workflows as w set
      inbox_seq = w.inbox_seq + a.count,
      phase = case when w.phase = 'suspended' and w.waiting_topics && a.topics then 'ready' else w.phase end,
      due_at = case
        when w.phase = 'suspended' and w.waiting_topics && a.topics then least(w.due_at, now)
        else w.due_at
      end
    from arrived as a where w.id = a.workflow_id and w.id = any (locked)
  ), woken as (
    select w.id, true as by_this
    from arrived as a join parley.workflows as w on w.id = a.workflow_id and w.id = any (locked)
    where w.phase = 'suspended' and w.waiting_topics && a.topics
    union
    select j.id, false from judged as j
    where not j.is_new and j.first_id = j.message_id and j.phase = 'ready' and j.topic = any (j.waiting_topics)
  )
  select case
    when exists (select from refused) then (
      select json_build_object(
        'state', 'refused', 'index', r.index, 'reason', r.reason,
        'status', case when r.reason = 'workflow_ended' then r.status end
      ) from refused as r
    )
    else json_build_object(
      'state', 'sent',
      'receipts', coalesce((
        select json_agg(
          json_build_object('messageId', j.first_id, 'duplicate', j.first_id <> j.message_id) order by j.index
        )
        from judged as j
      ), '[]'),
      'woken', coalesce((select json_agg(woken.id) from woken), '[]')
    )
  end, array(select 'inbox:' || a.workflow_id from arrived as a union all select 'due' from woken where woken.by_this)
  into answer, targets;
  if cardinality(targets) > 0
    and exists (select from parley.listeners as l where l.until > pg_catalog.clock_timestamp())
  then
    perform parley.hint_v1(targets);
  end if;
  return answer;
end;
$parley$;

-- Sends one message from a workflow. The destination exists.
--
-- It is atomic because the caller, a commit, holds the row of the destination: nothing is sent,
-- received or ended there meanwhile.
create function parley.deliver_v1(
  message jsonb, now bigint, out tag text, out value text, out woken boolean, out fresh boolean
)
language plpgsql volatile
as $parley$
declare
  destination constant text := message->>'destinationId';
  message_topic constant text := message->>'topic';
  first_id text;
  first_topic text;
  ended_as text;
begin
  select
    m.message_id, m.topic, case when w.phase = 'ended' then w.status end,
    w.phase = 'suspended' and w.waiting_topics && array[message_topic]
  into first_id, first_topic, ended_as, woken
  from parley.workflows as w
  left join parley.messages as m on m.workflow_id = w.id and m.dedupe_key = message->>'dedupeKey'
  where w.id = destination;
  fresh := first_id is null and ended_as is null;
  if not fresh then
    woken := false;
    tag := case
      when first_topic <> message_topic then 'idempotency_conflict'
      when first_id = message->>'messageId' then 'sent'
      when first_id is not null then 'duplicate'
      else 'workflow_ended'
    end;
    value := case tag when 'workflow_ended' then ended_as when 'idempotency_conflict' then null else first_id end;
    return;
  end if;
  tag := 'sent';
  value := message->>'messageId';
  update parley.workflows as w set
    inbox_seq = w.inbox_seq + 1,
    phase = case when deliver_v1.woken then 'ready' else w.phase end,
    due_at = case when deliver_v1.woken then least(w.due_at, now) else w.due_at end
  where w.id = destination;
  insert into parley.messages (workflow_id, seq, topic, message_id, dedupe_key, sent_at, value)
  select w.id, w.inbox_seq, message_topic, message->>'messageId', message->>'dedupeKey', now, message->>'value'
  from parley.workflows as w where w.id = destination;
end;
$parley$;

-- Takes the oldest message of all these topics. With `latest` it takes one only if it was sent no
-- later than that.
--
-- The index of waiting messages gives the first message of each topic, and the oldest of these is
-- taken. If the first message of a topic was sent too late, so were all behind it, because each
-- send held the receiver's row. So one message per topic is enough.
--
-- It is atomic because the caller, a commit, holds the receiver's row: no other message is sent or
-- received there meanwhile.
create function parley.take_message_v1(receiver text, topics text[], latest bigint, out value text, out topic text)
language plpgsql volatile
as $parley$
declare
  place bigint;
begin
  with oldest as materialized (
    select m.* from unnest(topics) as given (topic)
    left join lateral (
      select h.seq from parley.inbox_heads as h where h.workflow_id = receiver and h.topic = given.topic limit 1
    ) as h on true
    cross join lateral (
      select m.ctid as tuple, m.seq, m.topic, m.sent_at, m.value from parley.messages as m
      where m.workflow_id = receiver and m.topic = given.topic and m.seq > coalesce(h.seq, 0) and m.value is not null
      order by m.seq limit 1
    ) as m
    where latest is null or m.sent_at <= latest
    order by m.seq limit 1
  ), taken as (
    -- The receiver's row is locked, so the message is still as it was found.
    update parley.messages as m set value = null from oldest where m.ctid = oldest.tuple
  )
  select oldest.value, oldest.topic, oldest.seq into value, topic, place from oldest;
  if found and random() < 1.0 / 64 then
    insert into parley.inbox_heads (workflow_id, topic, seq) values (receiver, take_message_v1.topic, place)
    on conflict on constraint inbox_heads_pkey do update set seq = excluded.seq;
  end if;
end;
$parley$;

-- -------------------------------------------------------------------------------------------------
-- The locks of a commit.
-- -------------------------------------------------------------------------------------------------

-- Takes every lock that a commit needs, in the order of all locks, before the commit looks at
-- anything.
--
-- A commit that keeps its lease looks without locking slots, because its next look finds what this
-- one misses. A commit that suspends locks the slots that it observes. Then its look sees what
-- filled a slot before, and what fills a slot later sees its row in waiters.
--
-- The end of a workflow fills the slot of its result. It also decides that an event will not come,
-- so a commit that waits for an event locks that slot too. A commit that starts children locks the
-- slot of its own result. So the end of that workflow, after which purge may remove the children,
-- misses none of them.
create function parley.commit_locks_v1(request jsonb, out waiters text[], out locked text[], out observed bigint[])
language plpgsql volatile
as $parley$
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
    filled := array[parley.result_slot_v1(own)];
  end if;
  for i in 0 .. jsonb_array_length(operations) - 1 loop
    op := operations->i;
    kind := op->>'type';
    if kind = 'setEvent' then
      filled := array_append(filled, parley.event_slot_v1(own, op->>'key'));
    elsif kind = 'send' then
      rows := array_append(rows, op->'message'->>'destinationId');
    elsif kind = 'start' then
      started := started || array[parley.start_slot_v1(op->'workflow'->>'workflowId'), parley.result_slot_v1(own)];
    elsif kind in ('observeEvent', 'observeResult') then
      if suspends then
        observed := array_append(observed, parley.result_slot_v1(op->>'workflowId'));
      end if;
      if suspends and kind = 'observeEvent' then
        observed := array_append(observed, parley.event_slot_v1(op->>'workflowId', op->>'key'));
      end if;
      if kind = 'observeResult' and (op->>'started')::boolean then
        children := array_append(children, op->>'workflowId');
      end if;
    end if;
  end loop;
  if cardinality(filled) > 0 or cardinality(observed) > 0 or cardinality(started) > 0 then
    perform parley.lock_slots_v1(filled || observed || started);
  end if;
  if cardinality(filled) > 0 then
    select array_agg(r.waiter_id) into waiters from parley.waiters as r where r.slot = any (filled);
    rows := rows || waiters;
  end if;
  if request->'transition'->>'to' = 'end' then
    rows := rows || array(select c.id from parley.workflows as c where c.parent = own and c.kept);
  end if;
  if cardinality(children) > 0 then
    rows := rows || array(
      select c.id from parley.workflows as c
      where c.id = any (children) and c.parent = own and c.kept and c.phase = 'ended'
    );
  end if;
  if cardinality(rows) > 0 then
    rows := array_append(rows, own);
    select array_agg(l.id) into locked from (
      select w.id from parley.workflows as w where w.id = any (rows) order by w.id for update
    ) as l;
    waiters := array(select r.id from unnest(waiters) as r (id) where r.id = any (locked));
  end if;
end;
$parley$;

-- -------------------------------------------------------------------------------------------------
-- What a commit calls for an operation.
-- -------------------------------------------------------------------------------------------------

-- Returns the journal entries of the operations' positions, by position. It returns null if there
-- are none, as in most commits.
--
-- Each entry is looked up by itself. With `position = any (positions)` the plan was to read the
-- whole journal of the workflow, since most journals are short. That took 250 blocks for a commit
-- of a workflow with 20,000 entries.
create function parley.recorded_entries_v1(own text, operations jsonb) returns jsonb
language plpgsql volatile
as $parley$
declare
  positions integer[] := '{}';
  answer jsonb;
begin
  for i in 0 .. jsonb_array_length(operations) - 1 loop
    positions := array_append(positions, (operations->i->>'position')::integer);
  end loop;
  select jsonb_object_agg(
    j.position, jsonb_build_object(
      'seq', j.seq, 'deadline', j.deadline, 'attempts', j.attempts, 'tag', j.tag, 'value', j.value, 'topic', j.topic
    )
  ) into answer
  from unnest(positions) as given (position)
  cross join lateral (
    select j.* from parley.journal as j where j.workflow_id = own and j.position = given.position limit 1
  ) as j;
  return answer;
end;
$parley$;

-- Returns an event or the result of a workflow, if it is there. With `latest` it counts only if it
-- came no later than that.
--
-- It is one statement, because the event may come and the workflow may end between two statements.
-- The result of a child counts only if the commit holds the child's row, so that it can mark the
-- result as recorded, or if the child needs no mark.
create function parley.observe_v1(op jsonb, own text, locked text[], latest bigint, out tag text, out value text)
language plpgsql volatile
as $parley$
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
    left join parley.events as e on e.workflow_id = op->>'workflowId' and e.key = op->>'key'
    left join parley.workflows as w on w.id = op->>'workflowId';
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
    from (select) as nothing left join parley.workflows as w on w.id = op->>'workflowId';
  end if;
  if tag is null then
    value := null;
  end if;
end;
$parley$;

-- Starts a child. Returns `started`, or `done` if the workflow existed, or `workflow_conflict` if
-- it existed under another name.
--
-- It is atomic because the insert decides, and because the caller holds the child's start slot: no
-- other commit starts the same child meanwhile.
create function parley.start_v1(workflow jsonb, parent text) returns text
language plpgsql volatile
as $parley$
declare
  existing text;
begin
  -- Runs once, unless a purge removes the workflow that had the ID.
  while existing is null loop
    if parley.insert_workflow_v1(workflow, 'PENDING', null, null, parent) then
      return 'started';
    end if;
    select w.name into existing from parley.workflows as w where w.id = workflow->>'workflowId';
  end loop;
  return case when existing = workflow->>'name' then 'done' else 'workflow_conflict' end;
end;
$parley$;

-- -------------------------------------------------------------------------------------------------
-- The end of a lease in a commit.
-- -------------------------------------------------------------------------------------------------

-- Makes the transition of a commit, which releases the lease: suspend, yield, park or end. Returns
-- when the workflow is due.
--
-- It is atomic because the caller, commit_v1, holds the workflow's row, the rows of its children,
-- and the slots that it waits for. So what fills such a slot after this commit finds the rows that
-- this function writes into waiters.
--
-- w is the workflow with the counts of this commit; until is the earliest deadline of its open
-- waits.
create function parley.release_v1(
  request jsonb, w parley.workflows, until bigint, observed bigint[], locked text[], now bigint
) returns bigint
language plpgsql volatile
as $parley$
declare
  operations constant jsonb := request->'operations';
  transition constant jsonb := request->'transition';
  goal constant text := transition->>'to';
  topics text[];
  labels text[];
  next_due constant bigint := case goal
    when 'suspend' then until
    when 'yield' then now
    when 'park' then parley.after_v1(now, transition->>'delayMs')
  end;
begin
  if goal = 'suspend' then
    topics := array(
      select distinct jsonb_array_elements_text(o->'topics') from jsonb_array_elements(operations) as o
      where o->>'type' = 'receive'
    );
    labels := array(select o->>'label' from jsonb_array_elements(operations) as o order by (o->>'position')::integer);
    if cardinality(observed) > 0 then
      insert into parley.waiters (slot, waiter_id, together)
      select o.slot, w.id, o.slot = any (array(
        select parley.result_slot_v1(o->>'workflowId') from jsonb_array_elements(operations) as o
        where o->>'type' in ('observeEvent', 'observeResult')
        group by o->>'workflowId'
        having bool_and(o->>'type' = 'observeResult' and (o->>'together')::boolean)
      ))
      from unnest(observed) as o (slot) on conflict do nothing;
    end if;
  elsif goal = 'end' and locked is not null then
    update parley.workflows as child set kept = false
    where child.id = any (locked) and child.parent = w.id and child.kept;
  end if;
  update parley.workflows as released set
    phase = case goal
      when 'suspend' then 'suspended'
      when 'yield' then 'ready'
      when 'park' then 'parked'
      when 'end' then 'ended'
    end,
    due_at = next_due, lease_until = null, lease_ms = null, released = true,
    waiting_topics = topics, waiting_labels = labels, waiting_until = case goal when 'suspend' then until end,
    parks = case goal when 'park' then w.parks + 1 else 0 end,
    problem = transition->>'problem',
    status = case goal when 'end' then transition->>'status' else w.status end,
    output = transition->>'output', error = transition->>'error', ended_at = case goal when 'end' then now end,
    last_commit = w.last_commit, journal_seq = w.journal_seq, recovery_attempts = w.recovery_attempts, updated_at = now
  where released.id = w.id;
  return next_due;
end;
$parley$;

-- -------------------------------------------------------------------------------------------------
-- Commits that were made before.
-- -------------------------------------------------------------------------------------------------

-- Returns the outcome of an operation that a step has made, which leaves no entry in the journal.
create function parley.step_outcome_v1(own text, op jsonb) returns json
language plpgsql volatile
as $parley$
declare
  message constant jsonb := op->'message';
  answer json;
begin
  if op->>'type' <> 'send' then
    perform from parley.streams as t
    where op->>'type' = 'writeStream' and t.workflow_id = own and t.key = op->>'key' and t.closed;
    return parley.outcome_v1(case when found then 'stream_closed' else 'done' end, null, null);
  end if;
  select case
    when m.topic <> message->>'topic' then parley.outcome_v1('idempotency_conflict', null, null)
    when m.message_id = message->>'messageId' then parley.outcome_v1('sent', m.message_id, null)
    when m.message_id is not null then parley.outcome_v1('duplicate', m.message_id, null)
    when d.phase = 'ended' then parley.outcome_v1('workflow_ended', d.status, null)
  end into answer
  from parley.workflows as d
  left join parley.messages as m on m.workflow_id = d.id and m.dedupe_key = message->>'dedupeKey'
  where d.id = message->>'destinationId';
  return coalesce(answer, parley.outcome_v1('workflow_not_found', null, null));
end;
$parley$;

-- Returns the workflows that a commit made due and nobody has claimed since. It is a hint, and may
-- name one that something else made due.
create function parley.still_due_workflows_v1(request jsonb) returns json
language plpgsql volatile
as $parley$
declare
  own constant text := request->>'workflowId';
  filled bigint[] := '{}';
  touched text[] := '{}';
  answer json;
  op jsonb;
begin
  if request->'transition'->>'to' = 'end' then
    filled := array[parley.result_slot_v1(own)];
  end if;
  for op in select jsonb_array_elements(request->'operations') loop
    if op->>'type' = 'setEvent' then
      filled := array_append(filled, parley.event_slot_v1(own, op->>'key'));
    elsif op->>'type' = 'send' then
      touched := touched || array(
        select w.id from parley.workflows as w
        where w.id = op->'message'->>'destinationId' and op->'message'->>'topic' = any (w.waiting_topics)
      );
    elsif op->>'type' = 'start' then
      touched := touched || array(
        select w.id from parley.workflows as w where w.id = op->'workflow'->>'workflowId' and w.epoch = 0
      );
    end if;
  end loop;
  touched := touched || array(select r.waiter_id from parley.waiters as r where r.slot = any (filled));
  select coalesce(json_agg(w.id), '[]') into answer
  from parley.workflows as w where w.id = any (touched) and w.phase = 'ready' and w.id <> own;
  return answer;
end;
$parley$;

-- Returns the answer to a commit that was made before, from what it has recorded. It writes
-- nothing, and an open wait does not look again.
--
-- `woken` names the workflows that this commit may have made due and nobody has claimed yet,
-- because the first answer may have been lost.
create function parley.repeat_commit_v1(request jsonb, w parley.workflows) returns json
language plpgsql volatile
as $parley$
declare
  is_last constant boolean := (request->>'number')::bigint = w.last_commit;
  released constant boolean := w.released and is_last;
  operations constant jsonb := request->'operations';
  recorded constant jsonb := parley.recorded_entries_v1(w.id, operations);
  now constant bigint := parley.now_ms();
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
    if has_outcome and kind in ('receive', 'observeEvent', 'observeResult', 'sleep', 'pause') then
      echoed_bytes := coalesce(echoed_bytes, parley.echoed_bytes_v1(operations));
      is_deferring := is_deferring or echoed_bytes + outcome_bytes > 1048576;
      if is_deferring then
        results := array_append(results, '{"deferred": true}'::json);
        continue;
      end if;
    end if;
    if op->>'position' is null then
      has_outcome := true;
      results := array_append(results, json_build_object('outcome', parley.step_outcome_v1(w.id, op)));
    elsif entry->>'seq' is not null then
      has_outcome := true;
      if kind in ('receive', 'observeEvent', 'observeResult', 'sleep', 'pause') then
        outcome_bytes := outcome_bytes + parley.wire_bytes_v1(entry->>'value');
      end if;
      results := array_append(results, json_build_object(
        'outcome', parley.outcome_v1(entry->>'tag', entry->>'value', entry->>'topic')
      ));
    elsif entry is not null then
      results := array_append(results, json_build_object(
        'remainingMs', parley.remaining_v1((entry->>'deadline')::bigint, now)
      ));
    else
      raise exception 'the number of this commit was used before, without position %', op->>'position'
        using errcode = 'invalid_parameter_value';
    end if;
  end loop;
  return json_build_object(
    'state', case when released then 'released' else 'held' end,
    'results', to_json(results), 'woken', parley.still_due_workflows_v1(request), 'now', now
  );
end;
$parley$;

-- -------------------------------------------------------------------------------------------------
-- Commits: a run writes what it has done, and takes what it waits for.
-- -------------------------------------------------------------------------------------------------

-- `Driver.commit`: checks the fence, applies the operations in order, and makes the transition or
-- renews the lease.
--
-- It is atomic because it takes all locks before it looks at anything. Each statement in it sees
-- what was committed before the statement began. So what the fence has found stays true until the
-- end, and so does what each operation has found. Journal entries and stream values are gathered
-- first. One statement per table writes them, so 100 stream writes cost a few statements and not
-- hundreds.
--
-- The loop is part of this function, because each call of a function takes time. With a function
-- for one wait, `recv` took 2% longer, and a suspend with three waits 3%.
create function parley.commit_v1(request jsonb) returns json
language plpgsql volatile
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_bitmapscan = off
set jit = off
set max_parallel_workers_per_gather = 0
as $parley$
declare
  own constant text := request->>'workflowId';
  number constant bigint := (request->>'number')::bigint;
  operations constant jsonb := request->'operations';
  goal text := request->'transition'->>'to';
  w parley.workflows;
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

begin
  -- 1. The locks.
  select l.waiters, l.locked, l.observed into waiters, locked, observed from parley.commit_locks_v1(request) as l;
  select * into w from parley.workflows as mine
  where mine.id = own and (locked is null or own = any (locked)) for update;

  -- 2. The fence.
  if not found or w.epoch <> (request->>'epoch')::bigint or w.owner is distinct from request->>'owner' then
    return json_build_object('state', 'lost');
  end if;
  if number <= w.last_commit then
    return parley.repeat_commit_v1(request, w);
  end if;
  if w.status = 'CANCELLED' then
    return json_build_object('state', 'cancelled');
  end if;
  -- A number that skips one shows that the store has lost commits.
  if w.phase <> 'running' or number <> w.last_commit + 1 then
    return json_build_object('state', 'lost');
  end if;

  -- 3. The operations, in order.
  now := parley.now_ms();
  lease_end := parley.after_v1(now, request->>'leaseMs');
  seq := w.journal_seq;
  recorded := parley.recorded_entries_v1(own, operations);

  for i in 0 .. jsonb_array_length(operations) - 1 loop
    op := operations->i;
    kind := op->>'type';
    entry := recorded->(op->>'position');
    tag := null;
    value := null;
    topic := null;
    deadline := null;
    attempts := 0;
    if has_outcome and kind in ('receive', 'observeEvent', 'observeResult', 'sleep', 'pause') then
      echoed_bytes := coalesce(echoed_bytes, parley.echoed_bytes_v1(operations));
      is_deferring := is_deferring or echoed_bytes + outcome_bytes > 1048576;
      if is_deferring then
        results := array_append(results, '{"deferred": true}'::json);
        continue;
      end if;
    end if;
    if entry->>'seq' is not null then
      settled := true;
      has_outcome := true;
      if kind in ('receive', 'observeEvent', 'observeResult', 'sleep', 'pause') then
        outcome_bytes := outcome_bytes + parley.wire_bytes_v1(entry->>'value');
      end if;
      results := array_append(results, json_build_object(
        'outcome', parley.outcome_v1(entry->>'tag', entry->>'value', entry->>'topic')
      ));
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
        select t.tail, t.closed into tail, closed from parley.streams as t
        where t.workflow_id = own and t.key = op->>'key';
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
      insert into parley.events as e (workflow_id, key, version, set_at, value)
      values (own, op->>'key', 1, now, op->>'value')
      on conflict (workflow_id, key) do update set version = e.version + 1, value = excluded.value;
    elsif kind = 'send' then
      if op->'message'->>'destinationId' = own or op->'message'->>'destinationId' = any (locked) then
        select d.tag, d.value, d.woken, d.fresh into tag, value, is_woken, is_new
        from parley.deliver_v1(op->'message', now) as d;
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
      tag := parley.start_v1(op->'workflow', own);
      if tag <> 'workflow_conflict' then
        value := op->'workflow'->>'workflowId';
      end if;
      if tag = 'started' then
        tag := 'done';
        woken := array_append(woken, op->'workflow'->>'workflowId');
        targets := array_append(targets, 'outbox:' || (op->'workflow'->>'workflowId'));
        locked := array_append(locked, op->'workflow'->>'workflowId');
      end if;
    elsif kind = 'pause' then
      -- Only a higher number begins a new pause, so a run that looks again does not begin the same
      -- pause a second time.
      is_new := coalesce((op->>'attempts')::integer > (entry->>'attempts')::integer, true);
      attempts := case when is_new then op->>'attempts' else entry->>'attempts' end;
      deadline := case when is_new then parley.after_v1(now, op->>'timeoutMs') else (entry->>'deadline')::bigint end;
      settled := settled or deadline <= now;
    else
      is_new := entry is null;
      deadline := case when is_new then parley.after_v1(now, op->>'timeoutMs') else (entry->>'deadline')::bigint end;
      -- Once the deadline has passed, only what came before it counts. The first look takes
      -- everything that is there.
      latest := case when not is_new and deadline <= now then deadline end;
      if kind = 'receive' then
        select t.value, t.topic into value, topic
        from parley.take_message_v1(own, array(select jsonb_array_elements_text(op->'topics')), latest) as t;
        tag := case when topic is not null then 'message' end;
      elsif kind <> 'sleep' then
        select l.tag, l.value into tag, value from parley.observe_v1(op, own, locked, latest) as l;
        if tag is not null and kind = 'observeResult' and (op->>'started')::boolean then
          finished := array_append(finished, op->>'workflowId');
        end if;
      end if;
      if tag is null and deadline <= now then
        tag := case kind when 'sleep' then 'done' else 'timeout' end;
      end if;
      if tag is not null then
        outcome_bytes := outcome_bytes + parley.wire_bytes_v1(value);
      end if;
    end if;

    if tag is null then
      until := least(until, deadline);
      results := array_append(results, json_build_object('remainingMs', parley.remaining_v1(deadline, now)));
    else
      settled := true;
      has_outcome := true;
      results := array_append(results, json_build_object('outcome', parley.outcome_v1(tag, value, topic)));
    end if;
    if op->>'position' is not null and (tag is not null or is_new) then
      seq := seq + (tag is not null)::integer;
      positions := array_append(positions, (op->>'position')::integer);
      labels := array_append(labels, op->>'label');
      seqs := array_append(seqs, case when tag is not null then seq end);
      deadlines := array_append(deadlines, deadline);
      tags := array_append(tags, tag);
      entry_values := array_append(entry_values, value);
      topics := array_append(topics, topic);
      all_attempts := array_append(all_attempts, attempts);
    end if;
  end loop;

  -- 4. What the operations have gathered.
  if cardinality(positions) > 0 then
    insert into parley.journal (workflow_id, position, label, seq, deadline, attempts, tag, value, topic)
    select own, e.* from unnest(positions, labels, seqs, deadlines, all_attempts, tags, entry_values, topics) as e
    on conflict (workflow_id, position) do update set
      seq = excluded.seq, deadline = excluded.deadline, attempts = excluded.attempts,
      tag = excluded.tag, value = excluded.value, topic = excluded.topic;
  end if;
  if cardinality(stream_keys) > 0 then
    insert into parley.streams as t (workflow_id, key, tail, closed)
    select own, c.* from unnest(stream_keys, stream_tails, stream_closed) as c
    on conflict (workflow_id, key) do update set tail = excluded.tail, closed = excluded.closed
    where t.tail <> excluded.tail or t.closed <> excluded.closed;
    insert into parley.stream_values (workflow_id, key, stream_offset, value)
    select own, v.* from unnest(value_keys, value_offsets, value_texts) as v;
  end if;
  if cardinality(finished) > 0 then
    update parley.workflows as child set parent = null, kept = false
    where child.id = any (finished) and child.parent = own;
  end if;

  -- 5. The workflows that wait for what this commit sets.
  if cardinality(waiters) > 0 then
    if goal = 'end' and request->'transition'->>'status' = 'SUCCESS' then
      waiters := parley.complete_waiters_v1(parley.result_slot_v1(own), waiters);
    end if;
    woken := woken || parley.wake_v1(waiters, now);
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
    update parley.workflows as held set
      last_commit = w.last_commit, journal_seq = w.journal_seq, recovery_attempts = w.recovery_attempts,
      updated_at = now, parks = w.parks, problem = w.problem, lease_until = lease_end, lease_ms = lease_end - now,
      due_at = case
        when held.due_at < now + (lease_end - now) * 2 / 3 then lease_end
        else least(held.due_at, lease_end)
      end
    where held.id = own;
  else
    due_at := parley.release_v1(request, w, until, observed, locked, now);
  end if;

  -- 7. Hints. A deadline that is near is hinted too, because connections that listen would look
  --    later than that.
  if published or goal = 'end' then
    targets := array_append(targets, 'outbox:' || own);
  end if;
  if cardinality(woken) > 0 or goal = 'yield'
    or (goal in ('suspend', 'park') and due_at < now + 10000)
  then
    targets := array_append(targets, 'due');
  end if;
  if cardinality(targets) > 0
    and exists (select from parley.listeners as l where l.until > pg_catalog.clock_timestamp())
  then
    perform parley.hint_v1(targets);
  end if;
  return json_build_object(
    'state', case when goal is null then 'held' else 'released' end,
    'results', to_json(results), 'woken', to_json(woken), 'now', now
  );
end;
$parley$;

-- -------------------------------------------------------------------------------------------------
-- The workflows that a claim may take, and what else is due.
-- -------------------------------------------------------------------------------------------------

-- Corrects leases that began in the future, as after the clock has gone back. Without this, nobody
-- would take over from a dead run until the clock has caught up. Such a lease ends its length from
-- now. A live run renews its own lease.
--
-- It is atomic because it locks the rows that it changes. It waits for none, so it may run before
-- all other locks are taken.
create function parley.correct_leases_v1() returns void
language plpgsql volatile
as $parley$
declare
  now constant bigint := parley.now_ms();
  early constant text[] := array(
    select w.id from parley.workflows as w
    where w.lease_ms is not null and w.due_at - w.lease_ms > now
    order by w.due_at - w.lease_ms limit 1000
    for update skip locked
  );
begin
  if cardinality(early) > 0 then
    update parley.workflows as w set due_at = now + w.lease_ms, lease_until = now + w.lease_ms where w.id = any (early);
  end if;
end;
$parley$;

-- Locks due workflows, and returns their IDs, the longest due first.
--
-- A claim by due time skips locked rows, because another claim is taking them or a write is
-- changing them. A claim by ID waits for them, in the order of all locks. Its caller was told that
-- the workflow is due, and a send that is under way must not make it give up. In both cases the
-- conditions hold for the row as it is once it is locked.
--
-- Workflows that are `ready` and workflows that are due by time have an index each. Of the second
-- kind, only those are locked that may be among the longest due of both.
create function parley.lock_due_v1(request jsonb, names text[], except_ids text[], size integer) returns text[]
language plpgsql volatile
as $parley$
declare
  now bigint := parley.now_ms();
  locked text[];
  last_ready bigint;
begin
  if jsonb_typeof(request->'workflowIds') = 'null' then
    locked := array(
      select w.id from parley.workflows as w
      where w.phase = 'ready' and array_position(names, w.name) is not null and array_position(except_ids, w.id) is null
      order by w.due_at limit size for update skip locked
    );
    if cardinality(locked) = size then
      last_ready := (select w.due_at from parley.workflows as w where w.id = locked[size]);
    end if;
    locked := locked || array(
      select w.id from parley.workflows as w
      where w.phase <> 'ready' and w.due_at <= now and (w.lease_until is null or w.lease_until <= now)
        and w.due_at <= least(now, last_ready)
        and array_position(names, w.name) is not null and array_position(except_ids, w.id) is null
      order by w.due_at limit size for update skip locked
    );
  else
    locked := array(
      select w.id from parley.workflows as w
      where w.id = any (array(select jsonb_array_elements_text(request->'workflowIds'))) order by w.id for update
    );
    now := parley.now_ms();
  end if;
  return array(
    select w.id from parley.workflows as w
    where w.id = any (locked)
      and (
        w.phase = 'ready'
        or w.phase <> 'ready' and w.due_at <= now and (w.lease_until is null or w.lease_until <= now)
      )
      and array_position(names, w.name) is not null and array_position(except_ids, w.id) is null
    order by w.due_at, w.id limit size
  );
end;
$parley$;

-- Returns whether a claim would take more workflows: some whose rows another call holds at the
-- moment. It does not use `exists`, which would drop the order, and with it the index.
create function parley.some_are_due_v1(names text[], except_ids text[]) returns boolean
language plpgsql volatile
as $parley$
declare
  now constant bigint := parley.now_ms();
begin
  return coalesce(
    (
      select true from parley.workflows as w
      where w.phase = 'ready' and array_position(names, w.name) is not null and array_position(except_ids, w.id) is null
      order by w.due_at limit 1
    ),
    (
      select true from parley.workflows as w
      where w.phase <> 'ready' and w.due_at <= now and (w.lease_until is null or w.lease_until <= now)
        and array_position(names, w.name) is not null and array_position(except_ids, w.id) is null
      order by w.due_at limit 1
    ),
    false
  );
end;
$parley$;

-- Returns some names of due workflows that are not among the given ones.
create function parley.unknown_names_v1(names text[]) returns json
language plpgsql volatile
as $parley$
declare
  now constant bigint := parley.now_ms();
  found_names json;
begin
  select coalesce(json_agg(picked.name), '[]') into found_names from (
    select due.name from ((
      select w.name from parley.workflows as w
      where w.phase = 'ready'
        and array_position(names, w.name) is null
      order by w.due_at limit 1000
    ) union all (
      select w.name from parley.workflows as w
      where w.phase <> 'ready' and w.due_at <= now and (w.lease_until is null or w.lease_until <= now)
        and array_position(names, w.name) is null
      order by w.due_at limit 1000
    )) as due group by due.name limit 10
  ) as picked;
  return found_names;
end;
$parley$;

-- Returns the milliseconds until the next deadline, end of a pause or end of a lease. If a lease
-- was renewed, its due_at may pass before it ends.
create function parley.next_due_ms_v1() returns bigint
language plpgsql volatile
as $parley$
declare
  now constant bigint := parley.now_ms();
begin
  return least(
    (select w.due_at from parley.workflows as w where w.phase <> 'ready' and w.due_at > now order by w.due_at limit 1),
    (
      select min(w.lease_until) from parley.workflows as w
      where w.phase <> 'ready' and w.due_at <= now and w.lease_until > now
    )
  ) - now;
end;
$parley$;

-- Returns the same for a claim by ID, over workflows that no run holds. One that has become due a
-- moment ago counts as 0.
create function parley.next_due_of_v1(request jsonb, names text[]) returns bigint
language plpgsql volatile
as $parley$
declare
  now constant bigint := parley.now_ms();
begin
  return (
    select min(greatest(w.due_at - now, 0)) from parley.workflows as w
    where w.id = any (array(select jsonb_array_elements_text(request->'workflowIds')))
    and w.phase in ('suspended', 'parked') and w.due_at is not null and array_position(names, w.name) is not null
  );
end;
$parley$;

-- -------------------------------------------------------------------------------------------------
-- Claims: runs take over the workflows that are due.
-- -------------------------------------------------------------------------------------------------

-- Returns as many of the workflows as one answer has room for, beginning with the first and at
-- least one, and how much room they leave. They stay as they are, because the caller holds their
-- rows.
create function parley.fitting_v1(ids text[], out taken text[], out room bigint)
language plpgsql volatile
as $parley$
declare
  place integer := 0;
  bytes bigint;
begin
  room := 8388608;
  while place < cardinality(ids) loop
    bytes := (
      select parley.claim_bytes_v1(w.id, w.name, w.input, w.problem) from parley.workflows as w
      where w.id = ids[place + 1]
    );
    exit when place > 0 and bytes > room;
    room := room - bytes;
    place := place + 1;
  end loop;
  taken := ids[:place];
end;
$parley$;

-- Leases the workflows to the owner.
--
-- It is atomic because the caller holds their rows, and found them due once it held them.
create function parley.lease_v1(ids text[], owner text, lease_ms text) returns void
language plpgsql volatile
as $parley$
declare
  now constant bigint := parley.now_ms();
  lease_end constant bigint := parley.after_v1(now, lease_ms);
begin
  if cardinality(ids) = 0 then
    return;
  end if;
  if exists (select from parley.listeners as l where l.until > pg_catalog.clock_timestamp()) then
    perform parley.hint_v1(array(
      select 'outbox:' || w.id from parley.workflows as w where w.id = any (ids) and w.status <> 'PENDING'
    ));
  end if;
  update parley.workflows as w set
    status = 'PENDING', phase = 'running', epoch = w.epoch + 1, owner = lease_v1.owner,
    last_commit = 0, released = false, due_at = lease_end, lease_until = lease_end, lease_ms = lease_end - now,
    -- Only a lapsed lease is still 'running' here: its run died.
    recovery_attempts = w.recovery_attempts + (w.phase = 'running')::integer,
    waiting_topics = null, waiting_labels = null, waiting_until = null, updated_at = now
  where w.id = any (ids);
  delete from parley.waiters as r where r.waiter_id = any (ids);
end;
$parley$;

-- Returns what a run needs to begin, for each ID. The journals share the room that the workflows
-- leave, in this order. A journal that is complete saves its run a request. One that has no room at
-- all is read by the run itself.
create function parley.claimed_v1(ids text[], room bigint) returns json
language plpgsql volatile
as $parley$
declare
  now constant bigint := parley.now_ms();
  workflow_id text;
  page json;
  answer json[] := '{}';
begin
  foreach workflow_id in array coalesce(ids, '{}') loop
    page := parley.journal_page_v1(
      workflow_id, 0, case when room > 0 then 1000 else 0 end, least(1048576, room), room > 5478809.600000001
    );
    room := room - octet_length(to_json(page::text)::text);
    answer := array_append(answer, (
      select json_build_object(
        'workflow', parley.record_v1(w), 'epoch', w.epoch, 'now', now, 'journal', page,
        'open', parley.open_entries_v1(w.id, now)
      ) from parley.workflows as w where w.id = workflow_id
    ));
  end loop;
  return to_json(answer);
end;
$parley$;

-- `Driver.claim`: leases due workflows to an owner, and returns what their runs need to begin.
--
-- It is atomic because it holds the owner's slot and the rows of the workflows until it commits.
-- Two executions of one request follow each other, so the second one returns what the first one
-- took. No other call changes the workflows between the look and the lease.
create function parley.claim_v1(request jsonb) returns json
language plpgsql volatile
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_bitmapscan = off
set jit = off
set max_parallel_workers_per_gather = 0
as $parley$
declare
  by_due_time constant boolean := jsonb_typeof(request->'workflowIds') = 'null';
  names constant text[] := array(select jsonb_array_elements_text(request->'names'));
  except_ids constant text[] := array(select jsonb_array_elements_text(request->'except'));
  size constant integer := (request->>'limit')::integer;
  due text[];
  taken text[];
  room bigint;
  more boolean := false;
  unknown json := '[]';
  next_due_ms bigint;
begin
  perform parley.lock_slots_v1(array[parley.owner_slot_v1(request->>'owner')]);
  select array_agg(w.id order by w.id) into taken from parley.workflows as w
  where w.owner = request->>'owner' and w.phase = 'running' and w.lease_until > parley.now_ms();
  if taken is not null then
    room := (select f.room from parley.fitting_v1(taken) as f);
  else
    if by_due_time then
      perform parley.correct_leases_v1();
    end if;
    due := parley.lock_due_v1(request, names, except_ids, size);
    select f.taken, f.room into taken, room from parley.fitting_v1(due) as f;
    more := cardinality(taken) < cardinality(due);
    perform parley.lease_v1(taken, request->>'owner', request->>'leaseMs');
    if by_due_time and cardinality(taken) < size then
      more := more or parley.some_are_due_v1(names, except_ids);
      unknown := parley.unknown_names_v1(names);
      next_due_ms := parley.next_due_ms_v1();
    elsif not by_due_time then
      next_due_ms := parley.next_due_of_v1(request, names);
    end if;
  end if;
  return json_build_object(
    'claimed', parley.claimed_v1(taken, room), 'unknown', unknown, 'nextDueMs', next_due_ms, 'more', more
  );
end;
$parley$;

-- -------------------------------------------------------------------------------------------------
-- Cancelling, resuming and purging workflows.
-- -------------------------------------------------------------------------------------------------

-- `Driver.control`: cancels or resumes a workflow.
--
-- It is atomic because it takes all locks before it looks, the same ones in the same order as a
-- commit that ends a workflow: the slot of the result, then the rows of the workflow, its waiters
-- and its children. The rows of the children are needed because purge may remove them once the
-- workflow has ended, and not before.
create function parley.control_v1(request jsonb) returns json
language plpgsql volatile
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_bitmapscan = off
set jit = off
set max_parallel_workers_per_gather = 0
as $parley$
declare
  own constant text := request->>'workflowId';
  cancels constant boolean := request->>'action' = 'cancel';
  own_slot constant bigint := parley.result_slot_v1(own);
  now bigint;
  waiters text[] := '{}';
  children text[];
  locked text[];
  woken text[];
  w parley.workflows;
begin
  perform parley.lock_slots_v1(array[own_slot]);
  if cancels then
    waiters := array(select r.waiter_id from parley.waiters as r where r.slot = own_slot);
  end if;
  children := array(select c.id from parley.workflows as c where c.parent = own and c.kept = cancels);
  locked := array(
    select l.id from parley.workflows as l where l.id = any (waiters || children || own) order by l.id for update
  );
  waiters := array(select r.id from unnest(waiters) as r (id) where r.id = any (locked) and r.id <> own);
  select * into w from parley.workflows as mine where mine.id = own and own = any (locked);
  now := parley.now_ms();
  if not found then
    return json_build_object('state', 'not_found');
  end if;
  if cancels and w.phase <> 'ended' then
    update parley.workflows as ended set
      status = 'CANCELLED', phase = 'ended', due_at = null, lease_until = null, lease_ms = null,
      ended_at = now, updated_at = now, parks = 0, problem = null,
      waiting_topics = null, waiting_labels = null, waiting_until = null
    where ended.id = own;
    delete from parley.waiters as r where r.waiter_id = own;
    update parley.workflows as child set kept = false where child.id = any (locked) and child.parent = own;
    woken := parley.wake_v1(waiters, now);
    if exists (select from parley.listeners as l where l.until > pg_catalog.clock_timestamp()) then
      perform parley.hint_v1(array['inbox:' || own, 'outbox:' || own, case when cardinality(woken) > 0 then 'due' end]);
    end if;
    return json_build_object('state', 'done', 'woken', to_json(woken));
  end if;
  if cancels and w.status = 'CANCELLED' then
    -- A repeat names the workflows that the first call made due and nobody has claimed yet.
    return json_build_object(
      'state', 'done',
      'woken', to_json(array(select d.id from parley.workflows as d where d.id = any (waiters) and d.phase = 'ready'))
    );
  end if;
  if not cancels and w.status in ('CANCELLED', 'MAX_RECOVERY_ATTEMPTS_EXCEEDED') then
    -- With the next epoch, calls of an earlier run that are still under way are refused.
    update parley.workflows as resumed set
      status = 'PENDING', phase = 'ready', epoch = resumed.epoch + 1, owner = null, last_commit = 0, released = false,
      due_at = now, recovery_attempts = 0, output = null, error = null, ended_at = null, updated_at = now
    where resumed.id = own;
    update parley.workflows as child set kept = true where child.id = any (locked) and child.parent = own;
    if exists (select from parley.listeners as l where l.until > pg_catalog.clock_timestamp()) then
      perform parley.hint_v1(array['inbox:' || own, 'outbox:' || own, 'due']);
    end if;
    return json_build_object('state', 'done', 'woken', json_build_array(own));
  end if;
  if not cancels and w.phase <> 'ended' then
    -- A parked workflow becomes due at once. If the clock has gone back, a due one gets a new
    -- place, and a lease ends its length from now.
    if w.phase = 'parked' or (w.phase = 'ready' and w.due_at > now) then
      update parley.workflows as due set phase = 'ready', due_at = least(due.due_at, now), parks = 0 where due.id = own;
      if w.phase = 'parked'
        and exists (select from parley.listeners as l where l.until > pg_catalog.clock_timestamp())
      then
        perform parley.hint_v1(array['inbox:' || own, 'due']);
      end if;
      w.phase := 'ready';
    elsif w.phase = 'running' and w.lease_until - w.lease_ms > now then
      update parley.workflows as held set due_at = now + w.lease_ms, lease_until = now + w.lease_ms where held.id = own;
      w.lease_until := now + w.lease_ms;
    end if;
    -- A repeat names it as the first call did, until it is claimed.
    return json_build_object('state', 'done', 'woken', to_json(array(
      select own where w.status = 'PENDING'
        and (w.phase = 'ready' or (w.due_at <= now and (w.lease_until is null or w.lease_until <= now)))
    )));
  end if;
  return json_build_object('state', 'ended', 'status', w.status);
end;
$parley$;

-- `Driver.purge`: removes ended workflows, the oldest first.
--
-- It is atomic because it holds their rows first. A send or a resume that is under way comes before
-- it, and one that waits for it finds no workflow.
--
-- It waits for rows that another call holds, since the answer 0 means that there are no more. It
-- waits only once. If another purge has removed all of these rows meanwhile, this one already holds
-- locks, so it takes the next rows that are free.
--
-- Children that are kept for their parents are not in the index that it reads. So it costs the same
-- however many there are.
create function parley.purge_v1(request jsonb) returns json
language plpgsql volatile
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_bitmapscan = off
set jit = off
set max_parallel_workers_per_gather = 0
as $parley$
declare
  before constant bigint := parley.now_ms() - (request->>'olderThanMs')::numeric::bigint;
  size constant integer := (request->>'limit')::integer;
  oldest constant text[] := array(
    select w.id from parley.workflows as w where w.ended_at <= before and not w.kept order by w.ended_at limit size
  );
  ids text[];
begin
  ids := array(
    select w.id from parley.workflows as w
    where w.id = any (oldest) and w.ended_at <= before and not w.kept
    order by w.id for update
  );
  if cardinality(oldest) > 0 and cardinality(ids) = 0 then
    ids := array(
      select w.id from parley.workflows as w
      where w.ended_at <= before and not w.kept
      order by w.ended_at limit size for update skip locked
    );
  end if;
  delete from parley.journal as r where r.workflow_id = any (ids);
  delete from parley.messages as r where r.workflow_id = any (ids);
  delete from parley.inbox_heads as r where r.workflow_id = any (ids);
  delete from parley.events as r where r.workflow_id = any (ids);
  delete from parley.streams as r where r.workflow_id = any (ids);
  delete from parley.stream_values as r where r.workflow_id = any (ids);
  delete from parley.workflows as r where r.id = any (ids);
  if cardinality(ids) > 0
    and exists (select from parley.listeners as l where l.until > pg_catalog.clock_timestamp())
  then
    perform parley.hint_v1(array(select 'outbox:' || purged.id from unnest(ids) as purged (id)));
  end if;
  return json_build_object('purged', cardinality(ids));
end;
$parley$;

-- -------------------------------------------------------------------------------------------------
-- Reads. They are `stable`: every query in such a function sees the snapshot of the statement that
-- calls it, so all parts of an answer belong together.
-- -------------------------------------------------------------------------------------------------

-- `Driver.readWorkflow`: a workflow as it is, or null.
create function parley.read_workflow_v1(request jsonb) returns json
language plpgsql stable
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_bitmapscan = off
set jit = off
set max_parallel_workers_per_gather = 0
as $parley$
declare
  answer json;
begin
  select parley.record_v1(w) into answer from parley.workflows as w where w.id = request->>'workflowId';
  return answer;
end;
$parley$;

-- `Driver.readJournal`: a page of recorded entries.
create function parley.read_journal_v1(request jsonb) returns json
language plpgsql stable
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_bitmapscan = off
set jit = off
set max_parallel_workers_per_gather = 0
as $parley$
begin
  return parley.journal_page_v1(
    request->>'workflowId', (request->>'after')::bigint, (request->>'limit')::integer, 1048576, true
  );
end;
$parley$;

-- `Driver.listWorkflows`: a page, newest first, then by ID. The cursor is the place of its last
-- row.
--
-- The page is merged from one page per status, each from an index in this order. So it costs the
-- same however many other workflows there are. Postgres would use an index over all statuses for a
-- single status too, and read it to its end if that status has no workflows: 1,400 blocks instead
-- of 4, for 20,000 workflows. Parked workflows have indexes of their own, and one status.
--
-- The page ends where it gets too large, so its last row is known only then. Rows are carried
-- column by column, because carrying a whole row would fetch its values.
create function parley.list_workflows_v1(request jsonb) returns json
language plpgsql stable
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_bitmapscan = off
set jit = off
set max_parallel_workers_per_gather = 0
as $parley$
declare
  wanted constant text := request->>'name';
  statuses text[] := array(select distinct jsonb_array_elements_text(
    case
      when request->>'statuses' is not null then request->'statuses'
      else '["ENQUEUED","PENDING","SUCCESS","ERROR","CANCELLED","MAX_RECOVERY_ATTEMPTS_EXCEEDED"]'
    end
  ));
  with_values constant boolean := request->>'values';
  size constant integer := (request->>'limit')::integer;
  cursor_at constant bigint := request->'cursor'->>0;
  cursor_id constant text := request->'cursor'->>1;
  ids text[];
  answer json;
begin
  if (request->>'problem')::boolean then
    statuses := array(select given.status from unnest(statuses) as given (status) where given.status = 'PENDING');
    if wanted is null then
      ids := array(
      select one.id from unnest(statuses) as given (status)
      cross join lateral (
        select w.id, w.created_at from parley.workflows as w
        where w.problem is not null and given.status is not null
          and w.created_at <= coalesce(cursor_at, 9223372036854775807)
          and (cursor_at is null or w.created_at < cursor_at or w.id > cursor_id)
        order by w.created_at desc, w.id limit size + 1
      ) as one
      order by one.created_at desc, one.id limit size + 1
    );
    else
      ids := array(
      select one.id from unnest(statuses) as given (status)
      cross join lateral (
        select w.id, w.created_at from parley.workflows as w
        where w.name = wanted and w.problem is not null and given.status is not null
          and w.created_at <= coalesce(cursor_at, 9223372036854775807)
          and (cursor_at is null or w.created_at < cursor_at or w.id > cursor_id)
        order by w.created_at desc, w.id limit size + 1
      ) as one
      order by one.created_at desc, one.id limit size + 1
    );
    end if;
  elsif wanted is null then
    ids := array(
      select one.id from unnest(statuses) as given (status)
      cross join lateral (
        select w.id, w.created_at from parley.workflows as w
        where w.status = given.status
          and w.created_at <= coalesce(cursor_at, 9223372036854775807)
          and (cursor_at is null or w.created_at < cursor_at or w.id > cursor_id)
        order by w.created_at desc, w.id limit size + 1
      ) as one
      order by one.created_at desc, one.id limit size + 1
    );
  else
    ids := array(
      select one.id from unnest(statuses) as given (status)
      cross join lateral (
        select w.id, w.created_at from parley.workflows as w
        where w.name = wanted and w.status = given.status
          and w.created_at <= coalesce(cursor_at, 9223372036854775807)
          and (cursor_at is null or w.created_at < cursor_at or w.id > cursor_id)
        order by w.created_at desc, w.id limit size + 1
      ) as one
      order by one.created_at desc, one.id limit size + 1
    );
  end if;
  with page as materialized (select p.* from (
    select m.*,
      m.may_fit and (
        (m.place = 1 and true) or sum(m.wire_bytes) over in_order <= 4194304
      ) as fits
    from (
      select k.*,
        case
          when k.may_fit then 100
            + coalesce(parley.wire_bytes_v1(k.id), 0)
            + coalesce(parley.wire_bytes_v1(k.name), 0)
            + coalesce(parley.wire_bytes_v1(k.labels), 0)
            + coalesce(parley.wire_bytes_v1(k.shown_input), 0)
            + coalesce(parley.wire_bytes_v1(k.shown_output), 0)
            + coalesce(parley.wire_bytes_v1(k.shown_error), 0)
            + coalesce(parley.wire_bytes_v1(k.problem), 0)
        end as wire_bytes
      from (
        select r.*, row_number() over in_order as place,
          row_number() over in_order = 1 or sum(
            coalesce(octet_length(r.id), 0)
            + coalesce(octet_length(r.name), 0)
            + coalesce(octet_length(r.labels), 0)
            + coalesce(octet_length(r.shown_input), 0)
            + coalesce(octet_length(r.shown_output), 0)
            + coalesce(octet_length(r.shown_error), 0)
            + coalesce(octet_length(r.problem), 0)
          ) over in_order <= 4194304 as may_fit
        from (
          select w.*, w.waiting_labels::text as labels, case when with_values then w.input end as shown_input,
            case when with_values then w.output end as shown_output,
            case when with_values or case
    when octet_length(w.error) <= 4096 then true
    when octet_length(w.error) > 16384 then false
    else char_length(w.error) <= 4096
  end then w.error end as shown_error
          from parley.workflows as w where w.id = any (ids[:size])
        ) as r
        window in_order as (order by created_at desc, id rows unbounded preceding)
      ) as k
    ) as m
    window in_order as (order by created_at desc, id rows unbounded preceding)
  ) as p where p.fits)
  select json_build_object(
    'workflows', coalesce(json_agg(json_build_object(
    'workflowId', p.id, 'name', p.name, 'status', p.status,
    'waiting', case
      when p.waiting_labels is not null
        then json_build_object('operations', p.waiting_labels, 'until', p.waiting_until)
    end,
    'input', p.shown_input, 'output', p.shown_output, 'error', p.shown_error, 'problem', p.problem, 'parks', p.parks,
    'createdAt', p.created_at, 'updatedAt', p.updated_at, 'recoveryAttempts', p.recovery_attempts
  ) order by p.place), '[]'),
    'cursor', case when cardinality(ids) > count(*) then (
      select json_build_array(last.created_at, last.id) from page as last order by last.place desc limit 1
    ) end
  ) into answer from page as p;
  return answer;
end;
$parley$;

-- `Driver.readEvent`: an event, and the status of its workflow.
create function parley.read_event_v1(request jsonb) returns json
language plpgsql stable
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_bitmapscan = off
set jit = off
set max_parallel_workers_per_gather = 0
as $parley$
declare
  answer json;
begin
  select json_build_object(
    'event', (
      select json_build_object('version', e.version, 'value', e.value) from parley.events as e
      where e.workflow_id = request->>'workflowId' and e.key = request->>'key'
    ),
    'status', (select w.status from parley.workflows as w where w.id = request->>'workflowId')
  ) into answer;
  return answer;
end;
$parley$;

-- `Driver.readStream`: a page of values, the end of the stream, and the status of its workflow.
create function parley.read_stream_v1(request jsonb) returns json
language plpgsql stable
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_bitmapscan = off
set jit = off
set max_parallel_workers_per_gather = 0
as $parley$
declare
  own constant text := request->>'workflowId';
  stream_key constant text := request->>'key';
  size constant integer := (request->>'limit')::integer;
  answer json;
begin
  select json_build_object(
    'values', (select coalesce(json_agg(v.value order by v.place) filter (where v.fits), '[]') from (
    select m.*,
      m.may_fit and (
        (m.place = 1 and true) or sum(m.wire_bytes) over in_order <= 1048576
      ) as fits
    from (
      select k.*,
        case
          when k.may_fit then 100
            + coalesce(parley.wire_bytes_v1(k.value), 0)
        end as wire_bytes
      from (
        select r.*, row_number() over in_order as place,
          row_number() over in_order = 1 or sum(
            coalesce(octet_length(r.value), 0)
          ) over in_order <= 1048576 as may_fit
        from (
          select v.stream_offset, v.value from parley.stream_values as v
          where v.workflow_id = own and v.key = stream_key and v.stream_offset >= (request->>'from')::bigint
          order by v.stream_offset limit size
        ) as r
        window in_order as (order by stream_offset rows unbounded preceding)
      ) as k
    ) as m
    window in_order as (order by stream_offset rows unbounded preceding)
  ) as v),
    'tail', coalesce(t.tail, 0), 'closed', coalesce(t.closed, false), 'status', w.status
  ) into answer
  from (select) as nothing
  left join parley.streams as t on t.workflow_id = own and t.key = stream_key
  left join parley.workflows as w on w.id = own;
  return answer;
end;
$parley$;

-- -------------------------------------------------------------------------------------------------
-- Push: hints for connections that listen, about which targets have changed.
--
-- Hints go by `NOTIFY`, which takes a lock over all databases of the server at commit. So a call
-- sends none while no connection listens. The table listeners has a row per connection, which
-- counts until the connection has been silent for a while.
--
-- These times are real time, even in tests that move the store's clock: they belong to a
-- connection, and nothing durable depends on them.
-- -------------------------------------------------------------------------------------------------

-- Sends one hint for each of these targets, and none for a null. A hint has at most 1,027 bytes, an
-- `inbox:` or `outbox:` and an ID, where Postgres allows 8,000.
--
-- The caller checks first that some connection listens, because calling a function would cost each
-- write more than the check does.
create function parley.hint_v1(targets text[]) returns void
language plpgsql volatile
as $parley$
begin
  perform pg_notify('parley_' || to_hex(hashtextextended('parley', 5)), t.target)
  from (select distinct given.target from unnest(targets) as given (target) where given.target is not null) as t;
end;
$parley$;

-- Makes the connection listen for some time, or extends that time. Returns whether the connection
-- has listened without a gap. It also removes connections whose time is over. It is atomic because
-- a row belongs to one connection, and because rows are removed under their locks.
create function parley.listen_v1(listener text, for_ms integer) returns boolean
language plpgsql volatile
as $parley$
declare
  kept boolean;
begin
  execute format('listen %I', 'parley_' || to_hex(hashtextextended('parley', 5)));
  kept := exists (select from parley.listeners as l where l.id = listener and l.until > pg_catalog.clock_timestamp());
  insert into parley.listeners (id, until)
  values (listener, pg_catalog.clock_timestamp() + for_ms * interval '1 millisecond')
  on conflict (id) do update set until = excluded.until;
  -- This comes last and does not wait. Otherwise two connections that return after a long silence
  -- would wait for each other.
  delete from parley.listeners as l where l.id = any (array(
    select gone.id from parley.listeners as gone where gone.until < pg_catalog.clock_timestamp() for update skip locked
  ));
  return kept;
end;
$parley$;

-- Waits until every transaction has ended that may have found that nothing listens. Then what it
-- wrote is visible, and all later transactions send hints.
--
-- A transaction that reads listeners takes a lock on that table before it reads, and holds the lock
-- until it commits. This function waits for the holders, up to a second. Nothing waits for this
-- function.
create function parley.settle_v1() returns void
language plpgsql volatile
as $parley$
declare
  listeners constant text := 'parley.listeners';
  earlier constant text[] := array(
    select l.virtualtransaction from pg_catalog.pg_locks as l
    where l.relation = to_regclass(listeners) and l.pid <> pg_backend_pid()
      and l.database = (select d.oid from pg_catalog.pg_database as d where d.datname = current_database())
  );
begin
  for waited in 1 .. 100 loop
    exit when not exists (
    select l.virtualtransaction from pg_catalog.pg_locks as l
    where l.relation = to_regclass(listeners) and l.pid <> pg_backend_pid()
      and l.database = (select d.oid from pg_catalog.pg_database as d where d.datname = current_database())
      and l.virtualtransaction = any (earlier)
    );
    perform pg_sleep(0.01);
  end loop;
end;
$parley$;

-- Removes a listener whose connection is about to close. It is atomic because it is one statement.
create function parley.unlisten_v1(listener text) returns void
language sql volatile
as $parley$
delete from parley.listeners as l where l.id = listener
$parley$;

-- -------------------------------------------------------------------------------------------------
insert into parley.migrations (version) values (1), (2);

commit;
