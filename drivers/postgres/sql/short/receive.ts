/**
 * One message that is there.
 *
 * @module
 */

import type { SchemaName } from "../schema_name.ts";
import { moveInboxHead, oldestMessage } from "../send.ts";
import { entryPoint } from "../sql_function.ts";
import { commitInFull, FENCE, isFree, PROGRESS, RENEWAL, RUN } from "./parts.ts";

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
      'type', 'receive', 'position', place, 'label', entry_label, 'topics', jsonb_build_array(message_topic),
      'timeoutMs', timeout
    ))`;
  return entryPoint(`
create function ${s}.receive_v1(
  ${RUN},
  place integer, entry_label text, message_topic text, timeout text
) returns json
language plpgsql volatile as
declare
  now constant bigint := ${s}.now_ms();
  entry_seq bigint;
  message tid;
  message_seq bigint;
  message_value text;
begin
  update ${s}.workflows as w set
    ${RENEWAL},
    journal_seq = w.journal_seq + 1, ${PROGRESS}
  from ${oldestMessage(s, "own", "message_topic")} as m
  where ${FENCE}
    and ${isFree(s)}
  returning w.journal_seq, m.tuple, m.seq, m.value
  into entry_seq, message, message_seq, message_value;
  if found then
    update ${s}.messages as m set value = null where m.ctid = message;
    insert into ${s}.journal (workflow_id, position, label, seq, deadline, tag, value, topic)
    values (
      own, place, entry_label, entry_seq, ${s}.after_v1(now, timeout), 'message', message_value, message_topic
    );
    ${moveInboxHead(s, "own", "message_topic", "message_seq")}
    return json_build_array(now, message_value);
  end if;
  ${commitInFull(s, operation)}
end;
`);
}
