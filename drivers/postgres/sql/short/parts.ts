/**
 * What the functions for common commits share.
 *
 * @module
 */

/** The parameters of every commit, before those of its own. The lease is in milliseconds. */
export const RUN = "own text, run_epoch bigint, run_owner text, number bigint, lease bigint";

/** The parameters for an operation. `place` is its position, and `age` its `ageMs`, or null if that is 0. */
export const ENTRY = `${RUN}, place integer, entry_label text, age bigint`;

/** The parameters for a message. */
const MESSAGE = "destination text, message_topic text, new_id text, new_key text, message_value text";

/** The parameters of the functions that send hints. Each is also a procedure: see {@linkcode withHints}. */
export const HINTING = {
  create_one_v1: "own text, workflow_name text, workflow_input text, run_owner text, lease bigint",
  set_event_v1: `${ENTRY}, event_key text, event_value text`,
  write_one_v1: `${ENTRY}, stream_key text, new_value text`,
  write_stream_v1: `${RUN}, place integer, entry_label text, ages jsonb, stream_key text, new_values jsonb`,
  send_one_v1: MESSAGE,
  send_from_run_v1: `${ENTRY}, ${MESSAGE}`,
  create_many_v1: "requests jsonb",
  commit_many_v1: "requests jsonb",
  end_v1: `${RUN}, end_status text, end_output text, end_error text, end_failed integer`,
} as const;

/**
 * A condition on the row of the workflow. The run must hold it, and this commit must be the next
 * one. A run that holds a workflow finds it `PENDING`.
 */
export const FENCE = "w.id = own and w.epoch = run_epoch and w.owner = run_owner and w.last_commit = number - 1\n" +
  "    and w.phase = 'running'";

/** What a commit changes in the row if the run keeps its lease. See the table for `due_at`. */
export const RENEWAL = `last_commit = number, updated_at = now,
    lease_until = now + lease, lease_ms = lease,
    due_at = case
      when w.due_at < now + lease * 2 / 3 or w.lease_ms <> lease then now + lease
      else least(w.due_at, now + lease)
    end`;

/** What progress changes in the row. */
export const PROGRESS = "recovery_attempts = 0, parks = 0, problem = null";

/** The same for an operation that has no entry if `place` is null. */
export const PROGRESS_WITH_ENTRY = `recovery_attempts = case when place is null then w.recovery_attempts else 0 end,
    parks = case when place is null then w.parks else 0 end,
    problem = case when place is null then w.problem end`;

/** When the operation began. */
export const BEGAN = "now - coalesce(age, 0)";

/** A condition that no entry has the position `place`. */
export function isFree(s: string): string {
  return `not exists (select from ${s}.journal as j where j.workflow_id = own and j.position = place)`;
}

/** PL/pgSQL that hints at what the workflow has changed. It follows a statement that has set is_heard. */
export function hintIfHeard(s: string, changed: "event" | "stream" | "status"): string {
  return `if is_heard then
      perform ${s}.hint_v1(array['${changed}:' || own]);
    end if;`;
}

/** PL/pgSQL for the answer of `commit_v1` to the same commit. */
export function commitInFull(s: string, operations: string, transition: string = "null"): string {
  return `return ${s}.commit_v1(jsonb_build_array(jsonb_build_object(
    'workflowId', own, 'epoch', run_epoch, 'owner', run_owner, 'number', number, 'leaseMs', lease,
    'operations', ${operations}, 'transition', ${transition}
  )))->0;`;
}

/** Puts each of some parameters on a line of its own. */
export function wrapped(parameters: string): string {
  return parameters.replaceAll(", ", ",\n  ");
}
