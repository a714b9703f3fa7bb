/**
 * The requests and answers of the driver's methods that only read: lists, events and streams. Types
 * only. See `driver.ts` for the terms.
 *
 * @module
 */

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
 * The answer of `Driver.readEvent`.
 *
 * @category Reads and control
 */
export interface EventSnapshot {
  /** The latest value, encoded, and its version, from 1. `null` if the event is not set. */
  event: { version: number; value: string } | null;
  /** The status of the workflow. `null` if it does not exist. */
  status: WorkflowStatus | null;
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
