/**
 * Tells the observer of a `Parley` what happens.
 *
 * Code that is observed has an `Observing`, or part of one, only if there is an observer. It calls
 * `observing?.method(...)` with values that it has anyway. So without an observer nothing is called
 * and nothing is allocated.
 *
 * @module
 */

import type { Claimed } from "../driver/driver.ts";
import type { ObservedStart, Observer, RequestEnd, SendEnd, StartEnd, SweepEnd } from "../observer.ts";
import { DriverError } from "../errors.ts";
import type { Clock } from "../time/clock.ts";
import { errorKind } from "./error_kind.ts";
import { Guard } from "./guard.ts";
import { Observation, type ObservedRecipient, SendObservation, toObservedMessage } from "./observation.ts";
import { RunObservation } from "./run_observation.ts";

/** The observer of one `Parley`. */
export class Observing {
  readonly #observer: Observer;
  readonly #guard: Guard;

  /**
   * @param observer The observer.
   * @param clock Measures durations.
   * @param report Gets the first error of the observer.
   */
  constructor(observer: Observer, clock: Clock, report: (error: unknown) => void) {
    this.#observer = observer;
    this.#guard = new Guard(clock, report);
  }

  /** A caller starts a workflow. */
  start(
    workflowId: string,
    name: string,
    enqueue: boolean,
    traceparent: ObservedStart["traceparent"],
  ): SendObservation<StartEnd> | undefined {
    const begin = this.#guard.method(this.#observer, "onStart");
    return begin &&
      new SendObservation<StartEnd>(this.#guard, () => begin({ workflowId, name, enqueue, traceparent }), {});
  }

  /** A caller sends messages. */
  send(
    recipients: readonly ObservedRecipient[],
  ): SendObservation<SendEnd> | undefined {
    const begin = this.#guard.method(this.#observer, "onSend");
    if (!begin) return undefined;
    const messages = recipients.map(toObservedMessage);
    return new SendObservation<SendEnd>(this.#guard, () => begin({ messages }), { messageIds: [] });
  }

  /** A run begins. */
  run(claimed: Claimed): RunObservation | undefined {
    const begin = this.#guard.method(this.#observer, "onRun");
    return begin && new RunObservation(this.#guard, begin, claimed);
  }

  /** A sweep begins. */
  sweep(limit: number): Observation<SweepEnd> | undefined {
    const begin = this.#guard.method(this.#observer, "onSweep");
    const failure = { claimed: 0, finished: 0, suspended: 0 };
    return begin && new Observation<SweepEnd>(this.#guard, () => begin({ limit }), failure);
  }

  /** Calls the driver. */
  async request<T>(method: string, attempt: number, call: () => Promise<T>): Promise<T> {
    const begin = this.#guard.method(this.#observer, "onRequest");
    if (!begin) return await call();
    const observation = new Observation<RequestEnd>(this.#guard, () => begin({ method, attempt }), {});
    try {
      const result = await call();
      observation.end({});
      return result;
    } catch (error) {
      observation.end({ error: errorKind(error), retryable: error instanceof DriverError && error.retryable });
      throw error;
    }
  }
}
