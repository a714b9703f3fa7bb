/**
 * The tables and the store's clock.
 *
 * There are no foreign keys. Each would lock the workflow's row once more for every message, entry
 * and value. Every call that writes a workflow's rows already holds that lock. `purge` removes what
 * belongs to a workflow.
 *
 * An ID, topic or key has up to 255 code points, which is 1,020 bytes. A row of a B-tree has up to
 * about 2,700 bytes, so no index contains three of them.
 *
 * @module
 */

import type { SchemaName } from "./schema_name.ts";
import { helper, type SqlPart } from "./sql_function.ts";

/** All tables, and the clock. */
export const tablesSql: readonly SqlPart[] = [
  workflows,
  journal,
  messages,
  inboxHeads,
  events,
  streams,
  streamValues,
  waiters,
  leaseFloors,
  listeners,
  nowMs,
];

/** The versions of the migrations that were applied. */
export function ledger({ identifier: s }: SchemaName): string {
  return `create table ${s}.migrations (
  version integer primary key,
  applied_at timestamptz not null default clock_timestamp()
);
`;
}

/**
 * One row per workflow.
 *
 * - phase is `ready` (due now: never run, woken or yielded), `running` (leased to a run),
 *   `suspended` (waits for waiting_topics, for its rows in waiters, and until waiting_until),
 *   `parked` (its code is tried again at due_at) or `ended`.
 * - due_at is what claims look at. It is the earliest deadline or null for `suspended`, and null
 *   for `ended`. For `running` it says when to look at lease_until, which is exact and changes with
 *   every commit. due_at has an index, so it follows only when less than two thirds of a lease are
 *   left. Until then a commit rewrites no index entry. It is a HOT update, for which the fill
 *   factor leaves room.
 * - lease_ms is the length of the lease, null while there is none.
 * - claimed says that a claim has given a lease. Only a repeated claim looks for an owner, so a
 *   workflow that its start has leased has no entry in the index of owners.
 * - released tells a repeated commit that its first execution released the lease. The columns
 *   waiting_* are kept until the next claim for the same reason.
 * - problem and parks belong to a parked workflow. They stay until a run has made progress or
 *   released its lease in another way.
 * - parent is the workflow that has started this one and has not recorded its result. kept says
 *   that parent has not ended either, so purge leaves this row.
 * - inbox_seq is how many messages were sent to it, and received how many of these it has received.
 * - failed_position is where the journal has the error that ended it.
 * - generation is how often it was continued as new, and rewinds how often a resume has dropped
 *   entries of its journal. Both are null in place of 0.
 *
 * The log has what an update changes from the first byte to the last. So columns that change together
 * are beside each other, and those that never change come first.
 *
 * The clock may go back. So a workflow that is `ready` is due whatever due_at says. Its due_at only
 * gives the order, in an index of its own. That index and the one of deadlines begin with the name,
 * so a claim does not read workflows of names that it does not run. Leases have another index, by
 * their length. A lease may seem to begin in the future, at due_at - lease_ms. Then it ends
 * lease_ms after the time at which it is found (see correct_leases_v1).
 */
function workflows({ identifier: s }: SchemaName): string {
  return `create table ${s}.workflows (
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
create index workflows_ready on ${s}.workflows (name, due_at) where phase = 'ready';
create index workflows_due on ${s}.workflows (name, due_at)
where due_at is not null and phase in ('suspended', 'parked');
create index workflows_leased on ${s}.workflows (lease_ms, due_at) where lease_ms is not null;
create index workflows_owner on ${s}.workflows (owner) where claimed and phase = 'running';
create index workflows_status on ${s}.workflows (status, created_at desc);
create index workflows_name on ${s}.workflows (name, status, created_at desc);
create index workflows_problem on ${s}.workflows ((created_at + 0) desc) where problem is not null;
create index workflows_problem_name on ${s}.workflows (name, created_at desc) where problem is not null;
create index workflows_ended on ${s}.workflows (ended_at) where ended_at is not null and not kept;
create index workflows_parent on ${s}.workflows (parent) where parent is not null;
`;
}

/**
 * The entries of each workflow's journal.
 *
 * - seq is the place in recorded order, null while the entry is open. The index on it serves both,
 *   because it also contains nulls.
 * - began_at is when the operation began, and took how many milliseconds later its outcome was
 *   recorded. took is null in place of 0, and while the entry is open.
 * - deadline is that of an open or timed-out wait.
 * - attempts is how many tries a step took, and null for other entries. While the step pauses before
 *   the next try, it is how many have failed.
 * - message_key is the dedupe_key of the message that the entry has received.
 *
 * The numbers are beside each other, so that they need no padding.
 */
