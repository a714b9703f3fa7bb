import { helper, type SchemaName } from "./names.ts";

/**
 * Slots: the things that a workflow can wait for beside messages and deadlines, each named by a 64-bit hash.
 *
 * A slot's advisory lock is taken by whoever fills it and by whoever is about to suspend for it. Both look and write under
 * the lock: one reads the waiters and fills, the other looks and writes itself down. So neither misses the other, also
 * where there is no row to lock yet. Two things of one hash wake each other's waiters at worst, and those look again.
 *
 * Locks are taken in one order everywhere, so that no two calls can wait for each other: first slots, by number; then
 * rows of workflows, by ID, in one statement. What a call did not get in that step is not there for it, even if it comes
 * to be a moment later: to touch it would be to lock it out of order.
 */
export function slots({ identifier: s, literal: schema }: SchemaName): string {
  return helper(
    `${s}.event_slot_v1(id text, key text) returns bigint`,
    "sql",
    "immutable",
    `select hashtextextended(key, hashtextextended(id, hashtextextended(${schema}, 1)))`,
  ) + helper(
    `${s}.result_slot_v1(id text) returns bigint`,
    "sql",
    "immutable",
    `select hashtextextended(id, hashtextextended(${schema}, 2))`,
  ) + helper(
    // Two commits that start the same children in another order would wait for each other's inserts without it.
    `${s}.start_slot_v1(id text) returns bigint`,
    "sql",
    "immutable",
    `select hashtextextended(id, hashtextextended(${schema}, 3))`,
  ) + helper(
    // A claim and its repeat may arrive at the same time; both would find nothing claimed yet.
    `${s}.owner_slot_v1(owner text) returns bigint`,
    "sql",
    "immutable",
    `select hashtextextended(owner, hashtextextended(${schema}, 4))`,
  ) + helper(`${s}.check_isolation_v1() returns void`, "plpgsql", "volatile", `\nbegin\n${CHECK_ISOLATION}end;\n`) +
    lockSlots(s) +
    wake(s) +
    completeWaiters(s);
}

/**
 * PL/pgSQL that refuses an isolation level at which a call would miss what it waited for. Postgres treats `read uncommitted` as `read committed`.
 */
export const CHECK_ISOLATION = `
  if current_setting('transaction_isolation') not in ('read committed', 'read uncommitted') then
    raise exception 'Parley needs the isolation level "read committed", and this session has "%": set default_transaction_isolation of the role, the database or the connection',
      current_setting('transaction_isolation') using errcode = 'invalid_transaction_state';
  end if;
`;

/** What comes after looks under these locks, which needs a snapshot for each statement: with fewer it would not see what it waited for. */
function lockSlots(s: string): string {
  return helper(
    `${s}.lock_slots_v1(slots bigint[]) returns void`,
    "plpgsql",
    "volatile",
    `
begin
  perform ${s}.check_isolation_v1();
  perform pg_advisory_xact_lock(sorted.slot) from (select distinct given.slot from unnest(slots) as given (slot) order by 1) as sorted;
end;
`,
  );
}

/**
 * Those of the waiters whom a success in this slot lets go on: all but those who need other slots together with it. The caller holds their rows, so that
 * of two successes at once the later one sees what the earlier one has filled.
 */
function completeWaiters(s: string): string {
  return helper(
    `${s}.complete_waiters_v1(filled bigint, waiters text[]) returns text[]`,
    "plpgsql",
    "volatile",
    `
declare
  counted text[];
begin
  with filling as (
    update ${s}.waiters as r set together = false where r.slot = filled and r.waiter_id = any (waiters) and r.together
    returning r.waiter_id
  )
  select array_agg(f.waiter_id) into counted from filling as f;
  if counted is null then
    return waiters;
  end if;
  return array(
    select given.id from unnest(waiters) as given (id)
    where given.id <> all (counted) or not exists (select from ${s}.waiters as r where r.waiter_id = given.id and r.together)
  );
end;
`,
  );
}

/** Makes due at once those of the workflows that are suspended, also where their deadline has passed: the clock may go back. The caller holds their rows. */
function wake(s: string): string {
  return helper(
    `${s}.wake_v1(ids text[], now bigint) returns text[]`,
    "plpgsql",
    "volatile",
    `
declare
  woken text[];
begin
  with changed as (
    update ${s}.workflows as w set phase = 'ready', due_at = least(w.due_at, now) where w.id = any (ids) and w.phase = 'suspended'
    returning w.id
  )
  select coalesce(array_agg(c.id order by c.id), '{}') into woken from changed as c;
  return woken;
end;
`,
  );
}
