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
-- - `jit` is off. Up to version 17, a plan that needs a switched-off feature counts as expensive,
--   and Postgres compiles expensive plans. A commit then took 100 ms instead of 1.
-- - A plan has no workers. Starting them to find the next deadline among 1,000,000 workflows took 4
--   ms; the search takes 0.1.
--
-- As measured, `recv` takes 0.32 ms with these settings and 0.45 ms without. A page of 50 out of
-- 100,000 workflows takes 0.4 ms. It took 39 ms with a plan from when there were no workflows. A
-- join may still begin with a whole table, which was cheap when the plan was made. So the functions
-- do not join tables by parts of keys. They look rows up with `= any (an array)` of whole keys. Or
-- they use a `lateral` with a `limit`, which runs from the outer side only.
--
-- A helper is called by functions of the schema alone. It runs under the settings of its caller.
-- -------------------------------------------------------------------------------------------------

-- -------------------------------------------------------------------------------------------------
-- The tables and the store's clock.
--
-- There are no foreign keys. Each would lock the workflow's row once more for every message, entry
-- and value. Every call that writes a workflow's rows already holds that lock. `purge` removes what
-- belongs to a workflow.
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
--   left. Until then a commit rewrites no index entry. It is a HOT update, for which the fill
--   factor leaves room.
-- - lease_ms is the length of the lease, null while there is none.
-- - claimed says that a claim has given a lease. Only a repeated claim looks for an owner, so a
--   workflow that its start has leased has no entry in the index of owners.
-- - released tells a repeated commit that its first execution released the lease. The columns
--   waiting_* are kept until the next claim for the same reason.
-- - problem and parks belong to a parked workflow. They stay until a run has made progress or
--   released its lease in another way.
-- - parent is the workflow that has started this one and has not recorded its result. kept says
--   that parent has not ended either, so purge leaves this row.
-- - inbox_seq is how many messages were sent to it, and received how many of these it has received.
-- - failed_position is where the journal has the error that ended it.
-- - generation is how often it was continued as new, and rewinds how often a resume has dropped
--   entries of its journal. Both are null in place of 0.
--
-- The log has what an update changes from the first byte to the last. So columns that change together
-- are beside each other, and those that never change come first.
--
-- The clock may go back. So a workflow that is `ready` is due whatever due_at says. Its due_at only
-- gives the order, in an index of its own. That index and the one of deadlines begin with the name,
-- so a claim does not read workflows of names that it does not run. Leases have another index, by
-- their length. A lease may seem to begin in the future, at due_at - lease_ms. Then it ends
-- lease_ms after the time at which it is found (see correct_leases_v1).
create table parley.workflows (
  id text collate "C" primary key,
  name text collate "C" not null,
  input text not null,
  parent text collate "C",
  created_at bigint not null,
  generation integer,
  rewinds integer,
  kept boolean not null default false,
  claimed boolean not null default false,
  owner text collate "C",
  epoch bigint not null,
  inbox_seq bigint not null default 0,
  received bigint not null default 0,
  journal_seq bigint not null default 0,
  last_commit bigint not null default 0,
  updated_at bigint not null,
  lease_until bigint,
  due_at bigint,
  lease_ms bigint,
  ended_at bigint,
  failed_position integer,
  recovery_attempts integer not null default 0,
  parks integer not null default 0,
  released boolean not null default false,
  status text collate "C" not null,
  phase text collate "C" not null,
  waiting_until bigint,
  waiting_topics text[] collate "C",
  waiting_labels text[] collate "C",
  output text,
  error text,
  problem text
) with (fillfactor = 70);
create index workflows_ready on parley.workflows (name, due_at) where phase = 'ready';
create index workflows_due on parley.workflows (name, due_at)
where due_at is not null and phase in ('suspended', 'parked');
create index workflows_leased on parley.workflows (lease_ms, due_at) where lease_ms is not null;
create index workflows_owner on parley.workflows (owner) where claimed and phase = 'running';
create index workflows_status on parley.workflows (status, created_at desc);
create index workflows_name on parley.workflows (name, status, created_at desc);
create index workflows_problem on parley.workflows ((created_at + 0) desc) where problem is not null;
create index workflows_problem_name on parley.workflows (name, created_at desc) where problem is not null;
create index workflows_ended on parley.workflows (ended_at) where ended_at is not null and not kept;
create index workflows_parent on parley.workflows (parent) where parent is not null;

-- The entries of each workflow's journal.
--
-- - seq is the place in recorded order, null while the entry is open. The index on it serves both,
--   because it also contains nulls.
-- - began_at is when the operation began, and took how many milliseconds later its outcome was
--   recorded. took is null in place of 0, and while the entry is open.
-- - deadline is that of an open or timed-out wait.
-- - attempts is how many tries a step took, and null for other entries. While the step pauses before
--   the next try, it is how many have failed.
-- - message_key is the dedupe_key of the message that the entry has received.
--
-- The numbers are beside each other, so that they need no padding.
create table parley.journal (
  workflow_id text collate "C" not null,
  position integer not null,
  seq integer,
  began_at bigint not null,
  took bigint,
  deadline bigint,
  attempts integer,
  label text not null,
  tag text collate "C",
  value text,
  topic text collate "C",
  message_key text collate "C",
  primary key (workflow_id, position)
);
create index journal_recorded on parley.journal (workflow_id, seq);

-- The messages that were sent to each workflow.
--
-- value is null once the message was received. The journal has the message then, and the row stays
-- because of its dedupe_key. If the entry of the journal is dropped, the message gets its value
-- back, and with it its old place. The second index contains waiting messages only. sent_at is taken
-- under the lock of the receiver's row.
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

-- How far each topic of a workflow was received. Every message up to seq was received.
--
-- Without this table, the search for the next message passes over the index entries of all received
-- messages that no vacuum has removed yet. After 100,000 of them, it took 1.5 ms instead of 0.45. A
-- row is written about every 64th time.
create table parley.inbox_heads (
  workflow_id text collate "C" not null,
  topic text collate "C" not null,
  seq bigint not null,
  primary key (workflow_id, topic)
);

-- The events of each workflow. set_at is when the key was first set, and updated_at when it was last
-- set. updated_at is null for the first version.
create table parley.events (
  workflow_id text collate "C" not null,
  key text collate "C" not null,
  set_at bigint not null,
  updated_at bigint,
  version bigint not null,
  value text not null,
  primary key (workflow_id, key)
);

-- The streams of each workflow. tail is the offset of the next value. updated_at is when the stream
-- was last written or closed.
create table parley.streams (
  workflow_id text collate "C" not null,
  key text collate "C" not null,
  updated_at bigint not null,
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
-- together says that the waiter needs all of its slots that are marked so, and that this slot has
-- not been filled yet.
create table parley.waiters (
  slot bigint not null,
  waiter_id text collate "C" not null,
  together boolean not null,
  primary key (slot, waiter_id)
);
create index waiters_of on parley.waiters (waiter_id, together);

-- What claims remember of leases, by their length. No lease has a due_at below floor.
--
-- A workflow that ends leaves its entry in workflows_leased. While some transaction holds an older
-- snapshot, nothing can remove the entry, and every claim would pass over it. But leases of one
-- length are written in the order of their due_at. So a claim begins where an earlier claim has
-- found the first lease.
--
-- proposed is the next floor. It holds once the transactions in holders are over, because these may
-- still write below it. seen is the time at which the row was written. The row does not count long
-- after that time. If the clock has gone back, it does not count before that time either.
create table parley.lease_floors (
  lease_ms bigint primary key,
  floor bigint not null,
  proposed bigint,
  holders text[] collate "C" not null,
  seen bigint not null
);

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
-- Both sides of a wait take the slot's advisory lock before they look and write. One side reads the
-- waiters, and then fills the slot. The other side looks, writes its row in waiters, and then
-- suspends. So neither side misses the other, even while there is no row to lock. If two things
-- have the same hash, their waiters wake each other, and look again.
--
-- All functions take locks in the same order, so no two calls wait for each other. They first lock
-- slots, by number, and then rows of workflows, by ID, in one statement. Locking another row later
-- would be out of order. So a row that appears after this statement does not exist for the call.
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

-- The slot of an owner. A claim and its repeat may arrive at the same time. Without this slot, both
-- would find nothing claimed yet.
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
-- A call with many slots locks their groups. A call with few slots shares the locks of their
-- groups, and then locks each slot. So calls with few slots exclude each other only if they have a
-- slot in common. A call with many slots excludes all calls that have a slot in one of its groups.
--
-- The caller looks under these locks. That needs a snapshot for each statement, as `read committed`
-- takes. An older snapshot would lack what the call has waited for.
create function parley.lock_slots_v1(slots bigint[]) returns void
language plpgsql volatile
as $parley$
declare
  is_few constant boolean := cardinality(slots) <= 64;
begin
  perform parley.check_isolation_v1();
  perform case
    when sorted.is_group and is_few then pg_advisory_xact_lock_shared(sorted.lock)
    else pg_advisory_xact_lock(sorted.lock)
  end
  from (
    select distinct l.is_group, l.lock
    from unnest(slots) as given (slot) cross join lateral (
      values
        (true, hashtextextended('parley', 7) & ~63::bigint | (given.slot & 63)),
        (false, given.slot)
    ) as l (is_group, lock)
    where l.is_group or is_few order by l.is_group desc, l.lock
  ) as sorted;
end;
$parley$;

-- Makes the suspended ones among these workflows due at once, and returns their IDs. Their deadline
-- may have passed already, since the clock may go back.
--
-- It is atomic because the caller holds their rows. So none of them is claimed or suspends
-- meanwhile.
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

-- Returns the waiters that can go on after a success in this slot. Waiters that also need other
-- slots are left out.
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
-- page at most. A longer text is escaped only if it has control characters, which no JSON has.
-- Escaping 1 MB of quotes takes 20 times as long as counting them. Where there are few quotes and
-- backslashes, `replace` takes a tenth of the time of `translate`.
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
select 600
  + parley.wire_bytes_v1(workflow_id) + parley.wire_bytes_v1(name)
  + parley.wire_bytes_v1(input) + parley.wire_bytes_v1(problem)
  + coalesce((
    select sum(100 + parley.wire_bytes_v1(j.label)) from parley.journal as j
    where j.workflow_id = claim_bytes_v1.workflow_id and j.seq is null
  ), 0)::bigint
$parley$;

-- How many bytes of its request a commit's answer repeats. They are the outcomes that the run has
-- recorded itself.
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
    'failed', case
      when w.failed_position is not null then (
        select json_build_object('position', j.position, 'label', j.label) from parley.journal as j
        where j.workflow_id = w.id and j.position = w.failed_position
      )
    end,
    'createdAt', w.created_at, 'updatedAt', w.updated_at, 'endedAt', w.ended_at,
    'unread', w.inbox_seq - w.received, 'generation', coalesce(w.generation, 0),
    'rewinds', coalesce(w.rewinds, 0), 'recoveryAttempts', w.recovery_attempts
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
          when k.may_fit then 150
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
  'position', j.position, 'label', j.label, 'attempts', coalesce(j.attempts, 0),
  'remainingMs', parley.remaining_v1(j.deadline, now)
) order by j.position), '[]')
from parley.journal as j where j.workflow_id = open_entries_v1.workflow_id and j.seq is null
$parley$;

-- -------------------------------------------------------------------------------------------------
-- Creating workflows.
-- -------------------------------------------------------------------------------------------------

-- Inserts a workflow unless its ID exists, and returns whether it did. A workflow with a parent is
-- kept until its parent has ended. A workflow that is due later is suspended until then, and waits
-- for nothing else.
--
-- It is atomic because the primary key decides between two inserts at the same time. The second one
-- waits until the first has committed.
create function parley.insert_workflow_v1(workflow jsonb, status text, owner text, lease_ms text, parent text)
returns boolean
language plpgsql volatile
as $parley$
declare
  now constant bigint := parley.now_ms();
  lease_end constant bigint := parley.after_v1(now, lease_ms);
  due constant jsonb := workflow->'due';
  due_later constant bigint := coalesce(
    parley.after_v1(now, due->>'inMs'),
    case when due->>'at' is not null then least(ceil((due->>'at')::numeric), 8640000000000000)::bigint end
  );
begin
  insert into parley.workflows (
    id, name, status, phase, epoch, owner,
    due_at, lease_until, lease_ms, created_at, updated_at, input, parent, kept
  )
  values (
    workflow->>'workflowId', workflow->>'name', status,
    case when lease_end is not null then 'running' when due_later is not null then 'suspended' else 'ready' end,
    (lease_end is not null)::integer, owner,
    coalesce(lease_end, due_later, now), lease_end, lease_end - now, now, now,
    workflow->>'input', parent, parent is not null
  )
  on conflict (id) do nothing;
  return found;
end;
$parley$;

-- `Driver.create`, for any number of workflows: inserts each, with a lease or a due time if asked.
--
-- It is atomic because one insert decides about each workflow, and the answer reads the row that
-- this insert wrote or found. The driver sends the workflows by ID, so that two calls do not wait
-- for each other's inserts.
create function parley.create_v1(requests jsonb) returns json
language plpgsql volatile
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_bitmapscan = off
set jit = off
set max_parallel_workers_per_gather = 0
as $parley$
declare
  request jsonb;
  leased boolean;
  fresh boolean;
  due_in bigint;
  answer json;
  answers json[] := '{}';
  targets text[] := '{}';
begin
  perform parley.check_isolation_v1();
  for turn in 0 .. jsonb_array_length(requests) - 1 loop
    request := requests->turn;
    leased := request->>'leaseMs' is not null;
    answer := null;
    -- Runs once, unless a purge removes the workflow that had the ID.
    while answer is null loop
      fresh := parley.insert_workflow_v1(
        request, case when leased then 'PENDING' else 'ENQUEUED' end, request->>'owner', request->>'leaseMs', null
      );
      -- A repeat finds its own owner, at the epoch with which the workflow was created.
      select json_build_object(
        'created', fresh or (w.owner is not distinct from request->>'owner' and w.epoch = leased::integer),
        'name', w.name, 'epoch', w.epoch, 'createdAt', w.created_at, 'now', parley.now_ms()
      ), w.due_at - w.created_at into answer, due_in
      from parley.workflows as w where w.id = request->>'workflowId';
    end loop;
    answers := array_append(answers, answer);
    if fresh then
      targets := targets || array[
        'status:' || (request->>'workflowId'), case when not leased and due_in < 10000 then 'due' end
      ];
    end if;
  end loop;
  if cardinality(targets) > 0
    and exists (select from parley.listeners as l where l.until > pg_catalog.clock_timestamp())
  then
    perform parley.hint_v1(targets);
  end if;
  return to_json(answers);
end;
$parley$;

-- -------------------------------------------------------------------------------------------------
-- Messages.
--
-- A send holds the row of its destination. A receive holds the same row, and so does a suspend. The
-- counter on that row gives each message its place. The places have the order in which the sends
-- took effect.
-- -------------------------------------------------------------------------------------------------

-- `Driver.send`: sends some messages, or none of them.
--
-- It is atomic because it locks all destinations first. Then one statement judges all messages, and
-- its later parts write only if none is refused.
--
-- It looks for a message's key before it looks at the status. So a repeat gets the first answer,
-- even if the destination has ended since. In a repeat, `woken` also names destinations that the
-- first call made due and nobody has claimed yet. If a key occurs twice in one call, the later
-- message is judged as if the earlier one had been sent.
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
-- It is atomic because the caller, a commit, holds the row of the destination. So nothing is sent,
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
-- taken. If the first message of a topic was sent too late, all messages behind it were too,
-- because each send held the receiver's row. So one message per topic is enough.
--
-- It is atomic because the caller, a commit, holds the receiver's row. So no other message is sent
-- or received there meanwhile, and the message is still as it was found.
create function parley.take_message_v1(
  receiver text, topics text[], latest bigint, out value text, out topic text, out dedupe_key text
)
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
      select m.ctid as tuple, m.seq, m.topic, m.dedupe_key, m.sent_at, m.value from parley.messages as m
      where m.workflow_id = receiver and m.topic = given.topic and m.seq > coalesce(h.seq, 0) and m.value is not null
      order by m.seq limit 1
    ) as m
    where latest is null or m.sent_at <= latest
    order by m.seq limit 1
  ), taken as (
    update parley.messages as m set value = null from oldest where m.ctid = oldest.tuple
  )
  select oldest.value, oldest.topic, oldest.dedupe_key, oldest.seq into value, topic, dedupe_key, place from oldest;
  if found then
    if random() < 1.0 / 64 then
      insert into parley.inbox_heads (workflow_id, topic, seq) values (receiver, take_message_v1.topic, place)
      on conflict on constraint inbox_heads_pkey do update set seq = excluded.seq;
    end if;
  end if;
