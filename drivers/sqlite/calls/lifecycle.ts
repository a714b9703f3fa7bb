/**
 * Calls from outside that create, cancel, resume and remove workflows.
 *
 * @module
 */

import type {
  ControlRequest,
  ControlResult,
  CreateRequest,
  CreateResult,
  DeleteResult,
} from "../../../core/driver/driver.ts";
import { isActive } from "../../../core/driver/statuses.ts";
import { statusTargets } from "../../../core/time/subscriptions.ts";
import { restoreMessages } from "./inbox.ts";
import { insertLeased } from "./row.ts";
import type { ChangedRow, Transaction } from "./transaction.ts";

/** The tables with what belongs to a workflow. */
const PARTS = ["journal", "inbox", "sent", "events", "streams", "stream_values"];

/** `Driver.create`. */
export function create(tx: Transaction, request: CreateRequest): CreateResult {
  const existing = tx.find(request.workflowId);
  if (existing) {
    const firstEpoch = request.leaseMs === null ? 0 : 1;
    return toResult(tx, existing, existing.owner === request.owner && existing.epoch === firstEpoch);
  }
  const { owner, leaseMs, due } = request;
  const row = tx.insert(request, { status: leaseMs === null ? "ENQUEUED" : "PENDING", owner, parent: null });
  if (leaseMs !== null) tx.lease(row, { owner, leaseMs, fresh: true });
  else if (due) tx.wait(row, "at" in due ? due.at : tx.after(due.inMs));
  else tx.makeDue(row);
  return toResult(tx, row, true);
}

/**
 * Creates a workflow with a lease by one statement, which needs no transaction around it. Returns
 * `null` if nothing was written, because the call needs more than that.
 */
export function createAlone(tx: Transaction, request: CreateRequest): CreateResult | null {
  const { leaseMs, owner } = request;
  if (leaseMs === null) return null;
  const row = tx.insert(request, { status: "PENDING", owner, parent: null });
  tx.lease(row, { owner, leaseMs, fresh: true });
  return insertLeased(tx.database, row) ? toResult(tx, row, true) : null;
}

/** `Driver.control`. */
export function control(tx: Transaction, request: ControlRequest): ControlResult {
  const row = tx.find(request.workflowId);
  if (!row) return { state: "not_found" };
  return request.action === "cancel" ? cancel(tx, row, request.children ?? false) : resume(tx, row, request.from);
}

/** `Driver.delete`. */
export function deleteWorkflow(tx: Transaction, { workflowId }: { workflowId: string }): DeleteResult {
  const row = tx.find(workflowId);
  if (!row) return { state: "not_found" };
  if (isActive(row.status)) return { state: "active", status: row.status };
  remove(tx, row);
  return { state: "done" };
}

/** `Driver.purge`. A child stays while its parent may still ask for its result. */
export function purge(tx: Transaction, request: { olderThanMs: number; limit: number }): { purged: number } {
  const purged = tx.database.all<{ number: number; workflowId: string }>(
    `select w.number, w.id as workflowId from parley_workflows as w
    where w.ended_at <= ? and not exists (
      select 1 from parley_workflows as p where p.id = w.parent and p.phase <> 'ended'
    )
    order by w.ended_at, w.number limit ?`,
    tx.now - request.olderThanMs,
    request.limit,
  );
  for (const row of purged) remove(tx, row);
  return { purged: purged.length };
}

/** An ended workflow waits for nothing, so no waiter has to go. */
function remove(tx: Transaction, { number, workflowId }: { number: number; workflowId: string }): void {
  for (const part of PARTS) tx.database.run(`delete from parley_${part} where workflow = ?`, number);
  // A later workflow with this ID is not their parent.
  tx.database.run("update parley_workflows set parent = null where parent = ?", workflowId);
  tx.remove(workflowId);
}

function cancel(tx: Transaction, row: ChangedRow, children: boolean): ControlResult {
  if (!isActive(row.status) && row.status !== "CANCELLED") return { state: "ended", status: row.status };
  const cancelled = [row, ...children ? descendants(tx, row) : []].filter(({ status }) => isActive(status));
  const woken = new Set<string>();
  for (const one of cancelled) {
    tx.end(one, { status: "CANCELLED", output: null, error: null }, woken);
    tx.hint(`inbox:${one.workflowId}`);
  }
  for (const { workflowId } of cancelled) woken.delete(workflowId);
  return { state: "done", woken: [...woken] };
}

/** The workflows that this one has started, those that they have started, and so on. */
function descendants(tx: Transaction, { workflowId }: ChangedRow): ChangedRow[] {
  const found = tx.database.all<{ id: string }>(
    `with recursive found (id) as (
      values (?)
      union
      select w.id from found join parley_workflows as w on w.parent = found.id
    )
    select id from found`,
    workflowId,
  );
  return found.filter(({ id }) => id !== workflowId).flatMap(({ id }) => tx.find(id) ?? []);
}

function resume(
  tx: Transaction,
  row: ChangedRow,
  from: { position: number; token: string } | undefined,
): ControlResult {
  if (isActive(row.status)) {
    if (from && row.owner !== from.token) return { state: "active", status: row.status };
    if (row.status === "PENDING") resumeActive(tx, row);
    const isDue = row.status === "PENDING" && tx.isDue(row);
    return { state: "done", woken: isDue ? [row.workflowId] : [] };
  }
  if (row.status === "SUCCESS") return { state: "ended", status: row.status };
  const position = from?.position ?? (row.status === "ERROR" ? row.failedPosition : null);
  if (position !== null) rewind(tx, row, position);
  row.status = "PENDING";
  row.output =
    row.error =
    row.endedAt =
    row.failedPosition =
      null;
  if (from) row.owner = from.token;
  row.epoch += 1;
  row.recoveryAttempts = 0;
  row.updatedAt = tx.now;
  tx.makeDue(row);
  tx.hint(`inbox:${row.workflowId}`, ...statusTargets(row.workflowId));
  return { state: "done", woken: [row.workflowId] };
}

/** Drops the entries of the journal from a position on. */
function rewind(tx: Transaction, row: ChangedRow, from: number): void {
  restoreMessages(tx, row, from);
  const sql = "delete from parley_journal where workflow = ? and position >= ? returning position";
  if (tx.database.all(sql, row.number, from).length > 0) row.rewinds += 1;
  row.topPosition = Math.min(row.topPosition, from - 1);
}

function resumeActive(tx: Transaction, row: ChangedRow): void {
  tx.correct(row);
  if (row.problem === null || row.phase === "running") return;
  row.parks = 0;
  tx.hasten(row);
}

function toResult({ now }: Transaction, { name, epoch, createdAt }: ChangedRow, created: boolean): CreateResult {
  return { created, name, epoch, createdAt, now };
}
