/**
 * The rows of the memory driver: one for each workflow, with all its data.
 *
 * @module
 */

import type { NewMessage, NewWorkflow, Outcome, WorkflowStatus } from "../../core/driver/driver.ts";

/** One position of a journal. It is open while `outcome` is `null`. */
export interface Entry {
  readonly position: number;
  readonly label: string;
  /** The deadline as an instant. `null` if there is none, or if the entry was never open. */
  deadline: number | null;
  /** How many tries a step had, or how many have failed while it is open; 0 for any other entry. */
  attempts: number;
  seq: number;
  outcome: Outcome | null;
  readonly startedAt: number;
  endedAt: number | null;
  /** The message that it has received. */
  message: StoredMessage | null;
}

/** A message. */
export interface StoredMessage extends Pick<NewMessage, "topic" | "messageId" | "dedupeKey" | "value"> {
  /** Its place in the inbox, over all topics. */
  readonly number: number;
  readonly sentAt: number;
  /** The position that received it, and when. `null` while it is unread. */
  received: { readonly position: number; readonly at: number } | null;
}

/** The message of a dedupe key, kept after it was received. */
export interface SentKey {
  readonly messageId: string;
  readonly topic: string;
}

/** The messages of one workflow. */
export interface Inbox {
  lastNumber: number;
  /** The messages of this generation in their order. Those of earlier generations are unread. */
  messages: StoredMessage[];
  /** The unread messages of each topic. */
  readonly queues: Map<string, Queue<StoredMessage>>;
  readonly sent: Map<string, SentKey>;
}

/** One stream of one workflow. */
export interface Stream {
  readonly values: string[];
  closed: boolean;
  updatedAt: number;
}

/** The latest value of one key of one workflow. */
export interface EventRow {
  readonly version: number;
  readonly value: string;
  readonly firstSetAt: number;
  readonly updatedAt: number;
}

/** A workflow with all its data. */
export interface WorkflowRow {
  readonly workflowId: string;
  readonly name: string;
  input: string;
  readonly createdAt: number;
  /** The workflow that started it, until the parent has recorded its result. */
  parent: WorkflowRow | null;
  status: WorkflowStatus;
  output: string | null;
  error: string | null;
  /** The position of the operation whose recorded error ended it. */
  failedPosition: number | null;
  updatedAt: number;
  endedAt: number | null;
  epoch: number;
  /**
   * The token of the last `create` or `claim`. It outlives the lease, so that a late repeat of
   * `create` is known.
   */
  owner: string | null;
  /** Whether a run holds it. `dueAt` is then the end of the lease. */
  held: boolean;
  /** The length of its lease. */
  leaseMs: number;
  dueAt: number | null;
  /**
   * Whether it became due at once, at the instant `dueAt`. If so, it stays due, whatever the clock
   * shows later.
   */
  dueAtOnce: boolean;
  recoveryAttempts: number;
  generation: number;
  rewinds: number;
  /** The highest commit number at this epoch, and whether that commit released the lease. */
  lastCommit: number;
  released: boolean;
  /** The index of the first wait that the last commit deferred; `Infinity` if it deferred none. */
  deferredFrom: number;
  /** The earliest deadline of its open entries, set from its suspension to the next claim. */
  suspended: { until: number | null } | null;
  /** The error for which it is parked, and how often it was parked. */
  problem: string | null;
  parks: number;
  /** The signals for which it is registered in the waiters of the store. */
  signals: readonly string[];
  /** The signals that make it due only together, of workflows that have not ended yet. */
  readonly together: Set<string>;
  readonly entries: Map<number, Entry>;
  /** The complete entries in recorded order. */
  completed: Entry[];
  /** The highest `seq` that an entry had. */
  lastSeq: number;
  readonly inbox: Inbox;
  readonly events: Map<string, EventRow>;
  readonly streams: Map<string, Stream>;
}

/** A queue: first in, first out. Taking an item does not move the rest. */
export class Queue<T> {
  #items: T[] = [];
  #head = 0;

  push(item: T): void {
    this.#items.push(item);
  }

  get size(): number {
    return this.#items.length - this.#head;
  }

  /** Replaces all items. */
  fill(items: T[]): void {
    this.#items = items;
    this.#head = 0;
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
    failedPosition: null,
    updatedAt: start.now,
    endedAt: null,
    epoch: 0,
    owner: start.owner,
    held: false,
    leaseMs: 0,
    dueAt: null,
    dueAtOnce: false,
    recoveryAttempts: 0,
    generation: 0,
    rewinds: 0,
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
    lastSeq: 0,
    inbox: { lastNumber: 0, messages: [], queues: new Map(), sent: new Map() },
    events: new Map(),
    streams: new Map(),
  };
}
