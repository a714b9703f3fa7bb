/**
 * A connection to PostgreSQL through a WebSocket, for hints.
 *
 * @module
 */

import type { Clock } from "../../core/time/clock.ts";
import { Session } from "../postgres/push/session.ts";
import type { Login } from "./address.ts";

/** Options of {@linkcode listenOverWebSocket}. */
export interface WebSocketOptions {
  readonly login: Login;
  readonly websocket: URL;
  /** How long opening and each query may take, in milliseconds. */
  readonly timeoutMs: number;
  readonly clock: Clock;
}

/**
 * Opens a session that listens to channels.
 *
 * @param notified Called with the text of each notification, and its channel.
 * @param stop Aborts when the session is no longer wanted, before it listens.
 * @throws Whatever prevents it. Nothing stays open then.
 */
export async function listenOverWebSocket(
  { login, websocket, timeoutMs, clock }: WebSocketOptions,
  channels: readonly string[],
  notified: (text: string, channel: string) => void,
  stop: AbortSignal,
): Promise<Session> {
  // The package is imported when it is needed, because it reads the environment, and Deno asks for
  // permission for that.
  const { Client } = await import("@neondatabase/serverless");
  const client = new Client({ ...login, application_name: "parley" });
  const socket = client.neonConfig;
  socket.useSecureWebSocket = websocket.protocol === "wss:";
  socket.wsProxy = () => websocket.host + websocket.pathname + websocket.search;
  // Otherwise the package sends the password before the server asks. That fails if the server asks
  // for something else.
  socket.pipelineConnect = false;
  // Otherwise the package sends from a timer, where nothing catches the error of a WebSocket that
  // has closed meanwhile.
  socket.coalesceWrites = false;
  return await Session.listen(
    { client, destroy: () => socket.destroy(), timeoutMs, clock, notified },
    channels,
    stop,
  );
}
