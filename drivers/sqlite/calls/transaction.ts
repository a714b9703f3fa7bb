/**
 * What the parts of one call share: the rows that it has read, the store's time, and who gets a hint.
 *
 * @module
 */

import type { NewWorkflow, WatchTarget, WorkflowStatus } from "../../../core/driver/driver.ts";
import { statusTargets } from "../../../core/time/subscriptions.ts";
import { resultSignal } from "../../signals.ts";
import type { Database } from "../database.ts";
import { type LoadedRow, loadRow, newRow, saveRow, type WorkflowRow, type WorkflowTexts } from "./row.ts";

/** Setting a deadline that is nearer than this gives a hint. */
const NEAR_MS = 10_000;

/** The last instant of a JavaScript date. */
const MAX_INSTANT = 8_640_000_000_000_000;

/** A row, and its long texts if the call sets or has read them. */
export type ChangedRow = WorkflowRow & Partial<WorkflowTexts>;

/** One call of the driver, in one transaction of the database. */
export class Transaction {
  readonly database: Database;
  /** The store's time, in epoch milliseconds. */
  readonly now: number;
  /** What to hint at, once the transaction is committed. */
  readonly changed: Set<WatchTarget> = new Set();
  /** Whether a row was scheduled for a time that has passed. */
  isOverdue = false;
  readonly #rows = new Map<string, LoadedRow | null>();
  readonly #isWatched: boolean;

  /** @param isWatched Whether anybody may watch. If not, the call notes no hints, which saves 3 % of its time. */
  constructor(database: Database, now: number, isWatched: boolean = true) {
    this.database = database;
    this.now = now;
    this.#isWatched = isWatched;
  }

  /** Returns a row. Within one call it is always the same object. */
  find(workflowId: string): ChangedRow | null {
    let loaded = this.#rows.get(workflowId);
    if (loaded === undefined) this.#rows.set(workflowId, loaded = loadRow(this.database, workflowId));
    return loaded?.row ?? null;
  }

  /** Returns a row if this call has read or inserted it; `undefined` if it has not. */
  loaded(workflowId: string): ChangedRow | null | undefined {
    const loaded = this.#rows.get(workflowId);
    return loaded ? loaded.row : loaded;
  }

