/**
 * The example for Deno Deploy, as a process with the permissions that it has there.
 *
 * @module
 */

import assert from "node:assert/strict";
import { delay, systemClock } from "../../core/time/clock.ts";
import { sign } from "../../examples/checkout/provider.ts";
import { connect } from "../../http/client/client.ts";
import { LOCK } from "../../scripts/deno.ts";
import { freePort, PERMISSIONS } from "../support/adapter/process.ts";
import { sentEvents } from "../http/support/service.ts";
import { KeptProcess } from "../support/kept.ts";
import { atNeon } from "../drivers/neon/support/harness.ts";
import { type NeonServer, startNeonServer } from "../drivers/neon/server/mod.ts";
import { startPostgres } from "../drivers/postgres/support/server.ts";

// One of its own: the example takes the schema that everybody gets.
const postgres = await startPostgres();
Deno.test.afterAll(() => postgres.stop());
const POSTGRES = postgres.url;
const WEBHOOK_SECRET = `whsec_${btoa("a secret of the payment provider")}`;
const API_TOKEN = "s3cret";
const CRON_MS = 200;

Deno.test("the example for Deno Deploy takes an order from its start to its end, and over the death of its isolate", async () => {
  await using neon = await startNeonServer({ postgres: POSTGRES });
  const port = freePort();
  const url = `http://127.0.0.1:${port}`;
  let isolate = await startIsolate(neon, port);
  await using _running = { [Symbol.asyncDispose]: () => isolate.kill() };
  assert.match(await (await fetch(url)).text(), /EventSource/);
  assert.equal((await post(`${url}/orders`, { item: "" })).status, 400);
  const placed = await placeOrder(url);
  assert.equal(placed.payUrl, `https://pay.example/sessions/${placed.id}`);

  const client = connect({ url: `${url}/parley`, token: API_TOKEN });
  // It has let go of the order by then; else the next one has to wait for half a minute until its lease has lapsed.
  while ((await client.handle(placed.id).status()).waiting === undefined) await delay(systemClock, 50);
  await isolate.kill();
  isolate = await startIsolate(neon, port);
  assert.equal((await deliver(url, placed.id, { secret: btoa("another secret") })).status, 401);
  assert.deepEqual(await (await deliver(url, placed.id)).json(), { received: true, duplicate: false });
  assert.deepEqual(await (await deliver(url, placed.id)).json(), { received: true, duplicate: true });

  assert.equal(await client.handle(placed.id).result({ timeout: "20s" }), "shipped");
  const events = await Array.fromAsync(
    sentEvents(await fetch(`${url}${placed.progress}`, { headers: { accept: "text/event-stream" } })),
  );
  assert.deepEqual(events.map(({ event, id, data }) => [event ?? id, data]).filter(([id]) => id !== undefined), [
    ["0", '"You ordered: lamp"'],
    ["1", '"It is on its way"'],
    ["end", '{"nextOffset":2}'],
  ]);
  assert.equal(await statusOf(`${url}${placed.progress.replace("progress?", "other?")}`), 403);
  assert.equal(await statusOf(`${url}/parley/workflows`), 401);
});

Deno.test("the example for Deno Deploy has its cron job run what is left in the store", async () => {
  await using neon = await startNeonServer({ postgres: POSTGRES });
  const port = freePort();
  await using _isolate = await startIsolate(neon, port);
  const client = connect({ url: `http://127.0.0.1:${port}/parley`, token: API_TOKEN });
  const handle = await client.start<unknown, string>("order", { item: "chair" }, { enqueue: true });
  assert.equal(
    await handle.getEvent("pay-url", { timeout: "20s" }),
    `https://pay.example/sessions/${handle.workflowId}`,
  );
  await handle.cancel();
});

Deno.test("the example for Deno Deploy says what its environment lacks", async () => {
  await using neon = await startNeonServer({ postgres: POSTGRES });
  await assert.rejects(startIsolate(neon, freePort(), { TOKEN_SECRET: "" }), /The environment must have TOKEN_SECRET/);
});

/** Starts the example as it is, on a platform that has what it needs. */
async function startIsolate(
  { http, websocket }: NeonServer,
  port: number,
  env: Record<string, string> = {},
): Promise<KeptProcess> {
  const main = new URL("../../examples/deno-deploy/main.ts", import.meta.url).pathname;
  const platform = new URL("deno_deploy_platform.ts", import.meta.url).pathname;
  const { process } = await KeptProcess.start({
    command: Deno.execPath(),
    args: ["run", LOCK, "--no-check", ...PERMISSIONS, "--preload", platform, main],
    env: {
      DATABASE_URL: atNeon(POSTGRES),
      API_TOKEN,
      TOKEN_SECRET: "a secret for the tokens of browsers",
      WEBHOOK_SECRET,
      DENO_SERVE_ADDRESS: `tcp:127.0.0.1:${port}`,
      PLATFORM: JSON.stringify({ http, websocket, cronMs: CRON_MS }),
      ...env,
    },
    ready: /Listening on/,
  });
  return process;
}

async function placeOrder(url: string): Promise<{ id: string; payUrl: string; progress: string }> {
  const response = await post(`${url}/orders`, { item: "lamp" });
  assert.equal(response.status, 201);
  return await response.json();
}

async function statusOf(url: string): Promise<number> {
  const response = await fetch(url);
  await response.body?.cancel();
  return response.status;
}

async function post(url: string, body: unknown): Promise<Response> {
  const response = await fetch(url, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  if (!response.ok) await response.body?.cancel();
  return response;
}

async function deliver(url: string, orderId: string, { secret = WEBHOOK_SECRET } = {}): Promise<Response> {
  const body = JSON.stringify({ type: "payment.paid", data: { orderId } });
  const response = await fetch(`${url}/webhook`, {
    method: "POST",
    headers: sign(secret, `evt_${orderId}`, body),
    body,
  });
  if (!response.ok) await response.body?.cancel();
  return response;
}
