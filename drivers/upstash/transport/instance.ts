/**
 * Commands and subscriptions through an instance of `Redis` that a user has made.
 *
 * @module
 */

import { deferred } from "../../../core/time/deferred.ts";
import { isProgrammingError, programmingError } from "../../programming_error.ts";
import { within } from "./failure.ts";
import type { TransportOptions, UpstashTransport } from "./transport.ts";

/**
 * The members of an instance of `Redis` of `@upstash/redis`, 1.39 or later, that the driver uses.
 *
 * @category Driver
 */
export interface UpstashRedis {
  /** Sends one command. */
  exec(command: [command: string, ...args: string[]]): Promise<unknown>;
  /** Subscribes to a channel. */
  subscribe(channel: string): UpstashSubscriber;
}

/**
 * The members of a subscription of `@upstash/redis` that the driver uses.
 *
 * @category Driver
 */
export interface UpstashSubscriber {
  /** Calls a listener for each event of a type. */
  // deno-lint-ignore no-explicit-any -- the client types an event by its kind; the driver reads its members with care
  on(type: "subscribe" | "message" | "error", listener: (event: any) => void): void;
  /** Ends the subscription to these channels. */
  unsubscribe(channels: string[]): Promise<void>;
}

/** Reaches Redis through the instance, with its own settings. */
export function instanceTransport(redis: UpstashRedis, options: TransportOptions): UpstashTransport {
  return { send: instanceCommands(redis, options), subscribe: instanceEvents(redis, options) };
}

/**
 * `exec` is not gathered into pipelines. If the instance repeats a request, that does no harm.
 * Nothing can stop a request that takes too long, so it goes on in the instance.
 */
function instanceCommands(redis: UpstashRedis, { timeoutMs, clock }: TransportOptions): UpstashTransport["send"] {
  return (command, call, stop) =>
    within(call, { ms: timeoutMs, clock, stop }, async () => {
      try {
        return await redis.exec(command as [string, ...string[]]);
      } catch (error) {
        throw isProgrammingError(error) ? programmingError(call, error) : error;
      }
    });
}

const CALL = "Upstash: subscribe";
/** How long to wait for the end of a stream, in milliseconds. */
const MAX_CLOSE_MS = 1_000;
/** A message that names no target. */
const NOTHING = "[]";

/**
 * The instance does not tell when a stream has ended or broken: only beats find that out.
 *
 * Unsubscribing aborts a signal, and Deno 2.9 may have collected what ties it to the stream. The
 * connection would then stay open and keep the process alive. So the listeners end the stream: the
 * package passes an error that a listener for messages throws to those for errors. An error that
 * one of those throws ends the stream, silently if it is an `AbortError`.
 */
function instanceEvents(redis: UpstashRedis, { timeoutMs, clock }: TransportOptions): UpstashTransport["subscribe"] {
  return async (channel, onMessage, stop) => {
    const lost = new AbortController();
    const { promise: confirmed, resolve, reject } = deferred<void>();
    // It may reject when nobody waits for it any more.
    confirmed.catch(() => {});
    const subscriber = redis.subscribe(channel);
    const sign = crypto.randomUUID();
    let isOver = false;
    subscriber.on("subscribe", () => resolve());
    subscriber.on("error", (error) => {
      if (isOver && error instanceof Error && error.message.includes(sign)) {
        throw new DOMException("unsubscribed", "AbortError");
      }
      reject(error);
      lost.abort();
    });
    subscriber.on("message", ({ message }) => {
      if (isOver) throw new Error(sign);
      // With automatic deserialisation the package has parsed the message.
      onMessage(typeof message === "string" ? message : JSON.stringify(message));
    });
    const unsubscribe = () => {
      isOver = true;
      return subscriber.unsubscribe([channel]).catch(() => {});
    };
    try {
      await within(CALL, { ms: timeoutMs, clock, stop }, () => confirmed);
    } catch (error) {
      await unsubscribe();
      throw error;
    }
    const close = async () => {
      await unsubscribe();
      await within(CALL, { ms: MAX_CLOSE_MS, clock }, () => redis.exec(["PUBLISH", channel, NOTHING])).catch(() => {});
    };
    return { lost: lost.signal, close };
  };
}
