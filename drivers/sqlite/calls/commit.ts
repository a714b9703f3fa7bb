/**
 * Commits: every write of a run is one.
 *
 * @module
 */

import type { CommitRequest, CommitResult, OperationResult, Transition } from "../../../core/driver/driver.ts";
import { isWait } from "../../../core/driver/operations.ts";
import { AnswerSize } from "../../answer_size.ts";
import { checkPositions, mayRelease } from "../../commit_rules.ts";
import { signalsOf } from "../../signals.ts";
import { apply } from "./operations.ts";
import type { CommitScope } from "./scope.ts";
import type { ChangedRow, Transaction } from "./transaction.ts";

/** `Driver.commit`. */
export function commit(tx: Transaction, request: CommitRequest): CommitResult {
  const row = tx.find(request.workflowId);
  if (!row || row.epoch !== request.epoch || row.owner !== request.owner) return { state: "lost" };
  const repeated = request.number <= row.lastCommit;
  const answersReleased = repeated && row.released === 1 && request.number === row.lastCommit;
  if (!answersReleased) {
    if (row.status === "CANCELLED") return { state: "cancelled" };
    if (row.phase !== "running") return { state: "lost" };
  }
  if (request.number > row.lastCommit + 1) return { state: "lost" };
  checkPositions(request);
  const { workflowId, number: workflow } = row;
  const scope: CommitScope = { tx, row, workflowId, workflow, woken: new Set(), repeated, entries: new Map() };
  const { results, deferredFrom } = applyAll(scope, request);
  let state: "held" | "released" = answersReleased ? "released" : "held";
  if (!repeated) {
    state = settle(scope, request, mayRelease(request, results) ? request.transition : null);
    row.deferredFrom = deferredFrom < Infinity ? deferredFrom : null;
  }
  return { state, results, woken: [...scope.woken], now: tx.now };
}

/** Applies the operations in their order. After the first deferred wait, all later waits are deferred too. */
function applyAll(scope: CommitScope, request: CommitRequest): { results: OperationResult[]; deferredFrom: number } {
  const { row, repeated } = scope;
  const answer = new AnswerSize();
  // Only the run that commits reads an answer, and it has one commit under way. So only the last
  // commit can be repeated.
  let deferredFrom = repeated && request.number === row.lastCommit ? row.deferredFrom ?? Infinity : Infinity;
  const results = request.operations.map((operation, index): OperationResult => {
    if (index >= deferredFrom && isWait(operation)) return { deferred: true };
    const result = apply(scope, operation, answer);
    if ("deferred" in result) deferredFrom = Math.min(deferredFrom, index);
    if ("outcome" in result) answer.add(result.outcome);
    return result;
  });
  return { results, deferredFrom };
}

/** Makes the transition, or renews the lease. */
function settle(scope: CommitScope, request: CommitRequest, transition: Transition | null): "held" | "released" {
  const { tx, row } = scope;
  row.lastCommit = request.number;
  row.updatedAt = tx.now;
  row.released = transition === null ? 0 : 1;
  if (transition === null) tx.renew(row, request.leaseMs);
  else makeTransition(scope, request, transition);
  return transition === null ? "held" : "released";
}

function makeTransition(scope: CommitScope, request: CommitRequest, transition: Transition): void {
  const { tx, row, woken } = scope;
  if (transition.to === "park") return park(tx, row, transition);
  tx.unpark(row);
  switch (transition.to) {
    case "suspend":
      return suspend(scope, request);
    case "yield":
      return tx.makeDue(row);
    case "end":
      return tx.end(row, transition, woken);
    case "continueAsNew":
      return continueAsNew(tx, row, transition.input);
  }
}

function continueAsNew(tx: Transaction, row: ChangedRow, input: string): void {
  row.input = input;
  row.generation += 1;
  row.recoveryAttempts = 0;
  row.topPosition = -1;
  tx.database.run("delete from parley_journal where workflow = ?", row.number);
  tx.makeDue(row);
}

/** A parked workflow is not registered as a waiter, so that no arrival makes it due sooner. */
function park(tx: Transaction, row: ChangedRow, { problem, delayMs }: { problem: string; delayMs: number }): void {
  row.problem = problem;
  row.parks += 1;
  tx.wait(row, tx.after(delayMs));
}

function suspend({ tx, row, entries }: CommitScope, request: CommitRequest): void {
  const signals = new Set<string>();
  const alone = new Set<string>();
  let until: number | null = null;
  for (const operation of request.operations) {
    const entry = operation.position === null ? undefined : entries.get(operation.position);
    const deadline = entry?.deadline ?? null;
    if (deadline !== null && (until === null || deadline < until)) until = deadline;
    const isTogether = operation.type === "observeResult" && operation.together;
    for (const signal of signalsOf(row.workflowId, operation)) {
      signals.add(signal);
      if (!isTogether) alone.add(signal);
    }
  }
  row.suspended = 1;
  row.suspendedUntil = until;
  tx.wait(row, until);
  tx.register(row, signals, alone);
}
