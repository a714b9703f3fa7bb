/**
 * Resuming workflows.
 *
 * @module
 */

import { listening } from "../push.ts";
import type { SchemaName } from "../schema_name.ts";
import { helper, type SqlPart } from "../sql_function.ts";

/** What resumes a workflow. */
export const resumeSql: readonly SqlPart[] = [rewind, resumeActive, resume];

/**
 * Drops the entries of a journal from a position on, and makes the messages that they have received
 * unread again. Returns how many entries and messages these were.
 *
 * A message that waits again may be before the place up to which its topic was received, so that
 * place goes back.
 *
 * It is atomic because the caller holds the row of the workflow, as a receive and a send do.
 */
function rewind({ identifier: s }: SchemaName): string {
  return helper(`
create function ${s}.rewind_v1(own text, place bigint, out entries integer, out messages integer)
language plpgsql volatile as
declare
  dropped record;
  message_seq bigint;
begin
  entries := 0;
  messages := 0;
  for dropped in
    delete from ${s}.journal as j where j.workflow_id = own and j.position >= place
    returning j.value, j.topic, j.message_key
  loop
    entries := entries + 1;
    if dropped.message_key is not null then
      messages := messages + 1;
      update ${s}.messages as m set value = dropped.value
      where m.workflow_id = own and m.dedupe_key = dropped.message_key
      returning m.seq into message_seq;
      update ${s}.inbox_heads as h set seq = message_seq - 1
      where h.workflow_id = own and h.topic = dropped.topic and h.seq >= message_seq;
    end if;
  end loop;
end;
`);
}

/**
 * Resumes a workflow that has not ended, and returns whether it is due. A parked workflow becomes due
 * at once. If the clock has gone back, a due one gets a new place, and a lease ends its length from
 * now.
 *
 * It is atomic because the caller holds the row of the workflow.
 */
function resumeActive(schema: SchemaName): string {
  const { identifier: s } = schema;
  return helper(`
create function ${s}.resume_active_v1(w ${s}.workflows, now bigint) returns boolean
language plpgsql volatile as
begin
  if w.phase = 'parked' or (w.phase = 'ready' and w.due_at > now) then
    update ${s}.workflows as due set phase = 'ready', due_at = least(due.due_at, now), parks = 0 where due.id = w.id;
    if w.phase = 'parked'
      and ${listening(schema)}
    then
      perform ${s}.hint_v1(array['inbox:' || w.id, 'due']);
    end if;
    w.phase := 'ready';
  elsif w.phase = 'running' and w.lease_until - w.lease_ms > now then
    update ${s}.workflows as held set due_at = now + w.lease_ms, lease_until = now + w.lease_ms where held.id = w.id;
    w.lease_until := now + w.lease_ms;
  end if;
  return w.status = 'PENDING'
    and (w.phase = 'ready' or (w.due_at <= now and (w.lease_until is null or w.lease_until <= now)));
end;
`);
}

/**
 * Resumes a workflow. With `place`, it drops entries of the journal from that position on, and stores
 * the token as the owner. A repeat finds its own token there.
 *
 * It is atomic because it takes all locks before it looks: the slot of the result, and then the rows
 * of the workflow and its children, in the order of all locks. The children are kept again.
 */
function resume(schema: SchemaName): string {
  const { identifier: s } = schema;
  return helper(`
create function ${s}.resume_v1(own text, place bigint, token text) returns json
language plpgsql volatile as
declare
  now bigint;
  children text[];
  locked text[];
  entries integer := 0;
  messages integer := 0;
  w ${s}.workflows;
begin
  perform ${s}.lock_slots_v1(array[${s}.result_slot_v1(own)]);
  children := array(select c.id from ${s}.workflows as c where c.parent = own and not c.kept);
  locked := array(
    select l.id from ${s}.workflows as l where l.id = any (children || own) order by l.id for update
  );
  select * into w from ${s}.workflows as mine where mine.id = own and own = any (locked);
  now := ${s}.now_ms();
  if not found then
    return json_build_object('state', 'not_found');
  end if;
  if w.phase <> 'ended' and token is not null and w.owner is distinct from token then
    return json_build_object('state', 'active', 'status', w.status);
  end if;
  if w.phase <> 'ended' then
    -- A repeat names it as the first call did, until it is claimed.
    return json_build_object(
      'state', 'done', 'woken', to_json(array(select own where ${s}.resume_active_v1(w, now)))
    );
  end if;
  if w.status = 'SUCCESS' then
    return json_build_object('state', 'ended', 'status', w.status);
  end if;
  place := coalesce(place, w.failed_position);
  if place is not null then
    select r.entries, r.messages into entries, messages from ${s}.rewind_v1(own, place) as r;
  end if;
  -- With the next epoch, calls of an earlier run that are still under way are refused.
  update ${s}.workflows as resumed set
    status = 'PENDING', phase = 'ready', epoch = resumed.epoch + 1, owner = token, last_commit = 0, released = false,
    received = resumed.received - messages,
    rewinds = case when entries > 0 then coalesce(resumed.rewinds, 0) + 1 else resumed.rewinds end,
    due_at = now, recovery_attempts = 0, output = null, error = null, failed_position = null, ended_at = null,
    updated_at = now
  where resumed.id = own;
  update ${s}.workflows as child set kept = true where child.id = any (locked) and child.parent = own;
  if ${listening(schema)} then
    perform ${s}.hint_v1(array['inbox:' || own, 'status:' || own, 'due']);
  end if;
  return json_build_object('state', 'done', 'woken', json_build_array(own));
end;
`);
}
