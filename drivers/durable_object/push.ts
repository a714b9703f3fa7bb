/**
 * Hints from an object: one socket for each target that is watched, open while it is.
 *
 * @module
 */

import type { WatchTarget } from "../../core/driver/driver.ts";
import { deferred } from "../../core/time/deferred.ts";
import { type Clock, delay } from "../../core/time/clock.ts";
import { type OpenConnection, PushConnection, type PushTiming, type Tell } from "../push.ts";
import { reasonOf } from "./failure.ts";
import { type ClientSocket, type ObjectStub, PING, PING_MS, PONG, WATCH_URL } from "./protocol.ts";

/**
 * A socket is one request on the bill. Its messages to the Worker are free, and a beat does not wake
 * the object. A lost socket shows at once, or at the next beat. So a wait itself seldom looks.
 */
export const OBJECT_TIMING: PushTiming = { openAfterMs: 20, lingerMs: 1_000, beatMs: PING_MS, lookMs: 600_000 };

/** How long the answer to a beat may take, in milliseconds. */
const MAX_BEAT_MS = 10_000;

/** Options of {@linkcode objectPush}. */
export interface ObjectPushOptions {
  /** Makes a stub of the object. */
  readonly stub: () => ObjectStub;
  readonly target: WatchTarget;
  readonly clock: Clock;
  readonly timing: PushTiming;
}

/** Creates the push for one target. */
export function objectPush(options: ObjectPushOptions): PushConnection {
  const { clock, timing } = options;
  return new PushConnection({
    clock,
    timing,
    report: (problem) => console.warn(`Parley on a Durable Object: ${problem}`),
    describe: reasonOf,
    connect: (tell, stop) => subscribe(options, tell, stop),
  });
}

async function subscribe(
  { stub, target, clock }: ObjectPushOptions,
  tell: Tell,
  stop: AbortSignal,
): Promise<OpenConnection> {
  const url = `${WATCH_URL}?target=${encodeURIComponent(target)}`;
  const { webSocket } = await stub().fetch(url, { headers: { upgrade: "websocket" } });
  if (!webSocket) throw new Error("The object has opened no socket");
  const lost = new AbortController();
  let onPong = () => {};
  webSocket.addEventListener("message", (event) => {
    if ((event as MessageEvent).data === PONG) onPong();
    else tell([target]);
  });
  for (const end of ["close", "error"]) webSocket.addEventListener(end, () => lost.abort());
  webSocket.accept();
  if (stop.aborted) close(webSocket);
  let isFirst = true;
  return {
    lost: lost.signal,
    async beat(over) {
      if (isFirst) return !(isFirst = false);
      const { promise, resolve } = deferred<boolean>();
      onPong = () => resolve(true);
      webSocket.send(PING);
      const heard = await Promise.race([promise, delay(clock, MAX_BEAT_MS, over).then(() => over.aborted)]);
      if (!heard) throw new Error("The object does not answer");
      return false;
    },
    close: () => Promise.resolve(close(webSocket)),
  };
}

function close(socket: ClientSocket): void {
  try {
    socket.close(1000);
  } catch {
    // It is closed already.
  }
}
