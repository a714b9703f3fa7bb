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
 * One row per workflow. It has a rowid, because a table without one would move the input of a
 * workflow with each commit.
 *
 * - phase is `ready` (due now), `waiting` (due at due_at, if that is not null), `running` (held by
 *   a run) or `ended`.
 * - due_at is what claims look at. lease_until is exact and changes with every commit. due_at has
 *   an index, so it follows only when less than two thirds of a lease are left.
 * - claimed says that a claim has given the lease. Only a repeated claim looks for an owner, so a
 *   workflow that its start has leased has no entry in the index of owners.
 * - suspended is 1 from a suspension to the next claim, and suspended_until is its deadline.
 * - deferred_from is the index of the first wait that the last commit deferred.
 * - parent is the workflow that has started this one and has not recorded its result.
 * - last_number is how many messages it was sent, and unread how many of them it has not received.
 */
const WORKFLOWS = `
create table parley_workflows (
  id text not null unique,
  name text not null,
  parent text,
  status text not null,
  phase text not null,
  epoch integer not null,
  owner text,
  claimed integer not null,
  last_commit integer not null,
  released integer not null,
  deferred_from integer,
  last_seq integer not null,
  last_number integer not null,
  unread integer not null,
  created_at integer not null,
  updated_at integer not null,
  ended_at integer,
  lease_ms integer,
  lease_until integer,
  due_at integer,
  suspended integer not null,
  suspended_until integer,
  recovery_attempts integer not null,
  generation integer not null,
  rewinds integer not null,
  parks integer not null,
  failed_position integer,
  problem text,
  input text not null,
  output text,
  error text
) strict;
create index parley_workflows_ready on parley_workflows (due_at) where phase = 'ready';
create index parley_workflows_waiting on parley_workflows (due_at) where phase = 'waiting' and due_at is not null;
create index parley_workflows_leased on parley_workflows (lease_ms, due_at) where phase = 'running';
create index parley_workflows_owner on parley_workflows (owner) where phase = 'running' and claimed = 1;
create index parley_workflows_created on parley_workflows (created_at);
create index parley_workflows_problem on parley_workflows (created_at) where problem is not null;
create index parley_workflows_ended on parley_workflows (ended_at) where ended_at is not null;
create index parley_workflows_parent on parley_workflows (parent) where parent is not null;
`;

/**
 * - journal: seq is the place in recorded order, null while the entry is open. message_key is the
 *   dedupe key of the message that the entry has received.
 * - inbox: the messages that wait. sent has every message, because of its dedupe key, and without
 *   its value. The journal has the values of received messages.
 * - streams: tail is the offset of the next value.
 * - waiters: which suspended workflow waits for which signal. together says that the waiter needs
 *   all of its signals that are marked so, and that this one has not come yet.
 */
const PARTS = `
create table parley_journal (
  workflow_id text not null,
  position integer not null,
  seq integer,
  started_at integer not null,
  ended_at integer,
  deadline integer,
  attempts integer not null,
  label text not null,
  tag text,
  topic text,
  message_key text,
  value text,
  primary key (workflow_id, position)
) strict, without rowid;
create table parley_inbox (
  workflow_id text not null,
  topic text not null,
  number integer not null,
  dedupe_key text not null,
  sent_at integer not null,
  value text not null,
  primary key (workflow_id, topic, number)
) strict, without rowid;
create table parley_sent (
  workflow_id text not null,
  dedupe_key text not null,
  number integer not null,
  topic text not null,
  message_id text not null,
  sent_at integer not null,
  primary key (workflow_id, dedupe_key)
) strict, without rowid;
create table parley_events (
  workflow_id text not null,
  key text not null,
  version integer not null,
  first_set_at integer not null,
  updated_at integer not null,
  value text not null,
  primary key (workflow_id, key)
) strict, without rowid;
create table parley_streams (
  workflow_id text not null,
  key text not null,
  tail integer not null,
  closed integer not null,
  updated_at integer not null,
  primary key (workflow_id, key)
) strict, without rowid;
create table parley_stream_values (
  workflow_id text not null,
  key text not null,
  place integer not null,
  value text not null,
  primary key (workflow_id, key, place)
) strict, without rowid;
create table parley_waiters (
  signal text not null,
  waiter_id text not null,
  together integer not null,
  primary key (signal, waiter_id)
) strict, without rowid;
create index parley_waiters_of on parley_waiters (waiter_id);
`;

/** Migration `n` is at index `n - 1`. A released migration is never changed. */
const MIGRATIONS: readonly string[] = [WORKFLOWS + PARTS];

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
    for (const statement of sql.split(";").map((it) => it.trim()).filter((it) => it !== "")) database.run(statement);
    database.run("insert into parley_migrations (version) values (?)", version + index + 1);
  }
}