end;
$parley$;

-- -------------------------------------------------------------------------------------------------
-- The locks of a commit.
-- -------------------------------------------------------------------------------------------------

-- Takes every lock that some commits need, in the order of all locks. A commit looks at nothing
-- before.
--
-- A commit that keeps its lease looks without locking slots, because its next look finds what this
-- look misses. A commit that suspends locks the slots that it observes. Its look then sees whatever
-- filled a slot before. A call that fills a slot later sees the row of the commit in waiters.
--
-- The end of a workflow fills the slot of its result. It also decides that an event will not come,
-- so a commit that waits for an event locks that slot too. A commit that starts children locks the
-- slot of its own result. So the end of that workflow, after which purge may remove the children,
-- misses none of them.
create function parley.commit_locks_v1(
  requests jsonb, out locked text[], out children text[], out is_awaited boolean
)
language plpgsql volatile
as $parley$
declare
  is_alone constant boolean := jsonb_array_length(requests) = 1;
  filled bigint[] := '{}';
  observed bigint[] := '{}';
  started bigint[] := '{}';
  -- The workflows that end, and the children whose results are awaited
  ended text[] := '{}';
  awaited text[] := '{}';
  rows text[] := '{}';
  waiters text[];
  request jsonb;
  own text;
  suspends boolean;
  op jsonb;
  kind text;
begin
  for turn in 0 .. jsonb_array_length(requests) - 1 loop
    request := requests->turn;
    own := request->>'workflowId';
    suspends := request->'transition'->>'to' is not distinct from 'suspend';
    if not is_alone then
      rows := array_append(rows, own);
    end if;
    if request->'transition'->>'to' = 'end' then
      filled := array_append(filled, parley.result_slot_v1(own));
      ended := array_append(ended, own);
    end if;
    for i in 0 .. jsonb_array_length(request->'operations') - 1 loop
      op := request->'operations'->i;
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
          awaited := array_append(awaited, op->>'workflowId');
        end if;
      end if;
    end loop;
  end loop;
  if cardinality(filled) > 0 or cardinality(observed) > 0 or cardinality(started) > 0 then
    perform parley.lock_slots_v1(filled || observed || started);
  end if;
  if cardinality(filled) > 0 then
    select array_agg(r.waiter_id) into waiters from parley.waiters as r where r.slot = any (filled);
    rows := rows || waiters;
  end if;
  -- A commit of this call may begin to wait for what a later one sets.
  is_awaited := cardinality(waiters) > 0 or not is_alone and cardinality(observed) > 0;
  if cardinality(ended) > 0 then
    children := array(select c.id from parley.workflows as c where c.parent = any (ended) and c.kept);
    rows := rows || children;
  end if;
  if cardinality(awaited) > 0 then
    rows := rows || array(
      select c.id from parley.workflows as c
      where c.id = any (awaited) and c.kept and c.phase = 'ended'
    );
  end if;
  if cardinality(rows) > 0 then
    if is_alone then
      rows := array_append(rows, own);
    end if;
    select array_agg(l.id) into locked from (
      select w.id from parley.workflows as w where w.id = any (rows) order by w.id for update
    ) as l;
    children := array(select c.id from unnest(children) as c (id) where c.id = any (locked));
  end if;
end;
$parley$;

-- -------------------------------------------------------------------------------------------------
-- What a commit calls for an operation.
-- -------------------------------------------------------------------------------------------------

-- Returns the journal entries of the operations' positions, by position. It returns null if there
-- are none, as in most commits.
--
-- Each entry is looked up by itself. With `position = any (positions)` Postgres planned to read the
-- whole journal, since most journals are short. For a workflow with 20,000 entries, that took 250
-- blocks for each commit.
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
      'seq', j.seq, 'beganAt', j.began_at, 'deadline', j.deadline, 'attempts', coalesce(j.attempts, 0),
      'tag', j.tag, 'value', j.value, 'topic', j.topic
    )
  ) into answer
  from unnest(positions) as given (position)
  cross join lateral (
    select j.* from parley.journal as j where j.workflow_id = own and j.position = given.position limit 1
  ) as j;
  return answer;
end;
$parley$;

-- Returns an event or the result of a workflow, if it is there. With `latest`, only what came no
-- later than that counts.
--
-- It is one statement, because the event may come and the workflow may end between two statements.
-- The result of a child counts only if the commit holds the child's row, or if the child needs no
-- mark. The commit marks the result as recorded in that row.
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

-- Starts a child, and returns `started`. If the workflow exists, it returns `done`, or
-- `workflow_conflict` for another name.
--
-- It is atomic because the insert decides. The caller also holds the child's start slot, so no
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