function journal({ identifier: s }: SchemaName): string {
  return `create table ${s}.journal (
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
create index journal_recorded on ${s}.journal (workflow_id, seq);
`;
}

/**
 * The messages that were sent to each workflow.
 *
 * value is null once the message was received. The journal has the message then, and the row stays
 * because of its dedupe_key. If the entry of the journal is dropped, the message gets its value
 * back, and with it its old place. The second index contains waiting messages only. sent_at is taken
 * under the lock of the receiver's row.
 */
function messages({ identifier: s }: SchemaName): string {
  return `create table ${s}.messages (
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
`;
}

/**
 * How far each topic of a workflow was received. Every message up to seq was received.
 *
 * Without this table, the search for the next message passes over the index entries of all received
 * messages that no vacuum has removed yet. After 100,000 of them, it took 1.5 ms instead of 0.45. A
 * row is written about every 64th time.
 */
function inboxHeads({ identifier: s }: SchemaName): string {
  return `create table ${s}.inbox_heads (
  workflow_id text collate "C" not null,
  topic text collate "C" not null,
  seq bigint not null,
  primary key (workflow_id, topic)
);
`;
}

/**
 * The events of each workflow. set_at is when the key was first set, and updated_at when it was last
 * set. updated_at is null for the first version.
 */
function events({ identifier: s }: SchemaName): string {
  return `create table ${s}.events (
  workflow_id text collate "C" not null,
  key text collate "C" not null,
  set_at bigint not null,
  updated_at bigint,
  version bigint not null,
  value text not null,
  primary key (workflow_id, key)
);
`;
}

/**
 * The streams of each workflow. tail is the offset of the next value. updated_at is when the stream
 * was last written or closed.
 */
function streams({ identifier: s }: SchemaName): string {
  return `create table ${s}.streams (
  workflow_id text collate "C" not null,
  key text collate "C" not null,
  updated_at bigint not null,
  tail bigint not null,
  closed boolean not null,
  primary key (workflow_id, key)
);
`;
}

/** The values of each stream. */
function streamValues({ identifier: s }: SchemaName): string {
  return `create table ${s}.stream_values (
  workflow_id text collate "C" not null,
  key text collate "C" not null,
  stream_offset bigint not null,
  value text not null,
  primary key (workflow_id, key, stream_offset)
);
`;
}

/**
 * Which workflow waits for which slot (see event_slot_v1). A row is written when the workflow
 * suspends and removed when it is claimed.
 *
 * together says that the waiter needs all of its slots that are marked so, and that this slot has
 * not been filled yet.
 */
function waiters({ identifier: s }: SchemaName): string {
  return `create table ${s}.waiters (
  slot bigint not null,
  waiter_id text collate "C" not null,
  together boolean not null,
  primary key (slot, waiter_id)
);
create index waiters_of on ${s}.waiters (waiter_id, together);
`;
}

/**
 * What claims remember of leases, by their length. No lease has a due_at below floor.
 *
 * A workflow that ends leaves its entry in workflows_leased. While some transaction holds an older
 * snapshot, nothing can remove the entry, and every claim would pass over it. But leases of one
 * length are written in the order of their due_at. So a claim begins where an earlier claim has
 * found the first lease.
 *
 * proposed is the next floor. It holds once the transactions in holders are over, because these may
 * still write below it. seen is the time at which the row was written. The row does not count long
 * after that time. If the clock has gone back, it does not count before that time either.
 */
function leaseFloors({ identifier: s }: SchemaName): string {
  return `create table ${s}.lease_floors (
  lease_ms bigint primary key,
  floor bigint not null,
  proposed bigint,
  holders text[] collate "C" not null,
  seen bigint not null
);
`;
}

/**
 * The connections that listen for hints. Each row counts until its connection has been silent for a
 * while (see listen_v1).
 */
function listeners({ identifier: s }: SchemaName): string {
  return `create table ${s}.listeners (
  id text collate "C" primary key,
  until timestamptz not null
);
`;
}

/**
 * The time in milliseconds since 1970. No other function reads it for the store, so a test can move
 * the clock by replacing this function.
 */
function nowMs({ identifier: s }: SchemaName): string {
  return helper(`
create function ${s}.now_ms() returns bigint
language sql volatile as
select floor(extract(epoch from pg_catalog.clock_timestamp()) * 1000)::bigint
`);
}
