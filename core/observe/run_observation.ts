/**
 * The observation of a run: its operations, the tries of its steps, and its commits.
 *
 * @module
 */

import type { Claimed, CommitRequest, CommitResult, EndStatus, Outcome } from "../driver/driver.ts";
import { fromStored, traceparentOf } from "../values/marked_text.ts";
import type {
  CommitEnd,
  Observer,
  OperationEnd,
  RunEnd,
  RunEndInfo,
  RunObserver,
  SendEnd,
  StepEnd,
  StepObserver,
} from "../observer.ts";
import { errorKind } from "./error_kind.ts";
import type { Guard } from "./guard.ts";
import { Observation, type ObservedRecipient, SendObservation, toObservedMessage } from "./observation.ts";

/** An observed run. */
export class RunObservation extends Observation<RunEndInfo, RunObserver> {
  /** The operations that have no outcome yet. */
  readonly #open = new Set<OperationObservation>();
  #status: EndStatus | undefined;
  #error: string | undefined;

  constructor(guard: Guard, begin: NonNullable<Observer["onRun"]>, { workflow, epoch }: Claimed) {
    const { workflowId, name, createdAt, recoveryAttempts, input } = workflow;
    const traceparent = traceparentOf(input);
    const run = { workflowId, name, epoch, createdAt, recoveryAttempts, traceparent };
    super(guard, () => begin(run), { end: "failed" });
  }

  /** Calls the workflow's code in the observer's scope. */
  within<R>(code: () => R): R {
    return this.guard.within(this.guard.method(this.observer, "within"), code);
  }

  /** An operation begins. */
  operation(
    position: number,
    request: { label: string; to?: string; traceparent?: string | undefined },
    resumed: boolean,
  ): OperationObservation | undefined {
    const begin = this.guard.method(this.observer, "onOperation");
    if (!begin) return undefined;
    const { label, to, traceparent } = request;
    const operation = new OperationObservation(
      this.guard,
      () => begin({ position, ...toKindAndName(label), workflowId: to, resumed, traceparent }),
      { outcome: "error" },
      () => this.#open.delete(operation),
    );
    this.#open.add(operation);
    return operation;
  }

  /** A try of a step begins. */
  step(position: number, label: string, attempt: number): StepObservation | undefined {
    const begin = this.guard.method(this.observer, "onStep");
    if (!begin) return undefined;
    const name = String(toKindAndName(label).name);
    return new StepObservation(this.guard, () => begin({ position, name, attempt }), { outcome: "error" });
  }

  /** A commit begins. */
  commit({ number, operations, transition }: CommitRequest): CommitObservation | undefined {
    const begin = this.guard.method(this.observer, "onCommit");
    const commit = { number, operations: operations.length, transition: transition?.to ?? "renew" } as const;
    return begin && new CommitObservation(this.guard, () => begin(commit), {});
  }

  /** The workflow is about to end in this status. */
  ending(status: EndStatus): void {
    this.#status = status;
  }

  /** The run is about to end because of an error. */
  failing(error: unknown): void {
    this.#error = errorKind(error);
  }

  /** The run has ended. */
  ended(end: RunEnd): void {
    for (const operation of this.#open) operation.end({ outcome: "left" });
    this.end({
      end,
      ...(end === "finished" && this.#status && { status: this.#status }),
      ...(this.#error !== undefined && { error: this.#error }),
    });
  }
}

/** An observed operation. */
export class OperationObservation extends SendObservation<OperationEnd> {
  readonly #onEnd: () => void;
  #error: string | undefined;

  constructor(
    guard: Guard,
    begin: ConstructorParameters<typeof SendObservation<OperationEnd>>[1],
    failure: { outcome: "error" },
    onEnd: () => void,
  ) {
    super(guard, begin, failure);
    this.#onEnd = onEnd;
  }

  /** The operation is refused, or its step fails. The store has yet to record the error. */
  failing(error: unknown): void {
    this.#error = errorKind(error);
  }

  /** The operation has its outcome. */
  ended({ tag, topic, value }: Outcome): void {
    this.#onEnd();
    const traceparent = tag === "message" ? traceparentOf(fromStored(value!).text) : undefined;
    this.end({
      outcome: tag,
      ...(tag === "message" && { topic: topic ?? "" }),
      ...(traceparent !== undefined && { traceparent }),
      ...(this.#error !== undefined && { error: this.#error }),
    });
  }
}

/** An observed try of a step. */
export class StepObservation extends Observation<StepEnd, StepObserver> {
  /** Calls the step's code in the observer's scope. */
  within<R>(code: () => R): R {
    return this.guard.within(this.guard.method(this.observer, "within"), code);
  }

  /** The step sends a message. */
  send(recipient: ObservedRecipient): SendObservation<SendEnd> | undefined {
    const begin = this.guard.method(this.observer, "onSend");
    return begin &&
      new SendObservation<SendEnd>(this.guard, () => begin({ messages: [toObservedMessage(recipient)] }), {
        messageIds: [],
      });
  }
}

/** An observed commit. */
export class CommitObservation extends Observation<CommitEnd> {
  /** The store has answered. */
  answered({ state }: CommitResult): void {
    this.end({ state });
  }
}

/** Reads a label, such as `recv "payment"`, `now`, or `check 3 recv "payment"`. */
function toKindAndName(label: string): { kind: string; name: string | string[] | undefined } {
  const [, kind = label, json] = /^(\w+)(?: (?:\d+ \w+ ?)?(.*))?$/s.exec(label) ?? [];
  return { kind, name: json ? JSON.parse(json) : undefined };
}