-- Makes the transition of a commit, which releases the lease: suspend, yield, park, end or
-- continue as new. Returns when the workflow is due.
--
-- It is atomic because the caller, commit_v1, holds the workflow's row, the rows of its children,
-- and the slots that it waits for. So a call that fills such a slot after this commit finds the
-- rows that this function writes into waiters.
--
-- w is the workflow with the counts of this commit; until is the earliest deadline of its open
-- waits. Continuing as new removes the journal alone. Messages that were received keep their rows for
-- their keys, and without an entry they are not listed.
create function parley.release_v1(
  request jsonb, w parley.workflows, until bigint, observed bigint[], children text[], now bigint
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
    when 'continueAsNew' then now
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
  elsif goal = 'end' and cardinality(children) > 0 then
    update parley.workflows as child set kept = false
    where child.id = any (children) and child.parent = w.id and child.kept;
  elsif goal = 'continueAsNew' then
    delete from parley.journal as j where j.workflow_id = w.id;
    w.generation := coalesce(w.generation, 0) + 1;
    w.journal_seq := 0;
    w.recovery_attempts := 0;
  end if;
  update parley.workflows as released set
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

-- Returns the answer to a commit that was made before, from the entries that the commit has
-- recorded. It writes nothing, and an open wait does not look again.
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

-- `Driver.commit`, for any number of commits of different workflows. For each, it checks the fence,
-- applies the operations in order, and makes the transition or renews the lease. If the answers of
-- earlier commits have many bytes, a commit is not carried out, and its answer is null.
--
-- One transaction for several commits costs one flush of the log, and one set-up of this function.
-- If one commit fails, all fail, and the driver sends each by itself.
--
-- It is atomic because it takes all locks before it looks at anything. Each statement in it sees
-- what was committed before the statement began. So the findings of the fence and of each operation
-- stay true until the end. Journal entries and stream values are gathered first. One statement per
-- table writes them, so 100 stream writes cost a few statements and not hundreds.
--
-- The loop is part of this function, because each call of a function takes time. With a function
-- for one wait, `recv` took 2% longer, and a suspend with three waits 3%.
create function parley.commit_v1(requests jsonb) returns json
language plpgsql volatile
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_bitmapscan = off
set jit = off
set max_parallel_workers_per_gather = 0
as $parley$
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
  from parley.commit_locks_v1(requests) as l;

  for turn in 0 .. jsonb_array_length(requests) - 1 loop
    request := requests->turn;
    if answer_bytes > 1048576 then
      answers := array_append(answers, null);
      continue;
    end if;

    declare
      own constant text := request->>'workflowId';
      number constant bigint := (request->>'number')::bigint;
      operations constant jsonb := request->'operations';
      goal text := request->'transition'->>'to';
      w parley.workflows;
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

    begin
      select * into w from parley.workflows as mine
      where mine.id = own and (locked is null or own = any (locked)) for update;

      -- 2. The fence.
      if not found or w.epoch <> (request->>'epoch')::bigint or w.owner is distinct from request->>'owner' then
        answers := array_append(answers, json_build_object('state', 'lost'));
        continue;
      end if;
      if number <= w.last_commit then
        answer := parley.repeat_commit_v1(request, w);
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
        message_key := null;
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
            select t.tail, t.closed into tail, closed from parley.streams as t
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
            filled := array_append(filled, parley.event_slot_v1(own, op->>'key'));
          end if;
          insert into parley.events as e (workflow_id, key, set_at, version, value)
          values (own, op->>'key', now, 1, op->>'value')
          on conflict (workflow_id, key) do update set
            updated_at = excluded.set_at, version = e.version + 1, value = excluded.value;
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
            when is_new then parley.after_v1(now, op->>'timeoutMs')
            else (entry->>'deadline')::bigint
          end;
          settled := settled or deadline <= now;
        else
          is_new := entry is null;
          deadline := case
            when is_new then coalesce(parley.after_v1(now, op->>'timeoutMs'), (op->>'until')::bigint)
            else (entry->>'deadline')::bigint
          end;
          -- Once the deadline has passed, only what came before it counts. The first look takes
          -- everything that is there.
          latest := case when not is_new and deadline <= now then deadline end;
          if kind = 'receive' then
            select t.value, t.topic, t.dedupe_key into value, topic, message_key
            from parley.take_message_v1(own, array(select jsonb_array_elements_text(op->'topics')), latest) as t;
            if topic is not null then
              tag := 'message';
              w.received := w.received + 1;
            end if;
          elsif kind <> 'sleep' then
            if goal = 'suspend' then
              observed := array_append(observed, parley.result_slot_v1(op->>'workflowId'));
              if kind = 'observeEvent' then
                observed := array_append(observed, parley.event_slot_v1(op->>'workflowId', op->>'key'));
              end if;
            end if;
            select l.tag, l.value into tag, value from parley.observe_v1(op, own, locked, latest) as l;
            if tag <> 'workflow_not_found' and kind = 'observeResult' and (op->>'started')::boolean then
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

      -- 4. What the operations have gathered.
      if cardinality(positions) > 0 then
        insert into parley.journal (
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
        insert into parley.streams as t (workflow_id, key, updated_at, tail, closed)
        select own, c.key, now, c.tail, c.closed
        from unnest(stream_keys, stream_tails, stream_closed) as c (key, tail, closed)
        on conflict (workflow_id, key) do update set
          updated_at = excluded.updated_at, tail = excluded.tail, closed = excluded.closed
        where t.tail <> excluded.tail or t.closed <> excluded.closed;
        insert into parley.stream_values (workflow_id, key, stream_offset, value)
        select own, v.* from unnest(value_keys, value_offsets, value_texts) as v;
      end if;
      if cardinality(finished) > 0 then
        update parley.workflows as child set parent = null, kept = false
        where child.id = any (finished) and child.parent = own;
      end if;

      -- 5. The workflows that wait for what this commit sets. A suspend keeps its lease if an operation
      --    has an outcome, so that the run goes on.
      if is_deferring or (goal = 'suspend' and settled) then
        goal := null;
      end if;
      if is_awaited then
        if goal = 'end' then
          filled := array_append(filled, parley.result_slot_v1(own));
        end if;
        if cardinality(filled) > 0 then
          select array_agg(r.waiter_id) into waiters from parley.waiters as r
          where r.slot = any (filled) and array_position(locked, r.waiter_id) is not null;
        end if;
        if cardinality(waiters) > 0 then
          if goal = 'end' and request->'transition'->>'status' = 'SUCCESS' then
            waiters := parley.complete_waiters_v1(parley.result_slot_v1(own), waiters);
          end if;
          woken := woken || parley.wake_v1(waiters, now);
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
        update parley.workflows as held set
          received = w.received, last_commit = w.last_commit, journal_seq = w.journal_seq,
          recovery_attempts = w.recovery_attempts, updated_at = now, parks = w.parks, problem = w.problem,
          lease_until = lease_end, lease_ms = lease_end - now,
          due_at = case
            when held.due_at < now + (lease_end - now) * 2 / 3 or held.lease_ms <> lease_end - now then lease_end
            else least(held.due_at, lease_end)
          end
        where held.id = own;
      else
        due_at := parley.release_v1(request, w, until, observed, children, now);
      end if;

      -- 7. The hints and the answer. A deadline that is near is hinted too, because connections that listen would look
      --    later than that.
      targets := targets || array_remove(array[
        case when has_events then 'event:' || own end,
        case when has_values then 'stream:' || own end,
        case when goal = 'end' then 'status:' || own end
      ], null);
      if cardinality(woken) > 0 or goal in ('yield', 'continueAsNew')
        or (goal in ('suspend', 'park') and due_at < now + 10000)
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
  end loop;
  if cardinality(targets) > 0
    and exists (select from parley.listeners as l where l.until > pg_catalog.clock_timestamp())
  then
    perform parley.hint_v1(targets);
  end if;
  return to_json(answers);
end;
$parley$;

-- -------------------------------------------------------------------------------------------------
-- Starts of workflows with a lease.
-- -------------------------------------------------------------------------------------------------

-- `Driver.create` of one workflow that is leased and new. The answer is the time.
--
-- It is atomic because the primary key decides, as in `create_v1`.
create function parley.create_one_v1(
  own text,
  workflow_name text,
  workflow_input text,
  run_owner text,
  lease bigint
) returns json
language plpgsql volatile
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_bitmapscan = off
set jit = off
set max_parallel_workers_per_gather = 0
as $parley$
declare
  now constant bigint := parley.now_ms();
  is_heard boolean;
begin
  if current_setting('transaction_isolation') = 'read committed' then
    insert into parley.workflows (
      id, name, status, phase, epoch, owner, due_at, lease_until, lease_ms, created_at, updated_at, input
    )
    values (
      own, workflow_name, 'PENDING', 'running', 1, run_owner, now + lease, now + lease, lease, now, now, workflow_input
    )
    on conflict on constraint workflows_pkey do nothing
    returning exists (select from parley.listeners as l where l.until > pg_catalog.clock_timestamp()) into is_heard;
    if found then
      if is_heard then
      perform parley.hint_v1(array['status:' || own]);
    end if;
      return to_json(now);
    end if;
  end if;
  return parley.create_v1(jsonb_build_array(jsonb_build_object(
    'workflowId', own, 'name', workflow_name, 'input', workflow_input, 'owner', run_owner, 'leaseMs', lease
  )))->0;
end;
$parley$;

-- -------------------------------------------------------------------------------------------------
-- The outcome of one step.
-- -------------------------------------------------------------------------------------------------

-- `Driver.commit` of one `record` at a free position. The answer is the time.
--
-- It is atomic because the update locks the row of the workflow, and checks the fence on the row as
-- it is then.
create function parley.record_one_v1(
  own text, run_epoch bigint, run_owner text, number bigint, lease bigint, place integer, entry_label text, age bigint,
  entry_tag text, entry_value text, entry_topic text, tries integer
) returns json
language plpgsql volatile
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_bitmapscan = off
set jit = off
set max_parallel_workers_per_gather = 0
as $parley$
declare
  now constant bigint := parley.now_ms();
  entry_seq bigint;
begin
  update parley.workflows as w set
    last_commit = number, updated_at = now,
    lease_until = now + lease, lease_ms = lease,
    due_at = case
      when w.due_at < now + lease * 2 / 3 or w.lease_ms <> lease then now + lease
      else least(w.due_at, now + lease)
    end,
    journal_seq = w.journal_seq + 1, recovery_attempts = 0, parks = 0, problem = null
  where w.id = own and w.epoch = run_epoch and w.owner = run_owner and w.last_commit = number - 1
    and w.phase = 'running'
    and not exists (select from parley.journal as j where j.workflow_id = own and j.position = place)
  returning w.journal_seq into entry_seq;
  if found then
    insert into parley.journal (workflow_id, position, seq, began_at, took, attempts, label, tag, value, topic)
    values (
      own, place, entry_seq, now - coalesce(age, 0), age, tries, entry_label, entry_tag, entry_value, entry_topic
    );
    return to_json(now);
  end if;
  return parley.commit_v1(jsonb_build_array(jsonb_build_object(
    'workflowId', own, 'epoch', run_epoch, 'owner', run_owner, 'number', number, 'leaseMs', lease,
    'operations', jsonb_build_array(jsonb_build_object(
      'type', 'record', 'position', place, 'label', entry_label, 'ageMs', age,
      'attempts', tries, 'outcome', jsonb_build_object('tag', entry_tag, 'value', entry_value, 'topic', entry_topic)
    )), 'transition', null
  )))->0;
end;
$parley$;

-- -------------------------------------------------------------------------------------------------
-- One event.
-- -------------------------------------------------------------------------------------------------

-- `Driver.commit` of one `setEvent` that nobody waits for, at a free position or at none. The
-- answer is the time.
--
-- It is atomic because it holds the slot of the event before it looks for waiters. Then it holds
-- the row of the workflow.
create function parley.set_event_v1(
  own text,
  run_epoch bigint,
  run_owner text,
  number bigint,
  lease bigint,
  place integer,
  entry_label text,
  age bigint,
  event_key text,
  event_value text
) returns json
language plpgsql volatile
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_bitmapscan = off
set jit = off
set max_parallel_workers_per_gather = 0
as $parley$
declare
  event_slot constant bigint := parley.event_slot_v1(own, event_key);
  now bigint;
  entry_seq bigint;
  is_heard boolean;
begin
  if current_setting('transaction_isolation') = 'read committed'
    and pg_advisory_xact_lock_shared(hashtextextended('parley', 7) & ~63::bigint | (event_slot & 63)) is not null
    and pg_advisory_xact_lock(event_slot) is not null then
    now := parley.now_ms();
    update parley.workflows as w set
      last_commit = number, updated_at = now,
    lease_until = now + lease, lease_ms = lease,
    due_at = case
      when w.due_at < now + lease * 2 / 3 or w.lease_ms <> lease then now + lease
      else least(w.due_at, now + lease)
    end,
      journal_seq = w.journal_seq + (place is not null)::integer,
      recovery_attempts = case when place is null then w.recovery_attempts else 0 end,
    parks = case when place is null then w.parks else 0 end,
    problem = case when place is null then w.problem end
    where w.id = own and w.epoch = run_epoch and w.owner = run_owner and w.last_commit = number - 1
    and w.phase = 'running'
      and not exists (select from parley.journal as j where j.workflow_id = own and j.position = place)
      and not exists (select from parley.waiters as r where r.slot = event_slot)
    returning w.journal_seq, exists (select from parley.listeners as l where l.until > pg_catalog.clock_timestamp())
    into entry_seq, is_heard;
    if found then
      insert into parley.events as e (workflow_id, key, set_at, version, value)
      values (own, event_key, now, 1, event_value)
      on conflict (workflow_id, key) do update set
        updated_at = excluded.set_at, version = e.version + 1, value = excluded.value;
      if place is not null then
        insert into parley.journal (workflow_id, position, seq, began_at, took, label, tag)
        values (own, place, entry_seq, now - coalesce(age, 0), age, entry_label, 'done');
      end if;
      if is_heard then
      perform parley.hint_v1(array['event:' || own]);
    end if;
      return to_json(now);
    end if;
  end if;
  return parley.commit_v1(jsonb_build_array(jsonb_build_object(
    'workflowId', own, 'epoch', run_epoch, 'owner', run_owner, 'number', number, 'leaseMs', lease,
    'operations', jsonb_build_array(jsonb_build_object(
      'type', 'setEvent', 'position', place, 'label', entry_label, 'ageMs', age, 'key', event_key,
      'value', event_value
    )), 'transition', null
  )))->0;
end;
$parley$;

-- -------------------------------------------------------------------------------------------------
-- Values of one stream.
-- -------------------------------------------------------------------------------------------------

-- `Driver.commit` of one `writeStream` for an open stream, at a free position or at none. The answer
-- is the time.
--
-- It is atomic because the update locks the row of the workflow, which every writer of its streams
-- and journal holds.
create function parley.write_one_v1(
  own text,
  run_epoch bigint,
  run_owner text,
  number bigint,
  lease bigint,
  place integer,
  entry_label text,
  age bigint,
  stream_key text,
  new_value text
) returns json
language plpgsql volatile
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_bitmapscan = off
set jit = off
set max_parallel_workers_per_gather = 0
as $parley$
declare
  now constant bigint := parley.now_ms();
  entry_seq bigint;
  next_tail bigint;
  is_heard boolean;
begin
  update parley.workflows as w set
    last_commit = number, updated_at = now,
    lease_until = now + lease, lease_ms = lease,
    due_at = case
      when w.due_at < now + lease * 2 / 3 or w.lease_ms <> lease then now + lease
      else least(w.due_at, now + lease)
    end,
    journal_seq = w.journal_seq + (place is not null)::integer,
    recovery_attempts = case when place is null then w.recovery_attempts else 0 end,
    parks = case when place is null then w.parks else 0 end,
    problem = case when place is null then w.problem end
  where w.id = own and w.epoch = run_epoch and w.owner = run_owner and w.last_commit = number - 1
    and w.phase = 'running'
    and not exists (select from parley.journal as j where j.workflow_id = own and j.position = place)
    and not exists (
      select from parley.streams as t where t.workflow_id = own and t.key = stream_key and t.closed
    )
  returning w.journal_seq, exists (select from parley.listeners as l where l.until > pg_catalog.clock_timestamp())
  into entry_seq, is_heard;
  if found then
    insert into parley.streams as t (workflow_id, key, updated_at, tail, closed) values (own, stream_key, now, 1, false)
    on conflict (workflow_id, key) do update set updated_at = excluded.updated_at, tail = t.tail + 1
    returning t.tail into next_tail;
    insert into parley.stream_values (workflow_id, key, stream_offset, value)
    values (own, stream_key, next_tail - 1, new_value);
    if place is not null then
      insert into parley.journal (workflow_id, position, seq, began_at, took, label, tag)
      values (own, place, entry_seq, now - coalesce(age, 0), age, entry_label, 'done');
    end if;
    if is_heard then
      perform parley.hint_v1(array['stream:' || own]);
    end if;
    return to_json(now);
  end if;
  return parley.commit_v1(jsonb_build_array(jsonb_build_object(
    'workflowId', own, 'epoch', run_epoch, 'owner', run_owner, 'number', number, 'leaseMs', lease,
    'operations', jsonb_build_array(jsonb_build_object(
      'type', 'writeStream', 'position', place, 'label', entry_label, 'ageMs', age, 'key', stream_key,
      'value', new_value
    )), 'transition', null
  )))->0;
end;
$parley$;

-- `Driver.commit` of several `writeStream` operations for one open stream, at free positions that follow
-- each other, or at none. `ages` has the age of each, or is null if all are 0. The answer is the time.
--
-- It is atomic because the update locks the row of the workflow, which every writer of its streams
-- and journal holds.
create function parley.write_stream_v1(
  own text,
  run_epoch bigint,
  run_owner text,
  number bigint,
  lease bigint,
  place integer,
  entry_label text,
  ages jsonb,
  stream_key text,
  new_values jsonb
) returns json
language plpgsql volatile
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_bitmapscan = off
set jit = off
set max_parallel_workers_per_gather = 0
as $parley$
declare
  now constant bigint := parley.now_ms();
  size constant integer := jsonb_array_length(new_values);
  last_seq bigint;
  is_heard boolean;
begin
  update parley.workflows as w set
    last_commit = number, updated_at = now,
    lease_until = now + lease, lease_ms = lease,
    due_at = case
      when w.due_at < now + lease * 2 / 3 or w.lease_ms <> lease then now + lease
      else least(w.due_at, now + lease)
    end,
    journal_seq = w.journal_seq + case when place is null then 0 else size end,
    recovery_attempts = case when place is null then w.recovery_attempts else 0 end,
    parks = case when place is null then w.parks else 0 end,
    problem = case when place is null then w.problem end
  where w.id = own and w.epoch = run_epoch and w.owner = run_owner and w.last_commit = number - 1
    and w.phase = 'running'
    and not exists (
      select from parley.journal as j
      where j.workflow_id = own and j.position >= place and j.position < place + size
    )
    and not exists (
      select from parley.streams as t where t.workflow_id = own and t.key = stream_key and t.closed
    )
  returning w.journal_seq, exists (select from parley.listeners as l where l.until > pg_catalog.clock_timestamp())
  into last_seq, is_heard;
  if found then
    with stream as (
      insert into parley.streams as t (workflow_id, key, updated_at, tail, closed)
      values (own, stream_key, now, size, false)
      on conflict (workflow_id, key) do update set updated_at = excluded.updated_at, tail = t.tail + size
      returning t.tail
    ), written as (
      insert into parley.stream_values (workflow_id, key, stream_offset, value)
      select own, stream_key, stream.tail - size + v.nth - 1, v.value
      from stream, jsonb_array_elements_text(new_values) with ordinality as v (value, nth)
    )
    insert into parley.journal (workflow_id, position, seq, began_at, took, label, tag)
    select own, place + n, last_seq - size + 1 + n, now - coalesce((ages->>n)::bigint, 0),
      nullif((ages->>n)::bigint, 0), entry_label, 'done'
    from generate_series(0, size - 1) as n
    where place is not null;
    if is_heard then
      perform parley.hint_v1(array['stream:' || own]);
    end if;
    return to_json(now);
  end if;
  return parley.commit_v1(jsonb_build_array(jsonb_build_object(
    'workflowId', own, 'epoch', run_epoch, 'owner', run_owner, 'number', number, 'leaseMs', lease,
    'operations', (
      select jsonb_agg(jsonb_build_object(
        'type', 'writeStream', 'position', place + v.nth - 1, 'label', entry_label, 'ageMs', ages->(v.nth::integer - 1),
        'key', stream_key, 'value', v.value
      ) order by v.nth)
      from jsonb_array_elements_text(new_values) with ordinality as v (value, nth)
    ), 'transition', null
  )))->0;
end;
$parley$;

-- -------------------------------------------------------------------------------------------------
-- One message that is there.
-- -------------------------------------------------------------------------------------------------

-- `Driver.commit` of one `receive` under one topic that looks for the first time, and finds a
-- message. The answer is a list of the time and the message.
--
-- It is atomic because the update locks the row of the workflow, and checks the fence on the row as
-- it is then. If it has waited for the row, it has found the message before, and the message is still
-- the oldest one: only this run takes messages, and places are in the order of commits.
create function parley.receive_v1(
  own text, run_epoch bigint, run_owner text, number bigint, lease bigint, place integer, entry_label text, age bigint,
  message_topic text, timeout text
) returns json
language plpgsql volatile
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_bitmapscan = off
set jit = off
set max_parallel_workers_per_gather = 0
as $parley$
declare
  now constant bigint := parley.now_ms();
  entry_seq bigint;
  message tid;
  message_seq bigint;
  key text;
  message_value text;
begin
  update parley.workflows as w set
    last_commit = number, updated_at = now,
    lease_until = now + lease, lease_ms = lease,
    due_at = case
      when w.due_at < now + lease * 2 / 3 or w.lease_ms <> lease then now + lease
      else least(w.due_at, now + lease)
    end,
    received = w.received + 1, journal_seq = w.journal_seq + 1, recovery_attempts = 0, parks = 0, problem = null
  from (
    select m.ctid as tuple, m.seq, m.dedupe_key, m.value from parley.messages as m
    where m.workflow_id = own and m.topic = message_topic and m.value is not null and m.seq > coalesce(
      (select h.seq from parley.inbox_heads as h where h.workflow_id = own and h.topic = message_topic), 0
    )
    order by m.seq limit 1
  ) as m
  where w.id = own and w.epoch = run_epoch and w.owner = run_owner and w.last_commit = number - 1
    and w.phase = 'running'
    and not exists (select from parley.journal as j where j.workflow_id = own and j.position = place)
  returning w.journal_seq, m.tuple, m.seq, m.dedupe_key, m.value
  into entry_seq, message, message_seq, key, message_value;
  if found then
    update parley.messages as m set value = null where m.ctid = message;
    insert into parley.journal (workflow_id, position, seq, began_at, took, label, tag, value, topic, message_key)
    values (
      own, place, entry_seq, now - coalesce(age, 0), age, entry_label, 'message', message_value, message_topic, key
    );
    if random() < 1.0 / 64 then
      insert into parley.inbox_heads (workflow_id, topic, seq) values (own, message_topic, message_seq)
      on conflict on constraint inbox_heads_pkey do update set seq = excluded.seq;
    end if;
    return json_build_array(now, message_value);
  end if;
  return parley.commit_v1(jsonb_build_array(jsonb_build_object(
    'workflowId', own, 'epoch', run_epoch, 'owner', run_owner, 'number', number, 'leaseMs', lease,
    'operations', jsonb_build_array(jsonb_build_object(
      'type', 'receive', 'position', place, 'label', entry_label, 'ageMs', age,
      'topics', jsonb_build_array(message_topic), 'timeoutMs', timeout
    )), 'transition', null
  )))->0;
end;
$parley$;

-- -------------------------------------------------------------------------------------------------
-- An event that is there.
-- -------------------------------------------------------------------------------------------------

-- `Driver.commit` of one `observeEvent` that looks for the first time, and finds the event. The
-- answer is a list of the time and the value.
--
-- It is atomic because it is one statement, which reads the event and locks the row of the workflow.
create function parley.observe_event_v1(
  own text, run_epoch bigint, run_owner text, number bigint, lease bigint, place integer, entry_label text, age bigint,
  observed text, event_key text, timeout text, is_started boolean
) returns json
language plpgsql volatile
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_bitmapscan = off
set jit = off
set max_parallel_workers_per_gather = 0
as $parley$
declare
  now constant bigint := parley.now_ms();
  event_value text;
begin
  with held as (
    update parley.workflows as w set
      last_commit = number, updated_at = now,
    lease_until = now + lease, lease_ms = lease,
    due_at = case
      when w.due_at < now + lease * 2 / 3 or w.lease_ms <> lease then now + lease
      else least(w.due_at, now + lease)
    end,
      journal_seq = w.journal_seq + 1, recovery_attempts = 0, parks = 0, problem = null
    from parley.events as e
    where w.id = own and w.epoch = run_epoch and w.owner = run_owner and w.last_commit = number - 1
    and w.phase = 'running'
      and not exists (select from parley.journal as j where j.workflow_id = own and j.position = place)
      and e.workflow_id = observed and e.key = event_key
    returning w.journal_seq, e.value
  )
  insert into parley.journal as j (workflow_id, position, seq, began_at, took, label, tag, value)
  select own, place, held.journal_seq, now - coalesce(age, 0), age, entry_label, 'value', held.value
  from held
  returning j.value into event_value;
  if found then
    return json_build_array(now, event_value);
  end if;
  return parley.commit_v1(jsonb_build_array(jsonb_build_object(
    'workflowId', own, 'epoch', run_epoch, 'owner', run_owner, 'number', number, 'leaseMs', lease,
    'operations', jsonb_build_array(jsonb_build_object(
      'type', 'observeEvent', 'position', place, 'label', entry_label, 'ageMs', age,
      'workflowId', observed, 'key', event_key, 'timeoutMs', timeout, 'started', is_started
    )), 'transition', null
  )))->0;
end;
$parley$;

-- -------------------------------------------------------------------------------------------------
-- One message to send.
-- -------------------------------------------------------------------------------------------------

-- `Driver.send` of one message with a new key. The answer tells whether the destination became due.
--
-- It is atomic because it holds the row of the destination before it looks.
create function parley.send_one_v1(
  destination text,
  message_topic text,
  new_id text,
  new_key text,
  message_value text
) returns json
language plpgsql volatile
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_bitmapscan = off
set jit = off
set max_parallel_workers_per_gather = 0
as $parley$
declare
  now bigint;
  message_seq bigint;
  is_woken boolean;
  is_heard boolean;
begin
  select w.phase = 'suspended' and coalesce(message_topic = any (w.waiting_topics), false),
    exists (select from parley.listeners as l where l.until > pg_catalog.clock_timestamp())
  into is_woken, is_heard
  from parley.workflows as w where w.id = destination for update;
  if found then
    now := parley.now_ms();
    update parley.workflows as w set
      inbox_seq = w.inbox_seq + 1,
      phase = case when is_woken then 'ready' else w.phase end,
      due_at = case when is_woken then least(w.due_at, now) else w.due_at end
    where w.id = destination and w.phase <> 'ended' and not exists (
        select from parley.messages as m where m.workflow_id = destination and m.dedupe_key = new_key
      )
    returning w.inbox_seq into message_seq;
    if found then
      insert into parley.messages (workflow_id, seq, topic, message_id, dedupe_key, sent_at, value)
      values (destination, message_seq, message_topic, new_id, new_key, now, message_value);
      if is_heard then
        perform parley.hint_v1(array['inbox:' || destination, case when is_woken then 'due' end]);
      end if;
      return to_json(is_woken);
    end if;
  end if;
  return parley.send_v1(jsonb_build_array(jsonb_build_object(
        'destinationId', destination, 'topic', message_topic, 'messageId', new_id, 'dedupeKey', new_key,
        'value', message_value
      )));
end;
$parley$;

-- `Driver.commit` of one `send` with a new key, at a free position, to a workflow that it does not
-- make due. The answer is the time.
--
-- It is atomic because it holds the rows of both workflows, in the order of all locks, before it
-- looks.
create function parley.send_from_run_v1(
  own text,
  run_epoch bigint,
  run_owner text,
  number bigint,
  lease bigint,
  place integer,
  entry_label text,
  age bigint,
  destination text,
  message_topic text,
  new_id text,
  new_key text,
  message_value text
) returns json
language plpgsql volatile
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_bitmapscan = off
set jit = off
set max_parallel_workers_per_gather = 0
as $parley$
declare
  now bigint;
  entry_seq bigint;
  message_seq bigint;
  is_heard boolean;
begin
  perform from parley.workflows as w where w.id = any (array[own, destination]) order by w.id for update;
  now := parley.now_ms();
  update parley.workflows as w set
    last_commit = number, updated_at = now,
    lease_until = now + lease, lease_ms = lease,
    due_at = case
      when w.due_at < now + lease * 2 / 3 or w.lease_ms <> lease then now + lease
      else least(w.due_at, now + lease)
    end,
    journal_seq = w.journal_seq + 1, recovery_attempts = 0, parks = 0, problem = null
  where w.id = own and w.epoch = run_epoch and w.owner = run_owner and w.last_commit = number - 1
    and w.phase = 'running'
    and not exists (select from parley.journal as j where j.workflow_id = own and j.position = place)
    and exists (
      select from parley.workflows as d
      where d.id = destination and d.phase <> 'ended' and not exists (
        select from parley.messages as m where m.workflow_id = destination and m.dedupe_key = new_key
      )
        and not (d.phase = 'suspended' and coalesce(message_topic = any (d.waiting_topics), false))
    )
  returning w.journal_seq, exists (select from parley.listeners as l where l.until > pg_catalog.clock_timestamp())
  into entry_seq, is_heard;
  if found then
    update parley.workflows as w set inbox_seq = w.inbox_seq + 1 where w.id = destination
    returning w.inbox_seq into message_seq;
    insert into parley.messages (workflow_id, seq, topic, message_id, dedupe_key, sent_at, value)
    values (destination, message_seq, message_topic, new_id, new_key, now, message_value);
    insert into parley.journal (workflow_id, position, seq, began_at, took, label, tag, value)
    values (own, place, entry_seq, now - coalesce(age, 0), age, entry_label, 'sent', new_id);
    if is_heard then
      perform parley.hint_v1(array['inbox:' || destination]);
    end if;
    return to_json(now);
  end if;
  return parley.commit_v1(jsonb_build_array(jsonb_build_object(
    'workflowId', own, 'epoch', run_epoch, 'owner', run_owner, 'number', number, 'leaseMs', lease,
    'operations', jsonb_build_array(jsonb_build_object(
      'type', 'send', 'position', place, 'label', entry_label, 'ageMs', age,
      'message', jsonb_build_object(
        'destinationId', destination, 'topic', message_topic, 'messageId', new_id, 'dedupeKey', new_key,
        'value', message_value
      )
    )), 'transition', null
  )))->0;
end;
$parley$;

-- -------------------------------------------------------------------------------------------------
-- The end of a workflow.
-- -------------------------------------------------------------------------------------------------

-- `Driver.commit` of an end without operations. Nobody waits for the result of the workflow, and
-- purge keeps no child for it. The answer is the time.
--
-- It is atomic because it holds the slot of the result before it looks for waiters and children.
-- Then it holds the row of the workflow.
create function parley.end_v1(
  own text,
  run_epoch bigint,
  run_owner text,
  number bigint,
  lease bigint,
  end_status text,
  end_output text,
  end_error text,
  end_failed integer
) returns json
language plpgsql volatile
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_bitmapscan = off
set jit = off
set max_parallel_workers_per_gather = 0
as $parley$
declare
  result_slot constant bigint := parley.result_slot_v1(own);
  now bigint;
  is_heard boolean;
begin
  if current_setting('transaction_isolation') = 'read committed'
    and pg_advisory_xact_lock_shared(hashtextextended('parley', 7) & ~63::bigint | (result_slot & 63)) is not null
    and pg_advisory_xact_lock(result_slot) is not null then
    now := parley.now_ms();
    update parley.workflows as w set
      status = end_status, phase = 'ended', output = end_output, error = end_error,
      failed_position = end_failed, ended_at = now, updated_at = now,
      due_at = null, lease_until = null, lease_ms = null, released = true, last_commit = number,
      waiting_topics = null, waiting_labels = null, waiting_until = null, parks = 0, problem = null
    where w.id = own and w.epoch = run_epoch and w.owner = run_owner and w.last_commit = number - 1
    and w.phase = 'running'
      and not exists (select from parley.waiters as r where r.slot = result_slot)
      and not exists (select from parley.workflows as c where c.parent = own and c.kept)
    returning exists (select from parley.listeners as l where l.until > pg_catalog.clock_timestamp()) into is_heard;
    if found then
      if is_heard then
      perform parley.hint_v1(array['status:' || own]);
    end if;
      return to_json(now);
    end if;
  end if;
  return parley.commit_v1(jsonb_build_array(jsonb_build_object(
    'workflowId', own, 'epoch', run_epoch, 'owner', run_owner, 'number', number, 'leaseMs', lease,
    'operations', '[]'::jsonb, 'transition', jsonb_build_object(
      'to', 'end', 'status', end_status, 'output', end_output, 'error', end_error,
      'failedPosition', end_failed
    )
  )))->0;
end;
$parley$;

-- -------------------------------------------------------------------------------------------------
-- Starts of workflows with a lease.
-- -------------------------------------------------------------------------------------------------

-- `Driver.create` of several workflows that are leased. The answer is a list of the time for each
-- workflow that is new, and a null for each other one. Of the latter, nothing was written.
--
-- It is atomic because the primary key decides, as in `create_v1`. The rows are inserted by ID, so
-- that two calls do not wait for each other's inserts.
create function parley.create_many_v1(requests jsonb) returns json
language plpgsql volatile
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_bitmapscan = off
set jit = off
set max_parallel_workers_per_gather = 0
as $parley$
declare
  now constant bigint := parley.now_ms();
  created text[];
  is_heard boolean;
  answer json;
begin
  perform parley.check_isolation_v1();
  with given as materialized (
    select row_number() over () as nth, c.* from jsonb_to_recordset(requests) as c (
      own text, workflow_name text, workflow_input text, run_owner text, lease bigint
    )
  ), inserted as (
    insert into parley.workflows (
      id, name, status, phase, epoch, owner, due_at, lease_until, lease_ms, created_at, updated_at, input
    )
    select
      g.own, g.workflow_name, 'PENDING', 'running', 1, g.run_owner, now + g.lease, now + g.lease, g.lease, now, now,
      g.workflow_input
    from given as g order by g.own collate "C"
    on conflict on constraint workflows_pkey do nothing
    returning id, owner
  )
  select
    json_agg(case when i.id is not null then now end order by g.nth),
    array_agg('status:' || i.id) filter (where i.id is not null),
    exists (select from parley.listeners as l where l.until > pg_catalog.clock_timestamp())
  into answer, created, is_heard
  from given as g left join inserted as i on i.id = g.own and i.owner = g.run_owner;
  if is_heard and created is not null then
    perform parley.hint_v1(created);
  end if;
  return answer;
end;
$parley$;

-- -------------------------------------------------------------------------------------------------
-- Commits of several runs.
-- -------------------------------------------------------------------------------------------------

-- `Driver.commit` of several runs, each with one `record` as in `record_one_v1` or an end as in
-- `end_v1`. The answer is a list of the time for each commit that was carried out, and a null for
-- each other one. Of the latter, nothing was written.
--
-- It is atomic because it takes the slots of the results and then the rows of all workflows, in the
-- order of all locks, before it looks. The conditions are subqueries with a limit, so that Postgres
-- looks each one up and does not read a whole index.
create function parley.commit_many_v1(requests jsonb) returns json
language plpgsql volatile
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_bitmapscan = off
set jit = off
set max_parallel_workers_per_gather = 0
as $parley$
declare
  now bigint;
  ids constant text[] := array(select c.own from jsonb_to_recordset(requests) as c (own text));
  slots constant bigint[] := array(
    select parley.result_slot_v1(c.own) from jsonb_to_recordset(requests) as c (own text, end_status text)
    where c.end_status is not null
  );
  ended text[];
  is_heard boolean;
  answer json;
begin
  perform parley.lock_slots_v1(slots);
  perform from parley.workflows as w where w.id = any (ids) order by w.id for update;
  now := parley.now_ms();
  with given as materialized (
    select row_number() over () as nth, c.* from jsonb_to_recordset(requests) as c (
      own text, run_epoch bigint, run_owner text, number bigint, lease bigint,
      place integer, entry_label text, age bigint, entry_tag text, entry_value text, entry_topic text, tries integer,
      end_status text, end_output text, end_error text, end_failed integer
    )
  ), held as (
    update parley.workflows as w set
      last_commit = g.number, updated_at = now, journal_seq = w.journal_seq + (g.place is not null)::integer,
      recovery_attempts = case when g.place is null then w.recovery_attempts else 0 end, parks = 0, problem = null,
      lease_until = case when not (g.end_status is not null) then now + g.lease end,
      lease_ms = case when not (g.end_status is not null) then g.lease end,
      due_at = case
        when g.end_status is not null then null
        when w.due_at < now + g.lease * 2 / 3 or w.lease_ms <> g.lease then now + g.lease
        else least(w.due_at, now + g.lease)
      end,
      released = g.end_status is not null,
      phase = case when g.end_status is not null then 'ended' else w.phase end,
      status = coalesce(g.end_status, w.status),
      ended_at = case when g.end_status is not null then now else w.ended_at end,
      output = coalesce(g.end_output, w.output),
      error = coalesce(g.end_error, w.error),
      failed_position = g.end_failed,
      waiting_topics = case when not (g.end_status is not null) then w.waiting_topics end,
      waiting_labels = case when not (g.end_status is not null) then w.waiting_labels end,
      waiting_until = case when not (g.end_status is not null) then w.waiting_until end
    from given as g
    where w.id = any (ids) and w.id = g.own
      and w.epoch = g.run_epoch and w.owner = g.run_owner and w.last_commit = g.number - 1 and w.phase = 'running'
      and (select true from parley.journal as j where j.workflow_id = g.own and j.position = g.place limit 1) is null
      and case when g.end_status is not null then
        (select true from parley.waiters as r where r.slot = parley.result_slot_v1(g.own) limit 1) is null
          and (select true from parley.workflows as c where c.parent = g.own and c.kept limit 1) is null
        else true
      end
    returning g.nth, w.journal_seq
  ), written as (
    insert into parley.journal (workflow_id, position, seq, began_at, took, attempts, label, tag, value, topic)
    select g.own, g.place, h.journal_seq, now - coalesce(g.age, 0), g.age, g.tries, g.entry_label, g.entry_tag,
      g.entry_value, g.entry_topic
    from held as h join given as g on g.nth = h.nth where g.place is not null
  )
  select
    json_agg(case when h.nth is not null then now end order by g.nth),
    array_agg('status:' || g.own) filter (where h.nth is not null and g.end_status is not null),
    exists (select from parley.listeners as l where l.until > pg_catalog.clock_timestamp())
  into answer, ended, is_heard
  from given as g left join held as h on h.nth = g.nth;
  if is_heard and ended is not null then
    perform parley.hint_v1(ended);
  end if;
  return answer;
end;
$parley$;

-- -------------------------------------------------------------------------------------------------
-- Short functions for the most common calls. Each carries out one kind of call, if nothing about
-- the call is unusual. The run then holds its lease, the call is no repeat, no operation is refused
-- or has to wait, and no other workflow is concerned. The answer is the time or a few values.
--
-- Otherwise a short function has written nothing. It calls the function for all cases, in the same
-- transaction, and returns that answer, which is an object. Any lock that it holds by then is one
-- that the other function takes first.
--
-- A step takes 0.06 ms here and 0.21 ms in `commit_v1`. There, setting up about 60 expressions and
-- 8 statements in each transaction takes most of the time.
--
-- A condition in `where` that reads another table may see that table as it was before the statement
-- waited for the row. This is safe in two cases. The data changes only under a lock that is held
-- before the statement begins. Or it changes together with the row's `last_commit`, which is
-- checked again.
-- -------------------------------------------------------------------------------------------------

-- The short calls that may send hints. Each is a function, and a procedure of withHints.
create procedure parley.create_one_v1(
  own text,
  workflow_name text,
  workflow_input text,
  run_owner text,
  lease bigint,
  inout result text,
  inout heard text
)
language plpgsql
as $parley$
declare
  hints text[];
begin
  result := case
    when set_config('parley.hints', '{}', true) is not null then parley.create_one_v1(
      own,
      workflow_name,
      workflow_input,
      run_owner,
      lease
    )::text
  end;
  if current_setting('parley.hints') <> '{}' then
    hints := current_setting('parley.hints');
    heard := 't';
    commit;
    perform parley.notify_v1(hints);
  end if;
end;
$parley$;

create procedure parley.set_event_v1(
  own text,
  run_epoch bigint,
  run_owner text,
  number bigint,
  lease bigint,
  place integer,
  entry_label text,
  age bigint,
  event_key text,
  event_value text,
  inout result text,
  inout heard text
)
language plpgsql
as $parley$
declare
  hints text[];
begin
  result := case
    when set_config('parley.hints', '{}', true) is not null then parley.set_event_v1(
      own,
      run_epoch,
      run_owner,
      number,
      lease,
      place,
      entry_label,
      age,
      event_key,
      event_value
    )::text
  end;
  if current_setting('parley.hints') <> '{}' then
    hints := current_setting('parley.hints');
    heard := 't';
    commit;
    perform parley.notify_v1(hints);
  end if;
end;
$parley$;

create procedure parley.write_one_v1(
  own text,
  run_epoch bigint,
  run_owner text,
  number bigint,
  lease bigint,
  place integer,
  entry_label text,
  age bigint,
  stream_key text,
  new_value text,
  inout result text,
  inout heard text
)
language plpgsql
as $parley$
declare
  hints text[];
begin
  result := case
    when set_config('parley.hints', '{}', true) is not null then parley.write_one_v1(
      own,
      run_epoch,
      run_owner,
      number,
      lease,
      place,
      entry_label,
      age,
      stream_key,
      new_value
    )::text
  end;
  if current_setting('parley.hints') <> '{}' then
    hints := current_setting('parley.hints');
    heard := 't';
    commit;
    perform parley.notify_v1(hints);
  end if;
end;
$parley$;

create procedure parley.write_stream_v1(
  own text,
  run_epoch bigint,
  run_owner text,
  number bigint,
  lease bigint,
  place integer,
  entry_label text,
  ages jsonb,
  stream_key text,
  new_values jsonb,
  inout result text,
  inout heard text
)
language plpgsql
as $parley$
declare
  hints text[];
begin
  result := case
    when set_config('parley.hints', '{}', true) is not null then parley.write_stream_v1(
      own,
      run_epoch,
      run_owner,
      number,
      lease,
      place,
      entry_label,
      ages,
      stream_key,
      new_values
    )::text
  end;
  if current_setting('parley.hints') <> '{}' then
    hints := current_setting('parley.hints');
    heard := 't';
    commit;
    perform parley.notify_v1(hints);
  end if;
end;
$parley$;

create procedure parley.send_one_v1(
  destination text,
  message_topic text,
  new_id text,
  new_key text,
  message_value text,
  inout result text,
  inout heard text
)
language plpgsql
as $parley$
declare
  hints text[];
begin
  result := case
    when set_config('parley.hints', '{}', true) is not null then parley.send_one_v1(
      destination,
      message_topic,
      new_id,
      new_key,
      message_value
    )::text
  end;
  if current_setting('parley.hints') <> '{}' then
    hints := current_setting('parley.hints');
    heard := 't';
    commit;
    perform parley.notify_v1(hints);
  end if;
end;
$parley$;

create procedure parley.send_from_run_v1(
  own text,
  run_epoch bigint,
  run_owner text,
  number bigint,
  lease bigint,
  place integer,
  entry_label text,
  age bigint,
  destination text,
  message_topic text,
  new_id text,
  new_key text,
  message_value text,
  inout result text,
  inout heard text
)
language plpgsql
as $parley$
declare
  hints text[];
begin
  result := case
    when set_config('parley.hints', '{}', true) is not null then parley.send_from_run_v1(
      own,
      run_epoch,
      run_owner,
      number,
      lease,
      place,
      entry_label,
      age,
      destination,
      message_topic,
      new_id,
      new_key,
      message_value
    )::text
  end;
  if current_setting('parley.hints') <> '{}' then
    hints := current_setting('parley.hints');
    heard := 't';
    commit;
    perform parley.notify_v1(hints);
  end if;
end;
$parley$;

create procedure parley.create_many_v1(
  requests jsonb,
  inout result text,
  inout heard text
)
language plpgsql
as $parley$
declare
  hints text[];
begin
  result := case
    when set_config('parley.hints', '{}', true) is not null then parley.create_many_v1(
      requests
    )::text
  end;
  if current_setting('parley.hints') <> '{}' then
    hints := current_setting('parley.hints');
    heard := 't';
    commit;
    perform parley.notify_v1(hints);
  end if;
end;
$parley$;

create procedure parley.commit_many_v1(
  requests jsonb,
  inout result text,
  inout heard text
)
language plpgsql
as $parley$
declare
  hints text[];
begin
  result := case
    when set_config('parley.hints', '{}', true) is not null then parley.commit_many_v1(
      requests
    )::text
  end;
  if current_setting('parley.hints') <> '{}' then
    hints := current_setting('parley.hints');
    heard := 't';
    commit;
    perform parley.notify_v1(hints);
  end if;
end;
$parley$;

create procedure parley.end_v1(
  own text,
  run_epoch bigint,
  run_owner text,
  number bigint,
  lease bigint,
  end_status text,
  end_output text,
  end_error text,
  end_failed integer,
  inout result text,
  inout heard text
)
language plpgsql
as $parley$
declare
  hints text[];
begin
  result := case
    when set_config('parley.hints', '{}', true) is not null then parley.end_v1(
      own,
      run_epoch,
      run_owner,
      number,
      lease,
      end_status,
      end_output,
      end_error,
      end_failed
    )::text
  end;
  if current_setting('parley.hints') <> '{}' then
    hints := current_setting('parley.hints');
    heard := 't';
    commit;
    perform parley.notify_v1(hints);
  end if;
end;
$parley$;

-- -------------------------------------------------------------------------------------------------
-- Where claims look for workflows that are due by time.
-- -------------------------------------------------------------------------------------------------

-- Where a claim looks for workflows that are due by time.
--
-- - lengths and firsts: the lengths of leases of which some may have lapsed, and the first due_at
--   of each length.
-- - names and names_from: the names of waits and pauses of which some are over, and the first
--   due_at of each name.
-- - next_at: the first due_at of all others.
create type parley.due_times as (
  lengths bigint[], firsts bigint[], names text[], names_from bigint[], next_at bigint
);

-- Returns the due_at of the first lease of a length, and remembers it if the search was slow.
--
-- A later transaction reads the clock later, so all that it writes is above what is proposed here.
-- A transaction that is under way and writes holds a lock on workflows. When it is over, another
-- search sees what it wrote. The proposal then holds up to what that search finds.
--
-- It is atomic because it changes one row, and only if no other search has changed the row since
-- this search began. It does not wait for another search.
create function parley.first_lease_v1(length bigint, now bigint) returns bigint
language plpgsql volatile
as $parley$
declare
  workflows constant text := 'parley.workflows';
  f parley.lease_floors;
  read_before bigint;
  found_at bigint;
  next_floor bigint;
  is_back boolean;
  is_settled boolean;
  is_slow boolean;
begin
  select * into f from parley.lease_floors as known where known.lease_ms = length;
  is_back := coalesce(now < f.seen, false);
  if is_back or coalesce(now > f.seen + 600000, true) then
    f.floor := 0;
    f.proposed := null;
  end if;
  is_settled := f.proposed is not null and not exists (
    select l.virtualtransaction from pg_catalog.pg_locks as l
    where l.relation = to_regclass(workflows) and l.mode in ('RowShareLock', 'RowExclusiveLock')
      and l.pid <> pg_backend_pid()
      and l.database = (select d.oid from pg_catalog.pg_database as d where d.datname = current_database())
    and l.virtualtransaction = any (f.holders)
  );
  read_before := pg_stat_get_xact_blocks_fetched(to_regclass(workflows));
  found_at := (
    select w.due_at from parley.workflows as w
    where w.lease_ms = length and w.due_at >= f.floor
    order by w.due_at limit 1
  );
  next_floor := least(found_at, now + length - 1000);
  is_slow := pg_stat_get_xact_blocks_fetched(to_regclass(workflows)) > read_before + 50;
  if is_settled then
    f.floor := greatest(f.floor, least(f.proposed, found_at));
    f.proposed := null;
    f.holders := '{}';
  end if;
  if f.proposed is null and is_slow and next_floor > f.floor then
    f.proposed := next_floor;
    f.holders := array(
    select l.virtualtransaction from pg_catalog.pg_locks as l
    where l.relation = to_regclass(workflows) and l.mode in ('RowShareLock', 'RowExclusiveLock')
      and l.pid <> pg_backend_pid()
      and l.database = (select d.oid from pg_catalog.pg_database as d where d.datname = current_database())
    );
  elsif not is_settled and not is_back then
    return found_at;
  end if;
  perform from parley.lease_floors as known where known.lease_ms = length and known.seen = f.seen
  for update skip locked;
  if found then
    update parley.lease_floors as known set floor = f.floor, proposed = f.proposed, holders = f.holders, seen = now
    where known.lease_ms = length;
  end if;
  return found_at;
end;
$parley$;

-- Corrects leases that began in the future, as after the clock has gone back. Without this, nobody
-- would take over from a dead run until the clock has caught up. Such a lease ends its length from
-- now. A live run renews its own lease.
--
-- It is atomic because it locks the rows that it changes. It waits for none, so it may run before
-- all other locks are taken.
create function parley.correct_leases_v1(lengths bigint[]) returns void
language plpgsql volatile
as $parley$
declare
  now constant bigint := parley.now_ms();
  early constant text[] := array(
    select e.id from unnest(lengths) as l (lease_ms)
    cross join lateral (
      select w.id from parley.workflows as w
      where w.lease_ms = l.lease_ms and w.due_at > now + l.lease_ms
      order by w.due_at limit 1000
      for update skip locked
    ) as e
  );
begin
  if cardinality(early) > 0 then
    update parley.workflows as w set due_at = now + w.lease_ms, lease_until = now + w.lease_ms where w.id = any (early);
  end if;
end;
$parley$;

-- Corrects leases, and finds the first one of each length and the first wait or pause of each name.
--
-- The length that the claim itself uses is known. Any other length is found in the index, between
-- those that are known.
--
-- It is atomic because a row is complete once it is inserted. It inserts no row while another claim
-- does, so that no two claims wait for each other.
create function parley.find_due_times_v1(lease_ms text) returns parley.due_times
language plpgsql volatile
as $parley$
declare
  now constant bigint := parley.now_ms();
  own constant bigint := parley.after_v1(now, lease_ms) - now;
  known bigint[] := array(select f.lease_ms from parley.lease_floors as f order by f.lease_ms);
  place integer := 0;
  unknown bigint := case when array_position(known, own) is null then own end;
  first bigint;
  times parley.due_times := ('{}', '{}', '{}', '{}', null);
begin
  loop
    if unknown is not null then
      if pg_try_advisory_xact_lock(hashtextextended('parley', 6)) then
        insert into parley.lease_floors (lease_ms, floor, holders, seen) values (unknown, 0, '{}', now)
        on conflict on constraint lease_floors_pkey do nothing;
      end if;
      known := array(select k.length from unnest(known || unknown) as k (length) order by 1);
    end if;
    exit when place > cardinality(known);
    unknown := (
      select w.lease_ms from parley.workflows as w
      where w.lease_ms > coalesce(known[place], -1) and w.lease_ms < coalesce(known[place + 1], 9223372036854775807)
      order by w.lease_ms, w.due_at limit 1
    );
    if unknown is null then
      place := place + 1;
    end if;
  end loop;
  perform parley.correct_leases_v1(known);
  for place in 1 .. cardinality(known) loop
    first := parley.first_lease_v1(known[place], now);
    if first <= now then
      times.lengths := times.lengths || known[place];
      times.firsts := times.firsts || first;
    else
      times.next_at := least(times.next_at, first);
    end if;
  end loop;
  with recursive waits as (
    (
      select w.name, w.due_at from parley.workflows as w
      where w.phase in ('suspended', 'parked') and w.due_at is not null
      order by w.name, w.due_at limit 1
    )
    union all
    select d.name, d.due_at from waits as last cross join lateral (
      select w.name, w.due_at from parley.workflows as w
      where w.phase in ('suspended', 'parked') and w.due_at is not null and w.name > last.name
      order by w.name, w.due_at limit 1
    ) as d
  )
  select
    coalesce(array_agg(f.name) filter (where f.due_at <= now), '{}'),
    coalesce(array_agg(f.due_at) filter (where f.due_at <= now), '{}'),
    least(times.next_at, min(f.due_at) filter (where f.due_at > now))
  into times.names, times.names_from, times.next_at
  from waits as f;
  return times;
end;
$parley$;

-- -------------------------------------------------------------------------------------------------
-- Locks the workflows that a claim takes.
-- -------------------------------------------------------------------------------------------------

-- Locks workflows that are `ready`, and returns their IDs, the longest due first.
--
-- Each name is searched by itself, because the index has the name before due_at. The first look
-- finds out which workflows are among the first of all names, so that no others are locked. If some
-- of these are locked already, the next workflows of all names take their places, in the same way.
-- `last` is never null, because a null would be no bound of the index, so that Postgres would read
-- all workflows of a name.
--
-- It is atomic because a row that it locks is still `ready`.
create function parley.lock_ready_v1(names text[], except_ids text[], size integer) returns text[]
language plpgsql volatile
as $parley$
declare
  locked text[] := '{}';
  before bigint := (-9223372036854775808);
  last bigint;
begin
  loop
    if cardinality(names) > 1 then
      last := (
        select d.due_at from unnest(names) as n (name)
        cross join lateral (
          select w.due_at from parley.workflows as w
          where w.phase = 'ready' and w.name = n.name and w.due_at > before and array_position(except_ids, w.id) is null
          order by w.due_at limit size
        ) as d order by d.due_at offset size - 1 limit 1
      );
    end if;
    last := coalesce(last, 9223372036854775807);
    locked := locked || array(
      select d.id from unnest(names) as n (name)
      cross join lateral (
        select w.id, w.due_at from parley.workflows as w
        where w.phase = 'ready' and w.name = n.name and w.due_at > before and w.due_at <= last
          and array_position(except_ids, w.id) is null
        order by w.due_at limit size - cardinality(locked) for update skip locked
      ) as d order by d.due_at
    );
    exit when cardinality(locked) >= size or last = 9223372036854775807;
    before := last;
  end loop;
  return locked[:size];
end;
$parley$;

-- Locks due workflows, and returns their IDs, the longest due first.
--
-- A claim by due time skips locked rows, because another claim is taking them or a write is
-- changing them. A claim by ID waits for locked rows, in the order of all locks. Its caller was
-- told that the workflow is due. So the claim must not give up because a send is under way. In both
-- cases the conditions hold for the row as it is once it is locked.
--
-- There is one index for workflows that are `ready`, one for those that wait for a time, and one
-- for those that are leased. Of the second and third kind, only workflows that may be among the
-- longest due of all are locked.
create function parley.lock_due_v1(
  request jsonb, names text[], except_ids text[], size integer, times parley.due_times
) returns text[]
language plpgsql volatile
as $parley$
declare
  now bigint := parley.now_ms();
  locked text[];
  last_ready bigint;
begin
  if jsonb_typeof(request->'workflowIds') = 'null' then
    locked := parley.lock_ready_v1(names, except_ids, size);
    if cardinality(locked) = size then
      last_ready := (select w.due_at from parley.workflows as w where w.id = locked[size]);
    end if;
    locked := locked || array(
      select d.id from unnest((times).names, (times).names_from) as n (name, first)
      cross join lateral (
        select w.id from parley.workflows as w
        where w.phase in ('suspended', 'parked') and w.due_at <= now
          and w.name = n.name and w.due_at >= n.first and w.due_at <= least(now, last_ready)
          and array_position(except_ids, w.id) is null
        order by w.due_at limit size for update skip locked
      ) as d
      where array_position(names, n.name) is not null
    ) || array(
      select d.id from unnest((times).lengths, (times).firsts) as l (lease_ms, first)
      cross join lateral (
        select w.id from parley.workflows as w
        where w.lease_ms is not null and w.due_at <= now and w.lease_until <= now
          and w.lease_ms = l.lease_ms and w.due_at >= l.first and w.due_at <= least(now, last_ready)
          and array_position(names, w.name) is not null and array_position(except_ids, w.id) is null
        order by w.due_at limit size for update skip locked
      ) as d
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
        or (w.phase in ('suspended', 'parked') and w.due_at <= now)
        or (w.lease_ms is not null and w.due_at <= now and w.lease_until <= now)
      )
      and array_position(names, w.name) is not null and array_position(except_ids, w.id) is null
    order by w.due_at, w.id limit size
  );
end;
$parley$;

-- -------------------------------------------------------------------------------------------------
-- What is due besides the workflows that a claim takes, and when more become due.
-- -------------------------------------------------------------------------------------------------

-- Returns whether a claim would take more workflows. These are workflows whose rows another call
-- holds at the moment. It does not use `exists`, which would drop the order, and with it the index.
create function parley.some_are_due_v1(names text[], except_ids text[], times parley.due_times) returns boolean
language plpgsql volatile
as $parley$
declare
  now constant bigint := parley.now_ms();
begin
  return coalesce(
    (
      select true from unnest(names) as n (name)
      cross join lateral (
        select from parley.workflows as w
        where w.phase = 'ready' and w.name = n.name and array_position(except_ids, w.id) is null
        order by w.due_at limit 1
      ) as d limit 1
    ),
    (
      select true from unnest((times).names, (times).names_from) as n (name, first)
      cross join lateral (
        select from parley.workflows as w
        where w.phase in ('suspended', 'parked') and w.due_at <= now
          and w.name = n.name and w.due_at >= n.first
          and array_position(except_ids, w.id) is null
        order by w.due_at limit 1
      ) as d
      where array_position(names, n.name) is not null limit 1
    ),
    (
      select true from unnest((times).lengths, (times).firsts) as l (lease_ms, first)
      cross join lateral (
        select from parley.workflows as w
        where w.lease_ms is not null and w.due_at <= now and w.lease_until <= now
          and w.lease_ms = l.lease_ms and w.due_at >= l.first
          and array_position(names, w.name) is not null and array_position(except_ids, w.id) is null
        order by w.due_at limit 1
      ) as d limit 1
    ),
    false
  );
end;
$parley$;

-- Returns some names of due workflows that are not among the given ones.
create function parley.unknown_names_v1(names text[], times parley.due_times) returns json
language plpgsql volatile
as $parley$
declare
  now constant bigint := parley.now_ms();
  found_names json;
begin
  with recursive ready as (
    (select w.name from parley.workflows as w where w.phase = 'ready' order by w.name, w.due_at limit 1)
    union all
    select d.name from ready as last cross join lateral (
      select w.name from parley.workflows as w
      where w.phase = 'ready' and w.name > last.name order by w.name, w.due_at limit 1
    ) as d
  )
  select coalesce(json_agg(picked.name), '[]') into found_names from (
    select due.name from (
      (
        select r.name from ready as r
        where array_position(names, r.name) is null limit 10
      ) union all (
        select n.name from unnest((times).names, (times).names_from) as n (name, first)
        where not (array_position(names, n.name) is not null) limit 10
      ) union all (
        select d.name from unnest((times).lengths, (times).firsts) as l (lease_ms, first)
        cross join lateral (
          select w.name from parley.workflows as w
          where w.lease_ms is not null and w.due_at <= now and w.lease_until <= now
            and w.lease_ms = l.lease_ms and w.due_at >= l.first
            and array_position(names, w.name) is null
          order by w.due_at limit 1000
        ) as d
      )
    ) as due group by due.name limit 10
  ) as picked;
  return found_names;
end;
$parley$;

-- Returns the milliseconds until the next deadline, end of a pause or end of a lease. If a lease
-- was renewed, its due_at may pass before the lease ends.
create function parley.next_due_ms_v1(times parley.due_times) returns bigint
language plpgsql volatile
as $parley$
declare
  now constant bigint := parley.now_ms();
begin
  return least(
    (times).next_at,
    (
      select min(d.due_at) from unnest((times).names, (times).names_from) as n (name, first)
      cross join lateral (
        select w.due_at from parley.workflows as w
        where w.phase in ('suspended', 'parked') and w.due_at is not null
          and w.name = n.name and w.due_at >= n.first and w.due_at > now
        order by w.due_at limit 1
      ) as d
    ),
    (
      select min(d.due_at) from unnest((times).lengths, (times).firsts) as l (lease_ms, first)
      cross join lateral (
        select w.due_at from parley.workflows as w
        where w.lease_ms = l.lease_ms and w.due_at >= l.first and w.due_at > now
        order by w.due_at limit 1
      ) as d
    ),
    (
      select min(d.lease_until) from unnest((times).lengths, (times).firsts) as l (lease_ms, first)
      cross join lateral (
        select w.lease_until from parley.workflows as w
        where w.lease_ms = l.lease_ms and w.due_at >= l.first and w.due_at <= now and w.lease_until > now
        order by w.due_at
      ) as d
    )
  ) - now;
end;
$parley$;

-- Returns the same for a claim by ID, over workflows that no run holds. A workflow that has become
-- due a moment ago counts as 0.
--
-- The phases that it wants are not named, because Postgres would read the whole index of these.
create function parley.next_due_of_v1(request jsonb, names text[]) returns bigint
language plpgsql volatile
as $parley$
declare
  now constant bigint := parley.now_ms();
begin
  return (
    select min(greatest(w.due_at - now, 0)) from parley.workflows as w
    where w.id = any (array(select jsonb_array_elements_text(request->'workflowIds')))
      and w.phase not in ('ready', 'running', 'ended') and w.due_at is not null
      and array_position(names, w.name) is not null
  );
end;
$parley$;

-- -------------------------------------------------------------------------------------------------
-- Claims: runs take over the workflows that are due.
-- -------------------------------------------------------------------------------------------------

-- Returns as many of the workflows as one answer has room for, and how much room they leave. It
-- begins with the first workflow, and returns at least that one. They stay as they are, because the
-- caller holds their rows.
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
      select 'status:' || w.id from parley.workflows as w where w.id = any (ids) and w.status <> 'PENDING'
    ));
  end if;
  update parley.workflows as w set
    status = 'PENDING', phase = 'running', epoch = w.epoch + 1, owner = lease_v1.owner, claimed = true,
    last_commit = 0, released = false, due_at = lease_end, lease_until = lease_end, lease_ms = lease_end - now,
    -- Only a lapsed lease is still 'running' here: its run died.
    recovery_attempts = w.recovery_attempts + (w.phase = 'running')::integer,
    waiting_topics = null, waiting_labels = null, waiting_until = null, updated_at = now
  where w.id = any (ids);
  delete from parley.waiters as r where r.waiter_id = any (ids);
