/**
 * The sockets through which an object gives hints.
 *
 * @module
 */

import type { WatchTarget } from "../../core/driver/driver.ts";
import { wallClock } from "../../core/time/clock.ts";
import type { ObjectContext, ObjectSocket } from "./platform.ts";
import { PING, PING_MS, PONG } from "./protocol.ts";

/** A socket whose Worker was not heard for so long has lost its Worker, in milliseconds. */
const MAX_SILENCE_MS = 3 * PING_MS;

/** The platform takes 256 bytes. */
const MAX_TAG_LENGTH = 250;

/** The classes of the platform that make sockets. */
interface Platform {
  readonly WebSocketPair: new () => { readonly 0: unknown; readonly 1: ObjectSocket };
  readonly WebSocketRequestResponsePair: new (request: string, response: string) => unknown;
}

/** The open sockets, each for one target. They stay open while the object is not in memory. */
export class Sockets {
  readonly #context: ObjectContext;

  constructor(context: ObjectContext) {
    this.#context = context;
  }

  /** Answers the request for a subscription. */
  accept(request: Request): Response {
    const target = new URL(request.url).searchParams.get("target");
    if (target === null || request.headers.get("upgrade") !== "websocket") return new Response(null, { status: 400 });
    const { WebSocketPair, WebSocketRequestResponsePair } = globalThis as unknown as Platform;
    const { 0: client, 1: server } = new WebSocketPair();
    this.#context.setWebSocketAutoResponse(new WebSocketRequestResponsePair(PING, PONG));
    this.#context.acceptWebSocket(server, [toTag(target)]);
    server.serializeAttachment(wallClock.now());
    return new Response(null, { status: 101, webSocket: client } as ResponseInit);
  }

  /**
   * Hints at the targets. Messages leave only once what the call has written is durable. A socket
   * whose Worker has gone away without closing it is closed. So is one that fails, because it is
   * closing already: the call has been committed, and must not fail.
   */
  hint(targets: Iterable<WatchTarget>): void {
    for (const target of targets) {
      for (const socket of this.#context.getWebSockets(toTag(target)) as ObjectSocket[]) {
        try {
          if (this.#isSilent(socket)) close(socket);
          else socket.send("");
        } catch {
          close(socket);
        }
      }
    }
  }

  #isSilent(socket: ObjectSocket): boolean {
    const openedAt = socket.deserializeAttachment();
    const pingedAt = this.#context.getWebSocketAutoResponseTimestamp(socket)?.getTime() ?? 0;
    const heardAt = Math.max(typeof openedAt === "number" ? openedAt : 0, pingedAt);
    return wallClock.now() - heardAt > MAX_SILENCE_MS;
  }
}

/** Targets that are alike in so many characters share a tag. One is then also hinted at the other's changes. */
function toTag(target: string): string {
  return encodeURIComponent(target).slice(0, MAX_TAG_LENGTH);
}

/** Completes the closing of a socket, which is not done by itself on older dates. */
export function close(socket: { close(code?: number): void }): void {
  try {
    socket.close(1000);
  } catch {
    // It is closed already.
  }
}
