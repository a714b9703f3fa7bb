/**
 * Waits that are longer than one request.
 *
 * @module
 */

import { type DriverError, TimeoutError } from "../../core/errors.ts";
import { isPassing, Outage, rest } from "./outage.ts";
import { type ClientTransport, pauseFor } from "./transport.ts";

/** The longest wait of one request. Proxies cut longer ones. */
export const MAX_WAIT_MS = 25_000;

/** The pause between requests, if a server waits less than it is asked to. */
export const PAUSE_MS = 1_000;

/** A wait and its limits. */
export interface WaitRequest {
  /** What is awaited, for the error, such as `result`. */
  readonly operation: string;
  /** The timeout in milliseconds; `null` for no timeout. */
  readonly timeoutMs: number | null;
  /** The instant of the store's clock at which the wait ends, in epoch milliseconds. Default none. */
  readonly until?: number;
  readonly signal: AbortSignal | undefined;
}

/**
 * The least time after which a wait that fails counts as cut short, by a server or a proxy that
 * allows no long answers.
 */
export const CUT_MS = 1_000;
/** The next wait, as a fraction of the time after which the last one was cut. */
const BELOW_CUT = 0.8;

/** Decides how long the next request waits. */
export class Patience {
  /** The wait of the next request, in milliseconds. */
  waitMs = MAX_WAIT_MS;

  /**
   * Notes a wait that failed, and returns whether it was cut short. The next waits are then
   * shorter.
   */
  failed(tookMs: number): boolean {
    if (tookMs < CUT_MS) return false;
    this.waitMs = Math.min(this.waitMs, tookMs * BELOW_CUT);
    return true;
  }
}

/**
 * Repeats a request while the server's wait ends without a result, or after a temporary fault. If a
 * proxy cuts a wait short, later waits are shorter. The server decides when an instant is reached.
 * The clock of the caller decides only how long a wait with an instant goes on through an outage.
 *
 * @param ask Makes one request that waits for this many milliseconds. The parameters say so.
 * @throws {TimeoutError} At the deadline.
 * @throws {DriverError} At the deadline, if no request was ever answered. At once, if a repeat
 * cannot help.
 */
export async function waitOver<T>(
  transport: ClientTransport,
  request: WaitRequest,
  ask: (waitMs: number, parameters: string) => Promise<T>,
): Promise<T> {
  const { clock } = transport;
  const { operation, timeoutMs, until, signal } = request;
  const outage = new Outage(transport);
  const begun = clock.now();
  const left = () => timeoutMs === null ? Infinity : Math.max(0, timeoutMs - (clock.now() - begun));
  const leftOfOutage = () => Math.min(left(), until === undefined ? Infinity : Math.max(0, until - clock.now()));
  const patience = new Patience();
  for (let answered = false;;) {
    signal?.throwIfAborted();
    const asked = clock.now();
    let fault: DriverError | undefined;
    try {
      const waitMs = Math.min(left(), patience.waitMs);
      const instant = until === undefined ? "" : `&until=${until}`;
      return await ask(waitMs, `wait=${Math.ceil(waitMs)}ms${instant}`);
    } catch (error) {
      if (error instanceof TimeoutError && error.until === undefined) answered = true;
      else if (isPassing(error)) fault = error;
      else throw error;
    }
    const tookMs = clock.now() - asked;
    if (left() === 0 || (fault && leftOfOutage() === 0)) {
      throw answered || !fault ? new TimeoutError(operation, timeoutMs ?? 0, until) : fault;
    }
    if (!fault) {
      outage.over();
      if (tookMs < PAUSE_MS) await pauseFor(clock, Math.min(PAUSE_MS, left()), signal);
    } else if (patience.failed(tookMs)) {
      await rest(transport, 0, signal, leftOfOutage());
    } else {
      await outage.outlive(fault, operation, signal, leftOfOutage());
    }
  }
}
