/**
 * Parking: a workflow whose code does not fit the stored data is released, and tried again later.
 *
 * @module
 */

import type { Transition } from "../driver/driver.ts";
import type { Values } from "../values/values.ts";

const FIRST_PARK_MS = 10_000;
const MAX_PARK_MS = 600_000;

/**
 * How long code may rest in the middle of its replay, unless the hot wait is longer. The code may
 * be awaiting something other than an operation, such as a `fetch` outside of a step. The run
 * cannot tell that apart from code that will never ask for the remaining entries.
 */
export const MAX_REST_MS = 10_000;

/**
 * Thrown if a stored value cannot be decoded here. It never reaches the workflow's code, because
 * its run parks.
 */
export class Undecodable {
  /** The error of the decoder. */
  readonly error: unknown;
  readonly #isOne = true;

  /**
   * @param error The error of the decoder.
   */
  constructor(error: unknown) {
    this.error = error;
  }

  /**
   * Whether a thrown value is an `Undecodable`. It does not use `instanceof`, because code may
   * throw a proxy that throws when its prototype is read.
   */
  static is(thrown: unknown): thrown is Undecodable {
    return typeof thrown === "object" && thrown !== null && #isOne in thrown;
  }
}

/**
 * Returns how a run parks its workflow.
 *
 * @param values Encodes the problem.
 * @param problem The error for which the workflow is parked.
 * @param before The stored problem and the number of earlier parks.
 * @returns The transition, and whether the error differs from the stored one.
 */
export function toPark(
  values: Values,
  problem: unknown,
  before: { problem: string | null; parks: number },
): { transition: Extract<Transition, { to: "park" }>; isNew: boolean } {
  const delayMs = Math.min(FIRST_PARK_MS * 2 ** before.parks, MAX_PARK_MS);
  const encoded = values.encodeError(problem);
  return {
    transition: { to: "park", problem: encoded, delayMs },
    isNew: before.problem === null || summary(values, before.problem) !== summary(values, encoded),
  };
}

/**
 * The name and message of a problem. The stack is left out, because it differs from one isolate to
 * the next.
 */
function summary(values: Values, problem: string): string | undefined {
  try {
    const { name, message } = values.decode(problem) as Error;
    return JSON.stringify([name, message]);
  } catch {
    return undefined;
  }
}
