/**
 * The metrics of what is observed. None of them has an ID, because each combination of attributes is a
 * series of its own.
 *
 * @module
 */

import type { Ended } from "../core/observer.ts";
import type { OtelAttributes, OtelMeter } from "./api.ts";
import { messaging } from "./spans.ts";

/** The boundaries that the semantic conventions advise for durations, in seconds. */
const FAST = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10];
/** Boundaries for runs, steps and waits, in seconds. */
const SLOW = [0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60, 300, 900, 3_600];

type Attributes = Partial<OtelAttributes>;

/** The instruments of one meter. */
export class Metrics {
  readonly #sent: (value: number, attributes: Attributes) => void;
  readonly #consumed: (value: number, attributes: Attributes) => void;
  readonly #starts: (value: number, attributes: Attributes) => void;
  readonly #sendDuration: (end: Ended, attributes: Attributes) => void;
  /** The duration of a run. */
  readonly run: (end: Ended, attributes: Attributes) => void;
  /** The duration of a try of a step. */
  readonly step: (end: Ended, attributes: Attributes) => void;
  /** The duration of a wait within one run. */
  readonly wait: (end: Ended, attributes: Attributes) => void;
  /** The duration of a commit. */
  readonly commit: (end: Ended, attributes: Attributes) => void;
  /** The duration of a sweep. */
  readonly sweep: (end: Ended, attributes: Attributes) => void;
  /** The duration of a call of the driver. */
  readonly request: (end: Ended, attributes: Attributes) => void;

  /**
   * Creates the instruments.
   *
   * @param meter The meter.
   */
  constructor(meter: OtelMeter) {
    const counter = (name: string, unit: string, description: string) => {
      const instrument = meter.createCounter(name, { unit, description });
      return (value: number, attributes: Attributes) => instrument.add(value, defined(attributes));
    };
    const duration = (name: string, description: string, explicitBucketBoundaries: number[]) => {
      const instrument = meter.createHistogram(name, { unit: "s", description, advice: { explicitBucketBoundaries } });
      return ({ durationMs, error }: Ended, attributes: Attributes) =>
        instrument.record(durationMs / 1_000, defined({ ...attributes, "error.type": error }));
    };
    this.#sent = counter("messaging.client.sent.messages", "{message}", "Messages that were sent to workflows");
    this.#consumed = counter("messaging.client.consumed.messages", "{message}", "Messages that workflows received");
    this.#starts = counter("parley.workflow.starts", "{workflow}", "Workflows that were created");
    this.#sendDuration = duration("messaging.client.operation.duration", "Sends of messages", FAST);
    this.run = duration("parley.run.duration", "Runs of workflows, from a claim to a release", SLOW);
    this.step = duration("parley.step.duration", "Tries of steps", SLOW);
    this.wait = duration("parley.wait.duration", "Waits, as long as their run was in memory", SLOW);
    this.commit = duration("parley.commit.duration", "Commits of runs, with retries", FAST);
    this.sweep = duration("parley.sweep.duration", "Sweeps", SLOW);
    this.request = duration("parley.driver.request.duration", "Calls of the driver, each try by itself", FAST);
  }

  /** Messages were sent. `topic` is left out of sends from outside, where any caller chooses it. */
  sent(count: number, end: Ended, topic: string): void {
    const attributes = messaging("send", "send", topic);
    this.#sendDuration(end, attributes);
    if (count > 0) this.#sent(count, { ...attributes, "error.type": end.error });
  }

  /** A workflow has received a message. */
  received(kind: string, topic: string): void {
    this.#consumed(1, messaging(kind, "receive", topic));
  }

  /** A workflow was created. */
  started(name: string): void {
    this.#starts(1, { "parley.workflow.name": name });
  }
}

function defined(attributes: Attributes): OtelAttributes {
  return Object.fromEntries(
    Object.entries(attributes).flatMap(([key, value]) => value === undefined ? [] : [[key, value]]),
  );
}