end;
$parley$;

-- Returns what a run needs to begin, for each ID. The journals share the room that the workflows
-- leave, in this order. A journal that is complete saves its run a request. If a journal has no
-- room at all, the run reads it.
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
  times parley.due_times;
  due text[];
  taken text[];
  room bigint;
  more boolean := false;
  unknown json := '[]';
  next_due_ms bigint;
begin
  perform parley.lock_slots_v1(array[parley.owner_slot_v1(request->>'owner')]);
  select array_agg(w.id order by w.id) into taken from parley.workflows as w
  where w.owner = request->>'owner' and w.claimed and w.phase = 'running' and w.lease_until > parley.now_ms();
  if taken is not null then
    room := (select f.room from parley.fitting_v1(taken) as f);
  else
    if by_due_time then
      times := parley.find_due_times_v1(request->>'leaseMs');
    end if;
    due := parley.lock_due_v1(request, names, except_ids, size, times);
    select f.taken, f.room into taken, room from parley.fitting_v1(due) as f;
    more := cardinality(taken) < cardinality(due);
    perform parley.lease_v1(taken, request->>'owner', request->>'leaseMs');
    if by_due_time and cardinality(taken) < size then
      more := more or parley.some_are_due_v1(names, except_ids, times);
      unknown := parley.unknown_names_v1(names, times);
      next_due_ms := parley.next_due_ms_v1(times);
    elsif not by_due_time then
      next_due_ms := parley.next_due_of_v1(request, names);
    end if;
  end if;
  return json_build_object(
    'claimed', parley.claimed_v1(taken, room), 'unknown', unknown, 'nextDueMs', next_due_ms,
    'now', parley.now_ms(), 'more', more
  );
