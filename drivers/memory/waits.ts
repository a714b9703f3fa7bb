/**
 * Operations that may have to wait.
 *
 * @module
 */

import type { Operation, OperationResult, Outcome, Wait } from "../../core/driver/driver.ts";
import { isActive } from "../../core/driver/statuses.ts";
import type { AnswerSize } from "../answer_size.ts";
import { oldestTopic } from "./inbox.ts";
import type { Entry, WorkflowRow } from "./rows.ts";
import { type CommitScope, complete, newEntry } from "./scope.ts";
import type { MemoryStore } from "./store.ts";

/** One wait of a commit, with the journal entry at its position. */
export interface WaitCall {
  readonly position: number;
  readonly label: string;
  readonly operation: Wait & Pick<Operation, "ageMs">;
  readonly entry: Entry | undefined;
  readonly answer: AnswerSize;
}

/** The outcome that a wait would find, and the effect of taking it. */
interface Found {
  readonly outcome: Outcome;
  readonly take?: (entry: Entry) => void;
}

/**
 * Looks for an outcome. Opens the entry if there is none, and defers if the answer has no room for
 * it.
 */
export function wait(scope: CommitScope, call: WaitCall): OperationResult {
  const recorded = call.entry?.outcome;
  if (recorded) return call.answer.isFullFor(recorded) ? { deferred: true } : { outcome: { ...recorded } };
  // The first time, the commit did not open the entry, so the wait was deferred.
  if (scope.repeated) return call.entry ? { remainingMs: remaining(scope.store, call.entry) } : { deferred: true };
  if (call.operation.type === "pause") return pause(scope, call, call.operation);

  const entry = call.entry ?? toEntry(scope, call);
  const found = look(scope, call.operation, latest(scope.store, call.entry)) ??
    expired(scope.store, call.operation, entry);
  if (found) {
    if (call.answer.isFullFor(found.outcome)) return { deferred: true };
    found.take?.(entry);
    complete(scope, entry, found.outcome);
    return { outcome: { ...found.outcome } };
  }
  if (!call.entry) open(scope, entry);
  return { remainingMs: remaining(scope.store, entry) };
}

/** A pause never has an outcome of its own. */
function pause(
  scope: CommitScope,
  call: WaitCall,
  { attempts, timeoutMs }: Extract<Wait, { type: "pause" }>,
): OperationResult {
  const entry = call.entry ?? toEntry(scope, call);
  if (attempts > entry.attempts) {
    entry.attempts = attempts;
    entry.deadline = scope.store.now() + timeoutMs;
    open(scope, entry);
  }
  return { remainingMs: remaining(scope.store, entry) };
}

function toEntry(scope: CommitScope, { position, label, operation }: WaitCall): Entry {
  const { timeoutMs } = operation;
  const until = "until" in operation ? operation.until ?? null : null;
  const deadline = timeoutMs === null ? until : scope.store.now() + timeoutMs;
  return newEntry(scope, operation, { position, label, deadline });
}

function open({ store, row }: CommitScope, entry: Entry): void {
  row.entries.set(entry.position, entry);
  store.progressed(row);
}

/**
 * The latest instant of an arrival that counts. It is the deadline, once that has passed. The first
 * call takes whatever is there.
 */
function latest(store: MemoryStore, entry: Entry | undefined): number {
  const deadline = entry?.deadline ?? null;
  return deadline !== null && deadline <= store.now() ? deadline : Infinity;
}

/** The arrival for a wait, if it came no later than `until`. */
function look(scope: CommitScope, operation: Wait, until: number): Found | null {
  switch (operation.type) {
    case "receive":
      return lookForMessage(scope, operation.topics, until);
    case "observeEvent":
      return observeEvent(scope.store.rows.get(operation.workflowId), operation, until);
    case "observeResult":
      return observeResult(scope, operation, until);
    case "sleep":
    case "pause":
      return null;
  }
}

function lookForMessage({ store, row }: CommitScope, topics: readonly string[], until: number): Found | null {
  const topic = oldestTopic(row, topics, until);
  const queue = topic === null ? undefined : row.inbox.queues.get(topic);
  const message = queue?.peek();
  if (!message) return null;
  const take = (entry: Entry) => {
    queue?.shift();
    message.received = { position: entry.position, at: store.now() };
    entry.message = message;
  };
  return { outcome: { tag: "message", value: message.value, topic }, take };
}

function observeEvent(
  row: WorkflowRow | undefined,
  { key, started }: { key: string; started: boolean },
  until: number,
): Found | null {
  if (!row) return missing(started);
  const event = row.events.get(key);
  if (event) return event.firstSetAt <= until ? { outcome: { tag: "value", value: event.value } } : null;
  return endedBy(row, until) ? { outcome: { tag: "workflow_ended", value: row.status } } : null;
}

function observeResult(
  { store, row: observer }: CommitScope,
  { workflowId, started }: { workflowId: string; started: boolean },
  until: number,
): Found | null {
  const row = store.rows.get(workflowId);
  if (!row) return missing(started);
  if (!endedBy(row, until)) return null;
  // The parent has the result now, so a purge may remove the child.
  return {
    outcome: resultOf(row),
    take: () => {
      if (row.parent === observer) row.parent = null;
    },
  };
}

/**
 * The outcome of a wait for a workflow that does not exist. If this workflow started it, it is gone
 * for good. Any other may still come.
 */
function missing(started: boolean): Found | null {
  return started ? { outcome: { tag: "workflow_not_found" } } : null;
}

function endedBy(row: WorkflowRow, until: number): boolean {
  return !isActive(row.status) && row.endedAt !== null && row.endedAt <= until;
}

function resultOf(row: WorkflowRow): Outcome {
  if (row.status === "SUCCESS") return { tag: "value", value: row.output };
  if (row.status === "CANCELLED") return { tag: "cancelled" };
  return { tag: "error", value: row.error };
}

function expired(store: MemoryStore, operation: Wait, entry: Entry): Found | null {
  if (entry.deadline === null || entry.deadline > store.now()) return null;
  return { outcome: { tag: operation.type === "sleep" ? "done" : "timeout" } };
}

function remaining(store: MemoryStore, entry: Entry): number | null {
  return entry.deadline === null ? null : Math.max(0, entry.deadline - store.now());
}
