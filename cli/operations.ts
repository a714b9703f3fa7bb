/**
 * Names operations of a journal.
 *
 * @module
 */

import type { HistoryEntry } from "../core/inspection.ts";

/** Names an operation as Parley's own messages do, such as `step "charge"`. */
export function operationOf({ kind, name = [], destinationId }: HistoryEntry): string {
  const names = [name].flat().map((it) => JSON.stringify(it)).join(", ");
  const to = destinationId === undefined ? "" : `to ${JSON.stringify(destinationId)}`;
  return [kind, names, to].filter((it) => it !== "").join(" ");
}
