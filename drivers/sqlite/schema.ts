/**
 * The tables, and their migrations. A migration only adds, because processes with old and new code
 * may use one file.
 *
 * A commit costs what it writes, in pages of 4 KiB. So each table is one tree where that is
 * possible, and an index is partial where most rows need none. There are no foreign keys, because
 * every call that removes a workflow removes its rows.
 *
 * @module
 */

import type { Database } from "./database.ts";

/**
 * One row per workflow.
 *
 * - number rises with the starts. The rows of its parts have it in place of the ID. It is shorter, and what the newest
 *   workflow appends comes last in each table, where SQLite need not move the rows of others to fill pages.
 * - phase is `ready` (due now), `waiting` (due at due_at, if that is not null), `running` (held by
 *   a run) or `ended`.
 * - due_at is what claims look at. lease_until is exact and changes with every commit. due_at has
 *   an index, so it follows only when less than two thirds of a lease are left.
 * - fresh is 1 while the workflow has the lease that its start has given. The indexes of owners and
 *   of creation leave it out, so that a start writes fewer pages.
 * - top_position is the highest position of the journal when the row was last written. The entries
 *   above it were appended by light commits, each of which writes no more than the journal. The last
 *   of them says what the row does not: last_commit, last_seq, updated_at and lease_until.
 * - suspended is 1 from a suspension to the next claim, and suspended_until is its deadline.
 * - deferred_from is the index of the first wait that the last commit deferred.
 * - parent is the workflow that has started this one and has not recorded its result.
 */
const WORKFLOWS = `
create table parley_workflows (
  number integer primary key,
  id text not null unique,
  name text not null,
  parent text,
  status text not null,
  phase text not null,
  epoch integer not null default 0,
  owner text,
  fresh integer not null default 0,
  last_commit integer not null default 0,
  released integer not null default 0,
  deferred_from integer,
  last_seq integer not null default 0,
  top_position integer not null default -1,
  created_at integer not null,
  updated_at integer not null,
  ended_at integer,
  lease_ms integer,
  lease_until integer,
  due_at integer,
  suspended integer not null default 0,
  suspended_until integer,
  recovery_attempts integer not null default 0,
  generation integer not null default 0,
  rewinds integer not null default 0,
  parks integer not null default 0,
  failed_position integer,
  problem text,
  input text not null,
  output text,
  error text
) strict;
create index parley_workflows_ready on parley_workflows (due_at) where phase = 'ready';
create index parley_workflows_waiting on parley_workflows (due_at) where phase = 'waiting' and due_at is not null;
create index parley_workflows_leased on parley_workflows (lease_ms, due_at) where phase = 'running';
create index parley_workflows_owner on parley_workflows (owner) where phase = 'running' and fresh = 0;
create index parley_workflows_created on parley_workflows (created_at) where fresh = 0;
create index parley_workflows_problem on parley_workflows (created_at) where problem is not null;
create index parley_workflows_ended on parley_workflows (ended_at) where ended_at is not null;
create index parley_workflows_parent on parley_workflows (parent) where parent is not null;
`;

/**
 * - journal: seq is the place in recorded order, null while the entry is open. message_key is the
 *   dedupe key of the message that the entry has received. commit_number is the number of the light
 *   commit that has appended the entry.
 * - inbox: the messages that wait. One more row of each workflow has the empty blob as its topic,
 *   which comes after all texts, and as last_number how many messages the workflow was sent. It is
 *   next to the newest message, so that a send writes one page for both.
 * - is_new is 1 for what was sent, and null for a message that a rewind has made unread again and for the count.
 * - message_id is null where the message has no dedupe key of its own, and is the dedupe key then.
 * - sent has every message, because of its dedupe key, and without its value. The journal has the
 *   values of received messages.
 * - streams: tail is the offset of the next value.
 * - waiters: which suspended workflow waits for which signal. A waiter needs all of its signals
 *   with the mark together; a signal that has come loses the mark.
 */
