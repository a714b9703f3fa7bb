/**
 * Applies the operations of a commit.
 *
 * @module
 */

import type { Effect, NewWorkflow, Operation, OperationResult, Outcome } from "../../../core/driver/driver.ts";
import { isWait } from "../../../core/driver/operations.ts";
import { DriverError } from "../../../core/errors.ts";
import type { AnswerSize } from "../../answer_size.ts";
import { eventSignal } from "../../signals.ts";
import { sendOne, sentBefore } from "./inbox.ts";
import { completeEntry, findEntry, newEntry, outcomeOf } from "./journal.ts";
import type { CommitScope, EffectScope } from "./scope.ts";
import type { Transaction } from "./transaction.ts";
import { wait } from "./waits.ts";

/**
 * Applies one operation, or answers with the recorded outcome. A wait whose outcome is too large
 * for the answer is deferred.
 */
export function apply(scope: CommitScope, operation: Operation, answer: AnswerSize): OperationResult {
  if (operation.position === null) return { outcome: applyInStep(scope, operation) };
  const { tx, row, entries } = scope;
  const { position, label } = operation;
  const entry = entries.get(position) ?? findEntry(tx, row.number, position);
  if (entry) entries.set(position, entry);
  if (isWait(operation)) return wait(scope, { position, label, operation, entry, answer });
  const recorded = entry && outcomeOf(entry);
  if (recorded) return { outcome: recorded };
  if (scope.repeated) throw neverMade(position);
  const outcome = perform(scope, operation);
  const begun = entry ?? newEntry(tx, operation, { position, label, deadline: null });
  if (operation.type === "record") begun.attempts = operation.attempts ?? 0;
  completeEntry(tx, row, begun, outcome);
  entries.set(position, begun);
  return { outcome };
}

/**
 * Applies an operation inside a step, which leaves no entry. A repeat is recognised by the commit,
 * or by the key of a send.
 */
function applyInStep(scope: CommitScope, operation: Operation): Outcome {
  const { tx, row, repeated, woken } = scope;
  if (operation.type === "send") {
    return repeated ? sentBefore(tx, operation.message) : sendOne(tx, operation.message, woken);
  }
  // `checkPositions` has refused waits without a position.
  if (!repeated) return perform(scope, operation as Effect);
  const closed = operation.type === "writeStream" && findStream(tx, row.number, operation.key)?.closed === 1;
  return { tag: closed ? "stream_closed" : "done" };
}

/** Carries out an effect, and returns its outcome. */
export function perform(scope: EffectScope, effect: Effect): Outcome {
  switch (effect.type) {
    case "record":
      return { ...effect.outcome };
    case "send":
      return sendOne(scope.tx, effect.message, scope.woken);
    case "setEvent":
      return setEvent(scope, effect.key, effect.value);
    case "writeStream":
      return writeStream(scope, effect.key, effect.value);
    case "closeStream":
      return closeStream(scope, effect.key);
    case "start":
      return start(scope, effect.workflow);
  }
}

const SET_EVENT =
  `insert into parley_events (workflow, key, version, first_set_at, updated_at, value) values (?, ?, 1, ?, ?, ?)
  on conflict (workflow, key) do update
  set version = version + 1, updated_at = excluded.updated_at, value = excluded.value`;
const ADD_VALUE = "insert into parley_stream_values (workflow, key, place, value) values (?, ?, ?, ?)";
const FIND_STREAM = "select tail, closed from parley_streams where workflow = ? and key = ?";
const PUT_STREAM =
  "insert or replace into parley_streams (workflow, key, tail, closed, updated_at) values (?, ?, ?, ?, ?)";

function setEvent({ tx, workflowId, workflow, woken }: EffectScope, key: string, value: string): Outcome {
  tx.database.run(SET_EVENT, workflow, key, tx.now, tx.now, value);
  tx.signal(eventSignal(workflowId, key), woken);
  tx.hint(`event:${workflowId}`);
  return { tag: "done" };
}

function writeStream(scope: EffectScope, key: string, value: string): Outcome {
  const { tx, workflow } = scope;
  const stream = findStream(tx, workflow, key);
  if (stream?.closed === 1) return { tag: "stream_closed" };
  const tail = stream?.tail ?? 0;
  tx.database.run(ADD_VALUE, workflow, key, tail, value);
  return putStream(scope, key, { tail: tail + 1, closed: 0 });
}

function closeStream(scope: EffectScope, key: string): Outcome {
  const stream = findStream(scope.tx, scope.workflow, key);
  if (stream?.closed === 1) return { tag: "stream_closed" };
  return putStream(scope, key, { tail: stream?.tail ?? 0, closed: 1 });
}

interface Stream {
  readonly tail: number;
  readonly closed: number;
}

function findStream({ database }: Transaction, workflow: number, key: string): Stream | undefined {
  return database.all<Stream>(FIND_STREAM, workflow, key)[0];
}

function putStream({ tx, workflowId, workflow }: EffectScope, key: string, { tail, closed }: Stream): Outcome {
  tx.database.run(PUT_STREAM, workflow, key, tail, closed, tx.now);
  tx.hint(`stream:${workflowId}`);
  return { tag: "done" };
}

function start({ tx, workflowId: parent, woken }: EffectScope, workflow: NewWorkflow): Outcome {
  const { workflowId } = workflow;
  const existing = tx.find(workflowId);
  if (existing && existing.name !== workflow.name) return { tag: "workflow_conflict" };
  if (existing) return { tag: "done", value: workflowId };
  const child = tx.insert(workflow, { status: "PENDING", owner: null, parent });
  tx.makeDue(child);
  woken.add(workflowId);
  return { tag: "done", value: workflowId };
}

function neverMade(position: number): DriverError {
  return new DriverError(
    `Committing position ${position}: the number of this commit was used before, without this operation`,
    { retryable: false },
  );
}