end;
$parley$;

-- -------------------------------------------------------------------------------------------------
-- Cancelling workflows.
-- -------------------------------------------------------------------------------------------------

-- Returns a workflow and those that it has started, those that these have started, and so on.
--
-- A workflow may have the ID of one that was purged, so it may be below its own child. The union
-- finds each once.
create function parley.family_v1(own text) returns setof text
language plpgsql volatile
as $parley$
begin
  return query
  with recursive members as (
    select own collate "C" as id
    union
    select c.id from members as m
    cross join lateral (select w.id from parley.workflows as w where w.parent = m.id offset 0) as c
  )
  select m.id from members as m;
end;
$parley$;

-- Locks the slots of the results of a workflow and of its family, and returns those that have not
-- ended, and the workflow itself.
--
-- A workflow that starts a child holds the slot of its own result. So the family does not grow once
-- its slots are locked. If it has grown before, this gives up its locks and begins again, because
-- locking another slot later would be out of order.
create function parley.lock_family_v1(own text) returns text[]
language plpgsql volatile
as $parley$
declare
  members text[] := array(
      select f.id from parley.family_v1(own) as f (id)
      where f.id = own or (select w.phase from parley.workflows as w where w.id = f.id) <> 'ended'
    );
  grown text[];
begin
  loop
    begin
      perform parley.lock_slots_v1(array(select parley.result_slot_v1(m.id) from unnest(members) as m (id)));
      grown := array(
      select f.id from parley.family_v1(own) as f (id)
      where f.id = own or (select w.phase from parley.workflows as w where w.id = f.id) <> 'ended'
    );
      if exists (select g.id from unnest(grown) as g (id) except select m.id from unnest(members) as m (id)) then
        raise exception 'the family has grown' using errcode = 'PF001';
      end if;
      return grown;
    exception when sqlstate 'PF001' then
      members := grown;
    end;
  end loop;