const PARTS = `
create table parley_journal (
  workflow integer not null,
  position integer not null,
  seq integer,
  commit_number integer,
  started_at integer not null,
  ended_at integer,
  deadline integer,
  attempts integer not null,
  label text not null,
  tag text,
  topic text,
  message_key text,
  value text,
  primary key (workflow, position)
) strict, without rowid;
create table parley_inbox (
  workflow integer not null,
  topic any not null,
  number integer not null,
  last_number integer,
  is_new integer,
  dedupe_key text not null,
  message_id text,
  sent_at integer not null,
  value text not null,
  primary key (workflow, topic, number)
) strict, without rowid;
create table parley_sent (
  workflow integer not null,
  dedupe_key text not null,
  number integer not null,
  topic text not null,
  message_id text,
  sent_at integer not null,
  primary key (workflow, dedupe_key)
) strict, without rowid;
create table parley_events (
  workflow integer not null,
  key text not null,
  version integer not null,
  first_set_at integer not null,
  updated_at integer not null,
  value text not null,
  primary key (workflow, key)
) strict, without rowid;
create table parley_streams (
  workflow integer not null,
  key text not null,
  tail integer not null,
  closed integer not null,
  updated_at integer not null,
  primary key (workflow, key)
) strict, without rowid;
create table parley_stream_values (
  workflow integer not null,
  key text not null,
  place integer not null,
  value text not null,
  primary key (workflow, key, place)
) strict, without rowid;
create table parley_waiters (
  signal text not null,
  waiter_id text not null,
  together integer not null,
  primary key (signal, waiter_id)
) strict, without rowid;
create index parley_waiters_of on parley_waiters (waiter_id);
`;

/**
 * A send is an insert into the inbox, and a light receive an insert into a view. Triggers do the rest, so
 * that each is one statement. The journal itself has no trigger, which would make each step slower.
 *
 * - send: a message whose key is known is not inserted, and none without a workflow. Every other one is remembered and
 *   counted.
 * - receive: the message is recorded and taken out of the inbox, unless there is none or the journal has the position.
 */
const TRIGGERS = `
create trigger parley_send before insert on parley_inbox when new.is_new = 1
begin
  insert into parley_sent (workflow, dedupe_key, number, topic, message_id, sent_at)
  select new.workflow, new.dedupe_key, new.number, new.topic, new.message_id, new.sent_at
  where new.workflow is not null on conflict do nothing;
  select raise(ignore) where changes() = 0;
  insert into parley_inbox (workflow, topic, number, last_number, dedupe_key, sent_at, value)
  values (new.workflow, x'', 0, new.number, '', 0, '')
  on conflict do update set last_number = excluded.last_number;
end;
create view parley_received as select *, 0 as number from parley_journal where message_key is not null;
create trigger parley_receive instead of insert on parley_received
begin
  insert into parley_journal (workflow, position, seq, commit_number, started_at, ended_at, attempts, label, tag, topic,
    message_key, value)
  select workflow, new.position, new.seq, new.commit_number, new.started_at, new.ended_at, 0, new.label, 'message', topic,
    dedupe_key, value
  from parley_inbox where workflow = new.workflow and topic = new.topic and number = new.number on conflict do nothing;
  select raise(ignore) where changes() = 0;
  delete from parley_inbox where workflow = new.workflow and topic = new.topic and number = new.number;
end;
`;

/** The number of a workflow, for a statement that has its ID as a parameter here. */
export const WORKFLOW = "(select number from parley_workflows where id = ?)";

/** When the lease of a running workflow \`w\` ends. */
export const LEASE_END = `coalesce((
  select ended_at + w.lease_ms from parley_journal where workflow = w.number and position > w.top_position
  order by position desc limit 1
), w.lease_until)`.replace(/\s+/g, " ");

/** Migration `n` is at index `n - 1`. A released migration is never changed. */
const MIGRATIONS: readonly string[] = [WORKFLOWS + PARTS + TRIGGERS];

/**
 * Brings the schema up to date. It runs in a write transaction, so several processes follow each
 * other, and the later ones find nothing to do.
 */
export function migrate(database: Database): void {
  database.run("create table if not exists parley_migrations (version integer primary key) strict");
  const [applied] = database.all<{ version: number | null }>("select max(version) as version from parley_migrations");
  const version = applied?.version ?? 0;
  for (const [index, sql] of MIGRATIONS.slice(version).entries()) {
    // Most clients prepare only the first statement of a text.
    for (const statement of sql.trim().split(/;\s+(?=create )/)) database.run(statement);
    database.run("insert into parley_migrations (version) values (?)", version + index + 1);
  }
}
