/**
 * A local Neon in a thread of its own; see {@linkcode startSharedServer}.
 *
 * @module
 */

import { startNeonServer } from "../server/mod.ts";
import type { SharedServerRequest } from "./shared_server.ts";

addEventListener("message", async (event) => {
  const { postgres, maxBytes, counter, port } = (event as MessageEvent<SharedServerRequest>).data;
  const count = new Int32Array(counter);
  const server = await startNeonServer({ postgres, maxBytes });
  server.fault({ times: Infinity, answer: () => void Atomics.add(count, 0, 1) });
  port.onmessage = async () => {
    await server[Symbol.asyncDispose]();
    port.postMessage("ended");
    port.close();
  };
  port.postMessage({ http: server.http, websocket: server.websocket });
});