  /** Writes the rows that were changed. */
  save(): void {
    for (const loaded of this.#rows.values()) if (loaded) saveRow(this.database, loaded);
  }

  /** Notes that something changed for the targets. */
  hint(...targets: WatchTarget[]): void {
    if (!this.#isWatched) return;
    for (const target of targets) this.changed.add(target);
  }

  /** The instant that is so many milliseconds from now. */
  after(ms: number): number {
    return Math.min(this.now + Math.ceil(ms), MAX_INSTANT);
  }

  /** Adds a row that is neither due nor leased yet. `save` writes it. */
  insert(
    { workflowId, name, input }: NewWorkflow,
    start: Pick<WorkflowRow, "status" | "owner" | "parent">,
  ): ChangedRow {
    const row = newRow({ workflowId, name, input, ...start, createdAt: this.now });
    this.#rows.set(workflowId, { row, read: null, stored: null });
    this.hint(...statusTargets(workflowId));
    return row;
  }

  /** Removes a row. What belongs to the workflow is removed by the caller. */
  remove(workflowId: string): void {
    this.database.run("delete from parley_workflows where id = ?", workflowId);
    this.#rows.set(workflowId, null);
    this.hint(...statusTargets(workflowId));
  }

  /** Leases a row to an owner, at its next epoch. */
  lease(row: WorkflowRow, { owner, leaseMs, fresh }: { owner: string; leaseMs: number; fresh: boolean }): void {
    this.unregister(row);
    row.phase = "waiting";
    row.epoch += 1;
    row.owner = owner;
    row.fresh = fresh ? 1 : 0;
    if (row.status !== "PENDING") this.hint(...statusTargets(row.workflowId));
    row.status = "PENDING";
    row.lastCommit = 0;
    row.suspended = 0;
    row.suspendedUntil = null;
    row.updatedAt = this.now;
    this.renew(row, leaseMs);
  }

  /** Renews the lease. It ends `leaseMs` milliseconds from now. */
  renew(row: WorkflowRow, leaseMs: number): void {
    const isNew = row.phase !== "running" || row.leaseMs !== leaseMs || row.dueAt === null;
    row.phase = "running";
    row.leaseMs = Math.ceil(leaseMs);
    row.leaseUntil = this.after(leaseMs);
    const left = (row.dueAt ?? 0) - this.now;
    if (isNew || left > leaseMs || left < leaseMs * 2 / 3) row.dueAt = row.leaseUntil;
  }

  /** Schedules a row that nobody holds. */
  wait(row: WorkflowRow, dueAt: number | null): void {
    row.phase = "waiting";
    row.fresh = 0;
    row.dueAt = dueAt;
    if (dueAt === null) return;
    if (dueAt - this.now < NEAR_MS) this.hint("due");
    if (dueAt <= this.now) this.isOverdue = true;
  }

  /** Makes a row due, whatever the clock shows later. */
  makeDue(row: WorkflowRow, since: number = this.now): void {
    row.phase = "ready";
    row.fresh = 0;
    row.dueAt = since;
    this.hint("due");
  }

  /** Makes a row due at an instant, even if the instant has passed, because the clock may go back. */
  hasten(row: WorkflowRow): void {
    this.makeDue(row, Math.min(row.dueAt ?? Infinity, this.now));
  }

  /** Whether a claim may take the row now. */
  isDue({ phase, dueAt, leaseUntil }: WorkflowRow): boolean {
    if (phase === "ready") return true;
    const at = phase === "running" ? leaseUntil : phase === "waiting" ? dueAt : null;
    return at !== null && at <= this.now;
  }

  /** Ends a lease no later than its length from now. It is too far ahead after the clock went back. */
  correct(row: WorkflowRow): void {
    if (row.phase !== "running" || row.leaseUntil === null || row.leaseMs === null) return;
    const latest = this.after(row.leaseMs);
    if (row.leaseUntil > latest) row.leaseUntil = row.dueAt = latest;
  }

  /**
   * Registers a suspended row for the signals that wake it. Each signal in `alone` wakes it by
   * itself, the others only together.
   */
  register({ workflowId }: WorkflowRow, signals: Iterable<string>, alone: ReadonlySet<string>): void {
    for (const signal of signals) {
      const together = alone.has(signal) ? 0 : 1;
      this.database.run(
        "insert or replace into parley_waiters (signal, waiter_id, together) values (?, ?, ?)",
        signal,
        workflowId,
        together,
      );
    }
  }

  /** Forgets what a row waits for. */
  unregister({ workflowId, suspended }: WorkflowRow): void {
    if (suspended === 1) this.database.run("delete from parley_waiters where waiter_id = ?", workflowId);
  }

  /**
   * Makes the rows that are suspended for this signal due, and adds them to `woken`. After a
   * `success`, a row that also waits for others together keeps waiting.
   */
  signal(signal: string, woken: Set<string>, success: boolean = false): void {
    const waiters = this.database.all<{ id: string; together: number }>(
      "select waiter_id as id, together from parley_waiters where signal = ?",
      signal,
    );
    for (const { id, together } of waiters) {
      if (success && together === 1 && this.#waitsForMore(signal, id)) continue;
      const row = this.find(id);
      if (!row) continue;
      this.unregister(row);
      this.hasten(row);
      woken.add(id);
    }
  }

  /** Notes that one of the signals that a row needs together has come. Returns whether it needs more. */
  #waitsForMore(signal: string, waiterId: string): boolean {
    this.database.run("update parley_waiters set together = 0 where signal = ? and waiter_id = ?", signal, waiterId);
    const left = "select 1 from parley_waiters where waiter_id = ? and together = 1 limit 1";
    return this.database.all(left, waiterId).length > 0;
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
    row: ChangedRow,
    ending: { status: WorkflowStatus; output: string | null; error: string | null; failedPosition?: number },
    woken: Set<string>,
  ): void {
    this.unregister(row);
    row.phase = "ended";
    row.fresh = 0;
    row.dueAt = null;
    row.status = ending.status;
    row.output = ending.output;
    row.error = ending.error;
    row.failedPosition = ending.failedPosition ?? null;
    row.suspended = 0;
    row.suspendedUntil = null;
    this.unpark(row);
    row.endedAt = row.updatedAt = this.now;
    this.signal(resultSignal(row.workflowId), woken, row.status === "SUCCESS");
    this.hint(...statusTargets(row.workflowId));
  }
}
