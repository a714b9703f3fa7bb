/**
 * A process of Deno that serves the adapter to the suites, with the permissions of an edge platform and no others.
 *
 * @module
 */

import assert from "node:assert/strict";
import { LOCK } from "../../scripts/deno.ts";
import { freePort, PERMISSIONS } from "../support/adapter/process.ts";
import { KeptProcess } from "../support/kept.ts";

/** What serves the suites. */
export interface LimitedServer {
  fetch(path: string, init?: RequestInit): Promise<Response>;
}

/** Starts it, while a test file is loaded, and registers that it is permitted nothing else. It ends after the tests of the file. */
export async function startLimited(): Promise<LimitedServer> {
  const port = freePort();
  const main = new URL("suite_server.ts", import.meta.url).pathname;
  const args = ["run", LOCK, "--no-check", "--unstable-no-legacy-abort", ...PERMISSIONS, main];
  const { process } = await KeptProcess.start({
    command: Deno.execPath(),
    args,
    env: { PORT: String(port) },
    ready: /^ready$/m,
  });
  Deno.test.afterAll(() => process.kill());
  const server = { fetch: (path: string, init?: RequestInit) => fetch(`http://127.0.0.1:${port}${path}`, init) };
  Deno.test("the server of the suites is permitted nothing but the network and the environment", async () => {
    assert.deepEqual(await (await server.fetch("/permitted")).json(), ["net", "env"]);
  });
  return server;
}
