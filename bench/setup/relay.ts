/**
 * A TCP relay that adds distance: what passes it arrives later. It runs in a thread of its own, so
 * that the main program does not delay it.
 *
 * @module
 */

import { Worker } from "node:worker_threads";

/** Where a relay leads, and the whole milliseconds that it adds to each round trip. */
export interface RelayOptions {
  readonly hostname: string;
  readonly port: number;
  readonly distanceMs: number;
}

/** A relay. Disposing it cuts its connections. */
export interface Relay extends AsyncDisposable {
  /** The URL of the server, by way of the relay. */
  readonly url: string;
}

/** Starts a relay to the server of a URL. */
export async function startRelay(url: string, distanceMs: number): Promise<Relay> {
  const { hostname, port } = new URL(url);
  const workerData: RelayOptions = { hostname, port: Number(port), distanceMs };
  const thread = new Worker(new URL("./relay_thread.ts", import.meta.url), { workerData });
  const address = await new Promise<{ port: number }>((resolve, reject) => {
    thread.once("message", resolve);
    thread.once("error", reject);
  });
  const relayed = new URL(url);
  relayed.port = `${address.port}`;
  return {
    url: relayed.href,
    [Symbol.asyncDispose]: async () => {
      await thread.terminate();
    },
  };
}
