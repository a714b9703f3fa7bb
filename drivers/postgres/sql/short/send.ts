/**
 * One message to send.
 *
 * @module
 */

import { listening } from "../push.ts";
import type { SchemaName } from "../schema_name.ts";
import { entryPoint } from "../sql_function.ts";
import { BEGAN, commitInFull, FENCE, HINTING, isFree, PROGRESS, RENEWAL, wrapped } from "./parts.ts";

/** The message as JSON. */
const MESSAGE_JSON = `jsonb_build_object(
        'destinationId', destination, 'topic', message_topic, 'messageId', new_id, 'dedupeKey', new_key,
        'value', message_value
      )`;

/** An expression that tells whether the destination has not ended, and lacks the key. */
function takes(s: string, d: string): string {
  return `${d}.phase <> 'ended' and not exists (
        select from ${s}.messages as m where m.workflow_id = destination and m.dedupe_key = new_key
      )`;
}

/**
 * `Driver.send` of one message with a new key. The answer tells whether the destination became due.
 *
 * It is atomic because it holds the row of the destination before it looks.
 */
export function sendOne(schema: SchemaName): string {
  const { identifier: s } = schema;
  return entryPoint(`
create function ${s}.send_one_v1(
  ${wrapped(HINTING.send_one_v1)}
) returns json
language plpgsql volatile as
declare
  now bigint;
  message_seq bigint;
  is_woken boolean;
  is_heard boolean;
begin
  select w.phase = 'suspended' and coalesce(message_topic = any (w.waiting_topics), false),
    ${listening(schema)}
  into is_woken, is_heard
  from ${s}.workflows as w where w.id = destination for update;
  if found then
    now := ${s}.now_ms();
    update ${s}.workflows as w set
      inbox_seq = w.inbox_seq + 1,
      phase = case when is_woken then 'ready' else w.phase end,
      due_at = case when is_woken then least(w.due_at, now) else w.due_at end
    where w.id = destination and ${takes(s, "w")}
    returning w.inbox_seq into message_seq;
    if found then
      insert into ${s}.messages (workflow_id, seq, topic, message_id, dedupe_key, sent_at, value)
      values (destination, message_seq, message_topic, new_id, new_key, now, message_value);
      if is_heard then
        perform ${s}.hint_v1(array['inbox:' || destination, case when is_woken then 'due' end]);
      end if;
      return to_json(is_woken);
    end if;
  end if;
  return ${s}.send_v1(jsonb_build_array(${MESSAGE_JSON}));
end;
`);
}

/**
 * `Driver.commit` of one `send` with a new key, at a free position, to a workflow that it does not
 * make due. The answer is the time.
 *
 * It is atomic because it holds the rows of both workflows, in the order of all locks, before it
 * looks.
 */
export function sendFromRun(schema: SchemaName): string {
  const { identifier: s } = schema;
  const operation = `jsonb_build_array(jsonb_build_object(
      'type', 'send', 'position', place, 'label', entry_label, 'ageMs', age,
      'message', ${MESSAGE_JSON}
    ))`;
  return entryPoint(`
create function ${s}.send_from_run_v1(
  ${wrapped(HINTING.send_from_run_v1)}
) returns json
language plpgsql volatile as
declare
  now bigint;
  entry_seq bigint;
  message_seq bigint;
  is_heard boolean;
begin
  perform from ${s}.workflows as w where w.id = any (array[own, destination]) order by w.id for update;
  now := ${s}.now_ms();
  update ${s}.workflows as w set
    ${RENEWAL},
    journal_seq = w.journal_seq + 1, ${PROGRESS}
  where ${FENCE}
    and ${isFree(s)}
    and exists (
      select from ${s}.workflows as d
      where d.id = destination and ${takes(s, "d")}
        and not (d.phase = 'suspended' and coalesce(message_topic = any (d.waiting_topics), false))
    )
  returning w.journal_seq, ${listening(schema)}
  into entry_seq, is_heard;
  if found then
    update ${s}.workflows as w set inbox_seq = w.inbox_seq + 1 where w.id = destination
    returning w.inbox_seq into message_seq;
    insert into ${s}.messages (workflow_id, seq, topic, message_id, dedupe_key, sent_at, value)
    values (destination, message_seq, message_topic, new_id, new_key, now, message_value);
    insert into ${s}.journal (workflow_id, position, seq, began_at, took, label, tag, value)
    values (own, place, entry_seq, ${BEGAN}, age, entry_label, 'sent', new_id);
    if is_heard then
      perform ${s}.hint_v1(array['inbox:' || destination]);
    end if;
    return to_json(now);
  end if;
  ${commitInFull(s, operation)}
end;
`);
}
