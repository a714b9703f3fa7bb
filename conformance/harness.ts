/**
 * What the author of a driver provides to run the suites.
 *
 * @module
 */

import type { Driver } from "../core/driver/driver.ts";
import type { ManualClock } from "../testing/manual_clock.ts";

/**
 * A store for one test. Disposing of it closes what it opened.
 *
 * @category Suites
 */
export interface Harness extends AsyncDisposable {
  /** Two driver instances over one store, as two isolates have them. */
  readonly drivers: readonly [Driver, Driver];
  /**
   * The clock to give to a `Parley` under test. Nothing durable depends on it, so it need not show
   * the store's time.
   */
  readonly clock: ManualClock;
  /**
   * Moves the store's clock forward by `ms` milliseconds, then {@linkcode Harness.clock}. A
   * negative number moves the store's clock back and leaves the other one.
   */
  advance(ms: number): Promise<void>;
}

/**
 * Makes a fresh, empty store; called once for each test.
 *
 * @category Suites
 */
export type MakeHarness = () => Promise<Harness>;

/**
 * Registers one test with a test runner. `Deno.test` fits, as do `test` of `node:test` and Vitest.
 *
 * @category Suites
 */
export type RegisterTest = (name: string, run: () => Promise<void>) => void;
