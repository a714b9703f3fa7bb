/**
 * Light commits: those that append to the journal and leave the row of the workflow as it is. Most
 * commits are light, and take about a third of the time of the others.
 *
 * A light commit needs the state of the run, which the row does not have after a light commit. So
 * each driver remembers it. A call that reads the row takes the rest from the last entry of the
 * journal, in `row.ts`.
 *
 * @module
 */

import type {
  CommitRequest,
  CommitResult,
  Effect,
  Operation,
  OperationResult,
  Outcome,
} from "../../../core/driver/driver.ts";
import { isWait } from "../../../core/driver/operations.ts";
import type { Param } from "../database.ts";
import { head } from "./inbox.ts";
import { perform } from "./operations.ts";
import type { EffectScope } from "./scope.ts";
import type { Transaction } from "./transaction.ts";

/** How many runs a driver remembers. The first commit of a run that it has forgotten is not light. */
const MAX_RUNS = 10_000;

/** A run as its last commit left it, if nobody else has written since. */
export interface RunState {
  readonly workflow: number;
  readonly epoch: number;
  readonly owner: string;
  readonly lastCommit: number;
  readonly lastSeq: number;
  readonly topPosition: number;
}

/** The runs that hold their workflows, as far as this driver knows. */
export class KnownRuns {
  readonly #runs = new Map<string, RunState>();

  /** Returns the state before a commit, if the commit may be light. */
  find(request: CommitRequest): RunState | undefined {
    const run = this.#runs.get(request.workflowId);
    if (run?.epoch !== request.epoch || run.owner !== request.owner) return undefined;
    return request.number === run.lastCommit + 1 && mayBeLight(request, run) ? run : undefined;
  }

  /** Remembers the run that a call has left with the workflow, if it has. */
  note(tx: Transaction, workflowId: string): void {
    const row = tx.loaded(workflowId);
    if (row?.phase === "running" && row.owner !== null) {
      this.set(workflowId, { ...row, workflow: row.number, owner: row.owner });
    } else this.#runs.delete(workflowId);
  }

  /** Remembers a run. */
  set(workflowId: string, { workflow, epoch, owner, lastCommit, lastSeq, topPosition }: RunState): void {
    if (this.#runs.size >= MAX_RUNS && !this.#runs.has(workflowId)) {
      for (const oldest of this.#runs.keys()) {
        this.#runs.delete(oldest);
        break;
      }
    }
    this.#runs.set(workflowId, { workflow, epoch, owner, lastCommit, lastSeq, topPosition });
  }
}

/** Whether the operations only append. A `receive` is alone, because an answer must not become too large. */
function mayBeLight({ operations, transition }: CommitRequest, { topPosition }: RunState): boolean {
  if (transition !== null || operations.length === 0) return false;
  let last = topPosition;
  for (const operation of operations) {
    const { position } = operation;
    if (position === null || position <= last) return false;
    if (
      isWait(operation) && !(operation.type === "receive" && operations.length === 1 && operation.topics.length === 1)
    ) return false;
    last = position;
  }
  return true;
}

/** Whether a light commit is one statement, so that it needs no `begin`. */
export function isOneStatement({ operations }: CommitRequest): boolean {
  const [{ type }] = operations as [Operation];
  return operations.length === 1 && (type === "record" || type === "receive");
}

/**
 * Whether the run holds its workflow, and the lease needs no renewal. It names the ID too, because a later
 * workflow may have the number of one that was deleted. The lease ends a full length after
 * the last entry, as `LEASE_END` has it, and `due_at` follows when less than two thirds are left.
 */
const FENCE =
  `w.number = ? and w.id = ? and w.epoch = ? and w.owner = ? and w.phase = 'running' and w.status = 'PENDING' and w.last_commit < ?
  and w.lease_ms = ? and w.due_at >= ? and w.due_at <= ?
  and w.recovery_attempts = 0 and w.parks = 0 and w.problem is null`;

