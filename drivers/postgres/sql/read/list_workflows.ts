/**
 * Lists of workflows.
 *
 * @module
 */

import { STATUSES } from "../../../../core/driver/statuses.ts";
import { LAPSED, OVER, TIMED } from "../claim/due_conditions.ts";
import type { SchemaName } from "../schema_name.ts";
import { cut, MAX_LIST_BYTES } from "../sizes.ts";
import { entryPoint, helper, type SqlPart } from "../sql_function.ts";
import { isShort, recordOf } from "../values.ts";

/** `Driver.listWorkflows`, and what it calls. */
export const listSql: readonly SqlPart[] = [idsWithPrefix, dueIds, listWorkflows];

/** Up to so many workflows with a prefix, or due ones, are found first and then sorted. */
const MAX_SORTED = 200;

/** The last instant of the column created_at, and the first. */
const MAX_TIME = "9223372036854775807";
const MIN_TIME = "(-9223372036854775808)";

/**
 * Returns the IDs with a prefix, or null if there are more than a list sorts.
 *
 * An ID has up to 255 characters, and the last character of Unicode is above all others. So no ID with
 * the prefix is above the prefix and 255 of these.
 */
function idsWithPrefix({ identifier: s }: SchemaName): string {
  return helper(`
create function ${s}.ids_with_prefix_v1(prefix text) returns text[]
language plpgsql stable as
declare
  last constant text := prefix || repeat(chr(1114111), 255);
  ids constant text[] := array(
    select w.id from ${s}.workflows as w where w.id >= prefix and w.id <= last order by w.id limit ${MAX_SORTED} + 1
  );
begin
  return case when cardinality(ids) <= ${MAX_SORTED} then ids end;
end;
`);
}

/**
 * Returns the IDs of the workflows that are due, or null if there are more than a list sorts.
 *
 * Each name and each length of leases is searched by itself, because the indexes have them before
 * due_at.
 */
function dueIds({ identifier: s }: SchemaName): string {
  return helper(`
create function ${s}.due_ids_v1(wanted text) returns text[]
language plpgsql stable as
declare
  now constant bigint := ${s}.now_ms();
  names text[] := array[wanted];
  ids text[];
begin
  if wanted is null then
    names := array(
      with recursive n as (
        (select w.name from ${s}.workflows as w where w.phase = 'ready' order by w.name, w.due_at limit 1)
        union all
        select d.name from n as last cross join lateral (
          select w.name from ${s}.workflows as w
          where w.phase = 'ready' and w.name > last.name order by w.name, w.due_at limit 1
        ) as d
      )
      select n.name from n
    ) || array(
      with recursive n as (
        (
          select w.name from ${s}.workflows as w
          where ${TIMED} order by w.name, w.due_at limit 1
        )
        union all
        select d.name from n as last cross join lateral (
          select w.name from ${s}.workflows as w
          where ${TIMED} and w.name > last.name
          order by w.name, w.due_at limit 1
        ) as d
      )
      select n.name from n
    );
  end if;
  ids := array(
    select due.id from (
      (
        select d.id from (select distinct given.name from unnest(names) as given (name)) as n
        cross join lateral (
          select w.id from ${s}.workflows as w
          where w.phase = 'ready' and w.name = n.name order by w.due_at limit ${MAX_SORTED} + 1
        ) as d
      ) union all (
        select d.id from (select distinct given.name from unnest(names) as given (name)) as n
        cross join lateral (
          select w.id from ${s}.workflows as w
          where ${OVER} and w.name = n.name
          order by w.due_at limit ${MAX_SORTED} + 1
        ) as d
      ) union all (
        with recursive l as (
          (
            select w.lease_ms from ${s}.workflows as w
            where w.lease_ms is not null order by w.lease_ms, w.due_at limit 1
          )
          union all
          select d.lease_ms from l as last cross join lateral (
            select w.lease_ms from ${s}.workflows as w
            where w.lease_ms > last.lease_ms order by w.lease_ms, w.due_at limit 1
          ) as d
        )
        select d.id from l
        cross join lateral (
          select w.id from ${s}.workflows as w
          where ${LAPSED}
            and w.lease_ms = l.lease_ms and (wanted is null or w.name = wanted)
          order by w.due_at limit ${MAX_SORTED} + 1
        ) as d
      )
    ) as due limit ${MAX_SORTED} + 1
  );
  return case when cardinality(ids) <= ${MAX_SORTED} then ids end;
end;
`);
}

/**
 * `Driver.listWorkflows`: a page, newest first, then by ID. The cursor is the place of its last
 * row.
 *
 * The page is merged from one page per status. Each of these comes from an index by time, and has
 * all workflows of its last instant. So a page costs the same, however many other workflows there
 * are. The indexes lack the ID, which would take 40 bytes of each entry. Postgres would use an
 * index over all statuses for a single status too. It would read the index to its end if that
 * status has no workflows. For 20,000 workflows, that took 1,400 blocks instead of 4. Parked
 * workflows have indexes of their own, and one status.
 *
 * No index has both the time and the ID, or both the time and whether a workflow is due. If few
 * workflows have the prefix, or few are due, all of these are read and sorted. If many do, the
 * indexes by time soon find enough of them.
 *
 * Sorts are off, so that each status is read in the order of its index. Otherwise PostgreSQL 18 skips
 * through another index, and sorts all workflows: it takes any range of times for a few rows. Among
 * 100,000 workflows that took 7,000 blocks instead of 70. The sorts of the merged page cannot be
 * avoided, and stay.
 *
 * The page ends where it gets too large, so its last row is known only then. Rows are carried
 * column by column, because carrying a whole row would fetch its values.
 */
