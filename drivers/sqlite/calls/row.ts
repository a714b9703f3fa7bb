/**
 * The rows of workflows, and how they are read and written.
 *
 * @module
 */

import type { WorkflowStatus } from "../../../core/driver/driver.ts";
import type { Database, Param } from "../database.ts";

/** A row of `parley_workflows`, as a call changes it. `schema.ts` explains the columns. */
export interface WorkflowRow {
  readonly workflowId: string;
  readonly name: string;
  parent: string | null;
  status: WorkflowStatus;
  phase: "ready" | "waiting" | "running" | "ended";
  epoch: number;
  owner: string | null;
  claimed: number;
  lastCommit: number;
  released: number;
  deferredFrom: number | null;
  lastSeq: number;
  lastNumber: number;
  unread: number;
  readonly createdAt: number;
  updatedAt: number;
  endedAt: number | null;
  leaseMs: number | null;
  leaseUntil: number | null;
  dueAt: number | null;
  suspended: number;
  suspendedUntil: number | null;
  recoveryAttempts: number;
  generation: number;
  rewinds: number;
  parks: number;
  failedPosition: number | null;
  problem: string | null;
}

/** The long texts of a row. A call reads them only if it needs them. */
export interface WorkflowTexts {
  input: string;
  output: string | null;
  error: string | null;
}

type Members = WorkflowRow & Partial<WorkflowTexts>;

/** The columns by their members. */
const COLUMNS: Readonly<Record<keyof WorkflowRow | keyof WorkflowTexts, string>> = {
  workflowId: "id",
  name: "name",
  parent: "parent",
  status: "status",
  phase: "phase",
  epoch: "epoch",
  owner: "owner",
  claimed: "claimed",
  lastCommit: "last_commit",
  released: "released",
  deferredFrom: "deferred_from",
  lastSeq: "last_seq",
  lastNumber: "last_number",
  unread: "unread",
  createdAt: "created_at",
  updatedAt: "updated_at",
  endedAt: "ended_at",
  leaseMs: "lease_ms",
  leaseUntil: "lease_until",
  dueAt: "due_at",
  suspended: "suspended",
  suspendedUntil: "suspended_until",
  recoveryAttempts: "recovery_attempts",
  generation: "generation",
  rewinds: "rewinds",
  parks: "parks",
  failedPosition: "failed_position",
  problem: "problem",
  input: "input",
  output: "output",
  error: "error",
};

const MEMBERS = Object.keys(COLUMNS) as (keyof Members)[];
const TEXTS: readonly string[] = ["input", "output", "error"];

/** The columns of a row without its long texts, for a `select`. */
export const ROW = MEMBERS.filter((member) => !TEXTS.includes(member)).map((it) => `${COLUMNS[it]} as ${it}`).join();

const SELECT = `select ${ROW} from parley_workflows where id = ?`;
const INSERT = `insert into parley_workflows (${Object.values(COLUMNS).join()}) values (${
  MEMBERS.map(() => "?").join()
})`;

/** A row with what the store has of it. `stored` is `null` until a new row is written. */
export interface LoadedRow {
  readonly row: Members;
  stored: Members | null;
}

/** Reads a row; `null` if there is none. */
export function loadRow(database: Database, workflowId: string): LoadedRow | null {
  const [row] = database.all<WorkflowRow>(SELECT, workflowId);
  return row ? { row, stored: { ...row } } : null;
}

/** Writes a new row, or what has changed in a row. An index is written only if one of its columns has changed. */
export function saveRow(database: Database, loaded: LoadedRow): void {
  const { row, stored } = loaded;
  if (stored === null) {
    database.run(INSERT, ...MEMBERS.map((member): Param => row[member] ?? null));
    loaded.stored = { ...row };
    return;
  }
  const changed = MEMBERS.filter((member) => row[member] !== stored[member]);
  if (changed.length === 0) return;
  const sets = changed.map((member) => `${COLUMNS[member]} = ?`).join();
  const values = changed.map((member): Param => row[member] ?? null);
  database.run(`update parley_workflows set ${sets} where id = ?`, ...values, row.workflowId);
  loaded.stored = { ...row };
}
