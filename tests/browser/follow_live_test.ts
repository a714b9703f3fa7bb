/**
 * `followLive` in a browser, with tokens that expire and a gateway that fails.
 *
 * @module
 */

import assert from "node:assert/strict";
import { Hono } from "hono";
import { parleyHttp } from "../../http/mod.ts";
import { memoryDriver, Parley, workflow } from "../../mod.ts";
import { chromiumPath } from "../../scripts/chromium.ts";
import { deno, withDirectory } from "../project/files.ts";
import { Chromium } from "./chromium.ts";

// While the file is loaded: to install it may take a while.
await chromiumPath();

const WORKFLOW = "a workflow / with ünusual letters";

/** Writes what it is sent, and ends at `"end"`. */
const scribe = workflow("scribe", async (ctx) => {
  for (let value = await ctx.recv<string>(); value !== "end"; value = await ctx.recv<string>()) {
    await Promise.all([ctx.writeStream("a log", value), ctx.setEvent("status", value)]);
  }
});

/** The page's script. */
const SCRIPT = `
  globalThis.start = async (after) => {
    const { followLive } = await import("/main.js");
    const seen = { values: [], refused: [], resets: 0, ends: 0 };
    seen.follower = followLive({
      url: "/parley",
      workflowId: ${JSON.stringify(WORKFLOW)},
      token: async () => await (await fetch("/token")).text(),
      streams: { "a log": (value, offset) => seen.values.push(["log", offset, value]) },
      events: { status: (value, version) => seen.values.push(["status", version, value]) },
      after,
      onReset: () => seen.resets++,
      onEnd: () => seen.ends++,
      onRefused: (times) => seen.refused.push(times),
    });
    globalThis.seen = seen;
  };`;

Deno.test("followLive() goes on after expired tokens and a failing gateway, starts again after a reset, and ends", async () => {
  const bundle = await bundled();
  let token = "first";
  let isDown = false;
  await using parley = new Parley({ driver: memoryDriver(), workflows: [scribe], hotWait: 0 });
  const app = new Hono()
    .get("/", (c) => c.html("<!DOCTYPE html><title>A page</title>"))
    .get("/main.js", (c) => c.body(bundle, 200, { "content-type": "text/javascript" }))
    .get("/token", (c) => c.text(token))
    .use("/parley/*", async (c, next) => isDown ? c.text("The gateway is down", 502) : await next())
    .route("/parley", parleyHttp({ parley, auth: (c) => c.req.query("token") === token, maxConnection: "300ms" }));
  await using server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, app.fetch);
  await parley.start(scribe, undefined, { workflowId: WORKFLOW });
  const tell = async (...values: string[]) => {
    await parley.sendAll(values.map((message) => ({ destinationId: WORKFLOW, message })));
    await parley.idle();
  };
  await using browser = await Chromium.start();
  const page = await browser.open(`http://127.0.0.1:${server.addr.port}`);
  await page.evaluate(SCRIPT);

  await page.evaluate("start()");
  await tell("one");
  await page.until("seen.values.length === 2");
  token = "second";
  await page.until("seen.refused.length === 1");
  await tell("two");
  await page.until("seen.values.length === 4");
  isDown = true;
  await page.until("seen.refused.includes(2)");
  isDown = false;
  await tell("three", "end");
  await page.until("seen.ends === 1");
  const expected = ["one", "two", "three"].flatMap((value, n) => [["log", n, value], ["status", n + 1, value]]);
  const values = async () => (await page.evaluate<unknown[]>("seen.values")).map((it) => JSON.stringify(it)).toSorted();
  assert.deepEqual(await values(), expected.map((it) => JSON.stringify(it)).toSorted());
  assert.deepEqual(await page.evaluate("[seen.resets, seen.follower.position]"), [0, "3.3"]);

  await page.evaluate("start(seen.follower.position)");
  await page.until("seen.ends === 1");
  assert.deepEqual(await page.evaluate("[seen.values, seen.refused]"), [[], []]);

  await page.evaluate(`start("4.3")`);
  await page.until("seen.ends === 1");
  assert.deepEqual(await page.evaluate("[seen.values.length, seen.resets]"), [4, 1]);

  token = "third";
  await page.evaluate(`start("").then(() => seen.follower.close())`);
  assert.deepEqual(await page.evaluate("[seen.values, seen.refused, seen.ends]"), [[], [], 0]);
});

async function bundled(): Promise<string> {
  return await withDirectory(async (directory) => {
    const output = `${directory}/main.js`;
    const { code, stderr } = await deno(
      "bundle",
      "--quiet",
      "--platform",
      "browser",
      "--output",
      output,
      "http/client/follow_live.ts",
    );
    assert.equal(code, 0, stderr);
    return await Deno.readTextFile(output);
  });
}
