/**
 * A site over Neon's protocol, in workerd without flags and in Deno with the network and the
 * environment alone.
 *
 * @module
 */

import assert from "node:assert/strict";
import { LOCK } from "../../../scripts/deno.ts";
import { atNeon } from "../../drivers/neon/support/harness.ts";
import type { SharedServer } from "../../drivers/neon/support/shared_server.ts";
import { freePort, PERMISSIONS } from "../../support/adapter/process.ts";
import { KeptProcess } from "../../support/kept.ts";
import { startWorker } from "../../support/workerd/mod.ts";
import type { Setting } from "../support/setting.ts";

/** A site that runs. */
interface Site {
  readonly name: string;
  fetch(path: string, init?: RequestInit): Promise<Response>;
}

/** Starts the sites, while a test file is loaded. They end after the tests of the file. */
export async function startSites({ url }: Setting, neon: SharedServer): Promise<Site[]> {
  const env = { DATABASE: atNeon(url), NEON_HTTP: neon.http, NEON_WEBSOCKET: neon.websocket };
  const port = freePort();
  const main = new URL("../entries/limited.ts", import.meta.url).pathname;
  const args = ["run", LOCK, "--no-check", "--unstable-no-legacy-abort", ...PERMISSIONS, main];
  const [worker, { process }] = await Promise.all([
    startWorker({ entry: "tests/dbos/entries/site.ts", bindings: env }),
    KeptProcess.start({
      command: Deno.execPath(),
      args,
      env: { ...env, PORT: `${port}` },
      ready: /^ready$/m,
    }),
  ]);
  Deno.test.afterAll(async () => {
    await process.kill();
    await worker[Symbol.asyncDispose]();
  });
  return [
    { name: "workerd", fetch: (path, init) => worker.fetch(path, init) },
    { name: "limited Deno", fetch: (path, init) => fetch(`http://127.0.0.1:${port}${path}`, init) },
  ];
}

/** Registers the tests. */
export function edgeSuite(sites: readonly Site[]): void {
  for (const site of sites) {
    const fn = async () => {
      const id = `edge ${site.name}`;
      const response = await site.fetch(`/story?id=${encodeURIComponent(id)}`);
      assert.deepEqual(await response.json(), {
        created: [true, false],
        url: "https://pay.example/lamp",
        duplicates: [false, true],
        values: [{ step: "reserved", item: "lamp" }, { step: "paid" }],
        closed: true,
        result: { item: "lamp", paid: true },
        status: "SUCCESS",
        input: { item: "lamp" },
        listed: 1,
        operations: ["writeStream", "step", "setEvent", "recv", "writeStream", "closeStream"],
        received: [{ paid: true }],
        events: [["paymentUrl", 1]],
        streams: [["progress", 2]],
        refused: "workflow_not_found",
      });
      const headers = { authorization: "Bearer s3cret", accept: "text/event-stream" };
      const live = await site.fetch(`/workflows/${encodeURIComponent(id)}/streams/progress`, { headers });
      const data = [...(await live.text()).matchAll(/^data: (.*)$/gm)].map(([, text]) => JSON.parse(text!));
      assert.deepEqual(data.slice(0, 2), [{ step: "reserved", item: "lamp" }, { step: "paid" }]);
    };
    Deno.test({ name: `a site beside a DBOS app, in ${site.name}`, fn, sanitizeOps: false, sanitizeResources: false });
  }
}
