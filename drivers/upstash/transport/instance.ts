/**
 * Commands and subscriptions through an instance of `Redis` that a user has made.
 *
 * @module
 */

import { deferred } from "../../../core/time/deferred.ts";
import { isProgrammingError, programmingError } from "../../programming_error.ts";
import { within } from "./limit.ts";
import type { SendCommand, Subscribe, TransportOptions } from "./transport.ts";

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
  // deno-lint-ignore no-explicit-any
  on(type: "subscribe" | "message" | "error", listener: (event: any) => void): void;
  /** Ends the subscription to these channels. */
  unsubscribe(channels: string[]): Promise<void>;
}

/**
 * Sends commands through the instance, with the instance's own settings. `exec` is not gathered
 * into pipelines. If the instance repeats a request by itself, that does no harm, because every
 * call may be repeated. A request that takes too long goes on in the instance, because nothing can
 * stop it.
 */
export function instanceCommands(redis: UpstashRedis, { timeoutMs, clock }: TransportOptions): SendCommand {
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
 * Subscribes through the instance. The instance does not tell when a stream has ended or broken:
 * only beats find that out.
 */
export function instanceEvents(redis: UpstashRedis, { timeoutMs, clock }: TransportOptions): Subscribe {
  return async (channel, onMessage, stop) => {
    const lost = new AbortController();
    const { promise: confirmed, resolve, reject } = deferred<void>();
    // It may reject when nobody waits for it any more.
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
      // With automatic deserialisation the package has parsed the message.
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
      await within(CALL, { ms: MAX_CLOSE_MS, clock }, () => redis.exec(["PUBLISH", channel, NOTHING])).catch(() => {});
    };
    return { lost: lost.signal, close };
  };
}

/**
 * Ends a stream by throwing from its listeners.
 *
 * Unsubscribing aborts a signal, and Deno 2.9 may have collected what ties it to the stream. The
 * connection would then stay open and keep the process alive. The package passes an error that a
 * listener for messages throws to the listeners for errors. An error that one of those throws ends
 * the stream, silently if it is an `AbortError`.
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
