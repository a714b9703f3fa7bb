/**
 * Workflows whose code does not fit what is stored: they are parked, and tried again.
 *
 * @module
 */

import type { Transition } from "../driver/driver.ts";
import type { Values } from "../values/values.ts";

const FIRST_PARK_MS = 10_000;
const MAX_PARK_MS = 600_000;

/**
 * How long code may rest that has not asked for all that is recorded. It may await something that is no operation, such as a `fetch` outside of a step;
 * nothing tells that apart from code that is never going to ask.
 */
export const MAX_REST_MS = 10_000;

/** Is thrown where a stored value cannot be decoded here. It never reaches the workflow's code: its run parks. */
export class Undecodable {
  /** Why. */
  readonly error: unknown;
  readonly #isOne = true;

  /**
   * Makes it.
   *
   * @param error Why.
   */
  constructor(error: unknown) {
    this.error = error;
  }

  /** Whether it is one. Code may throw anything, also a proxy that throws when `instanceof` asks for its prototype. */
  static is(thrown: unknown): thrown is Undecodable {
    return typeof thrown === "object" && thrown !== null && #isOne in thrown;
  }
}

/**
 * How a run parks its workflow.
 *
 * @param values Encodes the problem.
 * @param problem The error for which the workflow is parked.
 * @param before What is stored of earlier parks.
 * @returns The transition, and whether the error is another one than before.
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

/** Name and message. The stack differs from one isolate to the next. */
function summary(values: Values, problem: string): string | undefined {
  try {
    const { name, message } = values.decode(problem) as Error;
    return JSON.stringify([name, message]);
  } catch {
    return undefined;
  }
}
