/**
 * One operation of a commit.
 *
 * @module
 */

import type { Effect, NewWorkflow, Operation, OperationResult, Outcome, Wait } from "../../core/driver.ts";
import { DriverError } from "../../core/errors.ts";
import { isActive } from "../../core/statuses.ts";
import { sendOne, sentBefore, takeOldest } from "./inbox.ts";
import { type Entry, eventSignal, type MemoryStore, messageSignal, resultSignal, type Stream, type WorkflowRow } from "./store.ts";

/** What the operations of one commit share. */
export interface CommitScope {
  readonly store: MemoryStore;
  readonly row: WorkflowRow;
  /** Whether the commit was made before: then nothing is written, and an open wait does not look again. */
  readonly repeated: boolean;
  readonly woken: Set<string>;
}

/** Applies one operation, or answers with what was recorded. */
export function apply(scope: CommitScope, operation: Operation): OperationResult {
  if (operation.position === null) return { outcome: applyInStep(scope, operation) };
  const entry = scope.row.entries.get(operation.position);
  if (entry?.outcome) return { outcome: { ...entry.outcome } };
  if (scope.repeated) return answerOpen(scope, entry, operation.position);
  const { position, label } = operation;
  if (isWait(operation)) return wait(scope, { position, label, operation, entry });
  const outcome = perform(scope, operation);
  complete(scope.row, entry ?? { position, label, deadline: null, seq: 0, outcome: null }, outcome);
  return { outcome: { ...outcome } };
}

/** What makes a workflow due that is suspended for this wait; `null` where only the deadline does. */
export function signalsOf(row: WorkflowRow, operation: Operation): string[] {
  switch (operation.type) {
    case "receive":
      return operation.topics.map((topic) => messageSignal(row.workflowId, topic));
    case "observeEvent":
      return [eventSignal(operation.workflowId, operation.key)];
    case "observeResult":
      return [resultSignal(operation.workflowId)];
    default:
      return [];
  }
}

function isWait(operation: Effect | Wait): operation is Wait {
  return operation.type === "receive" || operation.type === "observeEvent" || operation.type === "observeResult" ||
    operation.type === "sleep";
}

/** An operation inside a step leaves no entry: a repeat is known by the commit, a send by its key. */
function applyInStep(scope: CommitScope, operation: Operation): Outcome {
  if (operation.type === "send") {
    return scope.repeated ? sentBefore(scope.store, operation.message) : sendOne(scope.store, operation.message, scope.woken);
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
  row.events.set(key, { version: (row.events.get(key)?.version ?? 0) + 1, value });
  store.signal(eventSignal(row.workflowId, key), woken);
  store.hints.changed(`outbox:${row.workflowId}`);
  return { tag: "done" };
}

function writeStream({ store, row }: CommitScope, key: string, value: string): Outcome {
  const stream = streamOf(row, key);
  if (stream.closed) return { tag: "stream_closed" };
  stream.values.push(value);
  store.hints.changed(`outbox:${row.workflowId}`);
  return { tag: "done" };
}

function closeStream({ store, row }: CommitScope, key: string): Outcome {
  const stream = streamOf(row, key);
  if (stream.closed) return { tag: "stream_closed" };
  stream.closed = true;
  store.hints.changed(`outbox:${row.workflowId}`);
  return { tag: "done" };
}

function streamOf(row: WorkflowRow, key: string): Stream {
  let stream = row.streams.get(key);
  if (!stream) row.streams.set(key, stream = { values: [], closed: false });
  return stream;
}

function start({ store, woken }: CommitScope, workflow: NewWorkflow): Outcome {
  const { workflowId } = workflow;
  const existing = store.rows.get(workflowId);
  if (existing && existing.name !== workflow.name) return { tag: "workflow_conflict" };
  if (existing) return { tag: "done", value: workflowId };
  store.makeDue(store.insert(workflow, "PENDING", null));
  woken.add(workflowId);
  return { tag: "done", value: workflowId };
}

interface WaitCall {
  readonly position: number;
  readonly label: string;
  readonly operation: Wait;
  readonly entry: Entry | undefined;
}

function wait(scope: CommitScope, call: WaitCall): OperationResult {
  const { store, row } = scope;
  const { timeoutMs } = call.operation;
  const entry = call.entry ??
    { position: call.position, label: call.label, deadline: timeoutMs === null ? null : store.now() + timeoutMs, seq: 0, outcome: null };
  const outcome = look(scope, call.operation) ?? expired(store, call.operation, entry);
  if (outcome) {
    complete(row, entry, outcome);
    return { outcome: { ...outcome } };
  }
  if (!call.entry) {
    row.entries.set(entry.position, entry);
    row.recoveryAttempts = 0;
  }
  return { remainingMs: remaining(store, entry) };
}

/** What is there now, if anything. */
function look({ store, row }: CommitScope, operation: Wait): Outcome | null {
  switch (operation.type) {
    case "receive":
      return takeOldest(row, operation.topics);
    case "observeEvent": {
      const event = store.rows.get(operation.workflowId)?.events.get(operation.key);
      return event ? { tag: "value", value: event.value } : null;
    }
    case "observeResult":
      return resultOf(store.rows.get(operation.workflowId));
    case "sleep":
    case "pause":
      return null;
  }
}

function resultOf(row: WorkflowRow | undefined): Outcome | null {
  if (!row || isActive(row.status)) return null;
  if (row.status === "SUCCESS") return { tag: "value", value: row.output };
  if (row.status === "CANCELLED") return { tag: "cancelled" };
  return { tag: "error", value: row.error };
}

function expired(store: MemoryStore, operation: Wait, entry: Entry): Outcome | null {
  if (entry.deadline === null || entry.deadline > store.now()) return null;
  return { tag: operation.type === "sleep" ? "done" : "timeout" };
}

function complete(row: WorkflowRow, entry: Entry, outcome: Outcome): void {
  row.entries.set(entry.position, entry);
  row.completed.push(entry);
  entry.seq = row.completed.length;
  entry.outcome = outcome;
  row.recoveryAttempts = 0;
}

function answerOpen({ store }: CommitScope, entry: Entry | undefined, position: number): OperationResult {
  if (entry) return { remainingMs: remaining(store, entry) };
  throw new DriverError(`Committing position ${position}: the number of this commit was used before, without this operation`, {
    retryable: false,
  });
}

function remaining(store: MemoryStore, entry: Entry): number | null {
  return entry.deadline === null ? null : Math.max(0, entry.deadline - store.now());
}
