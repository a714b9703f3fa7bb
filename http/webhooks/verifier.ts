/**
 * How a webhook shows that it is the provider's.
 *
 * @module
 */

import type { Clock } from "../../core/time/clock.ts";
import type { Duration } from "../../core/values/checks.ts";

/**
 * A delivery that is the provider's.
 *
 * @category Webhooks
 */
export interface Delivery {
  /** What tells one delivery from another, and is the same when it comes again. */
  id: string;
}

/**
 * Says whether a delivery is the provider's.
 *
 * @param request The request, with its headers; its body may be read once more.
 * @param body The bytes as they came. `String(body)` is their text, for libraries that sign texts.
 * @returns The delivery; `undefined` if it is not the provider's, or not of now. What it throws is a
 * refusal too, and reported to `onError`, unless its name has `signature` or `verification` in it. A `ParleyError` and an `HTTPException` keep their status.
 * @category Webhooks
 */
export type Verifier = (request: Request, body: Uint8Array) => Delivery | undefined | Promise<Delivery | undefined>;

/**
 * Options of verifiers for providers that sign the time.
 *
 * @category Webhooks
 */
export interface VerifierOptions {
  /** How much older or newer than now a signature may be: what is older may be a replay. Default `"5m"`. */
  tolerance?: Duration;
  /** What time it is, in epoch milliseconds. Default the wall clock. */
  clock?: Pick<Clock, "now">;
}
