/**
 * The rows of workflows, and how they are read and written.
 *
 * @module
 */

import type { WorkflowStatus } from "../../../core/driver/driver.ts";
import type { Database, Param } from "../database.ts";

/** A row of `parley_workflows`, as a call changes it. `schema.ts` explains the columns. */
export interface WorkflowRow {
  /** 0 until the row is written. */
  number: number;
  readonly workflowId: string;
  readonly name: string;
  parent: string | null;
  status: WorkflowStatus;
  phase: "ready" | "waiting" | "running" | "ended";
  epoch: number;
  owner: string | null;
  fresh: number;
  lastCommit: number;
  released: number;
  deferredFrom: number | null;
  lastSeq: number;
  topPosition: number;
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

/** A row that is not written yet, and is neither due nor leased. */
export function newRow(
  { workflowId, name, input, parent, status, owner, createdAt }: Pick<
    WorkflowRow & WorkflowTexts,
    "workflowId" | "name" | "input" | "parent" | "status" | "owner" | "createdAt"
  >,
): WorkflowRow & WorkflowTexts {
  return {
    number: 0,
    workflowId,
    name,
    input,
    parent,
    status,
    owner,
    createdAt,
    phase: "waiting",
    epoch: 0,
    fresh: 0,
    lastCommit: 0,
    released: 0,
    deferredFrom: null,
    lastSeq: 0,
    topPosition: -1,
    updatedAt: createdAt,
    endedAt: null,
    leaseMs: null,
    leaseUntil: null,
    dueAt: null,
    suspended: 0,
    suspendedUntil: null,
    recoveryAttempts: 0,
    generation: 0,
    rewinds: 0,
    parks: 0,
    failedPosition: null,
    problem: null,
    output: null,
    error: null,
  };
}

const MEMBERS = Object.keys(
  newRow({ workflowId: "", name: "", input: "", parent: null, status: "PENDING", owner: null, createdAt: 0 }),
) as (keyof Members)[];
const TEXTS: readonly string[] = ["input", "output", "error"];

/** The column of a member. */
function toColumn(member: keyof Members): string {
  return member === "workflowId" ? "id" : member.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

/** Reads a row without its long texts. */
const SELECT = `select ${
  MEMBERS.filter((member) => !TEXTS.includes(member)).map((it) => `${toColumn(it)} as ${it}`).join()
} from parley_workflows where id = ?`;
const INSERTED = MEMBERS.filter((member) => member !== "number");
const INSERT = `insert into parley_workflows (${INSERTED.map(toColumn).join()}) values (${
  INSERTED.map(() => "?").join()
})`;

/** A row that its start has leased. The other columns have their defaults. */
const INSERT_LEASED = `insert into parley_workflows
  (id, name, status, phase, epoch, owner, fresh, created_at, updated_at, lease_ms, lease_until, due_at, input)
  values (?, ?, 'PENDING', 'running', 1, ?, 1, ?, ?, ?, ?, ?, ?) on conflict (id) do nothing`;

/**
 * The last entry that a light commit has appended since the row was written. The casts keep SQLite 3.54
 * from preparing the statement again at each call, as in `inbox.ts`.
 */
const TAIL = `select position, seq, commit_number as number, ended_at as endedAt from parley_journal
  where workflow = cast(? as integer) and position > cast(? as integer) order by position desc limit 1`;

/**
 * A row. `read` is the row as it was read, and `stored` what the table has of it. They differ after
 * light commits. Both are `null` until a new row is written.
 */
export interface LoadedRow {
  readonly row: Members;
  read: Members | null;
  stored: Members | null;
}

/** Writes a new row that its start has leased. Returns whether its ID is new. */
export function insertLeased(database: Database, row: Members): boolean {
  const { workflowId, name, owner, createdAt, updatedAt, leaseMs, leaseUntil, dueAt, input = "" } = row;
  const params = [workflowId, name, owner, createdAt, updatedAt, leaseMs, leaseUntil, dueAt, input];
  const number = database.insert(INSERT_LEASED, ...params);
  row.number = number ?? 0;
  return number !== null;
}

/** What a call needs that reads or writes the parts of a workflow, and not its row. */
export type WorkflowState = Readonly<Pick<WorkflowRow, "number" | "status" | "suspended">>;

/** Reads only the state of a workflow. */
export function stateOf({ all }: Database, workflowId: string): WorkflowState | undefined {
  return all<WorkflowState>("select number, status, suspended from parley_workflows where id = ?", workflowId)[0];
}

/** Reads a row; `null` if there is none. */
export function loadRow(database: Database, workflowId: string): LoadedRow | null {
  const [stored] = database.all<WorkflowRow>(SELECT, workflowId);
  if (!stored) return null;
  const read = stored.phase === "running" ? withTail(database, stored) : stored;
  return { row: { ...read }, read, stored };
}

/** A row with what light commits have changed. */
function withTail(database: Database, stored: WorkflowRow): WorkflowRow {
  const [tail] = database.all<{ position: number; seq: number; number: number; endedAt: number }>(
    TAIL,
    stored.number,
    stored.topPosition,
  );
  if (!tail) return stored;
  return {
    ...stored,
    topPosition: tail.position,
    lastSeq: tail.seq,
    lastCommit: tail.number,
    released: 0,
    deferredFrom: null,
    updatedAt: tail.endedAt,
    leaseUntil: tail.endedAt + (stored.leaseMs ?? 0),
  };
}

/** Writes a new row, or what has changed in a row. An index is written only if one of its columns has changed. */
export function saveRow(database: Database, loaded: LoadedRow): void {
  const { row, read, stored } = loaded;
  if (read === null || stored === null) {
    row.number = database.insert(INSERT, ...INSERTED.map((member): Param => row[member] ?? null)) ?? 0;
  } else {
    if (MEMBERS.every((member) => row[member] === read[member])) return;
    const changed = MEMBERS.filter((member) => row[member] !== stored[member]);
    const sets = changed.map((member) => `${toColumn(member)} = ?`).join();
    const values = changed.map((member): Param => row[member] ?? null);
    database.run(`update parley_workflows set ${sets} where id = ?`, ...values, row.workflowId);
  }
  loaded.read = loaded.stored = { ...row };
}
