import { entryPoint, helper, type SchemaName } from "./names.ts";
import { listening, notify } from "./push.ts";
import { MAX_CLAIM_BYTES, MAX_PAGE_BYTES, MAX_REQUEST_BYTES } from "./sizes.ts";

/** Names of workflows that nobody here knows: how many, among how many of those that are due. */
const UNKNOWN_NAMES = 10;
const UNKNOWN_SCANNED = 1_000;

/** How many leases that began in the future a claim corrects. */
const CORRECTED_LEASES = 1_000;

/** Taking over what is due. */
export function claim(schema: SchemaName): string {
  const { identifier: s } = schema;
  return [correctLeases, lockDue, fitting, claimed, someAreDue, unknownNames, nextDue, nextDueOf].map((part) => part(s))
    .join("") +
    lease(schema) +
    entryPoint(
      `${s}.claim_v1(request jsonb) returns json`,
      "volatile",
      `
declare
  by_due_time constant boolean := jsonb_typeof(request->'workflowIds') = 'null';
  names constant text[] := array(select jsonb_array_elements_text(request->'names'));
  except_ids constant text[] := array(select jsonb_array_elements_text(request->'except'));
  size constant integer := (request->>'limit')::integer;
  due text[];
  taken text[];
  room bigint;
  more boolean := false;
  unknown json := '[]';
  next_due_ms bigint;
begin
  -- Two executions of one request follow each other, so that the second finds what the first took.
  perform ${s}.lock_slots_v1(array[${s}.owner_slot_v1(request->>'owner')]);
  select array_agg(w.id order by w.id) into taken from ${s}.workflows as w
  where w.owner = request->>'owner' and w.phase = 'running' and w.lease_until > ${s}.now_ms();
  if taken is not null then
    room := (select f.room from ${s}.fitting_v1(taken) as f);
  else
    if by_due_time then
      perform ${s}.correct_leases_v1();
    end if;
    due := ${s}.lock_due_v1(request, names, except_ids, size);
    select f.taken, f.room into taken, room from ${s}.fitting_v1(due) as f;
    more := cardinality(taken) < cardinality(due);
    perform ${s}.lease_v1(taken, request->>'owner', request->>'leaseMs');
    if by_due_time and cardinality(taken) < size then
      more := more or ${s}.some_are_due_v1(names, except_ids);
      unknown := ${s}.unknown_names_v1(names);
      next_due_ms := ${s}.next_due_ms_v1();
    elsif not by_due_time then
      next_due_ms := ${s}.next_due_of_v1(request, names);
    end if;
  end if;
  return json_build_object('claimed', ${s}.claimed_v1(taken, room), 'unknown', unknown, 'nextDueMs', next_due_ms, 'more', more);
end;
`,
    );
}

/** Whether a workflow is due, which is not ready: its deadline has passed, or its pause, or its lease has lapsed. */
const TIMED = "w.phase <> 'ready' and w.due_at <= now and (w.lease_until is null or w.lease_until <= now)";

/**
 * Whether a claim may take it. Names are compared in a way that no index serves: that of names would be read for all workflows of a name, which may
 * be all there are.
 */
const WANTED = "array_position(names, w.name) is not null and array_position(except_ids, w.id) is null";

/**
 * Where the clock has gone back, a lease may have begun in the future, and nobody would take the workflow of a dead run until the clock has caught up. Such
 * a lease ends its length from now. A live run renews its own. It waits for no row, so it can come before all other locks.
 */
function correctLeases(s: string): string {
  return helper(
    `${s}.correct_leases_v1() returns void`,
    "plpgsql",
    "volatile",
    `
declare
  now constant bigint := ${s}.now_ms();
  early constant text[] := array(
    select w.id from ${s}.workflows as w
    where w.lease_ms is not null and w.due_at - w.lease_ms > now
    order by w.due_at - w.lease_ms limit ${CORRECTED_LEASES}
    for update skip locked
  );
begin
  if cardinality(early) > 0 then
    update ${s}.workflows as w set due_at = now + w.lease_ms, lease_until = now + w.lease_ms where w.id = any (early);
  end if;
end;
`,
  );
}

/**
 * Locks what is due, and answers with the IDs, oldest due first.
 *
 * By due time it passes over rows that are locked: another claim is taking them, or a write is just changing them. By ID it
 * waits for them, in the order of all locks: whoever names a workflow was told that it is due, and would otherwise leave it lying because
 * some send was under way to it. Either way the conditions hold for the row as it is once it is locked.
 *
 * What is ready and what is due by time have an index each. Of the second only those are locked that may be among the oldest of both.
 */
function lockDue(s: string): string {
  return helper(
    `${s}.lock_due_v1(request jsonb, names text[], except_ids text[], size integer) returns text[]`,
    "plpgsql",
    "volatile",
    `
declare
  now bigint := ${s}.now_ms();
  locked text[];
  last_ready bigint;
begin
  if jsonb_typeof(request->'workflowIds') = 'null' then
    locked := array(
      select w.id from ${s}.workflows as w where w.phase = 'ready' and ${WANTED} order by w.due_at limit size for update skip locked
    );
    if cardinality(locked) = size then
      last_ready := (select w.due_at from ${s}.workflows as w where w.id = locked[size]);
    end if;
    locked := locked || array(
      select w.id from ${s}.workflows as w where ${TIMED} and w.due_at <= least(now, last_ready) and ${WANTED}
      order by w.due_at limit size for update skip locked
    );
  else
    locked := array(
      select w.id from ${s}.workflows as w
      where w.id = any (array(select jsonb_array_elements_text(request->'workflowIds'))) order by w.id for update
    );
    now := ${s}.now_ms();
  end if;
  return array(
    select w.id from ${s}.workflows as w
    where w.id = any (locked) and (w.phase = 'ready' or (${TIMED})) and ${WANTED}
    order by w.due_at, w.id limit size
  );
end;
`,
  );
}

