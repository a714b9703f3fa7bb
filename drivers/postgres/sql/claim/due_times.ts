/**
 * Where claims look for workflows that are due by time.
 *
 * @module
 */

import { literal, type SchemaName } from "../schema_name.ts";
import { helper } from "../sql_function.ts";
import { TIMED } from "./due_conditions.ts";

/** The most leases that one claim corrects. */
const MAX_CORRECTED_LEASES = 1_000;

/** The most blocks of the table that a search may read without being remembered. */
const MAX_SEARCH_BLOCKS = 50;

/**
 * The longest time in milliseconds from a transaction's look at the clock until its lock on
 * workflows.
 */
const MAX_UNLOCKED_MS = 1_000;

/** How long a row of lease_floors counts, in milliseconds. */
const MAX_REMEMBERED_MS = 600_000;

/**
 * Where a claim looks for workflows that are due by time.
 *
 * - lengths and firsts: the lengths of leases of which some may have lapsed, and the first due_at
 *   of each length.
 * - names and names_from: the names of waits and pauses of which some are over, and the first
 *   due_at of each name.
 * - next_at: the first due_at of all others.
 */
export function dueTimesType({ identifier: s }: SchemaName): string {
  return `create type ${s}.due_times as (
  lengths bigint[], firsts bigint[], names text[], names_from bigint[], next_at bigint
);
`;
}

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
create function ${s}.correct_leases_v1(lengths bigint[]) returns void
language plpgsql volatile as
declare
  now constant bigint := ${s}.now_ms();
  early constant text[] := array(
    select e.id from unnest(lengths) as l (lease_ms)
    cross join lateral (
      select w.id from ${s}.workflows as w
      where w.lease_ms = l.lease_ms and w.due_at > now + l.lease_ms
      order by w.due_at limit ${MAX_CORRECTED_LEASES}
      for update skip locked
    ) as e
  );
begin
  if cardinality(early) > 0 then
    update ${s}.workflows as w set due_at = now + w.lease_ms, lease_until = now + w.lease_ms where w.id = any (early);
  end if;
end;
`);
}

/**
 * Corrects leases, and finds the first one of each length and the first wait or pause of each name.
 *
 * The length that the claim itself uses is known. Any other length is found in the index, between
 * those that are known.
 *
 * It is atomic because a row is complete once it is inserted. It inserts no row while another claim
 * does, so that no two claims wait for each other.
 */
export function findDueTimes({ identifier: s, literal: schema }: SchemaName): string {
  return helper(`
create function ${s}.find_due_times_v1(lease_ms text) returns ${s}.due_times
language plpgsql volatile as
declare
  now constant bigint := ${s}.now_ms();
  own constant bigint := ${s}.after_v1(now, lease_ms) - now;
  known bigint[] := array(select f.lease_ms from ${s}.lease_floors as f order by f.lease_ms);
  place integer := 0;
  unknown bigint := case when array_position(known, own) is null then own end;
  first bigint;
  times ${s}.due_times := ('{}', '{}', '{}', '{}', null);
begin
  loop
    if unknown is not null then
      if pg_try_advisory_xact_lock(hashtextextended(${schema}, 6)) then
        insert into ${s}.lease_floors (lease_ms, floor, holders, seen) values (unknown, 0, '{}', now)
        on conflict on constraint lease_floors_pkey do nothing;
      end if;
      known := array(select k.length from unnest(known || unknown) as k (length) order by 1);
    end if;
    exit when place > cardinality(known);
    unknown := (
      select w.lease_ms from ${s}.workflows as w
      where w.lease_ms > coalesce(known[place], -1) and w.lease_ms < coalesce(known[place + 1], 9223372036854775807)
      order by w.lease_ms, w.due_at limit 1
    );
    if unknown is null then
      place := place + 1;
    end if;
  end loop;
  perform ${s}.correct_leases_v1(known);
  for place in 1 .. cardinality(known) loop
    first := ${s}.first_lease_v1(known[place], now);
    if first <= now then
      times.lengths := times.lengths || known[place];
      times.firsts := times.firsts || first;
    else
      times.next_at := least(times.next_at, first);
    end if;
  end loop;
  with recursive waits as (
    (
      select w.name, w.due_at from ${s}.workflows as w
      where ${TIMED}
      order by w.name, w.due_at limit 1
    )
    union all
    select d.name, d.due_at from waits as last cross join lateral (
      select w.name, w.due_at from ${s}.workflows as w
      where ${TIMED} and w.name > last.name
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
`);
}

/**
 * Returns the due_at of the first lease of a length, and remembers it if the search was slow.
 *
 * A later transaction reads the clock later, so all that it writes is above what is proposed here.
 * A transaction that is under way and writes holds a lock on workflows. When it is over, another
 * search sees what it wrote. The proposal then holds up to what that search finds.
 *
 * It is atomic because it changes one row, and only if no other search has changed the row since
 * this search began. It does not wait for another search.
 */
export function firstLease({ identifier: s }: SchemaName): string {
  const holders = `
    select l.virtualtransaction from pg_catalog.pg_locks as l
    where l.relation = to_regclass(workflows) and l.mode in ('RowShareLock', 'RowExclusiveLock')
      and l.pid <> pg_backend_pid()
      and l.database = (select d.oid from pg_catalog.pg_database as d where d.datname = current_database())`;
  return helper(`
create function ${s}.first_lease_v1(length bigint, now bigint) returns bigint
language plpgsql volatile as
declare
  workflows constant text := ${literal(`${s}.workflows`)};
  f ${s}.lease_floors;
  read_before bigint;
  found_at bigint;
  next_floor bigint;
  is_back boolean;
  is_settled boolean;
  is_slow boolean;
begin
  select * into f from ${s}.lease_floors as known where known.lease_ms = length;
  is_back := coalesce(now < f.seen, false);
  if is_back or coalesce(now > f.seen + ${MAX_REMEMBERED_MS}, true) then
    f.floor := 0;
    f.proposed := null;
  end if;
  is_settled := f.proposed is not null and not exists (${holders}
    and l.virtualtransaction = any (f.holders)
  );
  read_before := pg_stat_get_xact_blocks_fetched(to_regclass(workflows));
  found_at := (
    select w.due_at from ${s}.workflows as w
    where w.lease_ms = length and w.due_at >= f.floor
    order by w.due_at limit 1
  );
  next_floor := least(found_at, now + length - ${MAX_UNLOCKED_MS});
  is_slow := pg_stat_get_xact_blocks_fetched(to_regclass(workflows)) > read_before + ${MAX_SEARCH_BLOCKS};
  if is_settled then
    f.floor := greatest(f.floor, least(f.proposed, found_at));
    f.proposed := null;
    f.holders := '{}';
  end if;
  if f.proposed is null and is_slow and next_floor > f.floor then
    f.proposed := next_floor;
    f.holders := array(${holders}
    );
  elsif not is_settled and not is_back then
    return found_at;
  end if;
  perform from ${s}.lease_floors as known where known.lease_ms = length and known.seen = f.seen
  for update skip locked;
  if found then
    update ${s}.lease_floors as known set floor = f.floor, proposed = f.proposed, holders = f.holders, seen = now
    where known.lease_ms = length;
  end if;
  return found_at;
end;
`);
}
