/**
 * One message that is there.
 *
 * @module
 */

import type { SchemaName } from "../schema_name.ts";
import { moveInboxHead, oldestMessage } from "../send.ts";
import { entryPoint } from "../sql_function.ts";
import { BEGAN, commitInFull, ENTRY, FENCE, isFree, PROGRESS, RENEWAL } from "./parts.ts";

/**
 * `Driver.commit` of one `receive` under one topic that looks for the first time, and finds a
 * message. The answer is a list of the time and the message.
 *
 * It is atomic because the update locks the row of the workflow, and checks the fence on the row as
 * it is then. If it has waited for the row, it has found the message before, and the message is still
 * the oldest one: only this run takes messages, and places are in the order of commits.
 */
export function receiveOne({ identifier: s }: SchemaName): string {
  const operation = `jsonb_build_array(jsonb_build_object(
      'type', 'receive', 'position', place, 'label', entry_label, 'ageMs', age,
      'topics', jsonb_build_array(message_topic), 'timeoutMs', timeout
    ))`;
  return entryPoint(`
create function ${s}.receive_v1(
  ${ENTRY},
  message_topic text, timeout text
) returns json
language plpgsql volatile as
declare
  now constant bigint := ${s}.now_ms();
  entry_seq bigint;
  message tid;
  message_seq bigint;
  key text;
  message_value text;
begin
  update ${s}.workflows as w set
    ${RENEWAL},
    received = w.received + 1, journal_seq = w.journal_seq + 1, ${PROGRESS}
  from ${oldestMessage(s, "own", "message_topic")} as m
  where ${FENCE}
    and ${isFree(s)}
  returning w.journal_seq, m.tuple, m.seq, m.dedupe_key, m.value
  into entry_seq, message, message_seq, key, message_value;
  if found then
    update ${s}.messages as m set value = null where m.ctid = message;
    insert into ${s}.journal (workflow_id, position, seq, began_at, took, label, tag, value, topic, message_key)
    values (
      own, place, entry_seq, ${BEGAN}, age, entry_label, 'message', message_value, message_topic, key
    );
    ${moveInboxHead(s, "own", "message_topic", "message_seq")}
    return json_build_array(now, message_value);
  end if;
  ${commitInFull(s, operation)}
end;
`);
}