function listWorkflows({ identifier: s }: SchemaName): string {
  const rows = cut(s, {
    rows: `
          select w.*, w.waiting_labels::text as labels, case when with_values then w.input end as shown_input,
            case when with_values then w.output end as shown_output,
            case when with_values or ${isShort("w.error")} then w.error end as shown_error
          from ${s}.workflows as w where w.id = any (ids[:size])`,
    order: "created_at desc, id",
    texts: ["id", "name", "labels", "shown_input", "shown_output", "shown_error", "problem"],
    bytes: `${MAX_LIST_BYTES}`,
  });
  return entryPoint(
    `
create function ${s}.list_workflows_v1(request jsonb) returns json
language plpgsql stable as
declare
  wanted constant text := request->>'name';
  has_problem constant boolean := request->>'problem';
  is_due constant boolean := coalesce((request->>'due')::boolean, false);
  prefix constant text := coalesce(request->>'idPrefix', '');
  statuses text[] := array(select distinct jsonb_array_elements_text(
    case
      when request->>'statuses' is not null then request->'statuses'
      else '${JSON.stringify(STATUSES)}'
    end
  ));
  with_values constant boolean := request->>'values';
  size constant integer := (request->>'limit')::integer;
  cursor_at constant bigint := request->'cursor'->>0;
  cursor_id constant text := request->'cursor'->>1;
  now constant bigint := ${s}.now_ms();
  -- The first and the last instant of the page
  first_at constant bigint := coalesce(floor((request->>'createdAfter')::numeric)::bigint + 1, ${MIN_TIME});
  last_at constant bigint := least(
    cursor_at, ceil((request->>'createdBefore')::numeric)::bigint - 1, ${MAX_TIME}
  );
  candidates text[];
  ids text[];
  answer json;
begin
  if has_problem then
    statuses := array(select given.status from unnest(statuses) as given (status) where given.status = 'PENDING');
  elsif is_due then
    statuses := array(
      select given.status from unnest(statuses) as given (status) where given.status in ('ENQUEUED', 'PENDING')
    );
  end if;
  if prefix <> '' then
    candidates := ${s}.ids_with_prefix_v1(prefix);
  end if;
  if candidates is null and is_due then
    candidates := ${s}.due_ids_v1(wanted);
  end if;
  if candidates is not null then
    ids := array(
      select one.id from unnest(candidates) as c (id)
      cross join lateral (
        select w.id, w.created_at from ${s}.workflows as w
        where w.id = c.id and array_position(statuses, w.status) is not null
          and (wanted is null or w.name = wanted) and (not has_problem or w.problem is not null)
          and ${FITTING}
        limit 1
      ) as one
      order by one.created_at desc, one.id limit size + 1
    );
  elsif has_problem and wanted is null then
    ids := ${page(s, "w.problem is not null and given.status is not null", "w.created_at + 0")};
  elsif has_problem then
    ids := ${page(s, "w.name = wanted and w.problem is not null and given.status is not null")};
  elsif wanted is null then
    ids := ${page(s, "w.status = given.status")};
  else
    ids := ${page(s, "w.name = wanted and w.status = given.status")};
  end if;
  with page as materialized (select p.* from ${rows} as p where p.fits)
  select json_build_object(
    'workflows', coalesce(json_agg(${
      recordOf(s, "p", ["p.shown_input", "p.shown_output", "p.shown_error"])
    } order by p.place), '[]'),
    'cursor', case when cardinality(ids) > count(*) then (
      select json_build_array(last.created_at, last.id) from page as last order by last.place desc limit 1
    ) end
  ) into answer from page as p;
  return answer;
end;
`,
    "set enable_sort = off\n",
  );
}

/**
 * The conditions of every page. The last two are written so that no index serves them, because
 * Postgres would then not read the index by time.
 */
const FITTING = `w.created_at >= first_at and w.created_at <= last_at
          and (cursor_at is null or w.created_at < cursor_at or w.id > cursor_id)
          and (prefix = '' or left(w.id, char_length(prefix)) = prefix)
          and (
            not is_due or w.phase = 'ready' or (${OVER})
            or (${LAPSED})
          )`;

/**
 * Returns an expression for the IDs of a page and one more.
 *
 * @param time When a workflow was created, in the form that the index for this condition has. Parked
 * workflows have an index for all names with a form of its own. Otherwise Postgres would read that
 * one for a single name too.
 */
function page(s: string, condition: string, time: string = "w.created_at"): string {
  return `array(
      select one.id from unnest(statuses) as given (status)
      cross join lateral (
        select w.id, w.created_at from ${s}.workflows as w
        where ${condition}
          and ${FITTING}
        order by ${time} desc fetch first (size + 1) rows with ties
      ) as one
      order by one.created_at desc, one.id limit size + 1
    )`;
}
