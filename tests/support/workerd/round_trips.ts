/**
 * A way to PostgreSQL on which connections and round trips are counted.
 *
 * @module
 */

/** What has passed since the last {@linkcode CountedWay.take}. */
export interface RoundTrips {
  /** How many connections were opened. */
  readonly connections: number;
  /** How often the clients waited for an answer, apart from logging in. */
  readonly roundTrips: number;
}

/** Passes on the bytes of connections, and counts. Disposing of it closes the connections. */
export class CountedWay implements AsyncDisposable {
  /** The connections that are open. */
  readonly open: Set<Deno.TcpConn> = new Set();
  readonly #listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  readonly #target: URL;
  readonly #done: Promise<void>;
  #count = { connections: 0, roundTrips: 0 };

  /** Makes a way to the server of a connection string. */
  constructor(url: string) {
    this.#target = new URL(url);
    this.#done = this.#serve();
  }

  /** The connection string, through here. */
  get url(): string {
    const url = new URL(this.#target);
    [url.hostname, url.port] = ["127.0.0.1", String(this.#listener.addr.port)];
    return url.href;
  }

  /** Returns the counts, and starts at zero again. */
  take(): RoundTrips {
    const count = this.#count;
    this.#count = { connections: 0, roundTrips: 0 };
    return count;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    for (const connection of this.open) close(connection);
    await this.#done;
  }

  async #serve(): Promise<void> {
    const served: Promise<void>[] = [];
    for await (const client of this.#listener) served.push(this.#pass(client));
    await Promise.all(served);
  }

  async #pass(client: Deno.TcpConn): Promise<void> {
    this.#count.connections += 1;
    const server = await Deno.connect({ hostname: this.#target.hostname, port: Number(this.#target.port) });
    this.open.add(client);
    let isReady = false;
    let isAnswered = true;
    const sent = () => {
      if (isAnswered && isReady) this.#count.roundTrips += 1;
      isAnswered = false;
    };
    const answered = (bytes: Uint8Array) => {
      isAnswered = true;
      isReady ||= endsWithReadyForQuery(bytes);
    };
    await Promise.all([copy(client, server, sent), copy(server, client, answered)]);
    this.open.delete(client);
  }
}

/** Copies until one of the two is closed, and closes both. */
async function copy(from: Deno.TcpConn, to: Deno.TcpConn, passed: (bytes: Uint8Array) => void): Promise<void> {
  try {
    for await (const bytes of from.readable.values({ preventCancel: true })) {
      // The goodbye of a client gets no answer.
      if (!(bytes.length === 5 && bytes[0] === "X".charCodeAt(0))) passed(bytes);
      await writeAll(to, bytes);
    }
  } catch {
    // The connection broke, or was closed.
  }
  close(from);
  close(to);
}

async function writeAll(to: Deno.TcpConn, bytes: Uint8Array): Promise<void> {
  for (let written = 0; written < bytes.length;) written += await to.write(bytes.subarray(written));
}

/** PostgreSQL says so once a client has logged in, and after each answer. */
function endsWithReadyForQuery(bytes: Uint8Array): boolean {
  return bytes.at(-6) === "Z".charCodeAt(0) && bytes.at(-2) === 5;
}

function close(connection: Deno.TcpConn): void {
  try {
    connection.close();
  } catch {
    // It is closed.
  }
}
