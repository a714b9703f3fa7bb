/**
 * An event that is there.
 *
 * @module
 */

import type { SchemaName } from "../schema_name.ts";
import { entryPoint } from "../sql_function.ts";
import { BEGAN, commitInFull, ENTRY, FENCE, isFree, PROGRESS, RENEWAL } from "./parts.ts";

/**
 * `Driver.commit` of one `observeEvent` that looks for the first time, and finds the event. The
 * answer is a list of the time and the value.
 *
 * It is atomic because it is one statement, which reads the event and locks the row of the workflow.
 */
export function observeEvent({ identifier: s }: SchemaName): string {
  const operation = `jsonb_build_array(jsonb_build_object(
      'type', 'observeEvent', 'position', place, 'label', entry_label, 'ageMs', age,
      'workflowId', observed, 'key', event_key, 'timeoutMs', timeout, 'started', is_started
    ))`;
  return entryPoint(`
create function ${s}.observe_event_v1(
  ${ENTRY},
  observed text, event_key text, timeout text, is_started boolean
) returns json
language plpgsql volatile as
declare
  now constant bigint := ${s}.now_ms();
  event_value text;
begin
  with held as (
    update ${s}.workflows as w set
      ${RENEWAL},
      journal_seq = w.journal_seq + 1, ${PROGRESS}
    from ${s}.events as e
    where ${FENCE}
      and ${isFree(s)}
      and e.workflow_id = observed and e.key = event_key
    returning w.journal_seq, e.value
  )
  insert into ${s}.journal as j (workflow_id, position, seq, began_at, took, label, tag, value)
  select own, place, held.journal_seq, ${BEGAN}, age, entry_label, 'value', held.value
  from held
  returning j.value into event_value;
  if found then
    return json_build_array(now, event_value);
  end if;
  ${commitInFull(s, operation)}
end;
`);
}
