import assert from "node:assert/strict";
import { delay, systemClock } from "../../../core/time/clock.ts";
import { DriverError, ValidationError } from "../../../core/errors.ts";
import { neonDriver } from "../../../drivers/neon/mod.ts";
import { pushStatements } from "../../../drivers/postgres/calls/statements.ts";
import { Parley, workflow } from "../../../mod.ts";
import { newMessage } from "../../../conformance/requests.ts";
import { enqueue } from "../../../conformance/driven_run.ts";
import { atNeon } from "./support/harness.ts";
import { neonDriverTest, POSTGRES } from "./support/setting.ts";
import { compareWakes, until, warnings } from "../../support/patience.ts";

neonDriverTest("a wait gets one hint and looks once, without requests in between", async ({ open, server }) => {
  const opened = open({ timing: { openAfterMs: 50 } });
  const { driver: sender } = open({ push: false });
  const flow = workflow("flow", async (ctx) => await ctx.recv<string>("news"));
  const parley = new Parley({ driver: opened.driver, workflows: [flow], hotWait: "1h" });
  const handle = await parley.start(flow, undefined, { workflowId: "w" });
  const watch = opened.driver.watch("due", () => {});
  await until(() => watch.live);
  watch.close();
  // The wait looks once more when hints begin to come.
  await delay(systemClock, 300);
  const waiting = server.requests;
  await delay(systemClock, 1_500);
  assert.equal(server.requests - waiting, 0, "no polling");
  await new Parley({ driver: sender, wake: "none" }).send("w", "hello", { topic: "news" });
  await parley.idle();
  assert.equal(server.requests - waiting, 3, "the send, the look, the end");
  assert.equal(await handle.result(), "hello");
});

neonDriverTest("wake latency, compared with a bare NOTIFY on the same server", async ({ open, schema, query }) => {
  const { driver } = open();
  await enqueue(driver, "w");
  await compareWakes(driver, {
    "send": () => driver.send([newMessage("w")]),
    "bare NOTIFY": () => query(`select pg_notify($1, 'inbox:w')`, [pushStatements(schema).channel]),
  });
});

Deno.test("nothing hangs after a server goes away during a wait", async () => {
  const { startNeonServer } = await import("./server/mod.ts");
  const server = await startNeonServer({ postgres: POSTGRES });
  const driver = neonDriver(atNeon(POSTGRES), { schema: "neon server gone", endpoint: server, requestTimeout: "1s" });
  const parley = new Parley({ driver });
  try {
    const waiting = parley.getEvent("w", "k", { timeout: "10s" }).catch((error) => error);
    await until(() => server.websockets.open === 1);
    await server[Symbol.asyncDispose]();
    const error = await waiting;
    assert(error instanceof DriverError, String(error));
  } finally {
    await using again = await startNeonServer({ postgres: POSTGRES });
    const drop = { query: `drop schema if exists "neon server gone" cascade` };
    const headers = { "Neon-Connection-String": atNeon(POSTGRES), "Neon-Raw-Text-Output": "true" };
    await (await fetch(again.http, { method: "POST", headers, body: JSON.stringify(drop) })).text();
    await delay(systemClock, 1_500); // The connection of the push stays open for a while.
  }
});

Deno.test("push: true throws where push cannot work; without it a warning comes once, at the first wait", async () => {
  const pooled = "postgresql://u:p@ep-a-1-pooler.eu-central-1.aws.neon.tech/d";
  const direct = "postgresql://u:p@ep-a-1.eu-central-1.aws.neon.tech/d";
  const endpoint = { http: "http://127.0.0.1:1/sql" };
  assert.throws(() => neonDriver(pooled, { push: true }), ValidationError);
  assert.throws(() => neonDriver(direct, { push: true, endpoint }), ValidationError);
  const said = await warnings(() => {
    for (let n = 0; n < 3; n++) {
      const watch = neonDriver(pooled).watch?.("due", () => {});
      assert.equal(watch?.live, false);
      watch?.close();
      neonDriver(direct, { endpoint }).watch?.("due", () => {}).close();
    }
  });
  assert.equal(said.length, 2);
  assert.match(said[0]!, /a -pooler host cannot LISTEN/);
  assert.equal(neonDriver(pooled, { push: false }).watch, undefined);
});

Deno.test("push is off on Workers and where there is no WebSocket", () => {
  const direct = "postgresql://u:p@ep-a-1.eu-central-1.aws.neon.tech/d";
  neonDriver(direct, { push: true });
  const { WebSocket, navigator } = globalThis;
  const replaced: [string, unknown, unknown][] = [
    ["WebSocket", undefined, WebSocket],
    ["navigator", { userAgent: "Cloudflare-Workers" }, navigator],
  ];
  for (const [name, value, original] of replaced) {
    Object.defineProperty(globalThis, name, { value, configurable: true, writable: true });
    try {
      assert.throws(() => neonDriver(direct, { push: true }), ValidationError, name);
    } finally {
      Object.defineProperty(globalThis, name, { value: original, configurable: true, writable: true });
    }
  }
});
