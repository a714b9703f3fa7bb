/**
 * The workflows that a claim may take, and what else is due.
 *
 * @module
 */

import type { SchemaName } from "../schema_name.ts";
import { helper } from "../sql_function.ts";

/** The most unknown names that an answer has. */
const MAX_UNKNOWN_NAMES = 10;

/** The most due workflows that are searched for unknown names. */
const MAX_UNKNOWN_SCANNED = 1_000;

/** The most leases that one claim corrects. */
const MAX_CORRECTED_LEASES = 1_000;

/**
 * Whether a workflow that is not `ready` is due, because its deadline or its pause has passed or
 * its lease has lapsed.
 */
const TIMED = "w.phase <> 'ready' and w.due_at <= now and (w.lease_until is null or w.lease_until <= now)";

/**
 * Whether a claim may take a workflow. Names are compared in a way that no index serves. Postgres
 * would read the index of names for all workflows of a name, and that may be every workflow.
 */
const WANTED = "array_position(names, w.name) is not null and array_position(except_ids, w.id) is null";

/**
 * Corrects leases that began in the future, as after the clock has gone back. Without this, nobody
 * would take over from a dead run until the clock has caught up. Such a lease ends its length from
 * now. A live run renews its own lease.
 *
 * It is atomic because it locks the rows that it changes. It waits for none, so it may run before
 * all other locks are taken.
 */
export function correctLeases({ identifier: s }: SchemaName): string {
  return helper(`
create function ${s}.correct_leases_v1() returns void
language plpgsql volatile as
declare
  now constant bigint := ${s}.now_ms();
  early constant text[] := array(
    select w.id from ${s}.workflows as w
    where w.lease_ms is not null and w.due_at - w.lease_ms > now
    order by w.due_at - w.lease_ms limit ${MAX_CORRECTED_LEASES}
    for update skip locked
  );
begin
  if cardinality(early) > 0 then
    update ${s}.workflows as w set due_at = now + w.lease_ms, lease_until = now + w.lease_ms where w.id = any (early);
  end if;
end;
`);
}

/**
 * Locks due workflows, and returns their IDs, the longest due first.
 *
 * A claim by due time skips locked rows, because another claim is taking them or a write is
 * changing them. A claim by ID waits for them, in the order of all locks. Its caller was told that
 * the workflow is due, and a send that is under way must not make it give up. In both cases the
 * conditions hold for the row as it is once it is locked.
 *
 * Workflows that are `ready` and workflows that are due by time have an index each. Of the second
 * kind, only those are locked that may be among the longest due of both.
 */
export function lockDue({ identifier: s }: SchemaName): string {
  return helper(`
create function ${s}.lock_due_v1(request jsonb, names text[], except_ids text[], size integer) returns text[]
language plpgsql volatile as
declare
  now bigint := ${s}.now_ms();
  locked text[];
  last_ready bigint;
begin
  if jsonb_typeof(request->'workflowIds') = 'null' then
    locked := array(
      select w.id from ${s}.workflows as w
      where w.phase = 'ready' and ${WANTED}
      order by w.due_at limit size for update skip locked
    );
    if cardinality(locked) = size then
      last_ready := (select w.due_at from ${s}.workflows as w where w.id = locked[size]);
    end if;
    locked := locked || array(
      select w.id from ${s}.workflows as w
      where ${TIMED}
        and w.due_at <= least(now, last_ready)
        and ${WANTED}
      order by w.due_at limit size for update skip locked
    );
  else
    locked := array(
      select w.id from ${s}.workflows as w
      where w.id = any (array(select jsonb_array_elements_text(request->'workflowIds'))) order by w.id for update
    );
    now := ${s}.now_ms();
  end if;
  return array(
    select w.id from ${s}.workflows as w
    where w.id = any (locked)
      and (
        w.phase = 'ready'
        or ${TIMED}
      )
      and ${WANTED}
    order by w.due_at, w.id limit size
  );
end;
`);
}

/**
 * Returns whether a claim would take more workflows: some whose rows another call holds at the
 * moment. It does not use `exists`, which would drop the order, and with it the index.
 */
export function someAreDue({ identifier: s }: SchemaName): string {
  return helper(`
create function ${s}.some_are_due_v1(names text[], except_ids text[]) returns boolean
language plpgsql volatile as
declare
  now constant bigint := ${s}.now_ms();
begin
  return coalesce(
    (
      select true from ${s}.workflows as w
      where w.phase = 'ready' and ${WANTED}
      order by w.due_at limit 1
    ),
    (
      select true from ${s}.workflows as w
      where ${TIMED}
        and ${WANTED}
      order by w.due_at limit 1
    ),
    false
  );
end;
`);
}

/** Returns some names of due workflows that are not among the given ones. */
export function unknownNames({ identifier: s }: SchemaName): string {
  const unknown = (condition: string) =>
    `(
      select w.name from ${s}.workflows as w
      where ${condition}
        and array_position(names, w.name) is null
      order by w.due_at limit ${MAX_UNKNOWN_SCANNED}
    )`;
  return helper(`
create function ${s}.unknown_names_v1(names text[]) returns json
language plpgsql volatile as
declare
  now constant bigint := ${s}.now_ms();
  found_names json;
begin
  select coalesce(json_agg(picked.name), '[]') into found_names from (
    select due.name from (${unknown("w.phase = 'ready'")} union all ${
    unknown(TIMED)
  }) as due group by due.name limit ${MAX_UNKNOWN_NAMES}
  ) as picked;
  return found_names;
end;
`);
}

/**
 * Returns the milliseconds until the next deadline, end of a pause or end of a lease. If a lease
 * was renewed, its due_at may pass before it ends.
 */
export function nextDue({ identifier: s }: SchemaName): string {
  return helper(`
create function ${s}.next_due_ms_v1() returns bigint
language plpgsql volatile as
declare
  now constant bigint := ${s}.now_ms();
begin
  return least(
    (select w.due_at from ${s}.workflows as w where w.phase <> 'ready' and w.due_at > now order by w.due_at limit 1),
    (
      select min(w.lease_until) from ${s}.workflows as w
      where w.phase <> 'ready' and w.due_at <= now and w.lease_until > now
    )
  ) - now;
end;
`);
}

/**
 * Returns the same for a claim by ID, over workflows that no run holds. One that has become due a
 * moment ago counts as 0.
 */
export function nextDueOf({ identifier: s }: SchemaName): string {
  return helper(`
create function ${s}.next_due_of_v1(request jsonb, names text[]) returns bigint
language plpgsql volatile as
declare
  now constant bigint := ${s}.now_ms();
begin
  return (
    select min(greatest(w.due_at - now, 0)) from ${s}.workflows as w
    where w.id = any (array(select jsonb_array_elements_text(request->'workflowIds')))
    and w.phase in ('suspended', 'parked') and w.due_at is not null and array_position(names, w.name) is not null
  );
end;
`);
}
