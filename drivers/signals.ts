/**
 * Signals: what a suspended workflow waits for. Each is a JSON text, so signals never collide,
 * whatever the IDs and keys contain.
 *
 * @module
 */

import type { Operation } from "../core/driver/driver.ts";

/** The signal of a message under this topic. */
export function messageSignal(workflowId: string, topic: string): string {
  return JSON.stringify(["message", workflowId, topic]);
}

/** The signal of an event that was set. */
export function eventSignal(workflowId: string, key: string): string {
  return JSON.stringify(["event", workflowId, key]);
}

/** The signal of a workflow that ended. */
export function resultSignal(workflowId: string): string {
  return JSON.stringify(["result", workflowId]);
}

/**
 * The signals that make a workflow due while it is suspended for this wait. Empty if only the
 * deadline makes it due.
 */
export function signalsOf(workflowId: string, operation: Operation): string[] {
  switch (operation.type) {
    case "receive":
      return operation.topics.map((topic) => messageSignal(workflowId, topic));
    case "observeEvent":
      return [eventSignal(operation.workflowId, operation.key), resultSignal(operation.workflowId)];
    case "observeResult":
      return [resultSignal(operation.workflowId)];
    default:
      return [];
  }
}
