/**
 * Commits of several runs.
 *
 * @module
 */

import { listening } from "../push.ts";
import type { SchemaName } from "../schema_name.ts";
import { entryPoint } from "../sql_function.ts";

/** The members of each request: of every commit, of an entry or null, of an end or null. */
const COMMIT = `own text, run_epoch bigint, run_owner text, number bigint, lease bigint,
      place integer, entry_label text, age bigint, entry_tag text, entry_value text, entry_topic text, tries integer,
      end_status text, end_output text, end_error text, end_failed integer`;

/**
 * `Driver.commit` of several runs, each with one `record` as in `record_one_v1` or an end as in
 * `end_v1`. The answer is a list of the time for each commit that was carried out, and a null for
 * each other one. Of the latter, nothing was written.
 *
 * It is atomic because it takes the slots of the results and then the rows of all workflows, in the
 * order of all locks, before it looks. The conditions are subqueries with a limit, so that Postgres
 * looks each one up and does not read a whole index.
 */
export function commitMany(schema: SchemaName): string {
  const { identifier: s } = schema;
  const ends = "g.end_status is not null";
  return entryPoint(`
create function ${s}.commit_many_v1(requests jsonb) returns json
language plpgsql volatile as
declare
  now bigint;
  ids constant text[] := array(select c.own from jsonb_to_recordset(requests) as c (own text));
  slots constant bigint[] := array(
    select ${s}.result_slot_v1(c.own) from jsonb_to_recordset(requests) as c (own text, end_status text)
    where c.end_status is not null
  );
  ended text[];
  is_heard boolean;
  answer json;
begin
  perform ${s}.lock_slots_v1(slots);
  perform from ${s}.workflows as w where w.id = any (ids) order by w.id for update;
  now := ${s}.now_ms();
  with given as materialized (
    select row_number() over () as nth, c.* from jsonb_to_recordset(requests) as c (
      ${COMMIT}
    )
  ), held as (
    update ${s}.workflows as w set
      last_commit = g.number, updated_at = now, journal_seq = w.journal_seq + (g.place is not null)::integer,
      recovery_attempts = case when g.place is null then w.recovery_attempts else 0 end, parks = 0, problem = null,
      lease_until = case when not (${ends}) then now + g.lease end,
      lease_ms = case when not (${ends}) then g.lease end,
      due_at = case
        when ${ends} then null
        when w.due_at < now + g.lease * 2 / 3 or w.lease_ms <> g.lease then now + g.lease
        else least(w.due_at, now + g.lease)
      end,
      released = ${ends},
      phase = case when ${ends} then 'ended' else w.phase end,
      status = coalesce(g.end_status, w.status),
      ended_at = case when ${ends} then now else w.ended_at end,
      output = coalesce(g.end_output, w.output),
      error = coalesce(g.end_error, w.error),
      failed_position = g.end_failed,
      waiting_topics = case when not (${ends}) then w.waiting_topics end,
      waiting_labels = case when not (${ends}) then w.waiting_labels end,
      waiting_until = case when not (${ends}) then w.waiting_until end
    from given as g
    where w.id = any (ids) and w.id = g.own
      and w.epoch = g.run_epoch and w.owner = g.run_owner and w.last_commit = g.number - 1 and w.phase = 'running'
      and (select true from ${s}.journal as j where j.workflow_id = g.own and j.position = g.place limit 1) is null
      and case when ${ends} then
        (select true from ${s}.waiters as r where r.slot = ${s}.result_slot_v1(g.own) limit 1) is null
          and (select true from ${s}.workflows as c where c.parent = g.own and c.kept limit 1) is null
        else true
      end
    returning g.nth, w.journal_seq
  ), written as (
    insert into ${s}.journal (workflow_id, position, seq, began_at, took, attempts, label, tag, value, topic)
    select g.own, g.place, h.journal_seq, now - coalesce(g.age, 0), g.age, g.tries, g.entry_label, g.entry_tag,
      g.entry_value, g.entry_topic
    from held as h join given as g on g.nth = h.nth where g.place is not null
  )
  select
    json_agg(case when h.nth is not null then now end order by g.nth),
    array_agg('status:' || g.own) filter (where h.nth is not null and ${ends}),
    ${listening(schema)}
  into answer, ended, is_heard
  from given as g left join held as h on h.nth = g.nth;
  if is_heard and ended is not null then
    perform ${s}.hint_v1(ended);
  end if;
  return answer;
end;
`);
}
