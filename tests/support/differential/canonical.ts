/**
 * Answers of drivers in one form, without the parts that the contract leaves open.
 *
 * @module
 */

import type { Claimed } from "../../../core/driver/driver.ts";

/** Members that may be absent, `null`, or in any order. */
const IN_ANY_ORDER = new Set(["woken", "unknown", "claimed"]);

/**
 * The part of an answer that every driver must give alike.
 *
 * @param answer The answer of a driver.
 * @param isRepeat For a repeat, the contract leaves open whom it woke, because a run may have
 * claimed the workflow since. It also leaves open whether a claim has left some.
 */
export function canonical(answer: unknown, isRepeat: boolean): unknown {
  return JSON.parse(
    JSON.stringify(answer, function (this: object, name, value) {
      // A claim by IDs that leaves all of them out need not ask the store for the time.
      if (name === "now" && "claimed" in this) return undefined;
      if (value === null || (isRepeat && (name === "woken" || name === "more"))) return undefined;
      // A claim or a list may or may not count the unread messages. A story asks for the number itself.
      if (name === "unread") return undefined;
      // A claim may or may not count the workflows that it has just leased.
      if (name === "nextDueMs") return undefined;
      return IN_ANY_ORDER.has(name) && Array.isArray(value) ? value.toSorted(byId) : value;
    }) ?? "null",
  );
}

/** Compares by the ID. The text of an object would depend on the order of its members. */
function byId(a: unknown, b: unknown): number {
  return idOf(a) < idOf(b) ? -1 : 1;
}

/** The ID of a claimed workflow. Every other item is a name or an ID itself. */
function idOf(item: unknown): string {
  return typeof item === "string" ? item : (item as Claimed).workflow.workflowId;
}
