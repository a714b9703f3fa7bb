/**
 * Values of one stream.
 *
 * @module
 */

import { listening } from "../push.ts";
import type { SchemaName } from "../schema_name.ts";
import { entryPoint } from "../sql_function.ts";
import {
  BEGAN,
  commitInFull,
  FENCE,
  hintIfHeard,
  HINTING,
  isFree,
  PROGRESS_WITH_ENTRY,
  RENEWAL,
  wrapped,
} from "./parts.ts";

/** A condition: the stream is not closed. */
function isOpen(s: string): string {
  return `not exists (
      select from ${s}.streams as t where t.workflow_id = own and t.key = stream_key and t.closed
    )`;
}

/**
 * `Driver.commit` of one `writeStream` for an open stream, at a free position or at none. The answer
 * is the time.
 *
 * It is atomic because the update locks the row of the workflow, which every writer of its streams
 * and journal holds.
 */
export function writeOne(schema: SchemaName): string {
  const { identifier: s } = schema;
  const operation = `jsonb_build_array(jsonb_build_object(
      'type', 'writeStream', 'position', place, 'label', entry_label, 'ageMs', age, 'key', stream_key,
      'value', new_value
    ))`;
  return entryPoint(`
create function ${s}.write_one_v1(
  ${wrapped(HINTING.write_one_v1)}
) returns json
language plpgsql volatile as
declare
  now constant bigint := ${s}.now_ms();
  entry_seq bigint;
  next_tail bigint;
  is_heard boolean;
begin
  update ${s}.workflows as w set
    ${RENEWAL},
    journal_seq = w.journal_seq + (place is not null)::integer,
    ${PROGRESS_WITH_ENTRY}
  where ${FENCE}
    and ${isFree(s)}
    and ${isOpen(s)}
  returning w.journal_seq, ${listening(schema)}
  into entry_seq, is_heard;
  if found then
    insert into ${s}.streams as t (workflow_id, key, updated_at, tail, closed) values (own, stream_key, now, 1, false)
    on conflict (workflow_id, key) do update set updated_at = excluded.updated_at, tail = t.tail + 1
    returning t.tail into next_tail;
    insert into ${s}.stream_values (workflow_id, key, stream_offset, value)
    values (own, stream_key, next_tail - 1, new_value);
    if place is not null then
      insert into ${s}.journal (workflow_id, position, seq, began_at, took, label, tag)
      values (own, place, entry_seq, ${BEGAN}, age, entry_label, 'done');
    end if;
    ${hintIfHeard(s, "stream")}
    return to_json(now);
  end if;
  ${commitInFull(s, operation)}
end;
`);
}

/**
 * `Driver.commit` of several `writeStream` operations for one open stream, at free positions that follow
 * each other, or at none. `ages` has the age of each, or is null if all are 0. The answer is the time.
 *
 * It is atomic because the update locks the row of the workflow, which every writer of its streams
 * and journal holds.
 */
export function writeStream(schema: SchemaName): string {
  const { identifier: s } = schema;
  const operations = `(
      select jsonb_agg(jsonb_build_object(
        'type', 'writeStream', 'position', place + v.nth - 1, 'label', entry_label, 'ageMs', ages->(v.nth::integer - 1),
        'key', stream_key, 'value', v.value
      ) order by v.nth)
      from jsonb_array_elements_text(new_values) with ordinality as v (value, nth)
    )`;
  return entryPoint(`
create function ${s}.write_stream_v1(
  ${wrapped(HINTING.write_stream_v1)}
) returns json
language plpgsql volatile as
declare
  now constant bigint := ${s}.now_ms();
  size constant integer := jsonb_array_length(new_values);
  last_seq bigint;
  is_heard boolean;
begin
  update ${s}.workflows as w set
    ${RENEWAL},
    journal_seq = w.journal_seq + case when place is null then 0 else size end,
    ${PROGRESS_WITH_ENTRY}
  where ${FENCE}
    and not exists (
      select from ${s}.journal as j
      where j.workflow_id = own and j.position >= place and j.position < place + size
    )
    and ${isOpen(s)}
  returning w.journal_seq, ${listening(schema)}
  into last_seq, is_heard;
  if found then
    with stream as (
      insert into ${s}.streams as t (workflow_id, key, updated_at, tail, closed)
      values (own, stream_key, now, size, false)
      on conflict (workflow_id, key) do update set updated_at = excluded.updated_at, tail = t.tail + size
      returning t.tail
    ), written as (
      insert into ${s}.stream_values (workflow_id, key, stream_offset, value)
      select own, stream_key, stream.tail - size + v.nth - 1, v.value
      from stream, jsonb_array_elements_text(new_values) with ordinality as v (value, nth)
    )
    insert into ${s}.journal (workflow_id, position, seq, began_at, took, label, tag)
    select own, place + n, last_seq - size + 1 + n, now - coalesce((ages->>n)::bigint, 0),
      nullif((ages->>n)::bigint, 0), entry_label, 'done'
    from generate_series(0, size - 1) as n
    where place is not null;
    ${hintIfHeard(s, "stream")}
    return to_json(now);
  end if;
  ${commitInFull(s, operations)}
end;
`);
}
