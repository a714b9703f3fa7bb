/**
 * How the driver reaches Redis at Upstash: one command a request, and a stream of events to hear of changes.
 *
 * @module
 */

import type { Clock } from "../../../core/time/clock.ts";

/**
 * Sends one command, as one request.
 *
 * @param command The command and its arguments.
 * @param call Who calls, and what, for messages: `Upstash: commit`.
 * @param stop Gives the request up when it aborts. Without it nothing but the time limit does.
 * @returns The result: strings as Redis has them, integers as numbers.
 * @throws {DriverError} Whatever goes wrong. Where it is `retryable` the command was not carried out, or nobody knows.
 */
export type SendCommand = (command: readonly string[], call: string, stop?: AbortSignal) => Promise<unknown>;

/** A subscription that the server has confirmed. */
export interface Subscription {
  /** Aborts when the stream of events has ended or broken, if that is noticed: a package's subscription says nothing. */
  readonly lost: AbortSignal;
  /** Ends it. It never rejects. */
  close(): Promise<void>;
}

/**
 * Subscribes to a channel.
 *
 * @param channel Its name, of letters, digits and `:_.-`.
 * @param onMessage Gets the text of each message.
 * @param stop Aborts when the subscription is no longer wanted, before it is confirmed.
 * @throws {DriverError} If it is not confirmed in time. Nothing is left open then.
 */
export type Subscribe = (
  channel: string,
  onMessage: (payload: string) => void,
  stop: AbortSignal,
) => Promise<Subscription>;

/** Both ways to reach Redis. */
export interface Transport {
  readonly send: SendCommand;
  readonly subscribe: Subscribe;
}

/** What every request obeys. */
export interface TransportOptions {
  /** How long a request may take, in milliseconds, until all of the answer is here; and a subscription, until it is confirmed. */
  readonly timeoutMs: number;
  readonly clock: Clock;
}

/** Where a database is, and what opens it. */
export interface UpstashCredentials {
  /** The URL of the REST API, as in `https://eu1-ada-12345.upstash.io`. */
  readonly url: string;
  /** Its token. It must allow writing. */
  readonly token: string;
}
