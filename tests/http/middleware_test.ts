/**
 * The adapter behind middlewares of Hono, as an app may have for all of its routes.
 *
 * @module
 */

import assert from "node:assert/strict";
import { Hono, type MiddlewareHandler } from "hono";
import { compress } from "hono/compress";
import { csrf } from "hono/csrf";
import { etag } from "hono/etag";
import { logger } from "hono/logger";
import { secureHeaders } from "hono/secure-headers";
import { connect } from "../../http/client/client.ts";
import { httpWake } from "../../http/mod.ts";
import { memoryHarness } from "../drivers/memory/harness.ts";
import { lines, listen, sentEvents, serve, take, TOKEN } from "./support/service.ts";

const LOG = "/workflows/w/streams/log";
const STATE = "/workflows/w/events/state";

async function behind(...middlewares: MiddlewareHandler[]) {
  const harness = await memoryHarness();
  const service = await serve(harness);
  const app = new Hono();
  for (const middleware of middlewares) app.use(middleware);
  app.route("/", service.app);
  const get = async (path: string, headers: Record<string, string>) =>
    await app.request(path, { headers: { authorization: `Bearer ${TOKEN}`, "accept-encoding": "gzip", ...headers } });
  const dispose = async () => {
    await service[Symbol.asyncDispose]();
    await harness[Symbol.asyncDispose]();
  };
  return { ...service, app, get, [Symbol.asyncDispose]: dispose };
}

Deno.test("live answers come at once behind etag(), compress() and other middleware", async () => {
  await using service = await behind(etag(), compress({ threshold: 0 }), secureHeaders(), logger(() => {}));
  const { get, write, tell } = service;
  await write(1);
  await tell({ set: 1 });
  for (const path of [LOG, `${LOG}?offset=-1&live=sse`, STATE]) {
    const response = await get(path, { accept: "text/event-stream" });
    assert.equal(response.headers.get("content-encoding"), null, path);
    const another = await get(path, { accept: "text/event-stream" });
    assert.notEqual(response.headers.get("etag"), another.headers.get("etag"));
    await another.body?.cancel();
    const sent = sentEvents(response);
    await take(sent, 1, ({ data }) => data !== undefined);
    await sent.return(undefined);
  }
  for (const path of [LOG, STATE]) {
    const sent = lines(await get(path, { accept: "application/x-ndjson" }));
    await take(sent, 1, (it) => it !== "");
    await sent.return(undefined);
  }
  // What is complete may be compressed.
  const list = await get("/workflows", {});
  await list.body?.cancel();
  assert.equal(list.headers.get("content-encoding"), "gzip");
});

Deno.test("connect() and httpWake() pass csrf(), etag() and compress() with every operation", async () => {
  await using service = await behind(csrf(), etag(), compress({ threshold: 0 }));
  await using server = listen(service.app);
  const client = connect({ url: server.url, token: TOKEN });
  await service.write("a", "b");
  const reading = client.readStream("w", "log").collect();
  await client.send("w", "end", { topic: "other" });
  await client.cancel("w");
  assert.deepEqual((await reading).values, ["a", "b"]);
  await client.resume("w");
  assert.equal((await client.list()).workflows.length, 1);
  assert.equal((await client.handle("w").status()).workflowId, "w");
  await httpWake({ url: server.url, token: TOKEN })(["w"]);
  const headers = { authorization: `Bearer ${TOKEN}`, "content-type": "application/json" };
  const swept = await fetch(`${server.url}/sweep`, { method: "POST", headers, body: "{}" });
  assert.deepEqual([swept.status, "claimed" in await swept.json()], [200, true]);
});
