/**
 * The options of a `Parley`, and their defaults.
 *
 * @module
 */

import type { Topic } from "./channel.ts";
import { type Clock, systemClock } from "./time/clock.ts";
import { type Codec, devalueCodec } from "./values/codec.ts";
import type { Driver } from "./driver/driver.ts";
import type { Observer } from "./observer.ts";
import { checkWholeNumber, type Duration, toMilliseconds } from "./values/checks.ts";
import { quote, ValidationError } from "./errors.ts";
import type { Schedule } from "./schedule.ts";
import { Runner, type Wake } from "./runner/runner.ts";
import { Values } from "./values/values.ts";
import type { Workflow } from "./workflow.ts";

/** The longest lease: one day. A workflow whose process died waits until its lease ends. */
const MAX_LEASE_MS = 86_400_000;
/** About the longest text that every runtime supports. */
const MAX_VALUE_BYTES = 2 ** 29;

/**
 * Options of `Parley`.
 *
 * @category Workflows
 */
export interface ParleyOptions {
  /** The store. */
  driver: Driver;
  /** The workflows that run here. Default none. Without them, a `Parley` can send, read and enqueue. */
  workflows?: readonly Workflow<unknown, unknown>[];
  /**
   * The topics whose messages are also checked if an operation names the topic by a string, as every
   * request over HTTP does. Default none.
   *
   * Such a message is checked by the topic's schema when it is sent through this `Parley`, and its
   * sender gets the `ValidationError`. A message that another `Parley` has stored unchecked is checked
   * when it is received here.
   */
  topics?: readonly Topic<unknown, string, unknown>[];
  /**
   * The schedules whose workflows this `Parley` starts when it sweeps or works. Default none.
   */
  schedules?: readonly Schedule[];
  /**
   * Called with a promise for all work that continues after an operation has returned. On
   * Cloudflare, pass `(work) => ctx.waitUntil(work)`. Default no call.
   */
  waitUntil?: (work: Promise<unknown>) => void;
  /**
   * How a suspended workflow continues after an operation has made it due.
   *
   * - `"inline"`, the default: the workflow runs here, beside the caller.
   * - `"none"`: a sweep continues it.
   * - A function: it is called with the IDs of the workflows, and may start a fresh invocation.
   *
   * A wake only saves time. If it fails, the next sweep finds the workflows due.
   */
  wake?: Wake;
  /** How long a workflow that only waits stays in memory before it suspends. Default `"2s"`. */
  hotWait?: Duration;
  /**
   * How long a run owns its workflow without a renewal. Above 0, at most a day. Default `"30s"`.
   */
  lease?: Duration;
  /** The longest time that a run may take before it hands over to another run. Default no limit. */
  budget?: Duration;
  /**
   * The number of requests to the store after which this `Parley` winds up, 1 or more. It is meant
   * for platforms that limit the requests of an invocation. Default no limit.
   *
   * Winding up means:
   *
   * - Runs hand over after their current operation.
   * - A sweep takes no more workflows, and inline wakes are left to others.
   * - Waits from outside end if they have a timeout.
   * - Live responses of the HTTP adapter end, and their readers resume elsewhere.
   *
   * The count includes calls of the driver and their retries. It excludes requests for push, and
   * calls of `wake`. Work in progress still finishes and makes further requests, so choose a number
   * below the platform's limit.
   */
  maxRequests?: number;
  /** The largest size of an encoded value, in bytes. Above 0, at most 512 MiB. Default 1 MiB. */
  maxValueBytes?: number;
  /** The clock of this isolate. It decides nothing durable. Default the runtime's clock. */
  clock?: Clock;
  /** The codec for values, the same in all isolates on one store. Default devalue's format. */
  codec?: Codec;
  /**
   * Called with each error that reaches no caller, such as that of a failed wake. Default
   * `console.error`.
   */
  onError?: (error: unknown) => void;
  /**
   * Follows runs, steps, waits, commits, sweeps and calls of the driver, without their values.
   * Default none, which costs nothing.
   */
  observer?: Observer;
}

/** Checks the options, fills in the defaults, and creates the runner. */
export function toRunner(options: ParleyOptions, workflows: ReadonlyMap<string, Workflow<unknown, unknown>>): Runner {
  const {
    driver,
    schedules = [],
    topics = [],
    waitUntil = () => {},
    wake = "inline",
    hotWait = "2s",
    lease = "30s",
    budget,
    maxRequests = Infinity,
    maxValueBytes = 2 ** 20,
    clock = systemClock,
    codec = devalueCodec,
    onError = (error) => console.error(error),
    observer,
  } = options;
  if (driver.contract !== 1) {
    throw new ValidationError(
      `Reading the driver: it implements version ${driver.contract} of the driver contract, ` +
        "and must implement version 1",
    );
  }
  refuseRepeated(schedules, "schedules");
  refuseRepeated(topics, "topics");
  const leaseMs = toMilliseconds(lease, "lease");
  checkWholeNumber(leaseMs, "milliseconds of the lease", 1, MAX_LEASE_MS);
  checkWholeNumber(maxValueBytes, "maxValueBytes", 1, MAX_VALUE_BYTES);
  if (maxRequests !== Infinity) checkWholeNumber(maxRequests, "maxRequests", 1);
  return new Runner({
    driver,
    maxRequests,
    clock,
    values: new Values(codec, maxValueBytes, clock, driver.limits),
    workflows,
    schedules,
    topics: new Map(topics.map((topic) => [topic.name, topic])),
    wake,
    hotWaitMs: toMilliseconds(hotWait, "hotWait"),
    leaseMs,
    budgetMs: budget === undefined ? Infinity : toMilliseconds(budget, "budget"),
    waitUntil,
    report: onError,
    observer,
  });
}

function refuseRepeated(definitions: readonly { name: string }[], what: string): void {
  const names = definitions.map(({ name }) => name);
  const repeated = names.find((name, index) => names.indexOf(name) !== index);
  if (repeated === undefined) return;
  throw new ValidationError(`Reading the ${what}: the name ${quote(repeated)} occurs twice, and must be unique`);
}
