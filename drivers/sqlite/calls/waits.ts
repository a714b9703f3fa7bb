/**
 * Operations that may have to wait.
 *
 * @module
 */

import type { Operation, OperationResult, Outcome, Wait } from "../../../core/driver/driver.ts";
import { isActive } from "../../../core/driver/statuses.ts";
import type { AnswerSize } from "../../answer_size.ts";
import { oldestMessage, takeMessage } from "./inbox.ts";
import { completeEntry, type Entry, newEntry, openEntry, outcomeOf } from "./journal.ts";
import type { CommitScope } from "./scope.ts";
import type { ChangedRow, Transaction } from "./transaction.ts";

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

/** Looks for an outcome. Opens the entry if there is none, and defers if the answer has no room for it. */
export function wait(scope: CommitScope, call: WaitCall): OperationResult {
  const { tx, row, entries } = scope;
  const recorded = call.entry && outcomeOf(call.entry);
  if (recorded) return call.answer.isFullFor(recorded) ? { deferred: true } : { outcome: recorded };
  // The first time, the commit did not open the entry, so the wait was deferred.
  if (scope.repeated) return call.entry ? { remainingMs: remaining(tx, call.entry) } : { deferred: true };
  if (call.operation.type === "pause") return pause(scope, call, call.operation);

  const entry = call.entry ?? toEntry(scope, call);
  const found = look(scope, call.operation, latest(tx, call.entry)) ?? expired(tx, call.operation, entry);
  if (found) {
    if (call.answer.isFullFor(found.outcome)) return { deferred: true };
    found.take?.(entry);
    completeEntry(tx, row, entry, found.outcome);
    entries.set(entry.position, entry);
    return { outcome: found.outcome };
  }
  if (!call.entry) open(scope, entry);
  return { remainingMs: remaining(tx, entry) };
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
    entry.deadline = scope.tx.after(timeoutMs);
    open(scope, entry);
  }
  return { remainingMs: remaining(scope.tx, entry) };
}

function toEntry({ tx }: CommitScope, { position, label, operation }: WaitCall): Entry {
  const { timeoutMs } = operation;
  const until = "until" in operation ? operation.until ?? null : null;
  const deadline = timeoutMs === null ? until : tx.after(timeoutMs);
  return newEntry(tx, operation, { position, label, deadline });
}

function open({ tx, row, entries }: CommitScope, entry: Entry): void {
  openEntry(tx, row, entry);
  entries.set(entry.position, entry);
}

/**
 * The latest instant of an arrival that counts. It is the deadline, once that has passed. The first
 * call takes whatever is there.
 */
function latest({ now }: Transaction, entry: Entry | undefined): number {
  const deadline = entry?.deadline ?? null;
  return deadline !== null && deadline <= now ? deadline : Infinity;
}

/** The arrival for a wait, if it came no later than `until`. */
function look(scope: CommitScope, operation: Wait, until: number): Found | null {
  switch (operation.type) {
    case "receive":
      return lookForMessage(scope, operation.topics, until);
    case "observeEvent":
      return observeEvent(scope.tx, operation, until);
    case "observeResult":
      return observeResult(scope, operation, until);
    case "sleep":
    case "pause":
      return null;
  }
}

function lookForMessage({ tx, row }: CommitScope, topics: readonly string[], until: number): Found | null {
  const message = oldestMessage(tx, row.number, topics, until);
  if (message === null) return null;
  const take = (entry: Entry) => {
    takeMessage(tx, row.number, message);
    entry.messageKey = message.dedupeKey;
  };
  return { outcome: { tag: "message", value: message.value, topic: message.topic }, take };
}

function observeEvent(
  tx: Transaction,
  { workflowId, key, started }: { workflowId: string; key: string; started: boolean },
  until: number,
): Found | null {
  const row = tx.find(workflowId);
  if (!row) return missing(started);
  const [event] = tx.database.all<{ value: string; firstSetAt: number }>(
    "select value, first_set_at as firstSetAt from parley_events where workflow = ? and key = ?",
    row.number,
    key,
  );
  if (event) return event.firstSetAt <= until ? { outcome: { tag: "value", value: event.value } } : null;
  return endedBy(row, until) ? { outcome: { tag: "workflow_ended", value: row.status } } : null;
}

function observeResult(
  { tx, row: observer }: CommitScope,
  { workflowId, started }: { workflowId: string; started: boolean },
  until: number,
): Found | null {
  const row = tx.find(workflowId);
  if (!row) return missing(started);
  if (!endedBy(row, until)) return null;
  // The parent has the result now, so a purge may remove the child.
  const take = () => {
    if (row.parent === observer.workflowId) row.parent = null;
  };
  return { outcome: resultOf(tx, row), take };
}

/**
 * The outcome of a wait for a workflow that does not exist. If this workflow started it, it is gone
 * for good. Any other may still come.
 */
function missing(started: boolean): Found | null {
  return started ? { outcome: { tag: "workflow_not_found" } } : null;
}

function endedBy({ status, endedAt }: ChangedRow, until: number): boolean {
  return !isActive(status) && endedAt !== null && endedAt <= until;
}

function resultOf({ database }: Transaction, { workflowId, status }: ChangedRow): Outcome {
  if (status === "CANCELLED") return { tag: "cancelled" };
  const sql = "select output, error from parley_workflows where id = ?";
  const [texts] = database.all<{ output: string | null; error: string | null }>(sql, workflowId);
  if (status === "SUCCESS") return { tag: "value", value: texts?.output ?? null };
  return { tag: "error", value: texts?.error ?? null };
}

function expired({ now }: Transaction, operation: Wait, entry: Entry): Found | null {
  if (entry.deadline === null || entry.deadline > now) return null;
  return { outcome: { tag: operation.type === "sleep" ? "done" : "timeout" } };
}

function remaining({ now }: Transaction, { deadline }: Entry): number | null {
  return deadline === null ? null : Math.max(0, deadline - now);
}
