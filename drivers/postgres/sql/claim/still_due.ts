/**
 * What is due besides the workflows that a claim takes, and when more become due.
 *
 * @module
 */

import type { SchemaName } from "../schema_name.ts";
import { helper } from "../sql_function.ts";
import {
  FREE,
  KNOWN,
  LAPSED,
  LEASES,
  NAMES_WITH_TIMES,
  OF_LENGTH,
  OF_NAME,
  OVER,
  TIMED,
  WANTED,
} from "./due_conditions.ts";

/** The most unknown names that an answer has. */
const MAX_UNKNOWN_NAMES = 10;

/** The most workflows whose leases have lapsed that are searched for unknown names. */
const MAX_UNKNOWN_SCANNED = 1_000;

/**
 * Returns whether a claim would take more workflows. These are workflows whose rows another call
 * holds at the moment. It does not use `exists`, which would drop the order, and with it the index.
 */
export function someAreDue({ identifier: s }: SchemaName): string {
  return helper(`
create function ${s}.some_are_due_v1(names text[], except_ids text[], times ${s}.due_times) returns boolean
language plpgsql volatile as
declare
  now constant bigint := ${s}.now_ms();
begin
  return coalesce(
    (
      select true from unnest(names) as n (name)
      cross join lateral (
        select from ${s}.workflows as w
        where w.phase = 'ready' and w.name = n.name and ${FREE}
        order by w.due_at limit 1
      ) as d limit 1
    ),
    (
      select true from ${NAMES_WITH_TIMES}
      cross join lateral (
        select from ${s}.workflows as w
        where ${OVER}
          and ${OF_NAME}
          and ${FREE}
        order by w.due_at limit 1
      ) as d
      where ${KNOWN} limit 1
    ),
    (
      select true from ${LEASES}
      cross join lateral (
        select from ${s}.workflows as w
        where ${LAPSED}
          and ${OF_LENGTH}
          and ${WANTED}
        order by w.due_at limit 1
      ) as d limit 1
    ),
    false
  );
end;
`);
}

/** Returns some names of due workflows that are not among the given ones. */
export function unknownNames({ identifier: s }: SchemaName): string {
  return helper(`
create function ${s}.unknown_names_v1(names text[], times ${s}.due_times) returns json
language plpgsql volatile as
declare
  now constant bigint := ${s}.now_ms();
  found_names json;
begin
  with recursive ready as (
    (select w.name from ${s}.workflows as w where w.phase = 'ready' order by w.name, w.due_at limit 1)
    union all
    select d.name from ready as last cross join lateral (
      select w.name from ${s}.workflows as w
      where w.phase = 'ready' and w.name > last.name order by w.name, w.due_at limit 1
    ) as d
  )
  select coalesce(json_agg(picked.name), '[]') into found_names from (
    select due.name from (
      (
        select r.name from ready as r
        where array_position(names, r.name) is null limit ${MAX_UNKNOWN_NAMES}
      ) union all (
        select n.name from ${NAMES_WITH_TIMES}
        where not (${KNOWN}) limit ${MAX_UNKNOWN_NAMES}
      ) union all (
        select d.name from ${LEASES}
        cross join lateral (
          select w.name from ${s}.workflows as w
          where ${LAPSED}
            and ${OF_LENGTH}
            and array_position(names, w.name) is null
          order by w.due_at limit ${MAX_UNKNOWN_SCANNED}
        ) as d
      )
    ) as due group by due.name limit ${MAX_UNKNOWN_NAMES}
  ) as picked;
  return found_names;
end;
`);
}

/**
 * Returns the milliseconds until the next deadline, end of a pause or end of a lease. If a lease
 * was renewed, its due_at may pass before the lease ends.
 */
export function nextDue({ identifier: s }: SchemaName): string {
  return helper(`
create function ${s}.next_due_ms_v1(times ${s}.due_times) returns bigint
language plpgsql volatile as
declare
  now constant bigint := ${s}.now_ms();
begin
  return least(
    (times).next_at,
    (
      select min(d.due_at) from ${NAMES_WITH_TIMES}
      cross join lateral (
        select w.due_at from ${s}.workflows as w
        where ${TIMED}
          and ${OF_NAME} and w.due_at > now
        order by w.due_at limit 1
      ) as d
    ),
    (
      select min(d.due_at) from ${LEASES}
      cross join lateral (
        select w.due_at from ${s}.workflows as w
        where ${OF_LENGTH} and w.due_at > now
        order by w.due_at limit 1
      ) as d
    ),
    (
      select min(d.lease_until) from ${LEASES}
      cross join lateral (
        select w.lease_until from ${s}.workflows as w
        where ${OF_LENGTH} and w.due_at <= now and w.lease_until > now
        order by w.due_at
      ) as d
    )
  ) - now;
end;
`);
}

/**
 * Returns the same for a claim by ID, over workflows that no run holds. A workflow that has become
 * due a moment ago counts as 0.
 *
 * The phases that it wants are not named, because Postgres would read the whole index of these.
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
      and w.phase not in ('ready', 'running', 'ended') and w.due_at is not null
      and array_position(names, w.name) is not null
  );
end;
`);
}
