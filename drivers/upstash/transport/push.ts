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

import { deferred } from "../../../core/time/deferred.ts";
import { type Connect, type OpenConnection, PushConnection, type PushTiming, type Tell } from "../../push.ts";
import { readJson } from "../../read_json.ts";
import { describeFailure, within } from "./failure.ts";
import type { TransportOptions, UpstashTransport } from "./transport.ts";

/**
 * Timing for a store that bills each command. `docs/upstash.md` has the sums.
 *
 * A beat is one `PUBLISH`, and is left out if a message has arrived since the last beat. It is
 * short enough for proxies that cut idle connections after a minute. If a
 * proxy swallows the stream, hints are lost until the next beat fails, and then everybody looks. So the
 * looks of a wait itself are only for hints that a working connection has lost.
 */
export const UPSTASH_TIMING: PushTiming = { openAfterMs: 100, lingerMs: 1_000, beatMs: 45_000, lookMs: 600_000 };

/** A message that names no target. It shows that the channel is heard. */
const BEAT = "[]";
const CALL = "Upstash: push";

/** Options of {@linkcode upstashPush}. The time limit is that of a beat. */
export interface UpstashPushOptions extends TransportOptions {
  readonly transport: UpstashTransport;
  readonly channel: string;
  readonly timing: PushTiming;
  /** Gets a message, once, if there is no push. */
  readonly report: (problem: string) => void;
}

/** Creates a push that listens to a channel while there are watches. */
export function upstashPush(options: UpstashPushOptions): PushConnection {
  const { clock, timing, report } = options;
  const connect: Connect = (tell, stop) => listen(options, tell, stop);
  return new PushConnection({ clock, timing, report, describe: describeFailure, connect });
}

async function listen(
  { transport, channel, timeoutMs: ms, clock }: UpstashPushOptions,
  tell: Tell,
  stop: AbortSignal,
): Promise<OpenConnection> {
  let isFirst = true;
  // Whether something arrived since the last beat. The confirmation of the subscription counts.
  let heard = true;
  let onMessage = () => {};
  const subscription = await transport.subscribe(channel, (payload) => {
    heard = true;
    onMessage();
    tell(readTargets(payload));
  }, stop);
  /** Publishes a beat. Settles when any message arrives, from any publisher. */
  const publish = async (over: AbortSignal) => {
    const { promise: arrival, resolve } = deferred<void>();
    onMessage = resolve;
    const send = () => transport.send(["PUBLISH", channel, BEAT], CALL, over).then(() => arrival);
    // The message may arrive before the answer, or without it.
    await within(CALL, { ms, clock, stop: over }, () => Promise.race([arrival, send()]));
  };
  const beat = async (over: AbortSignal) => {
    if (!heard) await publish(over);
    heard = false;
    const mayHaveLost = isFirst;
    isFirst = false;
    return mayHaveLost;
  };
  return { lost: subscription.lost, beat, close: () => subscription.close() };
}

function readTargets(payload: string): readonly unknown[] | "all" {
  const targets = readJson(payload);
  return Array.isArray(targets) && targets.every((target) => typeof target === "string") ? targets : "all";
}
