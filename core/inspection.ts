/**
 * What a workflow has in the store, as `history`, `messages`, `events` and `streams` show it.
 *
 * @module
 */

import type { HistoryKind } from "./observer.ts";
import type { SerializedError } from "./values/serialized_error.ts";

/**
 * A page of {@linkcode Client.history}.
 *
 * @category From outside
 */
export interface HistoryPage {
  /** The operations, sorted by position. */
  entries: HistoryEntry[];
  /** The `after` of the next page. Absent on the last page. */
  next?: number;
}

/**
 * An operation of a workflow, as its journal has it.
 *
 * @category From outside
 */
export interface HistoryEntry {
  /** The operation's position, from 0. */
  position: number;
  /**
   * The kind of operation. `check` is the check of a received message by its topic's schema, at the
   * position after the operation that has received it.
   */
  kind: HistoryKind;
  /** The name of the step, the topic, the topics, the key, the child's workflow, or the patch. */
  name?: string | string[];
  /** The workflow that a `send` has as its destination. */
  destinationId?: string;
  /**
   * `waiting`: it has no outcome yet. `done`: it has a value. `failed`: it has rejected. `timeout`:
   * its time was up. `withdrawn`: the code no longer wanted it.
   */
  state: "waiting" | "done" | "failed" | "timeout" | "withdrawn";
  /** When it began, in epoch milliseconds by the store's clock. */
  startedAt: number;
  /** When its outcome was recorded, in epoch milliseconds by the store's clock. */
  endedAt?: number;
  /** The number of tries of a step: all of them, or the failed ones while it pauses. */
  attempts?: number;
  /** The deadline of a wait that is open or timed out, in epoch milliseconds by the store's clock. */
  deadline?: number;
  /** The value that the code got. For `send`, the ID of the message; for `start`, that of the child. */
  value?: unknown;
  /** The error that the code got. */
  error?: SerializedError;
  /** Whether the value or error is absent because it cannot be decoded here. */
  unreadable?: true;
}

/**
 * Options of {@linkcode Client.history}.
 *
 * @category From outside
 */
export interface HistoryOptions {
  /** Continues after this position. Default the first page. */
  after?: number;
  /** The largest number of entries, 1 to 1,000. Default 100. A page may have fewer. */
  limit?: number;
}

/**
 * A page of {@linkcode Client.messages}.
 *
 * @category From outside
 */
export interface MessagePage {
  /** The messages, in the order in which their sends took effect. */
  messages: MessageInfo[];
  /** The `after` of the next page. Absent on the last page. */
  next?: number;
}

/**
 * A message of a workflow.
 *
 * @category From outside
 */
export interface MessageInfo {
  /** The message's ID, as in its receipt. */
  messageId: string;
  /** The topic; `""` for a message without one. */
  topic: string;
  /** When it was sent, in epoch milliseconds by the store's clock. */
  sentAt: number;
  /** When the workflow received it, in epoch milliseconds by the store's clock. */
  receivedAt?: number;
  /** The position of the operation that received it. */
  position?: number;
  /** The message. Absent if it cannot be decoded here. */
  value?: unknown;
  /** The idempotency key of the sender. */
  idempotencyKey?: string;
  /** Whether the value is absent because it cannot be decoded here. */
  unreadable?: true;
}

/**
 * Options of {@linkcode Client.messages}.
 *
 * @category From outside
 */
export interface MessagesOptions {
  /** Which messages to list. Default `"unread"`. */
  state?: "unread" | "received" | "all";
  /** The topic to list; `""` for messages without one. Default all. */
  topic?: string;
  /** Continues after an earlier page, from its `next`. Default the first page. */
  after?: number;
  /** The largest number of messages, 1 to 1,000. Default 100. A page may have fewer. */
  limit?: number;
}

/**
 * An event of a workflow.
 *
 * @category From outside
 */
export interface EventInfo {
  /** The event's key. */
  key: string;
  /** The number of writes so far. */
  version: number;
  /** The latest value. Absent if it cannot be decoded here. */
  value?: unknown;
  /** When it was last set, in epoch milliseconds by the store's clock. */
  updatedAt: number;
  /** Whether the value is absent because it cannot be decoded here. */
  unreadable?: true;
}

/**
 * A stream of a workflow.
 *
 * @category From outside
 */
export interface StreamInfo {
  /** The stream's key. */
  key: string;
  /** The number of its values. */
  length: number;
  /** Whether the workflow has closed it, or has ended. */
  closed: boolean;
  /** When it was last written or closed, in epoch milliseconds by the store's clock. */
  updatedAt: number;
}
