/**
 * Claims: runs take over the workflows that are due.
 *
 * @module
 */

import { listening } from "../push.ts";
import type { SchemaName } from "../schema_name.ts";
import { MAX_CLAIM_BYTES, MAX_PAGE_BYTES, MAX_REQUEST_BYTES } from "../sizes.ts";
import { entryPoint, helper, type SqlPart } from "../sql_function.ts";
import { correctLeases, dueTimesType, findDueTimes, firstLease } from "./due_times.ts";
import { lockDue, lockReady } from "./lock_due.ts";
import { nextDue, nextDueOf, someAreDue, unknownNames } from "./still_due.ts";

/** `Driver.claim`, and its steps. */
export const claimSql: readonly SqlPart[] = [
  dueTimesType,
  firstLease,
  correctLeases,
  findDueTimes,
  lockReady,
  lockDue,
  someAreDue,
  unknownNames,
  nextDue,
  nextDueOf,
  fitting,
  lease,
  claimed,
  claimDue,
];

/**
 * `Driver.claim`: leases due workflows to an owner, and returns what their runs need to begin.
 *
 * It is atomic because it holds the owner's slot and the rows of the workflows until it commits.
 * Two executions of one request follow each other, so the second one returns what the first one
 * took. No other call changes the workflows between the look and the lease.
 */
function claimDue({ identifier: s }: SchemaName): string {
  return entryPoint(`
create function ${s}.claim_v1(request jsonb) returns json
language plpgsql volatile as
declare
  by_due_time constant boolean := jsonb_typeof(request->'workflowIds') = 'null';
  names constant text[] := array(select jsonb_array_elements_text(request->'names'));
  except_ids constant text[] := array(select jsonb_array_elements_text(request->'except'));
  size constant integer := (request->>'limit')::integer;
  times ${s}.due_times;
  due text[];
  taken text[];
  room bigint;
  more boolean := false;
  unknown json := '[]';
  next_due_ms bigint;
begin
  perform ${s}.lock_slots_v1(array[${s}.owner_slot_v1(request->>'owner')]);
  select array_agg(w.id order by w.id) into taken from ${s}.workflows as w
  where w.owner = request->>'owner' and w.claimed and w.phase = 'running' and w.lease_until > ${s}.now_ms();
  if taken is not null then
    room := (select f.room from ${s}.fitting_v1(taken) as f);
  else
    if by_due_time then
      times := ${s}.find_due_times_v1(request->>'leaseMs');
    end if;
    due := ${s}.lock_due_v1(request, names, except_ids, size, times);
    select f.taken, f.room into taken, room from ${s}.fitting_v1(due) as f;
    more := cardinality(taken) < cardinality(due);
    perform ${s}.lease_v1(taken, request->>'owner', request->>'leaseMs');
    if by_due_time and cardinality(taken) < size then
      more := more or ${s}.some_are_due_v1(names, except_ids, times);
      unknown := ${s}.unknown_names_v1(names, times);
      next_due_ms := ${s}.next_due_ms_v1(times);
    elsif not by_due_time then
      next_due_ms := ${s}.next_due_of_v1(request, names);
    end if;
  end if;
  return json_build_object(
    'claimed', ${s}.claimed_v1(taken, room), 'unknown', unknown, 'nextDueMs', next_due_ms,
    'now', ${s}.now_ms(), 'more', more
  );
end;
`);
}

/**
 * Returns as many of the workflows as one answer has room for, and how much room they leave. It
 * begins with the first workflow, and returns at least that one. They stay as they are, because the
 * caller holds their rows.
 */
function fitting({ identifier: s }: SchemaName): string {
  return helper(`
create function ${s}.fitting_v1(ids text[], out taken text[], out room bigint)
language plpgsql volatile as
declare
  place integer := 0;
  bytes bigint;
begin
  room := ${MAX_CLAIM_BYTES};
  while place < cardinality(ids) loop
    bytes := (
      select ${s}.claim_bytes_v1(w.id, w.name, w.input, w.problem) from ${s}.workflows as w
      where w.id = ids[place + 1]
    );
    exit when place > 0 and bytes > room;
    room := room - bytes;
    place := place + 1;
  end loop;
  taken := ids[:place];
end;
`);
}

/**
 * Leases the workflows to the owner.
 *
 * It is atomic because the caller holds their rows, and found them due once it held them.
 */
function lease(schema: SchemaName): string {
  const { identifier: s } = schema;
  return helper(`
create function ${s}.lease_v1(ids text[], owner text, lease_ms text) returns void
language plpgsql volatile as
declare
  now constant bigint := ${s}.now_ms();
  lease_end constant bigint := ${s}.after_v1(now, lease_ms);
begin
  if cardinality(ids) = 0 then
    return;
  end if;
  if ${listening(schema)} then
    perform ${s}.hint_v1(array(
      select 'status:' || w.id from ${s}.workflows as w where w.id = any (ids) and w.status <> 'PENDING'
    ));
  end if;
  update ${s}.workflows as w set
    status = 'PENDING', phase = 'running', epoch = w.epoch + 1, owner = lease_v1.owner, claimed = true,
    last_commit = 0, released = false, due_at = lease_end, lease_until = lease_end, lease_ms = lease_end - now,
    -- Only a lapsed lease is still 'running' here: its run died.
    recovery_attempts = w.recovery_attempts + (w.phase = 'running')::integer,
    waiting_topics = null, waiting_labels = null, waiting_until = null, updated_at = now
  where w.id = any (ids);
  delete from ${s}.waiters as r where r.waiter_id = any (ids);
end;
`);
}

/**
 * Returns what a run needs to begin, for each ID. The journals share the room that the workflows
 * leave, in this order. A journal that is complete saves its run a request. If a journal has no
 * room at all, the run reads it.
 */
function claimed({ identifier: s }: SchemaName): string {
  return helper(`
create function ${s}.claimed_v1(ids text[], room bigint) returns json
language plpgsql volatile as
declare
  now constant bigint := ${s}.now_ms();
  workflow_id text;
  page json;
  answer json[] := '{}';
begin
  foreach workflow_id in array coalesce(ids, '{}') loop
    page := ${s}.journal_page_v1(
      workflow_id, 0, case when room > 0 then 1000 else 0 end, least(${MAX_PAGE_BYTES}, room), room > ${
    1.1 * MAX_REQUEST_BYTES
  }
    );
    room := room - octet_length(to_json(page::text)::text);
    answer := array_append(answer, (
      select json_build_object(
        'workflow', ${s}.record_v1(w), 'epoch', w.epoch, 'now', now, 'journal', page,
        'open', ${s}.open_entries_v1(w.id, now)
      ) from ${s}.workflows as w where w.id = workflow_id
    ));
  end loop;
  return to_json(answer);
end;
`);
}
