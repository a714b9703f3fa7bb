/**
 * Hints from a DBOS app: it notifies two channels of what its workflows publish.
 *
 * @module
 */

import { type Clock, systemClock } from "../core/time/clock.ts";
import { withTimeLimit } from "../core/time/time_limit.ts";
import { type OpenConnection, PushConnection, type PushTiming, type Tell } from "../drivers/push.ts";
import {
  describePushFault,
  type ListeningConnection,
  MAX_HEARING_MS,
  NotHeardError,
  type OpenListening,
} from "../drivers/postgres/push/push.ts";

/** The channels of DBOS, which all schemas of a database share, and the target that each hints. */
const CHANNELS: Readonly<Record<string, "event" | "stream">> = {
  dbos_workflow_events_channel: "event",
  dbos_streams_channel: "stream",
};

/** Between the parts of a notification, which are a workflow ID and a key. Both may have it too. */
const SEPARATOR = "::";

/**
 * An app notifies after its write, and forgets it if it dies in between. It says nothing of a
 * workflow's end. So waits also look every 2 s.
 */
export const DBOS_PUSH_TIMING: PushTiming = { openAfterMs: 100, lingerMs: 1_000, beatMs: 20_000, lookMs: 2_000 };

/** Makes a push that listens while there are watches. */
export function openDbosPush(
  open: OpenListening,
  { clock = systemClock, timing = DBOS_PUSH_TIMING, report }: {
    clock?: Clock;
    timing?: PushTiming;
    /** Called once if there is no push, with the reason. */
    report: (problem: string) => void;
  },
): PushConnection {
  const connect = (tell: Tell, stop: AbortSignal) => DbosListener.open(open, clock, tell, stop);
  return new PushConnection({ clock, timing, report, describe: describePushFault, connect });
}

/** A connection that listens to an app. */
class DbosListener implements OpenConnection {
  readonly lost: AbortSignal;
  readonly #connection: ListeningConnection;
  readonly #clock: Clock;
  readonly #own: string;
  readonly #hear: () => Promise<void>;
  #isFirst = true;

  private constructor(connection: ListeningConnection, clock: Clock, own: string, hear: () => Promise<void>) {
    this.lost = connection.lost;
    this.#connection = connection;
    this.#clock = clock;
    this.#own = own;
    this.#hear = hear;
  }

  /** Listens also to a channel of its own, which proves that the connection passes notifications on. */
  static async open(open: OpenListening, clock: Clock, tell: Tell, stop: AbortSignal): Promise<DbosListener> {
    const own = `parley_${crypto.randomUUID().replaceAll("-", "")}`;
    let onOwn = () => {};
    const notified = (text: string, channel: string) => {
      if (channel === own) onOwn();
      else tell(targetsOf(text, channel));
    };
    const connection = await open([own, ...Object.keys(CHANNELS)], { notified, resumed: () => tell("all") }, stop);
    return new DbosListener(connection, clock, own, () => new Promise((resolve) => onOwn = resolve));
  }

  async beat(over: AbortSignal): Promise<boolean> {
    const heard = this.#hear();
    await this.#connection.query("select pg_notify($1, '')::text as result", [this.#own], over);
    await withTimeLimit(
      { ms: MAX_HEARING_MS, clock: this.#clock, stop: over, error: () => new NotHeardError() },
      () => heard,
    );
    const isFirst = this.#isFirst;
    this.#isFirst = false;
    return isFirst;
  }

  async close(): Promise<void> {
    await this.#connection.close();
  }
}

/**
 * The targets that a notification may be about. If the ID or the key has a separator, there are
 * several, and all but one are looked at for nothing.
 */
function targetsOf(text: string, channel: string): string[] {
  const parts = text.split(SEPARATOR);
  const kind = CHANNELS[channel];
  return parts.slice(1).map((_, index) => `${kind}:${parts.slice(0, index + 1).join(SEPARATOR)}`);
}