end;
$parley$;

-- Cancels a workflow, and with `with_children` those below it.
--
-- It is atomic because it takes all locks before it looks. It takes the same locks, in the same
-- order, as a commit that ends a workflow. These are the slots of the results, and then the rows of
-- the workflows, their waiters and their children. It needs the rows of the children because purge
-- may remove them once their parent has ended, and not before.
create function parley.cancel_v1(own text, with_children boolean) returns json
language plpgsql volatile
as $parley$
declare
  -- The workflows to cancel, those whose results they fill, and those that wait for these
  members text[] := array[own];
  waiters text[];
  children text[];
  locked text[];
  now bigint;
  woken text[];
  w parley.workflows;
begin
  if with_children then
    members := parley.lock_family_v1(own);
  else
    perform parley.lock_slots_v1(array[parley.result_slot_v1(own)]);
  end if;
  waiters := array(
    select r.waiter_id from parley.waiters as r
    where r.slot = any (array(select parley.result_slot_v1(m.id) from unnest(members) as m (id)))
  );
  children := array(select c.id from parley.workflows as c where c.parent = any (members) and c.kept);
  locked := array(
    select l.id from parley.workflows as l where l.id = any (members || waiters || children) order by l.id for update
  );
  select * into w from parley.workflows as mine where mine.id = own and own = any (locked);
  now := parley.now_ms();
  if not found then
    return json_build_object('state', 'not_found');
  end if;
  if w.phase = 'ended' and w.status <> 'CANCELLED' then
    return json_build_object('state', 'ended', 'status', w.status);
  end if;
  if with_children then
    -- A parent may have recorded the result of a child before its row was locked.
    members := array(select f.id from parley.family_v1(own) as f (id) where f.id = any (members));
  end if;
  members := array(
    select m.id from parley.workflows as m where m.id = any (members) and m.id = any (locked) and m.phase <> 'ended'
  );
  waiters := array(
    select r.id from unnest(waiters) as r (id) where r.id = any (locked) and r.id <> own and r.id <> all (members)
  );
  if cardinality(members) > 0 then
    update parley.workflows as ended set
      status = 'CANCELLED', phase = 'ended', due_at = null, lease_until = null, lease_ms = null,
      ended_at = now, updated_at = now, parks = 0, problem = null,
      waiting_topics = null, waiting_labels = null, waiting_until = null
    where ended.id = any (members);
    delete from parley.waiters as r where r.waiter_id = any (members);
    update parley.workflows as child set kept = false
    where child.id = any (children) and child.id = any (locked) and child.parent = any (members);
    woken := parley.wake_v1(waiters, now);
    if exists (select from parley.listeners as l where l.until > pg_catalog.clock_timestamp()) then
      perform parley.hint_v1(
        array(select 'inbox:' || m.id from unnest(members) as m (id))
        || array(select 'status:' || m.id from unnest(members) as m (id))
        || case when cardinality(woken) > 0 then 'due' end
      );
    end if;
  end if;
  if w.status = 'CANCELLED' then
    -- A repeat names the workflows that the first call made due and nobody has claimed yet.
    woken := array(select d.id from parley.workflows as d where d.id = any (waiters) and d.phase = 'ready');
  end if;
  return json_build_object('state', 'done', 'woken', to_json(woken));
end;
$parley$;

-- -------------------------------------------------------------------------------------------------
-- Resuming workflows.
-- -------------------------------------------------------------------------------------------------

-- Drops the entries of a journal from a position on, and makes the messages that they have received
-- unread again. Returns how many entries and messages these were.
--
-- A message that waits again may be before the place up to which its topic was received, so that
-- place goes back.
--
-- It is atomic because the caller holds the row of the workflow, as a receive and a send do.
create function parley.rewind_v1(own text, place bigint, out entries integer, out messages integer)
language plpgsql volatile
as $parley$
declare
  dropped record;
  message_seq bigint;
begin
  entries := 0;
  messages := 0;
  for dropped in
    delete from parley.journal as j where j.workflow_id = own and j.position >= place
    returning j.value, j.topic, j.message_key
  loop
    entries := entries + 1;
    if dropped.message_key is not null then
      messages := messages + 1;
      update parley.messages as m set value = dropped.value
      where m.workflow_id = own and m.dedupe_key = dropped.message_key
      returning m.seq into message_seq;
      update parley.inbox_heads as h set seq = message_seq - 1
      where h.workflow_id = own and h.topic = dropped.topic and h.seq >= message_seq;
    end if;
  end loop;
end;
$parley$;

-- Resumes a workflow that has not ended, and returns whether it is due. A parked workflow becomes due
-- at once. If the clock has gone back, a due one gets a new place, and a lease ends its length from
-- now.
--
-- It is atomic because the caller holds the row of the workflow.
create function parley.resume_active_v1(w parley.workflows, now bigint) returns boolean
language plpgsql volatile
as $parley$
begin
  if w.phase = 'parked' or (w.phase = 'ready' and w.due_at > now) then
    update parley.workflows as due set phase = 'ready', due_at = least(due.due_at, now), parks = 0 where due.id = w.id;
    if w.phase = 'parked'
      and exists (select from parley.listeners as l where l.until > pg_catalog.clock_timestamp())
    then
      perform parley.hint_v1(array['inbox:' || w.id, 'due']);
    end if;
    w.phase := 'ready';
  elsif w.phase = 'running' and w.lease_until - w.lease_ms > now then
    update parley.workflows as held set due_at = now + w.lease_ms, lease_until = now + w.lease_ms where held.id = w.id;
    w.lease_until := now + w.lease_ms;
  end if;
  return w.status = 'PENDING'
    and (w.phase = 'ready' or (w.due_at <= now and (w.lease_until is null or w.lease_until <= now)));
end;
$parley$;

-- Resumes a workflow. With `place`, it drops entries of the journal from that position on, and stores
-- the token as the owner. A repeat finds its own token there.
--
-- It is atomic because it takes all locks before it looks: the slot of the result, and then the rows
-- of the workflow and its children, in the order of all locks. The children are kept again.
create function parley.resume_v1(own text, place bigint, token text) returns json
language plpgsql volatile
as $parley$
declare
  now bigint;
  children text[];
  locked text[];
  entries integer := 0;
  messages integer := 0;
  w parley.workflows;
begin
  perform parley.lock_slots_v1(array[parley.result_slot_v1(own)]);
  children := array(select c.id from parley.workflows as c where c.parent = own and not c.kept);
  locked := array(
    select l.id from parley.workflows as l where l.id = any (children || own) order by l.id for update
  );
  select * into w from parley.workflows as mine where mine.id = own and own = any (locked);
  now := parley.now_ms();
  if not found then
    return json_build_object('state', 'not_found');
  end if;
  if w.phase <> 'ended' and token is not null and w.owner is distinct from token then
    return json_build_object('state', 'active', 'status', w.status);
  end if;
  if w.phase <> 'ended' then
    -- A repeat names it as the first call did, until it is claimed.
    return json_build_object(
      'state', 'done', 'woken', to_json(array(select own where parley.resume_active_v1(w, now)))
    );
  end if;
  if w.status = 'SUCCESS' then
    return json_build_object('state', 'ended', 'status', w.status);
  end if;
  place := coalesce(place, w.failed_position);
  if place is not null then
    select r.entries, r.messages into entries, messages from parley.rewind_v1(own, place) as r;
  end if;
  -- With the next epoch, calls of an earlier run that are still under way are refused.
  update parley.workflows as resumed set
    status = 'PENDING', phase = 'ready', epoch = resumed.epoch + 1, owner = token, last_commit = 0, released = false,
    received = resumed.received - messages,
    rewinds = case when entries > 0 then coalesce(resumed.rewinds, 0) + 1 else resumed.rewinds end,
    due_at = now, recovery_attempts = 0, output = null, error = null, failed_position = null, ended_at = null,
    updated_at = now
  where resumed.id = own;
  update parley.workflows as child set kept = true where child.id = any (locked) and child.parent = own;
  if exists (select from parley.listeners as l where l.until > pg_catalog.clock_timestamp()) then
    perform parley.hint_v1(array['inbox:' || own, 'status:' || own, 'due']);
  end if;
  return json_build_object('state', 'done', 'woken', json_build_array(own));
end;
$parley$;

-- -------------------------------------------------------------------------------------------------
-- Cancelling, resuming, deleting and purging workflows.
-- -------------------------------------------------------------------------------------------------

-- `Driver.control`: cancels or resumes a workflow. It is atomic because either is.
create function parley.control_v1(request jsonb) returns json
language plpgsql volatile
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_bitmapscan = off
set jit = off
set max_parallel_workers_per_gather = 0
as $parley$
begin
  return case request->>'action'
    when 'cancel' then parley.cancel_v1(request->>'workflowId', coalesce((request->>'children')::boolean, false))
    else parley.resume_v1(
      request->>'workflowId', (request->'from'->>'position')::bigint, request->'from'->>'token'
    )
  end;
end;
$parley$;

-- -------------------------------------------------------------------------------------------------
-- Removing workflows.
-- -------------------------------------------------------------------------------------------------

-- Removes workflows with all that is their own, and their links from children that are left. A
-- workflow that gets one of the IDs later is not the parent of these.
--
-- It is atomic because the caller holds the rows of the workflows and of their children.
create function parley.remove_v1(ids text[], children text[]) returns void
language plpgsql volatile
as $parley$
begin
  delete from parley.journal as r where r.workflow_id = any (ids);
  delete from parley.messages as r where r.workflow_id = any (ids);
  delete from parley.inbox_heads as r where r.workflow_id = any (ids);
  delete from parley.events as r where r.workflow_id = any (ids);
  delete from parley.streams as r where r.workflow_id = any (ids);
  delete from parley.stream_values as r where r.workflow_id = any (ids);
  delete from parley.workflows as r where r.id = any (ids);
  if cardinality(children) > 0 then
    update parley.workflows as c set parent = null, kept = false where c.id = any (children) and c.parent = any (ids);
  end if;
  if cardinality(ids) > 0
    and exists (select from parley.listeners as l where l.until > pg_catalog.clock_timestamp())
  then
    perform parley.hint_v1(array(select 'status:' || removed.id from unnest(ids) as removed (id)));
  end if;
