/**
 * Hints from Upstash: `SUBSCRIBE` on one connection, however many watch, while somebody does.
 *
 * Whatever changes something publishes, on the one channel of its driver's prefix, one line of JSON: a list of what may be watched and has changed,
 * `["inbox:order 42","due"]`. The empty list is a beat. Whatever else comes hints everybody, since a hint costs a look, and one that is missed
 * costs up to ten minutes: so a later version may say more, or say "everything" instead of a long list.
 *
 * @module
 */

import type { Clock } from "../../../core/time/clock.ts";
import { deferred } from "../../../core/time/deferred.ts";
import { PushConnection, type PushTiming } from "../../push.ts";
import { describeFailure } from "./failure.ts";
import { within } from "./limit.ts";
import type { Transport } from "./transport.ts";

/**
 * What fits Upstash, where each command is billed.
 *
 * A beat is one `PUBLISH`, and is left out if something has come since the last: so all that listen to a channel together make one every 45 seconds at most,
 * and none while there is traffic. That is 58,000 commands in a month of uninterrupted waiting: $0.12 at $0.20 for 100,000 (2026-11), or
 * an eighth of what is free. It is short enough for what cuts idle connections after a minute. A stream that ends is noticed without
 * a beat; one that is swallowed costs hints for so long. That found, all look: so a wait itself looks every ten minutes alone, for a hint that is
 * lost on a connection that works. Every ten seconds, as the core does by itself, would be 260,000 looks a month. A beat cannot do it for them: it could
 * only compare a count of hints that every write would keep, which is one command more for each.
 */
export const TIMING: PushTiming = { openAfterMs: 100, lingerMs: 1_000, beatMs: 45_000, lookMs: 600_000 };

/** Tells that the channel can be heard, and nothing else. */
const BEAT = "[]";
const CALL = "Upstash: push";

/** See {@linkcode openPush}. */
export interface UpstashPushOptions {
  readonly transport: Transport;
  /** Of letters, digits and `:_.-`: it becomes a part of a URL, unescaped. */
  readonly channel: string;
  /** How long subscribing may take, and a beat, in milliseconds. */
  readonly timeoutMs: number;
  readonly clock: Clock;
  readonly timing: PushTiming;
  /** Is told, once, that there is no push. */
  readonly report: (problem: string) => void;
}

/** Makes a push that listens to a channel while somebody watches. */
export function openPush(options: UpstashPushOptions): PushConnection {
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

/** Finds out whether a subscription still hears. */
class Beats {
  readonly #options: UpstashPushOptions;
  #isFirst = true;
  /** The confirmation of the subscription is a sign of life as well. */
  #heard = true;
  #onSign = () => {};

  constructor(options: UpstashPushOptions) {
    this.#options = options;
  }

  /** A message has come, whoever has sent it. */
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

  /** Settles when the subscription has heard something, be it what this has published. */
  async #publish(over: AbortSignal): Promise<void> {
    const { transport, channel, timeoutMs: ms, clock } = this.#options;
    const { promise: sign, resolve } = deferred<void>();
    this.#onSign = resolve;
    const publish = async () => {
      await transport.send(["PUBLISH", channel, BEAT], CALL, over);
      await sign;
    };
    // The message may come before the answer, or in place of it.
    await within(CALL, { ms, clock, stop: over }, () => Promise.race([sign, publish()]));
  }
}
