/**
 * A TCP relay that fails as it is told: it stands between a client and a server and cuts, delays or swallows what they say.
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
  /** Where the server is. */
  readonly target: { readonly hostname: string; readonly port: number };
  /**
   * What is spoken: with `"http"`, the default, faults meet requests, and after an upgrade to a WebSocket what the client sends, chunk by
   * chunk; with `"tcp"`, chunks from the start.
   */
  readonly protocol?: "http" | "tcp";
  /** How long a connection can be withheld or swallowed before it is cut after all, in ms; 30,000 without it. */
  readonly maxMs?: number;
}

/** A relay that runs. Disposing it cuts every connection and ends every fault. */
export interface Relay extends AsyncDisposable {
  readonly hostname: string;
  readonly port: number;
  /** How many requests it has read whole, to meet faults or be passed on; upgrades are among them. */
  readonly requests: number;
  readonly connections: { readonly opened: number; readonly open: number };
  /** The same URL, through the relay. */
  through(url: string): string;
  /** Adds a fault; each request, and each new connection, meets the first that matches it. */
  fault(fault: RelayFault): RelayFaultHandle;
  /** Cuts the connections that are open, and waits until they are gone. */
  cut(ending?: Ending): Promise<void>;
  /** Makes black holes of the connections that are open: nothing passes any more, and nobody is told. New connections are not affected. */
  freeze(): void;
}

/** A fault that was asked for; disposing it takes it back. */
export interface RelayFaultHandle extends Disposable {
  /** How many requests or connections it has met. */
  readonly hits: number;
  /** Settles when it has met the first: what `at` names has happened. */
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
