/**
 * Commands and subscriptions through an instance of `Redis` that a user has made.
 *
 * @module
 */

import { deferred } from "../../../core/time/deferred.ts";
import { within } from "./limit.ts";
import type { SendCommand, Subscribe, TransportOptions } from "./transport.ts";

/** What the driver needs of an instance of `Redis` of `@upstash/redis`, 1.39 or later. */
export interface UpstashRedis {
  /** Sends one command. */
  exec(command: [command: string, ...args: string[]]): Promise<unknown>;
  /** Subscribes to a channel. */
  subscribe(channel: string): UpstashSubscriber;
}

/** What the driver needs of a subscription of `@upstash/redis`. */
export interface UpstashSubscriber {
  /** Is told of what comes. */
  // deno-lint-ignore no-explicit-any
  on(type: "subscribe" | "message" | "error", listener: (event: any) => void): void;
  /** Ends it for these channels. */
  unsubscribe(channels: string[]): Promise<void>;
}

/**
 * Sends commands through the instance, with the instance's own settings. `exec` is not gathered into pipelines. What the instance repeats by itself does
 * no harm, since every call may be repeated; and a request that takes too long is left to it, since nothing can stop it.
 */
export function instanceCommands(redis: UpstashRedis, { timeoutMs, clock }: TransportOptions): SendCommand {
  return (command, call, stop) =>
    within(call, { ms: timeoutMs, clock, stop }, async () => await redis.exec(command as [string, ...string[]]));
}

const CALL = "Upstash: subscribe";
/** How long the end of a stream is waited for, in milliseconds. */
const CLOSE_MS = 1_000;
/** A message that tells nobody. */
const NOTHING = "[]";

/** Subscribes through the instance. It does not say when a stream has ended or broken: only beats find that out. */
export function instanceEvents(redis: UpstashRedis, { timeoutMs, clock }: TransportOptions): Subscribe {
  return async (channel, onMessage, stop) => {
    const lost = new AbortController();
    const { promise: confirmed, resolve, reject } = deferred<void>();
    // Nobody may be listening any more.
    confirmed.catch(() => {});
    const subscriber = redis.subscribe(channel);
    const end = new StreamEnd();
    subscriber.on("subscribe", () => resolve());
    subscriber.on("error", (error) => {
      end.atError(error);
      reject(error);
      lost.abort();
    });
    subscriber.on("message", ({ message }) => {
      end.atMessage();
      // Automatic deserialisation, if it is on, has made values of JSON.
      onMessage(typeof message === "string" ? message : JSON.stringify(message));
    });
    const unsubscribe = () => {
      end.isWanted = true;
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
      await within(CALL, { ms: CLOSE_MS, clock }, () => redis.exec(["PUBLISH", channel, NOTHING])).catch(() => {});
    };
    return { lost: lost.signal, close };
  };
}

/**
 * Ends a stream by what its listeners throw.
 *
 * To unsubscribe aborts a signal, and Deno 2.9 may have collected what ties it to the stream: the connection would stay open for ever, and the process with
 * it. What a listener for messages throws, the package gives to those for errors; what one of these throws ends the stream, without a word if it is called so.
 */
class StreamEnd {
  isWanted = false;
  readonly #sign = crypto.randomUUID();

  atMessage(): void {
    if (this.isWanted) throw new Error(this.#sign);
  }

  atError(error: unknown): void {
    if (this.isWanted && error instanceof Error && error.message.includes(this.#sign)) {
      throw new DOMException("unsubscribed", "AbortError");
    }
  }
}
