/**
 * The options of a `Parley`, and what they default to.
 *
 * @module
 */

import { type Clock, systemClock } from "./time/clock.ts";
import { type Codec, devalueCodec } from "./values/codec.ts";
import type { Driver } from "./driver/driver.ts";
import { checkWholeNumber, type Duration, toMilliseconds } from "./values/checks.ts";
import { ValidationError } from "./errors.ts";
import { Runner, type Wake } from "./runner/runner.ts";
import { Values } from "./values/values.ts";
import type { Workflow } from "./workflow.ts";

/** A workflow whose process died waits for so long. */
const MAX_LEASE_MS = 86_400_000;
/** A text cannot be longer in every runtime. */
const MAX_VALUE_BYTES = 2 ** 29;

/**
 * Options of `Parley`.
 *
 * @category Workflows
 */
export interface ParleyOptions {
  /** The store. */
  driver: Driver;
  /** The workflows that run here. Default none: such a `Parley` still sends, reads and enqueues. */
  workflows?: readonly Workflow<unknown, unknown>[];
  /** Gets every piece of work that goes on after an operation has returned: Cloudflare's `ctx.waitUntil`. Default nothing. */
  waitUntil?: (work: Promise<unknown>) => void;
  /**
   * How whoever makes a suspended workflow due also continues it. `"inline"`, the default: here, beside the caller. `"none"`: a sweep does. A function gets the
   * IDs, and may call a fresh invocation. It is an optimisation: should it fail, the next sweep finds the workflows due.
   */
  wake?: Wake;
  /** How long a workflow that only waits stays in memory before it suspends. Default `"2s"`. */
  hotWait?: Duration;
  /** For how long a run owns its workflow without a sign of life; more than 0, at most a day. Default `"30s"`. */
  lease?: Duration;
  /** The longest one run may keep going before it hands over to another. Default none. */
  budget?: Duration;
  /**
   * How many requests to the store are made before this `Parley` winds up, as where a platform allows an invocation only so many; 1 or more. Then runs hand
   * over after the operation at hand, a sweep takes no more, inline wakes are left to others, waits from outside that have a timeout are over, and live
   * answers of the HTTP adapter end, to be resumed by their readers. It counts calls of the driver and their repeats, not what push needs, nor
   * the calls of `wake`, and is no wall: what is under way goes on. So stay below the platform's limit. Default none.
   */
  maxRequests?: number;
  /** The largest encoded value, in bytes; more than 0, at most 512 MiB. Default 1 MiB. */
  maxValueBytes?: number;
  /** Where the time comes from; it decides nothing durable. Default the runtime's. */
  clock?: Clock;
  /** How values become text; every isolate on a store must use the same. Default devalue's format. */
  codec?: Codec;
  /** Gets every error that no caller gets, such as that of a failed wake. Default `console.error`. */
  onError?: (error: unknown) => void;
}

/** Checks the options and fills in the defaults. */
export function toRunner(options: ParleyOptions, workflows: ReadonlyMap<string, Workflow<unknown, unknown>>): Runner {
  const {
    driver,
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
  } = options;
  if (driver.contract !== 1) {
    throw new ValidationError(
      `Reading the driver: it implements version ${driver.contract} of the driver contract, and must implement version 1`,
    );
  }
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
    wake,
    hotWaitMs: toMilliseconds(hotWait, "hotWait"),
    leaseMs,
    budgetMs: budget === undefined ? Infinity : toMilliseconds(budget, "budget"),
    waitUntil,
    report: onError,
  });
}