end;
$parley$;

-- `Driver.delete`: removes one workflow that has ended.
--
-- It is atomic because it holds the row of the workflow, and those of its children, before it looks.
-- A workflow that has ended starts no more children.
create function parley.delete_v1(request jsonb) returns json
language plpgsql volatile
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_bitmapscan = off
set jit = off
set max_parallel_workers_per_gather = 0
as $parley$
declare
  own constant text := request->>'workflowId';
  children text[];
  locked text[];
  w parley.workflows;
begin
  perform parley.lock_slots_v1(array[parley.result_slot_v1(own)]);
  children := array(select c.id from parley.workflows as c where c.parent = own);
  locked := array(
    select l.id from parley.workflows as l where l.id = any (children || own) order by l.id for update
  );
  select * into w from parley.workflows as mine where mine.id = own and own = any (locked);
  if not found then
    return json_build_object('state', 'not_found');
  end if;
  if w.phase <> 'ended' then
    return json_build_object('state', 'active', 'status', w.status);
  end if;
  perform parley.remove_v1(array[own], array(select c.id from unnest(children) as c (id) where c.id = any (locked)));
  return json_build_object('state', 'done');
end;
$parley$;

-- `Driver.purge`: removes ended workflows, the oldest first.
--
-- It is atomic because it holds their rows first. A send or a resume that is under way comes before
-- the purge. A call that waits for the purge finds no workflow.
--
-- It waits for rows that another call holds, since the answer 0 means that no workflow is left. It
-- waits only once. If another purge has removed all of these rows meanwhile, this purge already
-- holds locks. It then takes the next rows that are free, and whose children it need not lock too.
--
-- The index that it reads lacks children that are kept for their parents. So a purge costs the
-- same, however many of these there are.
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
  children text[] := array(select c.id from parley.workflows as c where c.parent = any (oldest));
  locked text[];
  ids text[];
begin
  locked := array(
    select w.id from parley.workflows as w where w.id = any (oldest || children) order by w.id for update
  );
  children := array(select c.id from parley.workflows as c where c.id = any (locked) and c.id = any (children));
  ids := array(
    select w.id from parley.workflows as w
    where w.id = any (locked) and w.id = any (oldest) and w.ended_at <= before and not w.kept
  );
  if cardinality(oldest) > 0 and cardinality(ids) = 0 then
    ids := array(
      select w.id from parley.workflows as w
      where w.ended_at <= before and not w.kept
        and (select true from parley.workflows as c where c.parent = w.id limit 1) is null
      order by w.ended_at limit size for update skip locked
    );
  end if;
  perform parley.remove_v1(ids, children);
  return json_build_object('purged', cardinality(ids));
end;
$parley$;

-- -------------------------------------------------------------------------------------------------
-- Reads. They are `stable`, so every query in such a function sees the snapshot of the statement
-- that calls it. All parts of an answer therefore belong together.
-- -------------------------------------------------------------------------------------------------

-- `Driver.readWorkflow`: a workflow as it is, with the store's time, or null.
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
  select json_build_object(
    'workflowId', w.id, 'name', w.name, 'status', w.status,
    'waiting', case
      when w.waiting_labels is not null
        then json_build_object('operations', w.waiting_labels, 'until', w.waiting_until)
    end,
    'input', w.input, 'output', w.output, 'error', w.error, 'problem', w.problem, 'parks', w.parks,
    'failed', case
      when w.failed_position is not null then (
        select json_build_object('position', j.position, 'label', j.label) from parley.journal as j
        where j.workflow_id = w.id and j.position = w.failed_position
      )
    end,
    'createdAt', w.created_at, 'updatedAt', w.updated_at, 'endedAt', w.ended_at,
    'unread', w.inbox_seq - w.received, 'generation', coalesce(w.generation, 0),
    'rewinds', coalesce(w.rewinds, 0), 'recoveryAttempts', w.recovery_attempts, 'now', parley.now_ms()
  ) into answer from parley.workflows as w where w.id = request->>'workflowId';
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

-- -------------------------------------------------------------------------------------------------
-- Lists of workflows.
-- -------------------------------------------------------------------------------------------------

-- Returns the IDs with a prefix, or null if there are more than a list sorts.
--
-- An ID has up to 255 characters, and the last character of Unicode is above all others. So no ID with
-- the prefix is above the prefix and 255 of these.
create function parley.ids_with_prefix_v1(prefix text) returns text[]
language plpgsql stable
as $parley$
declare
  last constant text := prefix || repeat(chr(1114111), 255);
  ids constant text[] := array(
    select w.id from parley.workflows as w where w.id >= prefix and w.id <= last order by w.id limit 200 + 1
  );
begin
  return case when cardinality(ids) <= 200 then ids end;
end;
$parley$;

-- Returns the IDs of the workflows that are due, or null if there are more than a list sorts.
--
-- Each name and each length of leases is searched by itself, because the indexes have them before
-- due_at.
create function parley.due_ids_v1(wanted text) returns text[]
language plpgsql stable
as $parley$
declare
  now constant bigint := parley.now_ms();
  names text[] := array[wanted];
  ids text[];
begin
  if wanted is null then
    names := array(
      with recursive n as (
        (select w.name from parley.workflows as w where w.phase = 'ready' order by w.name, w.due_at limit 1)
        union all
        select d.name from n as last cross join lateral (
          select w.name from parley.workflows as w
          where w.phase = 'ready' and w.name > last.name order by w.name, w.due_at limit 1
        ) as d
      )
      select n.name from n
    ) || array(
      with recursive n as (
        (
          select w.name from parley.workflows as w
          where w.phase in ('suspended', 'parked') and w.due_at is not null order by w.name, w.due_at limit 1
        )
        union all
        select d.name from n as last cross join lateral (
          select w.name from parley.workflows as w
          where w.phase in ('suspended', 'parked') and w.due_at is not null and w.name > last.name
          order by w.name, w.due_at limit 1
        ) as d
      )
      select n.name from n
    );
  end if;
  ids := array(
    select due.id from (
      (
        select d.id from (select distinct given.name from unnest(names) as given (name)) as n
        cross join lateral (
          select w.id from parley.workflows as w
          where w.phase = 'ready' and w.name = n.name order by w.due_at limit 200 + 1
        ) as d
      ) union all (
        select d.id from (select distinct given.name from unnest(names) as given (name)) as n
        cross join lateral (
          select w.id from parley.workflows as w
          where w.phase in ('suspended', 'parked') and w.due_at <= now and w.name = n.name
          order by w.due_at limit 200 + 1
        ) as d
      ) union all (
        with recursive l as (
          (
            select w.lease_ms from parley.workflows as w
            where w.lease_ms is not null order by w.lease_ms, w.due_at limit 1
          )
          union all
          select d.lease_ms from l as last cross join lateral (
            select w.lease_ms from parley.workflows as w
            where w.lease_ms > last.lease_ms order by w.lease_ms, w.due_at limit 1
          ) as d
        )
        select d.id from l
        cross join lateral (
          select w.id from parley.workflows as w
          where w.lease_ms is not null and w.due_at <= now and w.lease_until <= now
            and w.lease_ms = l.lease_ms and (wanted is null or w.name = wanted)
          order by w.due_at limit 200 + 1
        ) as d
      )
    ) as due limit 200 + 1
  );
  return case when cardinality(ids) <= 200 then ids end;
end;
$parley$;

-- `Driver.listWorkflows`: a page, newest first, then by ID. The cursor is the place of its last
-- row.
--
-- The page is merged from one page per status. Each of these comes from an index by time, and has
-- all workflows of its last instant. So a page costs the same, however many other workflows there
-- are. The indexes lack the ID, which would take 40 bytes of each entry. Postgres would use an
-- index over all statuses for a single status too. It would read the index to its end if that
-- status has no workflows. For 20,000 workflows, that took 1,400 blocks instead of 4. Parked
-- workflows have indexes of their own, and one status.
--
-- No index has both the time and the ID, or both the time and whether a workflow is due. If few
-- workflows have the prefix, or few are due, all of these are read and sorted. If many do, the
-- indexes by time soon find enough of them.
--
-- Sorts are off, so that each status is read in the order of its index. Otherwise PostgreSQL 18 skips
-- through another index, and sorts all workflows: it takes any range of times for a few rows. Among
-- 100,000 workflows that took 7,000 blocks instead of 70. The sorts of the merged page cannot be
-- avoided, and stay.
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
set enable_sort = off
as $parley$
declare
  wanted constant text := request->>'name';
  has_problem constant boolean := request->>'problem';
  is_due constant boolean := coalesce((request->>'due')::boolean, false);
  prefix constant text := coalesce(request->>'idPrefix', '');
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
  now constant bigint := parley.now_ms();
  -- The first and the last instant of the page
  first_at constant bigint := coalesce(floor((request->>'createdAfter')::numeric)::bigint + 1, (-9223372036854775808));
  last_at constant bigint := least(
    cursor_at, ceil((request->>'createdBefore')::numeric)::bigint - 1, 9223372036854775807
  );
  candidates text[];
  ids text[];
  answer json;
begin
  if has_problem then
    statuses := array(select given.status from unnest(statuses) as given (status) where given.status = 'PENDING');
  elsif is_due then
    statuses := array(
      select given.status from unnest(statuses) as given (status) where given.status in ('ENQUEUED', 'PENDING')
    );
  end if;
  if prefix <> '' then
    candidates := parley.ids_with_prefix_v1(prefix);
  end if;
  if candidates is null and is_due then
    candidates := parley.due_ids_v1(wanted);
  end if;
  if candidates is not null then
    ids := array(
      select one.id from unnest(candidates) as c (id)
      cross join lateral (
        select w.id, w.created_at from parley.workflows as w
        where w.id = c.id and array_position(statuses, w.status) is not null
          and (wanted is null or w.name = wanted) and (not has_problem or w.problem is not null)
          and w.created_at >= first_at and w.created_at <= last_at
          and (cursor_at is null or w.created_at < cursor_at or w.id > cursor_id)
          and (prefix = '' or left(w.id, char_length(prefix)) = prefix)
          and (
            not is_due or w.phase = 'ready' or (w.phase in ('suspended', 'parked') and w.due_at <= now)
            or (w.lease_ms is not null and w.due_at <= now and w.lease_until <= now)
          )
        limit 1
      ) as one
      order by one.created_at desc, one.id limit size + 1
    );
  elsif has_problem and wanted is null then
    ids := array(
      select one.id from unnest(statuses) as given (status)
      cross join lateral (
        select w.id, w.created_at from parley.workflows as w
        where w.problem is not null and given.status is not null
          and w.created_at >= first_at and w.created_at <= last_at
          and (cursor_at is null or w.created_at < cursor_at or w.id > cursor_id)
          and (prefix = '' or left(w.id, char_length(prefix)) = prefix)
          and (
            not is_due or w.phase = 'ready' or (w.phase in ('suspended', 'parked') and w.due_at <= now)
            or (w.lease_ms is not null and w.due_at <= now and w.lease_until <= now)
          )
        order by w.created_at + 0 desc fetch first (size + 1) rows with ties
      ) as one
      order by one.created_at desc, one.id limit size + 1
    );
  elsif has_problem then
    ids := array(
      select one.id from unnest(statuses) as given (status)
      cross join lateral (
        select w.id, w.created_at from parley.workflows as w
        where w.name = wanted and w.problem is not null and given.status is not null
          and w.created_at >= first_at and w.created_at <= last_at
          and (cursor_at is null or w.created_at < cursor_at or w.id > cursor_id)
          and (prefix = '' or left(w.id, char_length(prefix)) = prefix)
          and (
            not is_due or w.phase = 'ready' or (w.phase in ('suspended', 'parked') and w.due_at <= now)
            or (w.lease_ms is not null and w.due_at <= now and w.lease_until <= now)
          )
        order by w.created_at desc fetch first (size + 1) rows with ties
      ) as one
      order by one.created_at desc, one.id limit size + 1
    );
  elsif wanted is null then
    ids := array(
      select one.id from unnest(statuses) as given (status)
      cross join lateral (
        select w.id, w.created_at from parley.workflows as w
        where w.status = given.status
          and w.created_at >= first_at and w.created_at <= last_at
          and (cursor_at is null or w.created_at < cursor_at or w.id > cursor_id)
          and (prefix = '' or left(w.id, char_length(prefix)) = prefix)
          and (
            not is_due or w.phase = 'ready' or (w.phase in ('suspended', 'parked') and w.due_at <= now)
            or (w.lease_ms is not null and w.due_at <= now and w.lease_until <= now)
          )
        order by w.created_at desc fetch first (size + 1) rows with ties
      ) as one
      order by one.created_at desc, one.id limit size + 1
    );
  else
    ids := array(
      select one.id from unnest(statuses) as given (status)
      cross join lateral (
        select w.id, w.created_at from parley.workflows as w
        where w.name = wanted and w.status = given.status
          and w.created_at >= first_at and w.created_at <= last_at
          and (cursor_at is null or w.created_at < cursor_at or w.id > cursor_id)
          and (prefix = '' or left(w.id, char_length(prefix)) = prefix)
          and (
            not is_due or w.phase = 'ready' or (w.phase in ('suspended', 'parked') and w.due_at <= now)
            or (w.lease_ms is not null and w.due_at <= now and w.lease_until <= now)
          )
        order by w.created_at desc fetch first (size + 1) rows with ties
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
          when k.may_fit then 150
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
    'failed', case
      when p.failed_position is not null then (
        select json_build_object('position', j.position, 'label', j.label) from parley.journal as j
        where j.workflow_id = p.id and j.position = p.failed_position
      )
    end,
    'createdAt', p.created_at, 'updatedAt', p.updated_at, 'endedAt', p.ended_at,
    'unread', p.inbox_seq - p.received, 'generation', coalesce(p.generation, 0),
    'rewinds', coalesce(p.rewinds, 0), 'recoveryAttempts', p.recovery_attempts
  ) order by p.place), '[]'),
    'cursor', case when cardinality(ids) > count(*) then (
      select json_build_array(last.created_at, last.id) from page as last order by last.place desc limit 1
    ) end
  ) into answer from page as p;
  return answer;
end;
$parley$;

-- -------------------------------------------------------------------------------------------------
-- Reads of the parts of one workflow: its journal, messages, events and streams.
--
-- Each answer is a `PartPage`: the status of the workflow, items in order, and whether more are left.
-- -------------------------------------------------------------------------------------------------

-- `Driver.readHistory`: a page of the journal, by position.
create function parley.read_history_v1(request jsonb) returns json
language plpgsql stable
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_bitmapscan = off
set jit = off
set max_parallel_workers_per_gather = 0
as $parley$
declare
  own constant text := request->>'workflowId';
  after constant bigint := request->>'after';
  size constant integer := (request->>'limit')::integer;
  answer json;
begin
  select json_build_object(
    'status', (select w.status from parley.workflows as w where w.id = own),
    'items', coalesce(
      json_agg(
        json_build_object(
          'position', r.position, 'label', r.label,
          'outcome', case when r.seq is not null then parley.outcome_v1(r.tag, r.value, r.topic) end,
          'startedAt', r.began_at, 'endedAt', case when r.seq is not null then r.began_at + coalesce(r.took, 0) end,
          'attempts', coalesce(r.attempts, 0), 'deadline', r.deadline
        )
        order by r.place
      ) filter (where r.fits and r.place <= size),
      '[]'
    ),
    'more', coalesce(bool_or(not r.fits or r.place > size), false)
  ) into answer
  from (
    select m.*,
      m.may_fit and (
        (m.place = 1 and true) or sum(m.wire_bytes) over in_order <= 1048576
      ) as fits
    from (
      select k.*,
        case
          when k.may_fit then 150
            + coalesce(parley.wire_bytes_v1(k.label), 0)
            + coalesce(parley.wire_bytes_v1(k.value), 0)
            + coalesce(parley.wire_bytes_v1(k.topic), 0)
        end as wire_bytes
      from (
        select r.*, row_number() over in_order as place,
          row_number() over in_order = 1 or sum(
            coalesce(octet_length(r.label), 0)
            + coalesce(octet_length(r.value), 0)
            + coalesce(octet_length(r.topic), 0)
          ) over in_order <= 1048576 as may_fit
        from (
          select j.* from parley.journal as j
          where j.workflow_id = own and j.position > coalesce(after, -1)
          order by j.position limit size + 1
        ) as r
        window in_order as (order by position rows unbounded preceding)
      ) as k
    ) as m
    window in_order as (order by position rows unbounded preceding)
  ) as r;
  return answer;
