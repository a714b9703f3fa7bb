/**
 * How the driver reaches Redis at Upstash. Types only.
 *
 * @module
 */

import type { Clock } from "../../../core/time/clock.ts";

/** Both ways to reach Redis: commands, and streams of events that tell of changes. */
export interface UpstashTransport {
  /**
   * Sends one command, as one request.
   *
   * @param call The caller, for messages: `Upstash: commit`.
   * @param stop Gives the request up when it aborts. Without it only the time limit does.
   * @returns The result: strings as Redis has them, integers as numbers.
   * @throws {DriverError} If anything goes wrong. If it is `retryable`, the command was not carried
   * out, or the outcome is unknown.
   */
  readonly send: (command: readonly string[], call: string, stop?: AbortSignal) => Promise<unknown>;
  /**
   * Subscribes to a channel.
   *
   * @param channel Its name, of letters, digits and `:_.-`, because it becomes a part of a URL, unescaped.
   * @param onMessage Gets the text of each message.
   * @param stop Aborts when the subscription is no longer wanted, before it is confirmed.
   * @returns The subscription, when the server has confirmed it.
   * @throws {DriverError} If it is not confirmed in time. Nothing is left open then.
   */
  readonly subscribe: (
    channel: string,
    onMessage: (payload: string) => void,
    stop: AbortSignal,
  ) => Promise<ChannelSubscription>;
}

/** A subscription to a channel. */
export interface ChannelSubscription {
  /** Aborts when the stream of events has ended or broken, if that is noticed. */
  readonly lost: AbortSignal;
  /** Ends the subscription. Never rejects. */
  close(): Promise<void>;
}

/** The limits of every request. */
export interface TransportOptions {
  /** How long a request may take, or a subscription until it is confirmed, in milliseconds. */
  readonly timeoutMs: number;
  readonly clock: Clock;
}

/**
 * The address of a database, and its token.
 *
 * @category Driver
 */
export interface UpstashCredentials {
  /** The URL of the REST API, as in `https://eu1-ada-12345.upstash.io`. */
  readonly url: string;
  /** Its token. It must allow writing. */
  readonly token: string;
}