/**
 * As many of the workflows as one answer has room for, from the first on, never none of some; and how much room they leave. The caller holds their rows, so
 * that they stay as they are.
 */
function fitting(s: string): string {
  return helper(
    `${s}.fitting_v1(ids text[], out taken text[], out room bigint)`,
    "plpgsql",
    "volatile",
    `
declare
  place integer := 0;
  bytes bigint;
begin
  room := ${MAX_CLAIM_BYTES};
  while place < cardinality(ids) loop
    bytes := (
      select ${s}.claim_bytes_v1(w.id, w.name, w.input, w.problem) from ${s}.workflows as w where w.id = ids[place + 1]
    );
    exit when place > 0 and bytes > room;
    room := room - bytes;
    place := place + 1;
  end loop;
  taken := ids[:place];
end;
`,
  );
}

/** Leases the workflows to the owner. The caller holds their rows. */
function lease(schema: SchemaName): string {
  const { identifier: s } = schema;
  return helper(
    `${s}.lease_v1(ids text[], owner text, lease_ms text) returns void`,
    "plpgsql",
    "volatile",
    `
declare
  now constant bigint := ${s}.now_ms();
  lease_end constant bigint := ${s}.after_v1(now, lease_ms);
begin
  if cardinality(ids) = 0 then
    return;
  end if;
  if ${listening(schema)} then
    ${
      notify(
        schema,
        `array(select 'outbox:' || w.id from ${s}.workflows as w where w.id = any (ids) and w.status <> 'PENDING')`,
      )
    };
  end if;
  update ${s}.workflows as w set
    status = 'PENDING', phase = 'running', epoch = w.epoch + 1, owner = lease_v1.owner,
    last_commit = 0, released = false, due_at = lease_end, lease_until = lease_end, lease_ms = lease_end - now,
    -- Only a lapsed lease is still 'running' here: its run died.
    recovery_attempts = w.recovery_attempts + (w.phase = 'running')::integer,
    waiting_topics = null, waiting_labels = null, waiting_until = null, updated_at = now
  where w.id = any (ids);
  delete from ${s}.waiters as r where r.waiter_id = any (ids);
end;
`,
  );
}

/**
 * What a run needs to begin, for each ID. The journals share the room that the workflows leave of an answer, the first come first: one that is whole spares its
 * run a request, and one of which there is nothing yet is read by itself.
 */
function claimed(s: string): string {
  return helper(
    `${s}.claimed_v1(ids text[], room bigint) returns json`,
    "plpgsql",
    "volatile",
    `
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
        'workflow', ${s}.record_v1(w), 'epoch', w.epoch, 'now', now, 'journal', page, 'open', ${s}.open_entries_v1(w.id, now)
      ) from ${s}.workflows as w where w.id = workflow_id
    ));
  end loop;
  return to_json(answer);
end;
`,
  );
}

/**
 * Whether there are some still that a claim would take: those whose rows somebody holds at the moment. It does not ask for `exists`, which would drop the
 * order, and with it the index.
 */
function someAreDue(s: string): string {
  return helper(
    `${s}.some_are_due_v1(names text[], except_ids text[]) returns boolean`,
    "plpgsql",
    "volatile",
    `
declare
  now constant bigint := ${s}.now_ms();
begin
  return coalesce(
    (select true from ${s}.workflows as w where w.phase = 'ready' and ${WANTED} order by w.due_at limit 1),
    (select true from ${s}.workflows as w where ${TIMED} and ${WANTED} order by w.due_at limit 1),
    false
  );
end;
`,
  );
}

/** Some names that are due and not among those given. */
function unknownNames(s: string): string {
  const unknown = (condition: string) =>
    `(
      select w.name from ${s}.workflows as w where ${condition} and array_position(names, w.name) is null
      order by w.due_at limit ${UNKNOWN_SCANNED}
    )`;
  return helper(
    `${s}.unknown_names_v1(names text[]) returns json`,
    "plpgsql",
    "volatile",
    `
declare
  now constant bigint := ${s}.now_ms();
  found_names json;
begin
  select coalesce(json_agg(picked.name), '[]') into found_names from (
    select due.name from (${unknown("w.phase = 'ready'")} union all ${
      unknown(TIMED)
    }) as due group by due.name limit ${UNKNOWN_NAMES}
  ) as picked;
  return found_names;
end;
`,
  );
}

/** How long until the next deadline, end of a pause or end of a lease. Where a lease was renewed, due_at may have passed before it ends. */
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
    (select w.due_at from ${s}.workflows as w where w.phase <> 'ready' and w.due_at > now order by w.due_at limit 1),
    (select min(w.lease_until) from ${s}.workflows as w where w.phase <> 'ready' and w.due_at <= now and w.lease_until > now)
  ) - now;
end;
`,
  );
}

/** The same for a claim by ID, of what no run holds. What has become due a moment ago counts too. */
function nextDueOf(s: string): string {
  return helper(
    `${s}.next_due_of_v1(request jsonb, names text[]) returns bigint`,
    "plpgsql",
    "volatile",
    `
declare
  now constant bigint := ${s}.now_ms();
begin
  return (
    select min(greatest(w.due_at - now, 0)) from ${s}.workflows as w
    where w.id = any (array(select jsonb_array_elements_text(request->'workflowIds')))
    and w.phase in ('suspended', 'parked') and w.due_at is not null and array_position(names, w.name) is not null
  );
end;
`,
  );
}
