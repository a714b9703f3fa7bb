/**
 * Streams and events of a workflow in a page, over one `EventSource`.
 *
 * The entry point is one of its own and imports next to nothing, so that a page that only follows
 * loads 1 kB.
 *
 * @module
 */

import { backoffMs } from "../../core/time/backoff.ts";
import { systemClock } from "../../core/time/clock.ts";
import { toSegment } from "../segment.ts";

/** The pauses before a closed `EventSource` is replaced. */
const PAUSES = { firstMs: 1_000, maxMs: 30_000 };

/**
 * Options of `followLive`.
 *
 * @category From outside
 */
export interface FollowLiveOptions {
  /** Where the adapter is mounted, such as `/parley` or `https://example.com/parley`. */
  url: string;
  /** The workflow. */
  workflowId: string;
  /**
   * A token that allows all of the streams and events, or a function that returns one. The function
   * is called again when a token has expired. A token in a URL gets into logs, so make it narrow
   * and short-lived.
   */
  token?: string | (() => string | Promise<string>);
  /**
   * What happens with each value of a stream, by the stream's key. Values are plain JSON, and not
   * checked. With `events`, 1 to 20 keys.
   */
  // deno-lint-ignore no-explicit-any -- JSON, of which the caller knows the type
  streams?: Record<string, (value: any, offset: number) => void>;
  /** What happens with each value of an event, by the event's key. */
  // deno-lint-ignore no-explicit-any -- JSON, of which the caller knows the type
  events?: Record<string, (value: any, version: number) => void>;
  /** The `position` of a follower of the same keys in the same order. Default the start of all. */
  after?: string;
  /**
   * Called if what was shown no longer exists, because the store was restored from a copy or the ID
   * was used again. Everything comes again from the start.
   */
  onReset?: () => void;
  /** Called when all of the streams and events have ended. */
  onEnd?: () => void;
  /**
   * Called each time that the server has refused the connection, with how often it did so in a row.
   * The next attempt follows after 1 s to 30 s, unless the follower is closed.
   */
  onRefused?: (times: number) => void;
}

/**
 * Streams and events that are being followed.
 *
 * @category From outside
 */
export interface LiveFollower {
  /** How far all of them are, for `after` of a later follower; empty if nothing has come yet. */
  readonly position: string;
  /** Stops. */
  close(): void;
}

/**
 * Follows streams and events of a workflow in a page, over one connection.
 *
 * An `EventSource` reconnects by itself after a cut, but not after an expired token or the error
 * page of a gateway. This function then opens another one, which continues where the last one
 * stopped. `connect` has the same as async iterables, with values of all types, but is larger.
 *
 * @param options What to follow, and what to do with the values.
 * @returns The follower, which is closed at the end.
 *
 * @example Show the progress and the status of an order
 * ```ts ignore
 * // Ignored: it runs in a page.
 * import { followLive } from "@parley/parley/browser";
 *
 * followLive({
 *   url: "/parley",
 *   workflowId: "order-1",
 *   token: async () => await (await fetch("/token")).text(),
 *   streams: { progress: (line) => list.append(line) },
 *   events: { status: (status) => title.textContent = status },
 *   onReset: () => list.replaceChildren(),
 * });
 * ```
 *
 * @category From outside
 */
export function followLive(options: FollowLiveOptions): LiveFollower {
  const { url, workflowId, token, streams = {}, events = {}, onReset, onEnd, onRefused } = options;
  let position = options.after ?? "";
  let source: EventSource | undefined;
  let stop = () => {};
  let refusals = 0;
  let closed = false;

  const close = () => {
    closed = true;
    source?.close();
    stop();
  };
  const refused = () => {
    if (closed) return;
    stop = systemClock.after(backoffMs(refusals, PAUSES), open);
    onRefused?.(++refusals);
  };
  const open = async () => {
    try {
      const current = typeof token === "function" ? await token() : token;
      if (!closed) connect(current);
    } catch {
      refused();
    }
  };
  const connect = (token: string | undefined) => {
    const query = new URLSearchParams();
    for (const key of Object.keys(streams)) query.append("stream", key);
    for (const key of Object.keys(events)) query.append("event", key);
    if (position) query.set("after", position);
    if (token !== undefined) query.set("token", token);
    const current = source = new EventSource(`${url}/workflows/${toSegment(workflowId)}/live?${query}`);
    const on = (type: string, run: (data: string) => void) =>
      current.addEventListener(
        type,
        ((event: MessageEvent<string>) => {
          // After the end, a later follower is told of the end again.
          position = event.lastEventId.replace("end:", "");
          run(event.data);
        }) as EventListener,
      );
    current.onopen = () => refusals = 0;
    current.onerror = () => {
      if (current.readyState === EventSource.CLOSED) refused();
    };
    on("message", (data) => {
      const { stream, offset, event, version, value } = JSON.parse(data);
      if (event === undefined) streams[stream]!(value, offset);
      else events[event]!(value, version);
    });
    on("reset", () => onReset?.());
    on("end", () => {
      close();
      onEnd?.();
    });
  };
  open();
  return {
    get position() {
      return position;
    },
    close,
  };
}
