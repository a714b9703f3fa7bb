/**
 * Slots: what a workflow can wait for beside messages and deadlines. Each is named by a 64-bit
 * hash.
 *
 * Both sides of a wait take the slot's advisory lock before they look and write. One side is about
 * to fill the slot: it reads the waiters, then fills. The other is about to suspend: it looks, then
 * writes its row in waiters. So neither misses the other, even while there is no row to lock. If
 * two things have the same hash, their waiters wake each other, and look again.
 *
 * All functions take locks in the same order, so no two calls wait for each other: first slots, by
 * number; then rows of workflows, by ID, in one statement. A row that this statement did not lock
 * does not exist for the call, even if it appears a moment later, because locking it then would be
 * out of order.
 *
 * @module
 */

import type { SchemaName } from "./schema_name.ts";
import { helper, type SqlPart } from "./sql_function.ts";

/** The hashes, the locks, and what wakes the workflows that wait. */
export const slotsSql: readonly SqlPart[] = [
  eventSlot,
  resultSlot,
  startSlot,
  ownerSlot,
  checkIsolation,
  lockSlots,
  wake,
  completeWaiters,
];

/** The slot of an event. It is filled when the event is set. */
function eventSlot({ identifier: s, literal: schema }: SchemaName): string {
  return helper(`
create function ${s}.event_slot_v1(id text, key text) returns bigint
language sql immutable as
select hashtextextended(key, hashtextextended(id, hashtextextended(${schema}, 1)))
`);
}

/** The slot of a workflow's result. The end of the workflow fills it. */
function resultSlot({ identifier: s, literal: schema }: SchemaName): string {
  return helper(`
create function ${s}.result_slot_v1(id text) returns bigint
language sql immutable as
select hashtextextended(id, hashtextextended(${schema}, 2))
`);
}

/**
 * The slot of a workflow that a commit starts. Without it, two commits that start the same children
 * in another order would wait for each other's inserts.
 */
function startSlot({ identifier: s, literal: schema }: SchemaName): string {
  return helper(`
create function ${s}.start_slot_v1(id text) returns bigint
language sql immutable as
select hashtextextended(id, hashtextextended(${schema}, 3))
`);
}

/**
 * The slot of an owner. A claim and its repeat may arrive at the same time, and without this slot
 * both would find nothing claimed yet.
 */
function ownerSlot({ identifier: s, literal: schema }: SchemaName): string {
  return helper(`
create function ${s}.owner_slot_v1(owner text) returns bigint
language sql immutable as
select hashtextextended(owner, hashtextextended(${schema}, 4))
`);
}

/**
 * PL/pgSQL that refuses an isolation level at which a call would miss what it has waited for.
 * Postgres treats `read uncommitted` as `read committed`.
 */
export const CHECK_ISOLATION = `
  if current_setting('transaction_isolation') not in ('read committed', 'read uncommitted') then
    raise exception 'Parley needs the isolation level "read committed", and this session has "%": %',
      current_setting('transaction_isolation'),
      'set default_transaction_isolation of the role, the database or the connection'
      using errcode = 'invalid_transaction_state';
  end if;
`;

/** Refuses an isolation level at which a call would miss what it has waited for. */
function checkIsolation({ identifier: s }: SchemaName): string {
  return helper(`
create function ${s}.check_isolation_v1() returns void
language plpgsql volatile as
begin${CHECK_ISOLATION}end;
`);
}

/**
 * Locks slots until the transaction ends, in order.
 *
 * The caller looks under these locks. That needs a snapshot for each statement, as `read committed`
 * takes: an older snapshot would not contain what the call has waited for.
 */
function lockSlots({ identifier: s }: SchemaName): string {
  return helper(`
create function ${s}.lock_slots_v1(slots bigint[]) returns void
language plpgsql volatile as
begin
  perform ${s}.check_isolation_v1();
  perform pg_advisory_xact_lock(sorted.slot)
  from (select distinct given.slot from unnest(slots) as given (slot) order by 1) as sorted;
end;
`);
}

/**
 * Returns the waiters that can go on after a success in this slot: all but those that also need
 * other slots.
 *
 * It is atomic because the caller holds the rows of the waiters. Of two successes at the same time,
 * the later one sees which slots the earlier one has filled.
 */
function completeWaiters({ identifier: s }: SchemaName): string {
  return helper(`
create function ${s}.complete_waiters_v1(filled bigint, waiters text[]) returns text[]
language plpgsql volatile as
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
    where given.id <> all (counted)
      or not exists (select from ${s}.waiters as r where r.waiter_id = given.id and r.together)
  );
end;
`);
}

/**
 * Makes the suspended ones among these workflows due at once, and returns their IDs. Their deadline
 * may have passed already, since the clock may go back.
 *
 * It is atomic because the caller holds their rows: none of them is claimed or suspends meanwhile.
 */
function wake({ identifier: s }: SchemaName): string {
  return helper(`
create function ${s}.wake_v1(ids text[], now bigint) returns text[]
language plpgsql volatile as
declare
  woken text[];
begin
  with changed as (
    update ${s}.workflows as w set phase = 'ready', due_at = least(w.due_at, now)
    where w.id = any (ids) and w.phase = 'suspended'
    returning w.id
  )
  select coalesce(array_agg(c.id order by c.id), '{}') into woken from changed as c;
  return woken;
end;
`);
}
