/**
 * The outcome of one step.
 *
 * @module
 */

import type { SchemaName } from "../schema_name.ts";
import { entryPoint } from "../sql_function.ts";
import { BEGAN, commitInFull, ENTRY, FENCE, isFree, PROGRESS, RENEWAL } from "./parts.ts";

/**
 * `Driver.commit` of one `record` at a free position. The answer is the time.
 *
 * It is atomic because the update locks the row of the workflow, and checks the fence on the row as
 * it is then.
 */
export function recordOne({ identifier: s }: SchemaName): string {
  const operation = `jsonb_build_array(jsonb_build_object(
      'type', 'record', 'position', place, 'label', entry_label, 'ageMs', age,
      'attempts', tries, 'outcome', jsonb_build_object('tag', entry_tag, 'value', entry_value, 'topic', entry_topic)
    ))`;
  return entryPoint(`
create function ${s}.record_one_v1(
  ${ENTRY},
  entry_tag text, entry_value text, entry_topic text, tries integer
) returns json
language plpgsql volatile as
declare
  now constant bigint := ${s}.now_ms();
  entry_seq bigint;
begin
  update ${s}.workflows as w set
    ${RENEWAL},
    journal_seq = w.journal_seq + 1, ${PROGRESS}
  where ${FENCE}
    and ${isFree(s)}
  returning w.journal_seq into entry_seq;
  if found then
    insert into ${s}.journal (workflow_id, position, seq, began_at, took, attempts, label, tag, value, topic)
    values (
      own, place, entry_seq, ${BEGAN}, age, tries, entry_label, entry_tag, entry_value, entry_topic
    );
    return to_json(now);
  end if;
  ${commitInFull(s, operation)}
end;
`);
}
