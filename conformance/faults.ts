/**
 * A driver that fails when it is told to.
 *
 * @module
 */

import type { Driver } from "../core/driver/driver.ts";
import { DriverError } from "../core/errors.ts";

/**
 * When a call fails: before it takes effect, or after it, so that only its answer is lost.
 *
 * @category Tools
 */
export type FaultTime = "before" | "after";

/**
 * What happens to a call.
 *
 * @category Tools
 */
export interface Fault {
  /** The number of the call, from 1, over all methods. */
  call: number;
  /** Before it takes effect or after. */
  when: FaultTime;
  /**
   * - `"fails"`: the call rejects. The fault passes, and the call may be repeated.
   * - `"dies"`: the call and every later call reject, as if the process had died.
   * - A function: the call waits until the function's promise settles, as in a frozen process, and
   *   then goes on.
   */
  what: "fails" | "dies" | (() => Promise<void>);
}

/**
 * A driver with its faults.
 *
 * @category Tools
 */
export interface FaultyDriver extends Driver {
  /** How many calls were made. */
  readonly calls: number;
  /** Whether the process is dead. */
  readonly dead: boolean;
  /** Lets the process die now. */
  kill(): void;
}

/**
 * Wraps a driver so that chosen calls fail.
 *
 * @param driver The driver.
 * @param faults Which calls fail, and how.
 * @returns The driver with its faults.
 *
 * @example Lose the answer of the first call
 * ```ts
 * import { memoryDriver } from "@parley/parley";
 * import { withFaults } from "@parley/parley/conformance";
 * import assert from "node:assert/strict";
 *
 * const driver = withFaults(memoryDriver(), [{ call: 1, when: "after", what: "fails" }]);
 * await assert.rejects(driver.migrate(), { code: "driver", retryable: true });
 * await driver.migrate();
 * ```
 *
 * @category Tools
 */
export function withFaults(driver: Driver, faults: readonly Fault[] = []): FaultyDriver {
  let calls = 0;
  let dead = false;
  const faulty =
    <Args extends unknown[], Result>(call: (...args: Args) => Promise<Result>) =>
    async (...args: Args): Promise<Result> => {
      const fault = faults.find((it) => it.call === calls + 1);
      calls += 1;
      if (dead) throw died();
      if (fault?.what === "dies") dead = true;
      if (fault?.when === "before") await happen(fault);
      const result = await call.apply(driver, args);
      if (fault?.when === "after") await happen(fault);
      return result;
    };
  return {
    contract: driver.contract,
    migrate: faulty(driver.migrate),
    create: faulty(driver.create),
    claim: faulty(driver.claim),
    commit: faulty(driver.commit),
    readJournal: faulty(driver.readJournal),
    send: faulty(driver.send),
    readWorkflow: faulty(driver.readWorkflow),
    listWorkflows: faulty(driver.listWorkflows),
    readEvent: faulty(driver.readEvent),
    readStream: faulty(driver.readStream),
    readHistory: faulty(driver.readHistory),
    listMessages: faulty(driver.listMessages),
    listEvents: faulty(driver.listEvents),
    listStreams: faulty(driver.listStreams),
    control: faulty(driver.control),
    delete: faulty(driver.delete),
    purge: faulty(driver.purge),
    ...(driver.watch && { watch: driver.watch.bind(driver) }),
    ...(driver.limits && { limits: driver.limits }),
    get calls() {
      return calls;
    },
    get dead() {
      return dead;
    },
    kill() {
      dead = true;
    },
  };
}

async function happen({ what }: Fault): Promise<void> {
  if (what === "dies") throw died();
  if (what === "fails") throw new DriverError("The answer was lost (injected)", { retryable: true });
  await what();
}

function died(): DriverError {
  return new DriverError("The process is dead (injected)", { retryable: false });
}
