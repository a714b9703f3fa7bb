/**
 * The thread of a relay; see `relay.ts`.
 *
 * @module
 */

import net from "node:net";
import { parentPort, workerData } from "node:worker_threads";
import type { RelayOptions } from "./relay.ts";

/** Passes data on after a delay, in order, and the end too. */
function passOn(from: net.Socket, to: net.Socket, delayMs: number): void {
  const later = (run: () => void) => setTimeout(run, delayMs);
  from.setNoDelay(true);
  from.on("data", (chunk) => later(() => to.destroyed || to.write(chunk)));
  from.on("end", () => later(() => to.end()));
  from.on("error", () => to.destroy());
  from.on("close", () => later(() => to.destroy()));
}

const { hostname, port, distanceMs }: RelayOptions = workerData;
// Timers count whole milliseconds.
const thereMs = Math.ceil(distanceMs / 2);
const server = net.createServer((near) => {
  const far = net.connect(port, hostname);
  passOn(near, far, thereMs);
  passOn(far, near, distanceMs - thereMs);
});
server.listen(0, "127.0.0.1", () => parentPort?.postMessage(server.address()));
