/**
 * The store of the memory driver: its rows, when each is due, what wakes it, and who gets a hint.
 *
 * @module
 */

import type { Clock } from "../../core/time/clock.ts";
import type { NewWorkflow, WorkflowStatus } from "../../core/driver/driver.ts";
import { statusTargets } from "../../core/time/subscriptions.ts";
import { DeferredHints } from "../deferred_hints.ts";
import { resultSignal } from "../signals.ts";
import { newRow, type WorkflowRow } from "./rows.ts";

/** Setting a deadline that is nearer than this gives a hint. */
const NEAR_MS = 10_000;

/** A store that several drivers of one process may share, as several isolates share a database. */
export class MemoryStore {
  readonly rows: Map<string, WorkflowRow> = new Map();
  /**
   * All rows with a `dueAt`. A claim does not look at rows that are suspended without a deadline or
   * have ended.
   */
  readonly scheduled: Set<WorkflowRow> = new Set();
  /** The rows that are leased, by their owner. */
  readonly leased: Map<string, Set<WorkflowRow>> = new Map();
  readonly waiters: Map<string, Set<WorkflowRow>> = new Map();
  readonly hints: DeferredHints = new DeferredHints();
  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The store's time. */
  now(): number {
    return this.#clock.now();
  }

  /** Adds a row that is neither due nor leased yet. */
  insert(workflow: NewWorkflow, status: WorkflowStatus, owner: string | null): WorkflowRow {
    const now = this.now();
    const row = newRow(workflow, { status, owner, now });
    this.rows.set(row.workflowId, row);
    this.hints.changed(...statusTargets(row.workflowId));
    return row;
  }

  /** Leases a row to an owner, at its next epoch. */
  lease(row: WorkflowRow, owner: string, leaseMs: number): void {
    this.release(row);
    row.epoch += 1;
    row.owner = owner;
    row.held = true;
    if (row.status !== "PENDING") this.hints.changed(...statusTargets(row.workflowId));
    row.status = "PENDING";
    row.lastCommit = 0;
    row.suspended = null;
    this.unregister(row);
    row.updatedAt = this.now();
    this.renew(row, leaseMs);
    const leased = this.leased.get(owner);
    if (leased) leased.add(row);
    else this.leased.set(owner, new Set([row]));
  }

  /** Ends the lease, if there is one. */
  release(row: WorkflowRow): void {
    row.held = false;
    if (row.owner === null) return;
    const leased = this.leased.get(row.owner);
    leased?.delete(row);
    if (leased?.size === 0) this.leased.delete(row.owner);
  }

  /** Renews the lease. It ends `leaseMs` milliseconds from now. */
  renew(row: WorkflowRow, leaseMs: number): void {
    row.leaseMs = leaseMs;
    this.schedule(row, this.now() + leaseMs);
  }

  schedule(row: WorkflowRow, dueAt: number | null): void {
    row.dueAt = dueAt;
    row.dueAtOnce = false;
    if (dueAt === null) this.scheduled.delete(row);
    else this.scheduled.add(row);
  }

  /** Schedules a row that nobody holds. */
  wait(row: WorkflowRow, dueAt: number | null): void {
    this.schedule(row, dueAt);
    if (dueAt !== null && dueAt - this.now() < NEAR_MS) this.hints.changed("due");
  }

  /** @param since When it became due; now, without it. */
  makeDue(row: WorkflowRow, since: number = this.now()): void {
    this.schedule(row, since);
    row.dueAtOnce = true;
    this.hints.changed("due");
  }

  /**
   * Makes a row due at an instant, even if the instant has passed, because the clock may go back.
   */
  hasten(row: WorkflowRow): void {
    this.makeDue(row, Math.min(row.dueAt ?? Infinity, this.now()));
  }

  /** Whether a claim may take the row by its current due time. */
  isDue(row: WorkflowRow): boolean {
    return row.dueAt !== null && row.dueAt <= this.now();
  }

  /**
   * Corrects the due time of a leased row, or of one that was due at once. The time is too far
   * ahead after the clock went back.
   */
  correct(row: WorkflowRow): void {
    if (row.dueAt === null) return;
    const latest = row.held ? this.now() + row.leaseMs : row.dueAtOnce ? this.now() : Infinity;
    if (row.dueAt > latest) row.dueAt = latest;
  }

  /**
   * Registers a suspended row for the signals that wake it. Each signal in `alone` wakes it by
   * itself, the others only together.
   */
  register(row: WorkflowRow, signals: readonly string[], alone: ReadonlySet<string>): void {
    row.signals = signals;
    for (const signal of signals) {
      if (!alone.has(signal)) row.together.add(signal);
      const waiters = this.waiters.get(signal);
      if (waiters) waiters.add(row);
      else this.waiters.set(signal, new Set([row]));
    }
  }

  unregister(row: WorkflowRow): void {
    for (const signal of row.signals) {
      const waiters = this.waiters.get(signal);
      waiters?.delete(row);
      if (waiters?.size === 0) this.waiters.delete(signal);
    }
    row.signals = [];
    row.together.clear();
  }

  /**
   * Makes the rows that are suspended for this signal due, and adds them to `woken`. After a
   * `success`, a row that also waits for others together keeps waiting.
   */
  signal(signal: string, woken: Set<string>, success: boolean = false): void {
    const waiters = this.waiters.get(signal);
    if (!waiters) return;
    for (const row of [...waiters]) {
      if (success && row.together.delete(signal) && row.together.size > 0) continue;
      this.unregister(row);
      this.hasten(row);
      woken.add(row.workflowId);
    }
  }

  /** Notes that the workflow has come further in its journal. */
  progressed(row: WorkflowRow): void {
    row.recoveryAttempts = 0;
    this.unpark(row);
  }

  /** Forgets why the workflow was parked, and how often. */
  unpark(row: WorkflowRow): void {
    row.problem = null;
    row.parks = 0;
  }

  /** Ends a workflow, whoever holds it. */
  end(
    row: WorkflowRow,
    ending: { status: WorkflowStatus; output: string | null; error: string | null; failedPosition?: number },
    woken: Set<string>,
  ): void {
    this.release(row);
    this.unregister(row);
    this.schedule(row, null);
    row.status = ending.status;
    row.output = ending.output;
    row.error = ending.error;
    row.failedPosition = ending.failedPosition ?? null;
    row.suspended = null;
    this.unpark(row);
    row.endedAt = row.updatedAt = this.now();
    this.signal(resultSignal(row.workflowId), woken, row.status === "SUCCESS");
    this.hints.changed(...statusTargets(row.workflowId));
  }
}
