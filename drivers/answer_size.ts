/**
 * How much the answer of a commit carries.
 *
 * @module
 */

import type { Outcome } from "../core/driver/driver.ts";

/**
 * About how many characters of values an answer holds. It always has room for the first outcome.
 */
const ANSWER_LENGTH = 1_048_576;

/** The outcomes that an answer holds so far. */
export class AnswerSize {
  #length = 0;
  #outcomes = 0;

  /** Whether this outcome would make the answer too large. */
  isFullFor(outcome: Outcome): boolean {
    return this.#outcomes > 0 && this.#length + lengthOf(outcome) > ANSWER_LENGTH;
  }

  add(outcome: Outcome): void {
    this.#outcomes += 1;
    this.#length += lengthOf(outcome);
  }
}

function lengthOf(outcome: Outcome): number {
  return outcome.value?.length ?? 0;
}
