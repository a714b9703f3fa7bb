/**
 * Applies the operations of a commit.
 *
 * @module
 */

import type { Effect, NewWorkflow, Operation, OperationResult, Outcome } from "../../core/driver/driver.ts";
import { isWait } from "../../core/driver/operations.ts";
import { DriverError } from "../../core/errors.ts";
import type { AnswerSize } from "../answer_size.ts";
import { sendOne, sentBefore } from "./inbox.ts";
import { eventSignal } from "../signals.ts";
import type { Stream, WorkflowRow } from "./rows.ts";
import { type CommitScope, complete, newEntry } from "./scope.ts";
import { wait } from "./waits.ts";

/**
 * Applies one operation, or answers with the recorded outcome. A wait whose outcome is too large
 * for the answer is deferred.
 */
export function apply(scope: CommitScope, operation: Operation, answer: AnswerSize): OperationResult {
  if (operation.position === null) return { outcome: applyInStep(scope, operation) };
  const { position, label } = operation;
  const entry = scope.row.entries.get(position);
  if (isWait(operation)) return wait(scope, { position, label, operation, entry, answer });
  if (entry?.outcome) return { outcome: { ...entry.outcome } };
  if (scope.repeated) throw neverMade(position);
  const outcome = perform(scope, operation);
  const begun = entry ?? newEntry(scope, operation, { position, label, deadline: null });
  if (operation.type === "record") begun.attempts = operation.attempts ?? 0;
  complete(scope, begun, outcome);
  return { outcome: { ...outcome } };
}

/**
 * Applies an operation inside a step, which leaves no entry. A repeat is recognised by the commit,
 * or by the key of a send.
 */
function applyInStep(scope: CommitScope, operation: Operation): Outcome {
  if (operation.type === "send") {
    return scope.repeated
      ? sentBefore(scope.store, operation.message)
      : sendOne(scope.store, operation.message, scope.woken);
  }
  if (operation.type !== "setEvent" && operation.type !== "writeStream") {
    throw new DriverError(`Committing ${operation.type}: it must have a position`, { retryable: false });
  }
  if (!scope.repeated) return perform(scope, operation);
  const closed = operation.type === "writeStream" && scope.row.streams.get(operation.key)?.closed === true;
  return { tag: closed ? "stream_closed" : "done" };
}

function perform(scope: CommitScope, effect: Effect): Outcome {
  switch (effect.type) {
    case "record":
      return { ...effect.outcome };
    case "send":
      return sendOne(scope.store, effect.message, scope.woken);
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

function setEvent({ store, row, woken }: CommitScope, key: string, value: string): Outcome {
  const { version, firstSetAt } = row.events.get(key) ?? { version: 0, firstSetAt: store.now() };
  row.events.set(key, { version: version + 1, value, firstSetAt, updatedAt: store.now() });
  store.signal(eventSignal(row.workflowId, key), woken);
  store.hints.changed(`event:${row.workflowId}`);
  return { tag: "done" };
}

function writeStream({ store, row }: CommitScope, key: string, value: string): Outcome {
  const stream = streamOf(row, key);
  if (stream.closed) return { tag: "stream_closed" };
  stream.values.push(value);
  stream.updatedAt = store.now();
  store.hints.changed(`stream:${row.workflowId}`);
  return { tag: "done" };
}

function closeStream({ store, row }: CommitScope, key: string): Outcome {
  const stream = streamOf(row, key);
  if (stream.closed) return { tag: "stream_closed" };
  stream.closed = true;
  stream.updatedAt = store.now();
  store.hints.changed(`stream:${row.workflowId}`);
  return { tag: "done" };
}

function streamOf(row: WorkflowRow, key: string): Stream {
  let stream = row.streams.get(key);
  if (!stream) row.streams.set(key, stream = { values: [], closed: false, updatedAt: 0 });
  return stream;
}

function start({ store, row, woken }: CommitScope, workflow: NewWorkflow): Outcome {
  const { workflowId } = workflow;
  const existing = store.rows.get(workflowId);
  if (existing && existing.name !== workflow.name) return { tag: "workflow_conflict" };
  if (existing) return { tag: "done", value: workflowId };
  const child = store.insert(workflow, "PENDING", null);
  child.parent = row;
  store.makeDue(child);
  woken.add(workflowId);
  return { tag: "done", value: workflowId };
}

function neverMade(position: number): DriverError {
  return new DriverError(
    `Committing position ${position}: the number of this commit was used before, without this operation`,
    {
      retryable: false,
    },
  );
}
