/**
 * Slots: what a workflow can wait for beside messages and deadlines. Each is named by a 64-bit
 * hash.
 *
 * Both sides of a wait take the slot's advisory lock before they look and write. One side reads the
 * waiters, and then fills the slot. The other side looks, writes its row in waiters, and then
 * suspends. So neither side misses the other, even while there is no row to lock. If two things
 * have the same hash, their waiters wake each other, and look again.
 *
 * All functions take locks in the same order, so no two calls wait for each other. They first lock
 * slots, by number, and then rows of workflows, by ID, in one statement. Locking another row later
 * would be out of order. So a row that appears after this statement does not exist for the call.
 *
 * @module
 */

import type { SchemaName } from "./schema_name.ts";
import { helper, type SqlPart } from "./sql_function.ts";

/**
 * A call with more slots than this locks groups of slots. The locks of all sessions share one table
 * of fixed size.
 */
const MAX_SINGLE_SLOTS = 64;

/** How many groups there are. It is a power of two. */
const SLOT_GROUPS = 64;

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
 * The slot of an owner. A claim and its repeat may arrive at the same time. Without this slot, both
 * would find nothing claimed yet.
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

/** Returns an expression for the lock of a slot's group. */
function groupOf(schema: string, slot: string): string {
  return `hashtextextended(${schema}, 7) & ~${SLOT_GROUPS - 1}::bigint | (${slot} & ${SLOT_GROUPS - 1})`;
}

/**
 * Returns a condition that locks one slot until the transaction ends, as `lock_slots_v1` does. The
 * next statement must see what this lock has waited for, so the condition also checks the isolation
 * level. A condition takes less time than a statement.
 */
export function locksSlot({ literal: schema }: SchemaName, slot: string): string {
  return `current_setting('transaction_isolation') = 'read committed'
    and pg_advisory_xact_lock_shared(${groupOf(schema, slot)}) is not null
    and pg_advisory_xact_lock(${slot}) is not null`;
}

/**
 * Locks slots until the transaction ends, in order.
 *
 * A call with many slots locks their groups. A call with few slots shares the locks of their
 * groups, and then locks each slot. So calls with few slots exclude each other only if they have a
 * slot in common. A call with many slots excludes all calls that have a slot in one of its groups.
 *
 * The caller looks under these locks. That needs a snapshot for each statement, as `read committed`
 * takes. An older snapshot would lack what the call has waited for.
 */
function lockSlots({ identifier: s, literal: schema }: SchemaName): string {
  return helper(`
create function ${s}.lock_slots_v1(slots bigint[]) returns void
language plpgsql volatile as
declare
  is_few constant boolean := cardinality(slots) <= ${MAX_SINGLE_SLOTS};
begin
  perform ${s}.check_isolation_v1();
  perform case
    when sorted.is_group and is_few then pg_advisory_xact_lock_shared(sorted.lock)
    else pg_advisory_xact_lock(sorted.lock)
  end
  from (
    select distinct l.is_group, l.lock
    from unnest(slots) as given (slot) cross join lateral (
      values
        (true, ${groupOf(schema, "given.slot")}),
        (false, given.slot)
    ) as l (is_group, lock)
    where l.is_group or is_few order by l.is_group desc, l.lock
  ) as sorted;
end;
`);
}

/**
 * Returns the waiters that can go on after a success in this slot. Waiters that also need other
 * slots are left out.
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
 * It is atomic because the caller holds their rows. So none of them is claimed or suspends
 * meanwhile.
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
