/**
 * Hints from Upstash: one connection with `SUBSCRIBE` for all watches, open while there are any.
 *
 * Every change publishes one line of JSON on the channel of the driver's prefix: a list of watch
 * targets that have changed, `["inbox:order 42","due"]`. The empty list is a beat. Any other
 * message hints everybody, because a hint costs a look, and a missed hint costs up to ten minutes.
 * So a later version may publish something else, or "everything" instead of a long list.
 *
 * @module
 */

import type { Clock } from "../../../core/time/clock.ts";
import { deferred } from "../../../core/time/deferred.ts";
import { PushConnection, type PushTiming } from "../../push.ts";
import { describeFailure } from "./failure.ts";
import { within } from "./limit.ts";
import type { UpstashTransport } from "./transport.ts";

/**
 * Timing for a store that bills each command.
 *
 * A beat is one `PUBLISH`, and is left out if a message has arrived since the last beat. So all
 * listeners of a channel together publish at most one every 45 seconds, and none while there is
 * traffic. That is 58,000 commands in a month of uninterrupted waiting: $0.12 at $0.20 for 100,000
 * (2026-11), or an eighth of the free plan. It is short enough for proxies that cut idle
 * connections after a minute.
 *
 * A stream that ends is noticed without a beat. A stream that is swallowed loses hints until the
 * next beat, and then everybody looks. So a wait itself looks only every ten minutes, for a hint
 * that is lost on a connection that works. Every ten seconds, the core's default, would be 260,000
 * looks a month. A beat cannot replace these looks: it could only compare a count of hints, and
 * counting would cost every write one more command.
 */
export const UPSTASH_TIMING: PushTiming = { openAfterMs: 100, lingerMs: 1_000, beatMs: 45_000, lookMs: 600_000 };

/** A message that names no target. It shows that the channel is heard. */
const BEAT = "[]";
const CALL = "Upstash: push";

/** Options of {@linkcode upstashPush}. */
export interface UpstashPushOptions {
  readonly transport: UpstashTransport;
  /** Of letters, digits and `:_.-`, because it becomes a part of a URL, unescaped. */
  readonly channel: string;
  /** How long subscribing may take, and a beat, in milliseconds. */
  readonly timeoutMs: number;
  readonly clock: Clock;
  readonly timing: PushTiming;
  /** Gets a message, once, if there is no push. */
  readonly report: (problem: string) => void;
}

/** Creates a push that listens to a channel while there are watches. */
export function upstashPush(options: UpstashPushOptions): PushConnection {
  const { transport, channel, clock, timing, report } = options;
  return new PushConnection({
    clock,
    timing,
    report,
    describe: describeFailure,
    async connect(tell, stop) {
      const beats = new Beats(options);
      const { lost, close } = await transport.subscribe(channel, (payload) => {
        beats.hear();
        tell(readTargets(payload));
      }, stop);
      return { lost, close, beat: (over) => beats.next(over) };
    },
  });
}

function readTargets(payload: string): readonly unknown[] | "all" {
  try {
    const targets: unknown = JSON.parse(payload);
    return Array.isArray(targets) && targets.every((target) => typeof target === "string") ? targets : "all";
  } catch {
    return "all";
  }
}

/** Finds out whether a subscription still receives messages. */
class Beats {
  readonly #options: UpstashPushOptions;
  #isFirst = true;
  /** Whether something arrived since the last beat. The confirmation of the subscription counts. */
  #heard = true;
  #onSign = () => {};

  constructor(options: UpstashPushOptions) {
    this.#options = options;
  }

  /** Notes that a message has arrived, from any publisher. */
  hear(): void {
    this.#heard = true;
    this.#onSign();
  }

  /** See `OpenConnection.beat`. */
  async next(over: AbortSignal): Promise<boolean> {
    const isFirst = this.#isFirst;
    this.#isFirst = false;
    if (!this.#heard) await this.#publish(over);
    this.#heard = false;
    return isFirst;
  }

  /** Publishes a beat. Settles when any message arrives. */
  async #publish(over: AbortSignal): Promise<void> {
    const { transport, channel, timeoutMs: ms, clock } = this.#options;
    const { promise: sign, resolve } = deferred<void>();
    this.#onSign = resolve;
    const publish = async () => {
      await transport.send(["PUBLISH", channel, BEAT], CALL, over);
      await sign;
    };
    // The message may arrive before the answer, or without it.
    await within(CALL, { ms, clock, stop: over }, () => Promise.race([sign, publish()]));
  }
}
