/**
 * Faults that a wait or a reader survives.
 *
 * @module
 */

import { DriverError } from "../../core/errors.ts";
import { backoffMs } from "../../core/time/backoff.ts";
import { type ClientTransport, pauseFor } from "./transport.ts";

/**
 * The base and the limit of the pauses before a failed request is repeated. The first pause is
 * already twice the base. A pause varies by up to a quarter, so none is longer than 5 s.
 */
const FIRST_PAUSE_MS = 75;
export const MAX_PAUSE_MS = 4_000;

/** After this many failures in a row, about 2 s, the caller is told. */
const TOLD_AFTER = 5;

/** Whether the same request may succeed a moment later. */
export function isPassing(error: unknown): error is DriverError {
  return error instanceof DriverError && error.retryable;
}

/** The failures in a row of one wait or reader. */
export class Outage {
  readonly #transport: ClientTransport;
  #failures = 0;

  constructor(transport: ClientTransport) {
    this.#transport = transport;
  }

  /** How many failures there were in a row. */
  get failures(): number {
    return this.#failures;
  }

  /** Ends the outage after an answer. */
  over(): void {
    this.#failures = 0;
  }

  /**
   * Pauses, longer after each failure. The jitter separates clients that failed at the same moment.
   */
  async outlive(
    error: DriverError,
    operation: string,
    signal: AbortSignal | undefined,
    maxMs = Infinity,
  ): Promise<void> {
    if (++this.#failures === TOLD_AFTER) {
      const message = `Parley over HTTP: ${operation} has failed ${TOLD_AFTER} times in a row, and is being repeated`;
      this.#transport.report(new DriverError(message, { retryable: true, cause: error }));
    }
    await rest(this.#transport, this.#failures, signal, maxMs);
  }
}

/** Pauses for a time that doubles with each try, with jitter. */
export async function rest(
  transport: ClientTransport,
  tries: number,
  signal: AbortSignal | undefined,
  maxMs = Infinity,
): Promise<void> {
  const ms = backoffMs(tries, { firstMs: FIRST_PAUSE_MS, maxMs: MAX_PAUSE_MS });
  await pauseFor(transport.clock, Math.min(ms, maxMs), signal);
}