const INSERT = `insert into parley_journal
  (workflow, position, seq, commit_number, started_at, ended_at, attempts, label, tag, topic, message_key, value)`;
const IF_NEW = "on conflict do nothing";

/** Appends an entry, if the fence lets it. */
const APPEND =
  `${INSERT} select w.number, ?, ?, ?, ?, ?, ?, ?, ?, ?, null, ? from parley_workflows as w where ${FENCE} ${IF_NEW}`;

/** Appends an entry after the first one of a commit. */
const APPEND_MORE = `${INSERT} values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, null, ?) ${IF_NEW}`;

/** Appends the oldest message of a topic, if there is one and the fence lets it. It has values, as `DELIVER` has. */
const RECEIVE = `insert into parley_received
  (workflow, position, seq, commit_number, started_at, ended_at, label, topic, number, value)
  values ((select w.number from parley_workflows as w where ${FENCE}), ?, ?, ?, ?, ?, ?, ?, (${head("number")}), (${
  head("value")
}))
  returning value`;

/** Says that a commit is not light after all. It is one object, because no stack is needed. */
export const NOT_LIGHT: Error = new Error("The commit is not light");

/**
 * Makes a light commit.
 *
 * @returns The answer, and the state after it.
 * @throws {typeof NOT_LIGHT} If the commit is not light. What it has written must be undone.
 */
export function lightCommit(
  tx: Transaction,
  request: CommitRequest,
  run: RunState,
): { result: CommitResult; run: RunState } {
  const scope: EffectScope = { tx, workflowId: request.workflowId, workflow: run.workflow, woken: new Set() };
  let { lastSeq, topPosition } = run;
  const results = request.operations.map((operation, index): OperationResult => {
    const seq = lastSeq += 1;
    topPosition = operation.position ?? topPosition;
    if (operation.type === "receive") return { outcome: receive(scope, request, operation, seq) };
    const outcome = perform(scope, operation as Effect);
    append(scope, request, operation, { index, seq, outcome });
    return { outcome };
  });
  return {
    result: { state: "held", results, woken: [...scope.woken], now: tx.now },
    run: { ...run, lastCommit: request.number, lastSeq, topPosition },
  };
}

function append(
  { tx: { database, now }, workflow }: EffectScope,
  request: CommitRequest,
  operation: Operation,
  { index, seq, outcome }: { index: number; seq: number; outcome: Outcome },
): void {
  const entry = [
    operation.position,
    seq,
    request.number,
    now - (operation.ageMs ?? 0),
    now,
    operation.type === "record" ? operation.attempts ?? 0 : 0,
    operation.label,
    outcome.tag,
    outcome.topic ?? null,
    outcome.value ?? null,
  ];
  const written = index === 0
    ? database.change(APPEND, ...entry, ...fence(request, workflow, now))
    : database.change(APPEND_MORE, workflow, ...entry);
  if (!written) throw NOT_LIGHT;
}

function receive(
  { tx: { database, now }, workflow }: EffectScope,
  request: CommitRequest,
  { position, label, ageMs = 0, topics: [topic = ""] }: Extract<Operation, { type: "receive" }>,
  seq: number,
): Outcome {
  const [message] = database.all<{ value: string }>(
    RECEIVE,
    ...fence(request, workflow, now),
    position,
    seq,
    request.number,
    now - ageMs,
    now,
    label,
    topic,
    ...[workflow, topic, workflow, topic],
  );
  if (!message) throw NOT_LIGHT;
  return { tag: "message", value: message.value, topic };
}

/** The parameters of the fence. */
function fence({ workflowId, epoch, owner, number, leaseMs }: CommitRequest, workflow: number, now: number): Param[] {
  const length = Math.ceil(leaseMs);
  return [workflow, workflowId, epoch, owner, number, length, now + leaseMs * 2 / 3, now + length];
}
