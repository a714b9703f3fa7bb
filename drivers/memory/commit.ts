/**
 * The one write of a run.
 *
 * @module
 */

import type { CommitRequest, CommitResult, Transition } from "../../core/driver.ts";
import { DriverError } from "../../core/errors.ts";
import { apply, type CommitScope, signalsOf } from "./operations.ts";
import type { MemoryStore, WorkflowRow } from "./store.ts";

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
  validate(request);
  const scope: CommitScope = { store, row, repeated, woken: new Set() };
  const results = request.operations.map((operation) => apply(scope, operation));
  const state = repeated ? (answersReleased ? "released" : "held") : settle(scope, request, results.some((result) => "outcome" in result));
  return { state, results, woken: [...scope.woken], now: store.now() };
}

/** Makes the transition, or renews the lease. */
function settle(scope: CommitScope, request: CommitRequest, hasOutcome: boolean): "held" | "released" {
  const { store, row } = scope;
  const now = store.now();
  row.lastCommit = request.number;
  row.updatedAt = now;
  const transition = request.transition?.to === "suspend" && hasOutcome ? null : request.transition;
  row.released = transition !== null;
  if (transition === null) store.schedule(row, now + request.leaseMs);
  else {
    store.release(row);
    makeTransition(scope, request, transition);
  }
  return transition === null ? "held" : "released";
}

function makeTransition({ store, row, woken }: CommitScope, request: CommitRequest, transition: Transition): void {
  switch (transition.to) {
    case "suspend":
      return suspend(store, row, request);
    case "yield":
      return store.makeDue(row);
    case "end":
      return store.end(row, transition, woken);
  }
}

function suspend(store: MemoryStore, row: WorkflowRow, request: CommitRequest): void {
  const signals = new Set<string>();
  let until: number | null = null;
  for (const operation of request.operations) {
    const deadline = operation.position === null ? null : row.entries.get(operation.position)?.deadline ?? null;
    if (deadline !== null && (until === null || deadline < until)) until = deadline;
    for (const signal of signalsOf(row, operation)) signals.add(signal);
  }
  row.suspended = { until };
  store.schedule(row, until);
  store.register(row, [...signals]);
}

/** Refuses what would fail in the middle: a commit is written as a whole or not at all. */
function validate(request: CommitRequest): void {
  for (const { position, type } of request.operations) {
    if (position === null && type !== "send" && type !== "setEvent" && type !== "writeStream") {
      throw new DriverError(`Committing ${type}: it must have a position`, { retryable: false });
    }
  }
}
