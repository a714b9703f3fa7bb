/**
 * What the memory driver stores: one row for each workflow, with all that is its own.
 *
 * @module
 */

import type { NewWorkflow, Outcome, WorkflowStatus } from "../../core/driver/driver.ts";

/** One position of a journal. It is open while `outcome` is `null`. */
export interface Entry {
  readonly position: number;
  readonly label: string;
  /** The deadline as an instant; `null`: none, or never open. */
  deadline: number | null;
  /** How many tries of the step have failed; 0 for any other wait. */
  attempts: number;
  seq: number;
  outcome: Outcome | null;
}

/** A message that was not received yet. */
export interface StoredMessage {
  /** Its place in the inbox, over all topics. */
  readonly number: number;
  readonly value: string;
  readonly sentAt: number;
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

/** The latest value of one key of one workflow. */
export interface EventRow {
  readonly version: number;
  readonly value: string;
  readonly firstSetAt: number;
}

/** A workflow with all that is its own. */
export interface WorkflowRow {
  readonly workflowId: string;
  readonly name: string;
  readonly input: string;
  readonly createdAt: number;
  /** The workflow that started it, until that has recorded its result. */
  parent: WorkflowRow | null;
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
  /** The length of its lease. */
  leaseMs: number;
  dueAt: number | null;
  /** Whether it became due at once, at the instant `dueAt`: it is due whatever the clock says later. */
  dueAtOnce: boolean;
  recoveryAttempts: number;
  /** The highest commit number at this epoch, and whether that commit released the lease. */
  lastCommit: number;
  released: boolean;
  /** The index of the first wait that the last commit deferred; `Infinity`: it deferred none. */
  deferredFrom: number;
  /** Its open entries' earliest deadline; from its suspension until the next claim. */
  suspended: { until: number | null } | null;
  /** The error for which it is parked, and how often it was. */
  problem: string | null;
  parks: number;
  /** What it is registered for in the waiters of the store. */
  signals: readonly string[];
  /** Those of the signals that make it due only together: of workflows that have not ended yet. */
  readonly together: Set<string>;
  readonly entries: Map<number, Entry>;
  /** The complete entries in recorded order: the one with `seq` n is at n - 1. */
  readonly completed: Entry[];
  readonly inbox: Inbox;
  readonly events: Map<string, EventRow>;
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

/** A row that is neither due nor leased. */
export function newRow(
  workflow: NewWorkflow,
  start: { status: WorkflowStatus; owner: string | null; now: number },
): WorkflowRow {
  return {
    workflowId: workflow.workflowId,
    name: workflow.name,
    input: workflow.input,
    createdAt: start.now,
    parent: null,
    status: start.status,
    output: null,
    error: null,
    updatedAt: start.now,
    endedAt: null,
    epoch: 0,
    owner: start.owner,
    held: false,
    leaseMs: 0,
    dueAt: null,
    dueAtOnce: false,
    recoveryAttempts: 0,
    lastCommit: 0,
    released: false,
    deferredFrom: Infinity,
    suspended: null,
    problem: null,
    parks: 0,
    signals: [],
    together: new Set(),
    entries: new Map(),
    completed: [],
    inbox: { lastNumber: 0, queues: new Map(), sent: new Map() },
    events: new Map(),
    streams: new Map(),
  };
}
