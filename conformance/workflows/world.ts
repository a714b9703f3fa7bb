/**
 * Two isolates over one store, with time that the test moves.
 *
 * @module
 */

import assert from "node:assert/strict";
import { nextTask } from "../../core/time/clock.ts";
import type { ParleyOptions } from "../../core/options.ts";
import { Parley } from "../../core/parley.ts";
import type { Workflow } from "../../core/workflow.ts";
import { type Fault, type FaultyDriver, withFaults } from "../faults.ts";
import type { Harness } from "../harness.ts";
import { withPages } from "../pages.ts";

/** How far time moves between two looks. */
const STEP_MS = 25;
/** The longest wait of a test in its own time. It is longer than a lease and the work after it. */
const PATIENCE_MS = 120_000;

/** A `Parley` whose process can die. */
export interface Isolate {
  readonly parley: Parley;
  readonly driver: FaultyDriver;
  /** The errors that `onError` got. */
  readonly errors: unknown[];
}

/** Makes isolates, and lets time pass until something has happened. */
export class World {
  readonly harness: Harness;

  constructor(harness: Harness) {
    this.harness = harness;
  }

  /**
   * Makes an isolate over the first or the second driver. `pages`: the maximum number of entries of
   * a page of a journal.
   */
  isolate(
    index: 0 | 1,
    workflows: readonly Workflow<unknown, unknown>[],
    options: Partial<ParleyOptions> & { faults?: readonly Fault[]; pages?: number } = {},
  ): Isolate {
    const { faults, pages = Infinity, ...rest } = options;
    const driver = withFaults(withPages(this.harness.drivers[index], pages), faults);
    const errors: unknown[] = [];
    const parley = new Parley({
      driver,
      workflows,
      clock: this.harness.clock,
      hotWait: 0,
      onError: (error) => errors.push(error),
      ...rest,
    });
    return { parley, driver, errors };
  }

  /** Lets time pass. */
  async pass(ms: number): Promise<void> {
    await this.harness.advance(ms);
  }

  /** Lets time pass until the promise settles. */
  async until<T>(promise: Promise<T>): Promise<T> {
    let settled = false;
    const done = () => settled = true;
    promise.then(done, done);
    for (let passed = 0; !settled; passed += STEP_MS) {
      assert(passed < PATIENCE_MS, `nothing happened within ${PATIENCE_MS} ms`);
      await this.#settle();
      if (!settled) await this.harness.advance(STEP_MS);
    }
    return await promise;
  }

  /** Lets time pass until the condition holds. */
  async untilTrue(condition: () => boolean | Promise<boolean>): Promise<void> {
    for (let passed = 0; !await condition(); passed += STEP_MS) {
      assert(passed < PATIENCE_MS, `the condition did not come true within ${PATIENCE_MS} ms: ${condition}`);
      await this.#settle();
      await this.harness.advance(STEP_MS);
    }
  }

  /** Lets time pass until nothing runs in the isolate. */
  async idle({ parley }: Isolate): Promise<void> {
    await this.until(parley.idle());
  }

  /** Lets work that is under way go on, without letting time pass. */
  async #settle(): Promise<void> {
    for (let task = 0; task < 3; task++) await nextTask();
  }
}
