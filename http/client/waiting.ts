/**
 * Waiting longer than one request does.
 *
 * @module
 */

import { type DriverError, TimeoutError } from "../../core/errors.ts";
import { isPassing, Outage, rest } from "./outage.ts";
import { type ClientTransport, pauseFor } from "./transport.ts";

/** The longest that one request is asked to wait: proxies cut longer ones. */
export const MAX_WAIT_MS = 25_000;

/** How long to wait in between, where a server does not wait as long as it is asked to. */
export const PAUSE_MS = 1_000;

/** What is waited for, and how long. */
export interface WaitRequest {
  /** For the error: `result`. */
  readonly operation: string;
  /** `null`: no limit. */
  readonly timeoutMs: number | null;
  readonly signal: AbortSignal | undefined;
}

/** A wait that failed after so long was cut short, by a server or a proxy that lets no answer take its time. */
export const CUT_MS = 1_000;
/** How much of the time after which a wait was cut the next one may take. */
const BELOW_CUT = 0.8;

/** How long the next request is to wait. */
export class Patience {
  /** In milliseconds. */
  waitMs = MAX_WAIT_MS;

  /** A wait has failed. Says whether it was cut short: then the next ones are shorter. */
  failed(tookMs: number): boolean {
    if (tookMs < CUT_MS) return false;
    this.waitMs = Math.min(this.waitMs, tookMs * BELOW_CUT);
    return true;
  }
}

/**
 * Asks, and asks again while the server has waited in vain, or a fault may pass. A wait that somebody on the way cuts short is a shorter one from then on.
 *
 * @param ask Makes a request, once, that waits for so many milliseconds.
 * @throws {TimeoutError} At the deadline.
 * @throws {DriverError} At the deadline, if no request was ever answered; at once, if asking again cannot help.
 */
export async function waitOver<T>(
  transport: ClientTransport,
  request: WaitRequest,
  ask: (waitMs: number) => Promise<T>,
): Promise<T> {
  const { clock } = transport;
  const { operation, timeoutMs, signal } = request;
  const outage = new Outage(transport);
  const begun = clock.now();
  const left = () => timeoutMs === null ? Infinity : Math.max(0, timeoutMs - (clock.now() - begun));
  const patience = new Patience();
  for (let answered = false;;) {
    signal?.throwIfAborted();
    const asked = clock.now();
    let fault: DriverError | undefined;
    try {
      return await ask(Math.min(left(), patience.waitMs));
    } catch (error) {
      if (error instanceof TimeoutError) answered = true;
      else if (isPassing(error)) fault = error;
      else throw error;
    }
    const tookMs = clock.now() - asked;
    if (left() === 0) throw answered || !fault ? new TimeoutError(operation, timeoutMs!) : fault;
    if (!fault) {
      outage.over();
      if (tookMs < PAUSE_MS) await pauseFor(clock, Math.min(PAUSE_MS, left()), signal);
    } else if (patience.failed(tookMs)) {
      await rest(transport, 0, signal, left());
    } else {
      await outage.outlive(fault, operation, signal, left());
    }
  }
}
