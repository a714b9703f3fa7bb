/**
 * How the driver reaches Redis at Upstash: one command a request, and a stream of events to hear of changes.
 *
 * @module
 */

import type { Clock } from "../../../core/clock.ts";
import { ValidationError } from "../../../core/errors.ts";
import { readAddress } from "./address.ts";
import { httpCommands } from "./http.ts";
import { instanceCommands, instanceEvents, type UpstashRedis } from "./instance.ts";
import { httpEvents } from "./subscribe.ts";

export type { UpstashRedis, UpstashSubscriber } from "./instance.ts";

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
export type Subscribe = (channel: string, onMessage: (payload: string) => void, stop: AbortSignal) => Promise<Subscription>;

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

/**
 * Opens both ways, without a request.
 *
 * @param redis Where the database is, or an instance of `Redis` of `@upstash/redis`, whose settings then count.
 * @param options The time limit.
 * @throws {ValidationError} If it is neither. The message has nothing of a URL or a token.
 */
export function openTransport(redis: UpstashRedis | UpstashCredentials, options: TransportOptions): Transport {
  const refused = refusalOf(redis);
  if (refused !== null) throw new ValidationError(`Opening Upstash: ${refused}`);
  if (isInstance(redis)) return { send: instanceCommands(redis, options), subscribe: instanceEvents(redis, options) };
  const address = readAddress(redis);
  return { send: httpCommands(address, options), subscribe: httpEvents(address, options) };
}

/** What is wrong with what is given; `null`: nothing that can be seen without a request. */
function refusalOf(redis: unknown): string | null {
  const wanted = "what is given must be { url, token } or an instance of Redis of @upstash/redis, 1.39 or later";
  if (typeof redis !== "object" || redis === null) return wanted;
  // Of ioredis and node-redis. The first has an `exec` too, which is another one.
  if (typeof Reflect.get(redis, "sendCommand") === "function") {
    return `this is a client of Redis's own protocol, as ioredis and node-redis are, and the driver needs the REST API: ${wanted}`;
  }
  if (!isInstance(redis as UpstashRedis)) return "url" in redis ? null : wanted;
  // In old versions that pipeline by themselves, `exec` is made anew whenever it is looked at, and is that of a pipeline without a command.
  const [first, second] = [1, 2].map(() => Reflect.get(redis, "exec"));
  return first === second ? null : `this version of @upstash/redis cannot send single commands: ${wanted}`;
}

function isInstance(redis: UpstashRedis | UpstashCredentials): redis is UpstashRedis {
  return typeof (redis as Partial<UpstashRedis>).exec === "function" && typeof (redis as Partial<UpstashRedis>).subscribe === "function";
}
