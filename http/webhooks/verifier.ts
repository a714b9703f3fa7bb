/**
 * Verification of webhooks.
 *
 * @module
 */

import type { Clock } from "../../core/time/clock.ts";
import type { Duration } from "../../core/values/checks.ts";

/**
 * A verified delivery.
 *
 * @category Webhooks
 */
export interface Delivery {
  /** Identifies the delivery. A repeated delivery has the same ID. */
  id: string;
}

/**
 * Verifies that a delivery comes from the provider.
 *
 * @param request The request with its headers. Its body can be read once more.
 * @param body The bytes of the body. `String(body)` is their text, for libraries that sign texts.
 * @returns The delivery; `undefined` if its signature is not valid or not recent. An error that it
 * throws is also a refusal, and is reported to `onError` unless its name contains `signature` or
 * `verification`. A `ParleyError` and an `HTTPException` keep their status.
 * @category Webhooks
 */
export type Verifier = (request: Request, body: Uint8Array) => Delivery | undefined | Promise<Delivery | undefined>;

/**
 * Options of verifiers for providers that sign the time.
 *
 * @category Webhooks
 */
export interface VerifierOptions {
  /**
   * How far the time of a signature may be from now. An older delivery may be a replay. Default
   * `"5m"`.
   */
  tolerance?: Duration;
  /** The current time, in epoch milliseconds. Default the wall clock. */
  clock?: Pick<Clock, "now">;
}
