/**
 * The end of a workflow.
 *
 * @module
 */

import { listening } from "../push.ts";
import type { SchemaName } from "../schema_name.ts";
import { locksSlot } from "../slots.ts";
import { entryPoint } from "../sql_function.ts";
import { commitInFull, FENCE, hintIfHeard, HINTING, wrapped } from "./parts.ts";

/**
 * `Driver.commit` of an end without operations. Nobody waits for the result of the workflow, and
 * purge keeps no child for it. The answer is the time.
 *
 * It is atomic because it holds the slot of the result before it looks for waiters and children.
 * Then it holds the row of the workflow.
 */
export function endRun(schema: SchemaName): string {
  const { identifier: s } = schema;
  const transition = `jsonb_build_object(
      'to', 'end', 'status', end_status, 'output', end_output, 'error', end_error,
      'failedPosition', end_failed
    )`;
  return entryPoint(`
create function ${s}.end_v1(
  ${wrapped(HINTING.end_v1)}
) returns json
language plpgsql volatile as
declare
  result_slot constant bigint := ${s}.result_slot_v1(own);
  now bigint;
  is_heard boolean;
begin
  if ${locksSlot(schema, "result_slot")} then
    now := ${s}.now_ms();
    update ${s}.workflows as w set
      status = end_status, phase = 'ended', output = end_output, error = end_error,
      failed_position = end_failed, ended_at = now, updated_at = now,
      due_at = null, lease_until = null, lease_ms = null, released = true, last_commit = number,
      waiting_topics = null, waiting_labels = null, waiting_until = null, parks = 0, problem = null
    where ${FENCE}
      and not exists (select from ${s}.waiters as r where r.slot = result_slot)
      and not exists (select from ${s}.workflows as c where c.parent = own and c.kept)
    returning ${listening(schema)} into is_heard;
    if found then
      ${hintIfHeard(s, "status")}
      return to_json(now);
    end if;
  end if;
  ${commitInFull(s, "'[]'::jsonb", transition)}
end;
`);
}
