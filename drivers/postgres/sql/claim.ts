import { entryPoint, helper, type SchemaName } from "./names.ts";
import { listening, notify } from "./push.ts";

/** Names of workflows that nobody here knows: how many, among how many of those that are due. */
const UNKNOWN_NAMES = 10;
const UNKNOWN_SCANNED = 1_000;

/** Taking over what is due. */
export function claim(schema: SchemaName): string {
  const { identifier: s } = schema;
  return takeDue(schema) + claimed(s) + unknownNames(s) + nextDue(s) + entryPoint(
    `${s}.claim_v1(request jsonb) returns json`,
    "volatile",
    `
declare
  by_due_time constant boolean := jsonb_typeof(request->'workflowIds') = 'null';
  taken text[];
  unknown json := '[]';
  next_due_ms bigint;
begin
  -- Two executions of one request follow each other, so that the second finds what the first took.
  perform ${s}.lock_slots_v1(array[${s}.owner_slot_v1(request->>'owner')]);
  select array_agg(w.id order by w.id) into taken from ${s}.workflows as w
  where w.owner = request->>'owner' and w.phase = 'running' and w.lease_until > ${s}.now_ms();
  if taken is null then
    taken := ${s}.take_due_v1(request, by_due_time);
    if by_due_time and cardinality(taken) < (request->>'limit')::integer then
      unknown := ${s}.unknown_names_v1(request->'names');
      next_due_ms := ${s}.next_due_ms_v1();
    end if;
  end if;
  return json_build_object('claimed', ${s}.claimed_v1(taken), 'unknown', unknown, 'nextDueMs', next_due_ms);
end;
`,
  );
}

/**
 * Leases what is due, and answers with the IDs, oldest due first.
 *
 * By due time it passes over rows that are locked: another claim is taking them, or a write is just changing them. By ID it
 * waits for them, in the order of all locks: whoever names a workflow was told that it is due, and would otherwise leave it lying because
 * some send was under way to it. Either way the conditions hold for the row as it is once it is locked.
 *
 * Names are compared in a way that no index serves: that of names would be read for all workflows of a name, which may be all there are.
 */
function takeDue(schema: SchemaName): string {
  const { identifier: s } = schema;
  return helper(
    `${s}.take_due_v1(request jsonb, by_due_time boolean) returns text[]`,
    "plpgsql",
    "volatile",
    `
declare
  now bigint := ${s}.now_ms();
  names constant text[] := array(select jsonb_array_elements_text(request->'names'));
  locked text[];
  due text[];
  lease_end bigint;
begin
  if by_due_time then
    due := array(
      select w.id from ${s}.workflows as w
      where w.due_at <= now and (w.lease_until is null or w.lease_until <= now) and array_position(names, w.name) is not null
      order by w.due_at limit (request->>'limit')::integer
      for update skip locked
    );
  else
    locked := array(
      select w.id from ${s}.workflows as w
      where w.id = any (array(select jsonb_array_elements_text(request->'workflowIds'))) order by w.id for update
    );
    now := ${s}.now_ms();
    due := array(
      select w.id from ${s}.workflows as w
      where w.id = any (locked) and w.due_at <= now and (w.lease_until is null or w.lease_until <= now) and array_position(names, w.name) is not null
      order by w.due_at, w.id limit (request->>'limit')::integer
    );
  end if;
  if cardinality(due) = 0 then
    return due;
  end if;
  lease_end := ${s}.after_v1(now, request->>'leaseMs');
  if ${listening(schema)} then
    ${notify(schema, `array(select 'outbox:' || w.id from ${s}.workflows as w where w.id = any (due) and w.status <> 'PENDING')`)};
  end if;
  update ${s}.workflows as w set
    status = 'PENDING', phase = 'running', epoch = w.epoch + 1, owner = request->>'owner',
    last_commit = 0, released = false, due_at = lease_end, lease_until = lease_end,
    -- Only a lapsed lease is still 'running' here: its run died.
    recovery_attempts = w.recovery_attempts + (w.phase = 'running')::integer,
    waiting_topics = null, waiting_labels = null, waiting_until = null, updated_at = now
  where w.id = any (due);
  delete from ${s}.waiters as r where r.waiter_id = any (due);
  return due;
end;
`,
  );
}

/** What a run needs to begin, for each ID. The journals share 8 MiB, so that an answer stays small where answers are limited. */
function claimed(s: string): string {
  return helper(
    `${s}.claimed_v1(ids text[]) returns json`,
    "plpgsql",
    "volatile",
    `
declare
  now constant bigint := ${s}.now_ms();
  bytes constant bigint := least(1048576, 8388608 / greatest(cardinality(ids), 1));
  answer json;
begin
  select coalesce(json_agg(
    json_build_object(
      'workflow', ${s}.record_v1(w), 'epoch', w.epoch, 'now', now, 'journal', ${s}.journal_page_v1(w.id, 0, 1000, bytes),
      'open', coalesce((
        select json_agg(json_build_object('position', j.position, 'label', j.label) order by j.position)
        from ${s}.journal as j where j.workflow_id = w.id and j.seq is null
      ), '[]')
    ) order by array_position(ids, w.id)
  ), '[]') into answer
  from ${s}.workflows as w where w.id = any (ids);
  return answer;
end;
`,
  );
}

/** Some names that are due and not among those given. */
function unknownNames(s: string): string {
  return helper(
    `${s}.unknown_names_v1(names jsonb) returns json`,
    "plpgsql",
    "volatile",
    `
declare
  now constant bigint := ${s}.now_ms();
  found_names json;
begin
  select coalesce(json_agg(picked.name), '[]') into found_names from (
    select distinct due.name from (
      select w.name from ${s}.workflows as w
      where w.due_at <= now and (w.lease_until is null or w.lease_until <= now) and not names ? w.name
      order by w.due_at limit ${UNKNOWN_SCANNED}
    ) as due
    limit ${UNKNOWN_NAMES}
  ) as picked;
  return found_names;
end;
`,
  );
}

/** How long until the next deadline or end of a lease. Where a lease was renewed, due_at may have passed before it ends. */
function nextDue(s: string): string {
  return helper(
    `${s}.next_due_ms_v1() returns bigint`,
    "plpgsql",
    "volatile",
    `
declare
  now constant bigint := ${s}.now_ms();
begin
  return least(
    (select w.due_at from ${s}.workflows as w where w.due_at > now order by w.due_at limit 1),
    (select min(w.lease_until) from ${s}.workflows as w where w.due_at <= now and w.lease_until > now)
  ) - now;
end;
`,
  );
}
