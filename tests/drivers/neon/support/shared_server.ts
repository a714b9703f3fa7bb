/**
 * A local Neon for a whole test file.
 *
 * @module
 */

/** What the thread of the server is told. */
export interface SharedServerRequest {
  readonly postgres: string;
  readonly maxBytes: number;
  /** Counts the requests: one `Int32`. */
  readonly counter: SharedArrayBuffer;
  /** Brings the endpoints, and then takes the message that ends the server. */
  readonly port: MessagePort;
}

/** A server that runs until the end of the file. */
export interface SharedServer {
  /** The endpoint of SQL over HTTP. */
  readonly http: string;
  /** The endpoint of the WebSocket. */
  readonly websocket: string;
  /** How many `POST /sql` have reached the server. */
  requests(): number;
}

/**
 * Starts a server that ends after the tests of the file. New sessions of PostgreSQL plan and compile for 0.1 s each, so that a
 * server for each test takes most of the time of the suites. It runs in a thread of its own, because its sessions outlive a test, and
 * a test must leave nothing behind.
 */
export async function startSharedServer(options: { postgres: string; maxBytes: number }): Promise<SharedServer> {
  const counter = new SharedArrayBuffer(4);
  const count = new Int32Array(counter);
  const worker = new Worker(import.meta.resolve("./server_worker.ts"), { type: "module" });
  const { port1, port2 } = new MessageChannel();
  worker.postMessage({ ...options, counter, port: port2 } satisfies SharedServerRequest, [port2]);
  const endpoints = await answerOf<Pick<SharedServer, "http" | "websocket">>(port1);
  Deno.test.afterAll(async () => {
    const ended = answerOf(port1);
    port1.postMessage("end");
    await ended;
    port1.close();
    worker.terminate();
  });
  return { ...endpoints, requests: () => Atomics.load(count, 0) };
}

function answerOf<T>(port: MessagePort): Promise<T> {
  return new Promise((resolve) => port.onmessage = ({ data }) => resolve(data));
}
