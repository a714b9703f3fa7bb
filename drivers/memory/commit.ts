/**
 * Commits: every write of a run is one.
 *
 * @module
 */

import type { CommitRequest, CommitResult, OperationResult, Transition } from "../../core/driver/driver.ts";
import { isWait } from "../../core/driver/operations.ts";
import { AnswerSize } from "../answer_size.ts";
import { checkPositions, mayRelease } from "../commit_rules.ts";
import { signalsOf } from "../signals.ts";
import { apply } from "./operations.ts";
import type { WorkflowRow } from "./rows.ts";
import type { CommitScope } from "./scope.ts";
import type { MemoryStore } from "./store.ts";

/** `Driver.commit`. */
export function commit(store: MemoryStore, request: CommitRequest): CommitResult {
  const row = store.rows.get(request.workflowId);
  if (!row || row.epoch !== request.epoch || row.owner !== request.owner) return { state: "lost" };
  const repeated = request.number <= row.lastCommit;
  const answersReleased = repeated && row.released && request.number === row.lastCommit;
  if (!answersReleased) {
    if (row.status === "CANCELLED") return { state: "cancelled" };
    if (!row.held) return { state: "lost" };
  }
  if (request.number > row.lastCommit + 1) return { state: "lost" };
  checkPositions(request);
  const scope: CommitScope = { store, row, woken: new Set(), repeated };
  const { results, deferredFrom } = applyAll(scope, request);
  const state = repeated
    ? (answersReleased ? "released" : "held")
    : settle(scope, request, mayRelease(request, results));
  if (!repeated) row.deferredFrom = deferredFrom;
  return { state, results, woken: [...scope.woken], now: store.now() };
}

/**
 * Applies the operations in their order. After the first deferred wait, all later waits are
 * deferred too.
 */
function applyAll(scope: CommitScope, request: CommitRequest): { results: OperationResult[]; deferredFrom: number } {
  const answer = new AnswerSize();
  // Only the run that commits reads an answer, and it has one commit under way. So only the last
  // commit can be repeated.
  let deferredFrom = scope.repeated && request.number === scope.row.lastCommit ? scope.row.deferredFrom : Infinity;
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
function settle(scope: CommitScope, request: CommitRequest, released: boolean): "held" | "released" {
  const { store, row } = scope;
  row.lastCommit = request.number;
  row.updatedAt = store.now();
  const transition = released ? request.transition : null;
  row.released = transition !== null;
  if (transition === null) store.renew(row, request.leaseMs);
  else {
    store.release(row);
    makeTransition(scope, request, transition);
  }
  return transition === null ? "held" : "released";
}

function makeTransition({ store, row, woken }: CommitScope, request: CommitRequest, transition: Transition): void {
  if (transition.to === "park") return park(store, row, transition);
  store.unpark(row);
  switch (transition.to) {
    case "suspend":
      return suspend(store, row, request);
    case "yield":
      return store.makeDue(row);
    case "end":
      return store.end(row, transition, woken);
    case "continueAsNew":
      return continueAsNew(store, row, transition.input);
  }
}

function continueAsNew(store: MemoryStore, row: WorkflowRow, input: string): void {
  row.input = input;
  row.generation += 1;
  row.recoveryAttempts = 0;
  row.entries.clear();
  row.completed = [];
  row.inbox.messages = row.inbox.messages.filter(({ received }) => received === null);
  store.makeDue(row);
}

/** A parked workflow is not registered as a waiter, so that no arrival makes it due sooner. */
function park(store: MemoryStore, row: WorkflowRow, { problem, delayMs }: { problem: string; delayMs: number }): void {
  row.problem = problem;
  row.parks += 1;
  store.wait(row, store.now() + delayMs);
}

function suspend(store: MemoryStore, row: WorkflowRow, request: CommitRequest): void {
  const signals = new Set<string>();
  const alone = new Set<string>();
  let until: number | null = null;
  for (const operation of request.operations) {
    const deadline = operation.position === null ? null : row.entries.get(operation.position)?.deadline ?? null;
    if (deadline !== null && (until === null || deadline < until)) until = deadline;
    const isTogether = operation.type === "observeResult" && operation.together;
    for (const signal of signalsOf(row.workflowId, operation)) (signals.add(signal), isTogether || alone.add(signal));
  }
  row.suspended = { until };
  store.wait(row, until);
  store.register(row, [...signals], alone);
}
