/**
 * One event.
 *
 * @module
 */

import { listening } from "../push.ts";
import type { SchemaName } from "../schema_name.ts";
import { locksSlot } from "../slots.ts";
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

/**
 * `Driver.commit` of one `setEvent` that nobody waits for, at a free position or at none. The
 * answer is the time.
 *
 * It is atomic because it holds the slot of the event before it looks for waiters. Then it holds
 * the row of the workflow.
 */
export function setEvent(schema: SchemaName): string {
  const { identifier: s } = schema;
  const operation = `jsonb_build_array(jsonb_build_object(
      'type', 'setEvent', 'position', place, 'label', entry_label, 'ageMs', age, 'key', event_key,
      'value', event_value
    ))`;
  return entryPoint(`
create function ${s}.set_event_v1(
  ${wrapped(HINTING.set_event_v1)}
) returns json
language plpgsql volatile as
declare
  event_slot constant bigint := ${s}.event_slot_v1(own, event_key);
  now bigint;
  entry_seq bigint;
  is_heard boolean;
begin
  if ${locksSlot(schema, "event_slot")} then
    now := ${s}.now_ms();
    update ${s}.workflows as w set
      ${RENEWAL},
      journal_seq = w.journal_seq + (place is not null)::integer,
      ${PROGRESS_WITH_ENTRY}
    where ${FENCE}
      and ${isFree(s)}
      and not exists (select from ${s}.waiters as r where r.slot = event_slot)
    returning w.journal_seq, ${listening(schema)}
    into entry_seq, is_heard;
    if found then
      insert into ${s}.events as e (workflow_id, key, set_at, version, value)
      values (own, event_key, now, 1, event_value)
      on conflict (workflow_id, key) do update set
        updated_at = excluded.set_at, version = e.version + 1, value = excluded.value;
      if place is not null then
        insert into ${s}.journal (workflow_id, position, seq, began_at, took, label, tag)
        values (own, place, entry_seq, ${BEGAN}, age, entry_label, 'done');
      end if;
      ${hintIfHeard(s, "event")}
      return to_json(now);
    end if;
  end if;
  ${commitInFull(s, operation)}
end;
`);
}
