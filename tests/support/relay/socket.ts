/**
 * A TCP connection that the reader reads at its own pace. In Deno, only `node:net` can reset a
 * connection.
 *
 * @module
 */

import { connect, type Socket } from "node:net";

/** How a connection ends: as if its process had closed it, or as if the process had died. */
export type Ending = "fin" | "reset";

/** One side of a relayed connection. It never throws; after an error it is at its end. */
export class Side {
  /** Settles when the other end has closed its direction, or the connection is gone. */
  readonly ended: Promise<void>;
  /** Settles when the connection is gone. */
  readonly closed: Promise<void>;
  readonly #socket: Socket;
  readonly #chunks: Uint8Array[] = [];
  #atEnd = false;
  #wake: () => void = () => {};

  constructor(socket: Socket) {
    this.#socket = socket;
    const [ended, closed] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    [this.ended, this.closed] = [ended.promise, closed.promise];
    const end = () => {
      this.#atEnd = true;
      this.#wake();
      ended.resolve();
    };
    socket.setNoDelay(true);
    socket.on("data", (chunk: Uint8Array) => {
      this.#chunks.push(chunk);
      this.#wake();
    });
    socket.on("end", end);
    socket.on("error", end);
    socket.on("close", () => {
      end();
      closed.resolve();
    });
  }

  /** The next bytes, or `undefined` at the end. */
  async read(): Promise<Uint8Array | undefined> {
    while (this.#chunks.length === 0 && !this.#atEnd) await new Promise<void>((resolve) => this.#wake = resolve);
    return this.#chunks.shift();
  }

  /** Puts bytes back before the next ones. */
  unread(bytes: Uint8Array): void {
    if (bytes.length > 0) this.#chunks.unshift(bytes);
  }

  /** Sends, unless the connection is gone. */
  async write(bytes: Uint8Array): Promise<void> {
    if (!this.#socket.writable) return;
    await Promise.race([this.closed, new Promise<void>((resolve) => void this.#socket.write(bytes, () => resolve()))]);
  }

  /** Closes this direction alone. */
  end(): void {
    if (this.#socket.writable) this.#socket.end();
  }

  /** Ends the connection in both directions, and waits until it is gone. */
  async close(ending: Ending = "fin"): Promise<void> {
    if (ending === "reset") this.#socket.resetAndDestroy();
    else if (this.#socket.writable) this.#socket.end(() => this.#socket.destroy());
    else this.#socket.destroy();
    await this.closed;
  }
}

/** Connects. `undefined` if nobody listens. */
export function open(target: { hostname: string; port: number }): Promise<Side | undefined> {
  const { promise, resolve } = Promise.withResolvers<Side | undefined>();
  const socket = connect({ host: target.hostname, port: target.port, allowHalfOpen: true });
  const side = new Side(socket);
  socket.once("connect", () => resolve(side));
  socket.once("close", () => resolve(undefined));
  return promise;
}
