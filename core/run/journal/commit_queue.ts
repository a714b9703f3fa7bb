/**
 * The operations of a run that wait for a commit, and how many of them one commit takes.
 *
 * @module
 */

import type { EffectOrWait, PendingOperation } from "./operation.ts";
import type { Driver, Transition } from "../../driver/driver.ts";

/**
 * The most operations and bytes in one commit. A larger commit would delay the operations behind it
 * by more time than it saves.
 */
const MAX_OPERATIONS = 1_000;
const MAX_BYTES = 2 ** 21;

/** The queued operations, in the order in which the code issued them. */
export class CommitQueue {
  readonly #driver: Driver;
  #operations: PendingOperation[] = [];

  constructor(driver: Driver) {
    this.#driver = driver;
  }

  get isEmpty(): boolean {
    return this.#operations.length === 0;
  }

  /** Whether the first operation may go into a commit. */
  get isReady(): boolean {
    const [first] = this.#operations;
    return first !== undefined && isReady(first);
  }

  /**
   * Queues an operation. Until the operation's value has been checked, it delays the operations
   * behind it. Looks and renewals are not delayed.
   *
   * @param onReady Called when the operation may go into a commit, or was refused.
   */
  push(operation: PendingOperation, onReady: () => void): void {
    this.#operations.push(operation);
    if (!(operation.action instanceof Promise)) return onReady();
    void operation.action.then((action) => {
      if (action) operation.action = action;
      else this.#operations = this.#operations.filter((it) => it !== operation);
      onReady();
    });
  }

  /** Whether an operation is still queued. */
  has(operation: PendingOperation): boolean {
    return this.#operations.includes(operation);
  }

  /** Drops all operations. */
  clear(): void {
    this.#operations = [];
  }

  /** Takes the next operations off the queue, in order, as many as one request may carry. */
  take(): PendingOperation<EffectOrWait>[] {
    const batch: PendingOperation<EffectOrWait>[] = [];
    for (let [values, names] = [0, 0]; batch.length < MAX_OPERATIONS;) {
      const [operation] = this.#operations;
      if (!operation || !isReady(operation)) break;
      values += this.#bytesOf(valueOf(operation.action));
      names += this.#bytesOf(namesOf(operation.label, operation.action));
      // An operation that exceeds the limit by itself gets its own commit. It fits into a request,
      // because its size was checked when it was encoded.
      if (Math.max(values, names) > this.#maxBytes && batch.length > 0) break;
      this.#operations.shift();
      batch.push(operation);
    }
    return batch;
  }

  /** Whether a commit of these operations has room for a transition. */
  hasRoom(operations: readonly PendingOperation<EffectOrWait>[], transition: Transition): boolean {
    const texts = [...operations.map(({ action }) => valueOf(action)), valueLeft(transition)];
    return operations.length === 0 || texts.reduce((sum, text) => sum + this.#bytesOf(text), 0) <= this.#maxBytes;
  }

  /** The most bytes of values in a commit, and the most bytes of names. */
  get #maxBytes(): number {
    return Math.min(this.#driver.limits?.requestBytes ?? Infinity, MAX_BYTES);
  }

  /** The bytes that a value or a name takes on its way to the store. */
  #bytesOf(text: string): number {
    return text === "" ? 0 : this.#driver.limits?.bytesOf(text) ?? text.length;
  }
}

function isReady(operation: PendingOperation): operation is PendingOperation<EffectOrWait> {
  return !(operation.action instanceof Promise);
}

/** The value that an operation carries; empty without one. */
function valueOf(action: EffectOrWait): string {
  if (action.type === "setEvent" || action.type === "writeStream") return action.value;
  if (action.type === "record") return action.outcome.value ?? "";
  if (action.type === "send") return action.message.value;
  return action.type === "start" ? action.workflow.input : "";
}

/**
 * All names that an operation carries. They count too, because a thousand long names may be larger
 * than the values.
 */
function namesOf(label: string, action: EffectOrWait): string {
  switch (action.type) {
    case "send":
      return label + action.message.destinationId + action.message.topic + action.message.dedupeKey;
    case "setEvent":
    case "writeStream":
    case "closeStream":
      return label + action.key;
    case "start":
      return label + action.workflow.workflowId + action.workflow.name;
    case "receive":
      return label + action.topics.join("");
    case "observeEvent":
      return label + action.workflowId + action.key;
    case "observeResult":
      return label + action.workflowId;
    default:
      return label;
  }
}

/** The value that a run leaves behind; empty without one. */
function valueLeft(transition: Transition): string {
  if (transition.to === "park") return transition.problem;
  if (transition.to === "continueAsNew") return transition.input;
  return transition.to === "end" ? transition.output ?? transition.error ?? "" : "";
}
