import { helper, type SchemaName } from "./names.ts";

/**
 * The tables and the store's clock.
 *
 * There are no foreign keys: each would lock the workflow's row once more for every message, entry and value, and
 * everything that writes a workflow's rows holds that row's lock already. `purge` removes what belongs to a workflow.
 *
 * An ID, topic or key has up to 255 code points, 1,020 bytes, and a B-tree row up to about 2,700: no index has three of them.
 */
export function tables({ identifier: s }: SchemaName): string {
  return `
-- phase: ready      due now: never run, woken or yielded
--        running    leased to a run
--        suspended  waits for waiting_topics, for its rows in waiters, and for the deadline waiting_until
--        parked     waits until its code is tried again, at due_at
--        ended
-- due_at is what claims look at: the earliest deadline or null for suspended, null for ended. For running it is
-- when to look at lease_until, which is exact and changes with every commit. due_at has an index, so it follows only when less than two
-- thirds of a lease are left; until then a commit rewrites no index entry (a HOT update, for which the fill factor leaves room).
--
-- The clock may go back. So what is ready is due whatever due_at says, which only puts it in order, and it has an index of its own. And a lease that
-- began in the future, by due_at - lease_ms, is found by an index of these, and ends lease_ms from when it is found (see claim.ts). lease_ms is null while
-- there is no lease.
--
-- released tells a repeated commit that its first let the lease go; waiting_* are kept until the next claim for the same reason.
-- problem and parks are those of a parked workflow, until a run has made progress or let go in another way.
-- parent has started this workflow, and has not recorded its result; kept says that parent has not ended either, so that purge leaves it.
create table ${s}.workflows (
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
create index workflows_ready on ${s}.workflows (due_at) where phase = 'ready';
create index workflows_due on ${s}.workflows (due_at) where due_at is not null and phase <> 'ready';
create index workflows_leased on ${s}.workflows ((due_at - lease_ms)) where lease_ms is not null;
create index workflows_owner on ${s}.workflows (owner) where phase = 'running';
create index workflows_status on ${s}.workflows (status, created_at desc, id);
create index workflows_name on ${s}.workflows (name, status, created_at desc, id);
create index workflows_problem on ${s}.workflows (created_at desc, id) where problem is not null;
create index workflows_problem_name on ${s}.workflows (name, created_at desc, id) where problem is not null;
create index workflows_ended on ${s}.workflows (ended_at) where ended_at is not null and not kept;
create index workflows_parent on ${s}.workflows (parent) where parent is not null;

-- seq is the place in recorded order, null while the entry is open. The second index serves both: nulls are in it too.
-- attempts is how many tries of a step have failed, while it pauses before the next.
create table ${s}.journal (
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
create index journal_recorded on ${s}.journal (workflow_id, seq);

-- value is null once the message was received: it is in the journal then, and the row stays for its dedupe_key.
-- Only messages that wait are in the second index. sent_at is taken under the lock of the receiver's row.
create table ${s}.messages (
  workflow_id text collate "C" not null,
  seq bigint not null,
  topic text collate "C" not null,
  message_id text collate "C" not null,
  dedupe_key text collate "C" not null,
  sent_at bigint not null,
  value text,
  primary key (workflow_id, dedupe_key)
);
create index messages_waiting on ${s}.messages (workflow_id, topic, seq) where value is not null;

-- Messages of the topic up to seq are received. Without it the search for the next one would pass over all index entries of
-- received ones that no vacuum has removed yet: 1.5 ms instead of 0.45 after 100,000 of them. Written about every 64th time.
create table ${s}.inbox_heads (
  workflow_id text collate "C" not null,
  topic text collate "C" not null,
  seq bigint not null,
  primary key (workflow_id, topic)
);

-- set_at is when the key was first set.
create table ${s}.events (
  workflow_id text collate "C" not null,
  key text collate "C" not null,
  version bigint not null,
  set_at bigint not null,
  value text not null,
  primary key (workflow_id, key)
);

create table ${s}.streams (
  workflow_id text collate "C" not null,
  key text collate "C" not null,
  tail bigint not null,
  closed boolean not null,
  primary key (workflow_id, key)
);

create table ${s}.stream_values (
  workflow_id text collate "C" not null,
  key text collate "C" not null,
  stream_offset bigint not null,
  value text not null,
  primary key (workflow_id, key, stream_offset)
);

-- Who waits for which slot (see event_slot_v1). Written when a workflow suspends, removed when it is claimed.
-- together: the waiter needs all such slots of its, and this one has not been filled yet.
create table ${s}.waiters (
  slot bigint not null,
  waiter_id text collate "C" not null,
  together boolean not null,
  primary key (slot, waiter_id)
);
create index waiters_of on ${s}.waiters (waiter_id, together);

-- Connections that listen for hints, each until it has not been heard of for a while (see push.ts).
create table ${s}.listeners (
  id text collate "C" primary key,
  until timestamptz not null
);
${clock(s)}`;
}

/** The only function that reads the time, in milliseconds since 1970, so that a test can move it by replacing this one. */
function clock(s: string): string {
  return helper(
    `${s}.now_ms() returns bigint`,
    "sql",
    "volatile",
    `select floor(extract(epoch from pg_catalog.clock_timestamp()) * 1000)::bigint`,
  );
}
