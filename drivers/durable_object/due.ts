/**
 * When the workflows of an object are due.
 *
 * @module
 */

import type { Database } from "../sqlite/database.ts";

/**
 * Two looks into indexes. Parameters: the instant, twice. A workflow that is `ready` is due, whatever
 * its due time, which is when it became due.
 */
const SINCE = `select
  (select min(due_at) from parley_workflows where phase = 'ready' and due_at >= ?) as ready,
  (select min(due_at) from parley_workflows where phase = 'waiting' and due_at is not null and due_at >= ?) as waiting`;

/** Workflows that became or become due at an instant or later: the earliest times, in epoch milliseconds. */
export function dueSince(database: Database, since: number): { ready: number | null; waiting: number | null } {
  return database.all<{ ready: number | null; waiting: number | null }>(SINCE, since, since)[0]!;
}

/**
 * Parameter 1 is the time. Only the leases of running workflows are read row by row. `lease_until` is
 * the end of a lease only because an object makes no light commits, which leave the row as it is.
 * Otherwise it would be `LEASE_END`, which reads an entry of the journal for each row.
 */
const OVERVIEW = `select
  (select max(due_at) from parley_workflows where phase = 'ready') as ready,
  (select max(due_at) from parley_workflows where phase = 'waiting' and due_at is not null and due_at <= ?1) as passed,
  (select min(due_at) from parley_workflows where phase = 'waiting' and due_at is not null and due_at > ?1) as next,
  (select max(lease_until) from parley_workflows where phase = 'running' and lease_until <= ?1) as lapsed,
  (select min(lease_until) from parley_workflows where phase = 'running' and lease_until > ?1) as held`;

type Overview = Record<"ready" | "passed" | "next" | "lapsed" | "held", number | null>;

/**
 * Looks at all workflows. `newest`: when the workflow became due that became due last, of those that
 * are due; `null` if none is due. `next`: when the next workflow becomes due or the next lease
 * lapses; `Infinity` if none does.
 */
export function dueOverview(database: Database, now: number): { newest: number | null; next: number } {
  const { ready, passed, next, lapsed, held } = database.all<Overview>(OVERVIEW, now)[0]!;
  const newest = Math.max(ready ?? -Infinity, passed ?? -Infinity, lapsed ?? -Infinity);
  return {
    newest: newest > -Infinity ? Math.min(newest, now) : null,
    next: Math.min(next ?? Infinity, held ?? Infinity),
  };
}
