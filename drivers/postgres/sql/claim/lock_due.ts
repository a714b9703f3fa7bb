/**
 * Locks the workflows that a claim takes.
 *
 * @module
 */

import type { SchemaName } from "../schema_name.ts";
import { helper } from "../sql_function.ts";
import { FREE, KNOWN, LAPSED, LEASES, NAMES_WITH_TIMES, OF_LENGTH, OF_NAME, OVER, WANTED } from "./due_conditions.ts";

/** The bounds of a search for workflows of any due time. */
const MIN_TIME = "(-9223372036854775808)";
const MAX_TIME = "9223372036854775807";

/**
 * Locks workflows that are `ready`, and returns their IDs, the longest due first.
 *
 * Each name is searched by itself, because the index has the name before due_at. The first look
 * finds out which workflows are among the first of all names, so that no others are locked. If some
 * of these are locked already, the next workflows of all names take their places, in the same way.
 * `last` is never null, because a null would be no bound of the index, so that Postgres would read
 * all workflows of a name.
 *
 * It is atomic because a row that it locks is still `ready`.
 */
export function lockReady({ identifier: s }: SchemaName): string {
  return helper(`
create function ${s}.lock_ready_v1(names text[], except_ids text[], size integer) returns text[]
language plpgsql volatile as
declare
  locked text[] := '{}';
  before bigint := ${MIN_TIME};
  last bigint;
begin
  loop
    if cardinality(names) > 1 then
      last := (
        select d.due_at from unnest(names) as n (name)
        cross join lateral (
          select w.due_at from ${s}.workflows as w
          where w.phase = 'ready' and w.name = n.name and w.due_at > before and ${FREE}
          order by w.due_at limit size
        ) as d order by d.due_at offset size - 1 limit 1
      );
    end if;
    last := coalesce(last, ${MAX_TIME});
    locked := locked || array(
      select d.id from unnest(names) as n (name)
      cross join lateral (
        select w.id, w.due_at from ${s}.workflows as w
        where w.phase = 'ready' and w.name = n.name and w.due_at > before and w.due_at <= last
          and ${FREE}
        order by w.due_at limit size - cardinality(locked) for update skip locked
      ) as d order by d.due_at
    );
    exit when cardinality(locked) >= size or last = ${MAX_TIME};
    before := last;
  end loop;
  return locked[:size];
end;
`);
}

/**
 * Locks due workflows, and returns their IDs, the longest due first.
 *
 * A claim by due time skips locked rows, because another claim is taking them or a write is
 * changing them. A claim by ID waits for locked rows, in the order of all locks. Its caller was
 * told that the workflow is due. So the claim must not give up because a send is under way. In both
 * cases the conditions hold for the row as it is once it is locked.
 *
 * There is one index for workflows that are `ready`, one for those that wait for a time, and one
 * for those that are leased. Of the second and third kind, only workflows that may be among the
 * longest due of all are locked.
 */
export function lockDue({ identifier: s }: SchemaName): string {
  return helper(`
create function ${s}.lock_due_v1(
  request jsonb, names text[], except_ids text[], size integer, times ${s}.due_times
) returns text[]
language plpgsql volatile as
declare
  now bigint := ${s}.now_ms();
  locked text[];
  last_ready bigint;
begin
  if jsonb_typeof(request->'workflowIds') = 'null' then
    locked := ${s}.lock_ready_v1(names, except_ids, size);
    if cardinality(locked) = size then
      last_ready := (select w.due_at from ${s}.workflows as w where w.id = locked[size]);
    end if;
    locked := locked || array(
      select d.id from ${NAMES_WITH_TIMES}
      cross join lateral (
        select w.id from ${s}.workflows as w
        where ${OVER}
          and ${OF_NAME} and w.due_at <= least(now, last_ready)
          and ${FREE}
        order by w.due_at limit size for update skip locked
      ) as d
      where ${KNOWN}
    ) || array(
      select d.id from ${LEASES}
      cross join lateral (
        select w.id from ${s}.workflows as w
        where ${LAPSED}
          and ${OF_LENGTH} and w.due_at <= least(now, last_ready)
          and ${WANTED}
        order by w.due_at limit size for update skip locked
      ) as d
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
        or (${OVER})
        or (${LAPSED})
      )
      and ${WANTED}
    order by w.due_at, w.id limit size
  );
end;
`);
}
