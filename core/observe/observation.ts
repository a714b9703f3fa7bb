/**
 * Something that is being observed, from its beginning to its end.
 *
 * @module
 */

import { toTraceparent } from "../values/marked_text.ts";
import type { Ended, EndObserver, ObservedMessage, SendObserver } from "../observer.ts";
import { errorKind } from "./error_kind.ts";
import type { Guard } from "./guard.ts";

/** The fields of an end that the one who ends it knows. */
export type EndFields<End extends Ended> = Omit<End, "durationMs">;

/** Tells the observer once that something is over. */
export class Observation<End extends Ended, Observer extends EndObserver<End> = EndObserver<End>> {
  protected readonly guard: Guard;
  protected readonly observer: Observer | undefined;
  readonly #startedAt: number;
  readonly #failure: EndFields<End>;
  #over = false;

  /**
   * @param guard Calls the observer.
   * @param begin Tells the observer that it begins.
   * @param failure The end after an error.
   */
  constructor(guard: Guard, begin: () => Observer | void, failure: EndFields<End>) {
    this.guard = guard;
    this.#failure = failure;
    this.#startedAt = guard.clock.now();
    this.observer = guard.call(begin) ?? undefined;
  }

  /** Tells the observer the end. Later calls do nothing. */
  end(end: EndFields<End>): void {
    if (this.#over) return;
    this.#over = true;
    const durationMs = Math.max(0, this.guard.clock.now() - this.#startedAt);
    this.guard.call(() => this.observer?.end?.({ ...end, durationMs } as unknown as End));
  }

  /** Tells the observer that it failed. */
  fail(error: unknown): void {
    this.end({ ...this.#failure, error: errorKind(error) });
  }
}

/** An observation that may give a trace to what is sent. */
export class SendObservation<End extends Ended> extends Observation<End, SendObserver<End>> {
  /** The trace that travels with the input or the message. */
  readonly traceparent: string | undefined;

  constructor(guard: Guard, begin: () => SendObserver<End> | void, failure: EndFields<End>) {
    super(guard, begin, failure);
    this.traceparent = toTraceparent(guard.call(() => this.observer?.traceparent));
  }
}

/** The recipient of a message, as the core knows it. */
export interface ObservedRecipient {
  readonly workflowId: string;
  readonly topic: { readonly name: string };
  readonly traceparent: string | undefined;
}

/** Returns what the observer learns of a message. */
export function toObservedMessage({ workflowId, topic, traceparent }: ObservedRecipient): ObservedMessage {
  return { destinationId: workflowId, topic: topic.name, traceparent };
}