end;
$parley$;

-- Returns the first messages that wait, over all topics or of one.
--
-- The index has the topic before the place, so each topic is searched by itself.
create function parley.unread_messages_v1(own text, wanted text, after bigint, size integer)
returns table (seq bigint, topic text, message_id text, dedupe_key text, sent_at bigint, value text)
language plpgsql stable
as $parley$
declare
  topics constant text[] := case when wanted is not null then array[wanted] else array(
    with recursive t as (
      (
        select m.topic from parley.messages as m
        where m.workflow_id = own and m.value is not null order by m.topic, m.seq limit 1
      )
      union all
      select d.topic from t as last cross join lateral (
        select m.topic from parley.messages as m
        where m.workflow_id = own and m.topic > last.topic and m.value is not null order by m.topic, m.seq limit 1
      ) as d
    )
    select t.topic from t
  ) end;
begin
  return query
  select d.* from unnest(topics) as t (topic)
  left join lateral (
    select h.seq from parley.inbox_heads as h where h.workflow_id = own and h.topic = t.topic limit 1
  ) as h on true
  cross join lateral (
    select m.seq, m.topic, m.message_id, m.dedupe_key, m.sent_at, m.value from parley.messages as m
    where m.workflow_id = own and m.topic = t.topic and m.seq > greatest(after, h.seq, 0) and m.value is not null
    order by m.seq limit size
  ) as d
  order by d.seq limit size;
end;
$parley$;

-- Returns the first messages that the journal has received, over all topics or of one.
--
-- It looks at each entry of the journal that has received a message. An index for this would cost
-- each receive an entry, and a workflow that runs reads its whole journal anyway. Messages that
-- were received before the workflow was last continued as new have no entry.
create function parley.received_messages_v1(own text, wanted text, after bigint, size integer)
returns table (
  seq bigint, topic text, message_id text, dedupe_key text, sent_at bigint, value text, by_position integer,
  received_at bigint
)
language plpgsql stable
as $parley$
begin
  return query
  select m.seq, j.topic, m.message_id, m.dedupe_key, m.sent_at, j.value, j.position, j.began_at + coalesce(j.took, 0)
  from parley.journal as j
  cross join lateral (
    select m.seq, m.message_id, m.dedupe_key, m.sent_at from parley.messages as m
    where m.workflow_id = own and m.dedupe_key = j.message_key limit 1
  ) as m
  where j.workflow_id = own and j.message_key is not null and (wanted is null or j.topic = wanted)
    and m.seq > coalesce(after, 0)
  order by m.seq limit size;
end;
$parley$;

-- `Driver.listMessages`: a page of messages, by their numbers.
create function parley.list_messages_v1(request jsonb) returns json
language plpgsql stable
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_bitmapscan = off
set jit = off
set max_parallel_workers_per_gather = 0
as $parley$
declare
  own constant text := request->>'workflowId';
  after constant bigint := request->>'after';
  size constant integer := (request->>'limit')::integer;
  answer json;
begin
  select json_build_object(
    'status', (select w.status from parley.workflows as w where w.id = own),
    'items', coalesce(
      json_agg(
        json_build_object(
          'number', r.seq, 'messageId', r.message_id, 'topic', r.topic, 'dedupeKey', r.dedupe_key,
          'value', r.value, 'sentAt', r.sent_at, 'received', case
            when r.by_position is not null then json_build_object('position', r.by_position, 'at', r.received_at)
          end
        )
        order by r.place
      ) filter (where r.fits and r.place <= size),
      '[]'
    ),
    'more', coalesce(bool_or(not r.fits or r.place > size), false)
  ) into answer
  from (
    select m.*,
      m.may_fit and (
        (m.place = 1 and true) or sum(m.wire_bytes) over in_order <= 1048576
      ) as fits
    from (
      select k.*,
        case
          when k.may_fit then 150
            + coalesce(parley.wire_bytes_v1(k.value), 0)
            + coalesce(parley.wire_bytes_v1(k.message_id), 0)
            + coalesce(parley.wire_bytes_v1(k.topic), 0)
            + coalesce(parley.wire_bytes_v1(k.dedupe_key), 0)
        end as wire_bytes
      from (
        select r.*, row_number() over in_order as place,
          row_number() over in_order = 1 or sum(
            coalesce(octet_length(r.value), 0)
            + coalesce(octet_length(r.message_id), 0)
            + coalesce(octet_length(r.topic), 0)
            + coalesce(octet_length(r.dedupe_key), 0)
          ) over in_order <= 1048576 as may_fit
        from (
          select m.* from (
            (
              select u.*, null::integer as by_position, null::bigint as received_at
              from parley.unread_messages_v1(own, request->>'topic', after, size + 1) as u
              where request->>'state' <> 'received'
            ) union all (
              select v.* from parley.received_messages_v1(own, request->>'topic', after, size + 1) as v
              where request->>'state' <> 'unread'
            )
          ) as m
          order by m.seq limit size + 1
        ) as r
        window in_order as (order by seq rows unbounded preceding)
      ) as k
    ) as m
    window in_order as (order by seq rows unbounded preceding)
  ) as r;
  return answer;
end;
$parley$;

-- `Driver.listEvents`: a page of events, by key.
create function parley.list_events_v1(request jsonb) returns json
language plpgsql stable
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_bitmapscan = off
set jit = off
set max_parallel_workers_per_gather = 0
as $parley$
declare
  own constant text := request->>'workflowId';
  after constant text := request->>'after';
  size constant integer := (request->>'limit')::integer;
  answer json;
begin
  select json_build_object(
    'status', (select w.status from parley.workflows as w where w.id = own),
    'items', coalesce(
      json_agg(
        json_build_object(
          'key', r.key, 'version', r.version, 'value', r.value, 'updatedAt', coalesce(r.updated_at, r.set_at)
        )
        order by r.place
      ) filter (where r.fits and r.place <= size),
      '[]'
    ),
    'more', coalesce(bool_or(not r.fits or r.place > size), false)
  ) into answer
  from (
    select m.*,
      m.may_fit and (
        (m.place = 1 and true) or sum(m.wire_bytes) over in_order <= 1048576
      ) as fits
    from (
      select k.*,
        case
          when k.may_fit then 150
            + coalesce(parley.wire_bytes_v1(k.value), 0)
            + coalesce(parley.wire_bytes_v1(k.key), 0)
        end as wire_bytes
      from (
        select r.*, row_number() over in_order as place,
          row_number() over in_order = 1 or sum(
            coalesce(octet_length(r.value), 0)
            + coalesce(octet_length(r.key), 0)
          ) over in_order <= 1048576 as may_fit
        from (
          select e.* from parley.events as e
          where e.workflow_id = own and e.key > coalesce(after, '')
          order by e.key limit size + 1
        ) as r
        window in_order as (order by key rows unbounded preceding)
      ) as k
    ) as m
    window in_order as (order by key rows unbounded preceding)
  ) as r;
  return answer;
end;
$parley$;

-- `Driver.listStreams`: a page of streams, by key.
create function parley.list_streams_v1(request jsonb) returns json
language plpgsql stable
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_bitmapscan = off
set jit = off
set max_parallel_workers_per_gather = 0
as $parley$
declare
  own constant text := request->>'workflowId';
  after constant text := request->>'after';
  size constant integer := (request->>'limit')::integer;
  answer json;
begin
  select json_build_object(
    'status', (select w.status from parley.workflows as w where w.id = own),
    'items', coalesce(
      json_agg(
        json_build_object(
          'key', r.key, 'length', r.tail, 'closed', r.closed, 'updatedAt', r.updated_at
        )
        order by r.place
      ) filter (where r.fits and r.place <= size),
      '[]'
    ),
    'more', coalesce(bool_or(not r.fits or r.place > size), false)
  ) into answer
  from (
    select m.*,
      m.may_fit and (
        (m.place = 1 and true) or sum(m.wire_bytes) over in_order <= 1048576
      ) as fits
    from (
      select k.*,
        case
          when k.may_fit then 150
            + coalesce(parley.wire_bytes_v1(k.key), 0)
        end as wire_bytes
      from (
        select r.*, row_number() over in_order as place,
          row_number() over in_order = 1 or sum(
            coalesce(octet_length(r.key), 0)
          ) over in_order <= 1048576 as may_fit
        from (
          select t.* from parley.streams as t
          where t.workflow_id = own and t.key > coalesce(after, '')
          order by t.key limit size + 1
        ) as r
        window in_order as (order by key rows unbounded preceding)
      ) as k
    ) as m
    window in_order as (order by key rows unbounded preceding)
  ) as r;
  return answer;
end;
$parley$;

-- -------------------------------------------------------------------------------------------------
-- Reads. They are `stable`, so every query in such a function sees the snapshot of the statement
-- that calls it. All parts of an answer therefore belong together.
-- -------------------------------------------------------------------------------------------------

-- `Driver.readEvent`: an event, the status of its workflow, and the store's time.
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
    'status', (select w.status from parley.workflows as w where w.id = request->>'workflowId'),
    'now', parley.now_ms()
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
          when k.may_fit then 150
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
-- Hints go by `NOTIFY`. A transaction with one holds a lock over all databases of the server while
-- it waits for the disk, so that such transactions commit one after the other. With ten runs at
-- once, they took 2.8 times as long as without. So a driver that has been heard calls procedures:
-- hints go in a transaction of their own, after the one that writes, and do not wait for the disk.
-- Both are in one request. If the second transaction fails or never begins, its hints are lost, and
-- waits poll.
--
-- While nobody listens, and if a statement may be part of a transaction of the caller, the driver
-- calls the functions instead. The procedure takes a fifth of the time of a short function. The
-- answer to a function says whether it has sent hints, and the driver changes to the procedures.
--
-- A call sends no hints while no connection listens. The table listeners has a row per connection,
-- which counts until the connection has been silent for a while.
--
-- These times are real time, even in tests that move the store's clock. They belong to a
-- connection, and nothing durable depends on them.
-- -------------------------------------------------------------------------------------------------

-- Sends one hint for each of these targets, by name, and none for a null.
create function parley.notify_v1(targets text[]) returns void
language plpgsql volatile
as $parley$
begin
  perform pg_notify('parley_19f8c3d7c67fd396', t.target)
  from (
    select distinct given.target from unnest(targets) as given (target) where given.target is not null order by 1
  ) as t;
end;
$parley$;

-- Hints at each of these targets, and at none for a null. If a procedure for calls with hints has
-- begun this transaction, the hints follow its commit. Otherwise they are part of it. A hint has at
-- most 1,027 bytes, for a prefix such as `stream:` and an ID. Postgres allows 8,000.
--
-- The caller checks first that some connection listens. The check costs a write less than the call
-- of a function.
create function parley.hint_v1(targets text[]) returns void
language plpgsql volatile
as $parley$
declare
  noted constant text := current_setting('parley.hints', true);
begin
  if noted <> '' then
    perform set_config('parley.hints', (noted::text[] || targets)::text, true);
  else
    perform set_config('parley.heard', 't', true);
    perform parley.notify_v1(targets);
  end if;
end;
$parley$;

-- The calls that may send hints. Each is a function, and a procedure of withHints.
create procedure parley.create_v1(
  request jsonb,
  inout result text,
  inout heard text
)
language plpgsql
as $parley$
declare
  hints text[];
begin
  result := case
    when set_config('parley.hints', '{}', true) is not null then parley.create_v1(
      request
    )::text
  end;
  if current_setting('parley.hints') <> '{}' then
    hints := current_setting('parley.hints');
    heard := 't';
    commit;
    perform parley.notify_v1(hints);
  end if;
end;
$parley$;

create procedure parley.claim_v1(
  request jsonb,
  inout result text,
  inout heard text
)
language plpgsql
as $parley$
declare
  hints text[];
begin
  result := case
    when set_config('parley.hints', '{}', true) is not null then parley.claim_v1(
      request
    )::text
  end;
  if current_setting('parley.hints') <> '{}' then
    hints := current_setting('parley.hints');
    heard := 't';
    commit;
    perform parley.notify_v1(hints);
  end if;
end;
$parley$;

create procedure parley.commit_v1(
  request jsonb,
  inout result text,
  inout heard text
)
language plpgsql
as $parley$
declare
  hints text[];
begin
  result := case
    when set_config('parley.hints', '{}', true) is not null then parley.commit_v1(
      request
    )::text
  end;
  if current_setting('parley.hints') <> '{}' then
    hints := current_setting('parley.hints');
    heard := 't';
    commit;
    perform parley.notify_v1(hints);
  end if;
end;
$parley$;

create procedure parley.send_v1(
  request jsonb,
  inout result text,
  inout heard text
)
language plpgsql
as $parley$
declare
  hints text[];
begin
  result := case
    when set_config('parley.hints', '{}', true) is not null then parley.send_v1(
      request
    )::text
  end;
  if current_setting('parley.hints') <> '{}' then
    hints := current_setting('parley.hints');
    heard := 't';
    commit;
    perform parley.notify_v1(hints);
  end if;
end;
$parley$;

create procedure parley.control_v1(
  request jsonb,
  inout result text,
  inout heard text
)
language plpgsql
as $parley$
declare
  hints text[];
begin
  result := case
    when set_config('parley.hints', '{}', true) is not null then parley.control_v1(
      request
    )::text
  end;
  if current_setting('parley.hints') <> '{}' then
    hints := current_setting('parley.hints');
    heard := 't';
    commit;
    perform parley.notify_v1(hints);
  end if;
end;
$parley$;

create procedure parley.delete_v1(
  request jsonb,
  inout result text,
  inout heard text
)
language plpgsql
as $parley$
declare
  hints text[];
begin
  result := case
    when set_config('parley.hints', '{}', true) is not null then parley.delete_v1(
      request
    )::text
  end;
  if current_setting('parley.hints') <> '{}' then
    hints := current_setting('parley.hints');
    heard := 't';
    commit;
    perform parley.notify_v1(hints);
  end if;
end;
$parley$;

create procedure parley.purge_v1(
  request jsonb,
  inout result text,
  inout heard text
)
language plpgsql
as $parley$
declare
  hints text[];
begin
  result := case
    when set_config('parley.hints', '{}', true) is not null then parley.purge_v1(
      request
    )::text
  end;
  if current_setting('parley.hints') <> '{}' then
    hints := current_setting('parley.hints');
    heard := 't';
    commit;
    perform parley.notify_v1(hints);
  end if;
end;
$parley$;

-- Registers a listener for some time, or extends that time. Returns whether it has been registered
-- without a gap. It also removes listeners whose time is over.
--
-- The connection of the listener has executed `LISTEN` before, and this function may be called over
-- another one. It sends the listener's name, which the listener must hear. Otherwise the connection
-- is dead, or a pooler has given its session to somebody else.
--
-- It is atomic because a row belongs to one listener, and because rows are removed under their
-- locks. The removal comes last and does not wait. Otherwise two listeners that return after a long
-- silence would wait for each other.
create function parley.listen_v1(listener text, for_ms integer) returns boolean
language plpgsql volatile
as $parley$
declare
  kept constant boolean := exists (
    select from parley.listeners as l where l.id = listener and l.until > pg_catalog.clock_timestamp()
  );
begin
  insert into parley.listeners (id, until)
  values (listener, pg_catalog.clock_timestamp() + for_ms * interval '1 millisecond')
  on conflict (id) do update set until = excluded.until;
  delete from parley.listeners as l where l.id = any (array(
    select gone.id from parley.listeners as gone where gone.until < pg_catalog.clock_timestamp() for update skip locked
  ));
  perform pg_notify('parley_19f8c3d7c67fd396', listener);
  return kept;
end;
$parley$;

-- Waits for the end of every transaction that may have found that nothing listens. Then its writes
-- are visible, and all later transactions send hints.
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
