/**
 * The cursor of a list: the place of the last row of a page, as JSON.
 *
 * @module
 */

import { ValidationError } from "../errors.ts";
import { checkName } from "./checks.ts";

/** The latest instant at which a workflow can have been created: 14 digits of milliseconds. */
export const MAX_CREATED_AT = 99_999_999_999_999;

/**
 * Reads a cursor.
 *
 * @returns When the row was created, and its workflow ID; `null` without a cursor.
 * @throws {ValidationError} If no page gave the cursor.
 */
export function parseListCursor(cursor: string | null): [createdAt: number, workflowId: string] | null {
  if (cursor === null) return null;
  try {
    const [createdAt, workflowId] = JSON.parse(cursor);
    // Without this check, a store would fail on an ID that it cannot hold.
    checkName(workflowId, "workflow ID");
    const isInstant = Number.isSafeInteger(createdAt) && createdAt >= 0 && createdAt <= MAX_CREATED_AT;
    if (isInstant) return [createdAt, workflowId];
  } catch {
    // Invalid JSON and an invalid ID get the same error as an invalid instant.
  }
  throw new ValidationError("Listing workflows: the cursor must be one that an earlier page gave");
}
