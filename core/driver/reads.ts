/**
 * The requests and answers of the driver's methods that only read: lists, events and streams. Types
 * only. See `driver.ts` for the terms.
 *
 * @module
 */

import type { Outcome } from "./outcome.ts";
import type { WorkflowRecord, WorkflowStatus } from "./records.ts";

/**
 * A query of `Driver.listWorkflows`.
 *
 * @category Reads and control
 */
export interface ListQuery {
  /** The statuses to list. `null` lists any status. */
  statuses: readonly WorkflowStatus[] | null;
  /** The workflow name to list. `null` lists any name. */
  name: string | null;
  /** Whether to list only workflows with a `problem`. */
  problem: boolean;
  /** Whether to list only workflows that are due, as a claim would find them now. Default `false`. */
  due?: boolean;
  /** The first characters of the IDs to list. Default `""`, which lists any ID. */
  idPrefix?: string;
  /** List only workflows that were created after this instant, in epoch milliseconds. */
  createdAfter?: number;
  /** List only workflows that were created before this instant, in epoch milliseconds. */
  createdBefore?: number;
  /**
   * Whether to read inputs, outputs and errors.
   *
   * - `false`: inputs and outputs are `null`, and so is an error of more than 4,096 characters.
   * - `true`: a page may end before `limit`, to keep the answer within a few MiB. It has at least
   *   one workflow if any is left.
   */
  values: boolean;
  /** The largest number of workflows on the page. */
  limit: number;
  /** The `cursor` of the previous page. `null` reads the first page. */
  cursor: string | null;
}

/**
 * The answer of `Driver.listWorkflows`.
 *
 * @category Reads and control
 */
export interface ListPage {
  /** The workflows, the newest first. */
  workflows: ListedWorkflow[];
  /** The cursor for the next page. `null` on the last page. */
  cursor: string | null;
}

/**
 * A workflow in a list. It has its input and output only if the query asked for values.
 *
 * @category Reads and control
 */
export interface ListedWorkflow extends Omit<WorkflowRecord, "input"> {
  /** The input, encoded. `null` if the query did not ask for values. */
  input: string | null;
}

/**
 * The answer of `Driver.readWorkflow`.
 *
 * @category Reads and control
 */
export interface WorkflowSnapshot extends WorkflowRecord {
  /** The store's time, in epoch milliseconds. A driver may leave it out if the request does not ask for it. */
  now?: number;
}

/**
 * The answer of `Driver.readEvent`.
 *
 * @category Reads and control
 */
export interface EventSnapshot {
  /** The latest value, encoded, and its version, from 1. `null` if the event is not set. */
  event: { version: number; value: string } | null;
  /** The status of the workflow. `null` if it does not exist. */
  status: WorkflowStatus | null;
  /** The store's time, in epoch milliseconds. A driver may leave it out if the request does not ask for it. */
  now?: number;
}

/**
 * The answer of `Driver.readStream`.
 *
 * @category Reads and control
 */
export interface StreamSnapshot {
  /** The values, encoded. */
  values: string[];
  /** The offset that the next write gets. */
  tail: number;
  /** Whether a `closeStream` has closed the stream. The end of the workflow does not set this. */
  closed: boolean;
  /** The status of the workflow. `null` if it does not exist. */
  status: WorkflowStatus | null;
}

/**
 * A request for a part of one workflow's data. `after` continues after an earlier page; `null` reads
 * the first one.
 *
 * @category Reads and control
 */
export interface PartQuery<Place> {
  /** The workflow's ID. */
  workflowId: string;
  /** The place of the last item of the previous page. */
  after: Place | null;
  /** The largest number of items on the page. */
  limit: number;
}

/**
 * A page of one workflow's data, from one snapshot. It ends at `limit` items, or at about 1 MiB of
 * values. It has at least one item if any is left.
 *
 * @category Reads and control
 */
export interface PartPage<Item> {
  /** The status of the workflow. `null` if it does not exist. */
  status: WorkflowStatus | null;
  /** The items, in order. */
  items: Item[];
  /** Whether later items are left. */
  more: boolean;
}

/**
 * An entry of a journal, complete or open, with its times.
 *
 * @category Reads and control
 */
export interface HistoryRecord {
  /** The operation's position, from 0. The place of the entry. */
  position: number;
  /** The operation's label, as in `step "charge"`. */
  label: string;
  /** The operation's outcome. `null` while the entry is open. */
  outcome: Outcome | null;
  /** When the operation began, in epoch milliseconds. */
  startedAt: number;
  /** When its outcome was recorded, in epoch milliseconds. `null` while the entry is open. */
  endedAt: number | null;
  /** The number of tries of a step: all of them once it is complete, the failed ones before. Otherwise 0. */
  attempts: number;
  /** The deadline of an open or timed-out wait, in epoch milliseconds. `null` if there is none. */
  deadline: number | null;
}

/**
 * A query of `Driver.listMessages`.
 *
 * @category Reads and control
 */
export interface MessageQuery extends PartQuery<number> {
  /** Which messages to list. */
  state: "unread" | "received" | "all";
  /** The topic to list. `null` lists any topic. */
  topic: string | null;
}

/**
 * A message of a workflow.
 *
 * @category Reads and control
 */
export interface MessageRecord {
  /** Its number in the inbox, over all topics, from 1. The place of the message. */
  number: number;
  /** Its ID. */
  messageId: string;
  /** Its topic. */
  topic: string;
  /** The key by which a repeat is recognised. */
  dedupeKey: string;
  /** The message, encoded. */
  value: string;
  /** When it was sent, in epoch milliseconds. */
  sentAt: number;
  /** The position that received it, and when, in epoch milliseconds. `null` while it is unread. */
  received: { position: number; at: number } | null;
}

/**
 * An event of a workflow. Its place is its key.
 *
 * @category Reads and control
 */
export interface EventRecord {
  /** The event's key. */
  key: string;
  /** The number of writes so far. */
  version: number;
  /** The latest value, encoded. */
  value: string;
  /** When it was last set, in epoch milliseconds. */
  updatedAt: number;
}

/**
 * A stream of a workflow. Its place is its key.
 *
 * @category Reads and control
 */
export interface StreamRecord {
  /** The stream's key. */
  key: string;
  /** The number of its values. */
  length: number;
  /** Whether a `closeStream` has closed it. */
  closed: boolean;
  /** When it was last written or closed, in epoch milliseconds. */
  updatedAt: number;
}
