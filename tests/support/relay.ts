/**
 * A TCP relay between a client and a server. It cuts, delays or swallows their bytes as a test
 * tells it.
 *
 * @module
 */

import { createServer, type Server } from "node:net";
import { Connection } from "./relay/connection.ts";
import { Faults, type RelayFault } from "./relay/faults.ts";
import { type Ending, Side } from "./relay/socket.ts";

export type { RelayAction, RelayFault, RelayMoment, RelayRequest } from "./relay/faults.ts";
export type { Ending } from "./relay/socket.ts";

/** Options of {@linkcode startRelay}. */
export interface RelayOptions {
  /** The URL of the server. */
  readonly target: { readonly hostname: string; readonly port: number };
  /**
   * The protocol. With `"http"`, the default, faults meet requests and, after an upgrade to a
   * WebSocket, the chunks of the client. With `"tcp"` faults meet chunks from the start.
   */
  readonly protocol?: "http" | "tcp";
  /**
   * How many milliseconds a connection can be withheld or swallowed before it is cut. The default
   * is 30,000.
   */
  readonly maxMs?: number;
}

/** A running relay. Disposing of it cuts every connection and ends every fault. */
export interface Relay extends AsyncDisposable {
  readonly hostname: string;
  readonly port: number;
  /** How many requests it has read whole, upgrades included. */
  readonly requests: number;
  readonly connections: { readonly opened: number; readonly open: number };
  /** The same URL, through the relay. */
  through(url: string): string;
  /** Adds a fault. Each request, and each new connection, meets the first that matches. */
  fault(fault: RelayFault): RelayFaultHandle;
  /** Cuts the open connections, and waits until they are gone. */
  cut(ending?: Ending): Promise<void>;
  /**
   * Makes black holes of the open connections: nothing passes any more, and nobody is told. New
   * connections are not affected.
   */
  freeze(): void;
}

/** A fault of a relay. Disposing of it takes it back. */
export interface RelayFaultHandle extends Disposable {
  /** How many requests or connections have met it. */
  readonly hits: number;
  /** Settles when the first has met it, at the moment that `at` names. */
  readonly met: Promise<void>;
}

const DEFAULT_MAX_MS = 30_000;

/** Starts a relay on a free port of 127.0.0.1. */
export async function startRelay({ target, protocol = "http", maxMs = DEFAULT_MAX_MS }: RelayOptions): Promise<Relay> {
  const hostname = "127.0.0.1";
  const faults = new Faults(maxMs);
  const open = new Set<Connection>();
  const count = { opened: 0, requests: 0, chunks: 0 };

  const server = createServer({ allowHalfOpen: true }, (socket) => {
    const connection = new Connection({
      client: new Side(socket),
      number: count.opened += 1,
      target,
      protocol,
      faults,
      nextNumber: (kind) => kind === "bytes" ? count.chunks += 1 : count.requests += 1,
    });
    open.add(connection);
    connection.done.finally(() => open.delete(connection));
  });
  const port = await listen(server, hostname);

  const cut = async (ending: Ending = "fin") => void await Promise.all([...open].map((it) => it.cut(ending)));
  return {
    hostname,
    port,
    get requests() {
      return count.requests;
    },
    connections: {
      get opened() {
        return count.opened;
      },
      get open() {
        return open.size;
      },
    },
    through(url) {
      const relayed = new URL(url);
      [relayed.hostname, relayed.port] = [hostname, String(port)];
      return relayed.href;
    },
    fault: (fault) => faults.add(fault),
    cut,
    freeze() {
      for (const connection of open) connection.freeze();
    },
    async [Symbol.asyncDispose]() {
      const closed = new Promise((resolve) => server.close(resolve));
      faults.end();
      await cut("reset");
      await closed;
    },
  };
}

async function listen(server: Server, hostname: string): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, hostname, resolve));
  const address = server.address();
  if (address === null || typeof address === "string") {
    throw new Error(`The relay listens at ${address}, which is no port`);
  }
  return address.port;
}
