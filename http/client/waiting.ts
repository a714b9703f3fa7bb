/**
 * Waiting longer than one request does.
 *
 * @module
 */

import { TimeoutError } from "../../core/errors.ts";
import { pause, type Transport } from "./transport.ts";

/** The longest that one request is asked to wait: proxies cut longer ones. */
export const LONGEST_WAIT_MS = 25_000;

/** How long to wait in between, where a server does not wait as long as it is asked to. */
const PAUSE_MS = 1_000;

/** What is waited for, and how long. */
export interface WaitRequest {
  /** For the error: `result`. */
  readonly operation: string;
  /** `null`: no limit. */
  readonly timeoutMs: number | null;
  readonly signal: AbortSignal | undefined;
}

/**
 * Asks, and asks again while the server has waited in vain.
 *
 * @param ask Makes a request that waits for so many milliseconds.
 * @throws {TimeoutError} At the deadline.
 */
export async function waitOver<T>({ clock }: Transport, request: WaitRequest, ask: (waitMs: number) => Promise<T>): Promise<T> {
  const { operation, timeoutMs, signal } = request;
  const begun = clock.now();
  for (;;) {
    signal?.throwIfAborted();
    const left = timeoutMs === null ? Infinity : Math.max(0, timeoutMs - (clock.now() - begun));
    const asked = clock.now();
    try {
      return await ask(Math.min(left, LONGEST_WAIT_MS));
    } catch (error) {
      if (!(error instanceof TimeoutError)) throw error;
    }
    if (timeoutMs !== null && clock.now() - begun >= timeoutMs) throw new TimeoutError(operation, timeoutMs);
    if (clock.now() - asked < PAUSE_MS) await pause(clock, Math.min(PAUSE_MS, left), signal);
  }
}
