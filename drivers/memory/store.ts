/**
 * The rows of the memory driver, and what keeps them in step: when each is due, what would wake it, and who is told.
 *
 * @module
 */

import type { Clock } from "../../core/clock.ts";
import type { NewWorkflow, Outcome, WorkflowStatus } from "../../core/driver.ts";
import { Hints } from "./hints.ts";

/** One position of a journal. It is open while `outcome` is `null`. */
export interface Entry {
  readonly position: number;
  readonly label: string;
  /** The deadline as an instant; `null`: none, or never open. */
  readonly deadline: number | null;
  seq: number;
  outcome: Outcome | null;
}

/** A message that was not received yet. */
export interface StoredMessage {
  /** Its place in the inbox, over all topics. */
  readonly number: number;
  readonly value: string;
}

/** What became of a dedupe key; kept after the message was received. */
export interface SentKey {
  readonly messageId: string;
  readonly topic: string;
}

/** The messages of one workflow. */
export interface Inbox {
  lastNumber: number;
  readonly queues: Map<string, Queue<StoredMessage>>;
  readonly sent: Map<string, SentKey>;
}

/** One stream of one workflow. */
export interface Stream {
  readonly values: string[];
  closed: boolean;
}

/** A workflow with all that is its own. */
export interface WorkflowRow {
  readonly workflowId: string;
  readonly name: string;
  readonly input: string;
  readonly createdAt: number;
  status: WorkflowStatus;
  output: string | null;
  error: string | null;
  updatedAt: number;
  endedAt: number | null;
  epoch: number;
  /** The token of the last `create` or `claim`. It outlives the lease, so that a late repeat of `create` is known. */
  owner: string | null;
  /** Whether a run holds it. `dueAt` is then the end of the lease. */
  held: boolean;
  dueAt: number | null;
  recoveryAttempts: number;
  /** The highest commit number at this epoch, and whether that commit released the lease. */
  lastCommit: number;
  released: boolean;
  /** Its open entries' earliest deadline; from its suspension until the next claim. */
  suspended: { until: number | null } | null;
  /** What it is registered for in {@linkcode MemoryStore.waiters}. */
  signals: readonly string[];
  readonly entries: Map<number, Entry>;
  /** The complete entries in recorded order: the one with `seq` n is at n - 1. */
  readonly completed: Entry[];
  readonly inbox: Inbox;
  readonly events: Map<string, { version: number; value: string }>;
  readonly streams: Map<string, Stream>;
}

/** First in, first out, without moving the rest on each take. */
export class Queue<T> {
  #items: T[] = [];
  #head = 0;

  push(item: T): void {
    this.#items.push(item);
  }

  peek(): T | undefined {
    return this.#items[this.#head];
  }

  shift(): T | undefined {
    const item = this.#items[this.#head];
    if (item === undefined) return undefined;
    this.#head += 1;
    if (this.#head > 64 && this.#head * 2 > this.#items.length) {
      this.#items = this.#items.slice(this.#head);
      this.#head = 0;
    }
    return item;
  }
}

// Signals are what a suspended workflow waits for. As JSON they cannot collide, whatever the IDs and keys contain.

/** A message under this topic came in. */
export function messageSignal(workflowId: string, topic: string): string {
  return JSON.stringify(["message", workflowId, topic]);
}

/** The event was set. */
export function eventSignal(workflowId: string, key: string): string {
  return JSON.stringify(["event", workflowId, key]);
}

/** The workflow ended. */
export function resultSignal(workflowId: string): string {
  return JSON.stringify(["result", workflowId]);
}

/** What several drivers of one process may share, as several isolates share a database. */
export class MemoryStore {
  readonly rows: Map<string, WorkflowRow> = new Map();
  /** All rows with a `dueAt`. Those that are suspended without a deadline, or have ended, cost a claim nothing. */
  readonly scheduled: Set<WorkflowRow> = new Set();
  /** The rows that are leased, by their owner. */
  readonly leased: Map<string, Set<WorkflowRow>> = new Map();
  readonly waiters: Map<string, Set<WorkflowRow>> = new Map();
  readonly hints: Hints = new Hints();
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
    this.hints.changed(`outbox:${row.workflowId}`);
    return row;
  }

  /** Leases a row to an owner, at its next epoch. */
  lease(row: WorkflowRow, owner: string, leaseMs: number): void {
    this.release(row);
    row.epoch += 1;
    row.owner = owner;
    row.held = true;
    if (row.status !== "PENDING") this.hints.changed(`outbox:${row.workflowId}`);
    row.status = "PENDING";
    row.lastCommit = 0;
    row.suspended = null;
    this.unregister(row);
    row.updatedAt = this.now();
    this.schedule(row, row.updatedAt + leaseMs);
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

  schedule(row: WorkflowRow, dueAt: number | null): void {
    row.dueAt = dueAt;
    if (dueAt === null) this.scheduled.delete(row);
    else this.scheduled.add(row);
  }

  makeDue(row: WorkflowRow): void {
    this.schedule(row, this.now());
    this.hints.changed("due");
  }

  /** Registers a suspended row for what would wake it. */
  register(row: WorkflowRow, signals: readonly string[]): void {
    row.signals = signals;
    for (const signal of signals) {
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
  }

  /** Makes due what is suspended for this signal, and adds it to `woken`. */
  signal(signal: string, woken: Set<string>): void {
    const waiters = this.waiters.get(signal);
    if (!waiters) return;
    for (const row of [...waiters]) {
      this.unregister(row);
      if (row.dueAt !== null && row.dueAt <= this.now()) continue;
      this.makeDue(row);
      woken.add(row.workflowId);
    }
  }

  /** Ends a workflow, whoever holds it. */
  end(row: WorkflowRow, ending: { status: WorkflowStatus; output: string | null; error: string | null }, woken: Set<string>): void {
    this.release(row);
    this.unregister(row);
    this.schedule(row, null);
    row.status = ending.status;
    row.output = ending.output;
    row.error = ending.error;
    row.suspended = null;
    row.endedAt = row.updatedAt = this.now();
    this.signal(resultSignal(row.workflowId), woken);
    this.hints.changed(`outbox:${row.workflowId}`);
  }
}

function newRow(workflow: NewWorkflow, start: { status: WorkflowStatus; owner: string | null; now: number }): WorkflowRow {
  return {
    workflowId: workflow.workflowId,
    name: workflow.name,
    input: workflow.input,
    createdAt: start.now,
    status: start.status,
    output: null,
    error: null,
    updatedAt: start.now,
    endedAt: null,
    epoch: 0,
    owner: start.owner,
    held: false,
    dueAt: null,
    recoveryAttempts: 0,
    lastCommit: 0,
    released: false,
    suspended: null,
    signals: [],
    entries: new Map(),
    completed: [],
    inbox: { lastNumber: 0, queues: new Map(), sent: new Map() },
    events: new Map(),
    streams: new Map(),
  };
}
