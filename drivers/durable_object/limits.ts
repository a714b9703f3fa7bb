/**
 * How much one request and one row of an object may carry.
 *
 * @module
 */

/**
 * The largest size of the values of one request, in bytes. The platform refuses a row of 2.2 MB. A row
 * has one value, but for that of a workflow, whose input and output may have so much together.
 */
export const MAX_VALUES_BYTES = 2_000_000;

/** What is too large, in the error for a row of a workflow that has more. */
export const WORKFLOW_VALUES = "input and output of the workflow together";

/** The bytes of a value, as SQLite counts them. */
export function bytesOf(text: string): number {
  return new TextEncoder().encode(text).length;
}
