/**
 * Following in a page with a service worker, and in the worker itself, which the browser stops.
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

/** Writes what it is sent, and ends at `"end"`. */
const scribe = workflow("scribe", async (ctx) => {
  for (let value = await ctx.recv<string>(); value !== "end"; value = await ctx.recv<string>()) {
    await ctx.writeStream("log", value);
  }
});

/** The worker leaves the page's connection to the page. Its own follower begins at the stored position. */
const WORKER = `
  import { followLive } from "/main.js";
  const POSITION = "/position";
  let stored = Promise.resolve();
  addEventListener("install", () => skipWaiting());
  addEventListener("activate", (event) => event.waitUntil(clients.claim()));
  addEventListener("fetch", (event) => {
    if (new URL(event.request.url).pathname.startsWith("/parley/")) return;
    event.respondWith(fetch(event.request));
  });
  addEventListener("message", (event) => event.waitUntil(follow(event.source)));
  async function follow(client) {
    const cache = await caches.open("parley");
    const after = await (await cache.match(POSITION))?.text();
    const follower = followLive({
      url: "/parley",
      workflowId: "w",
      token: "worker",
      after,
      streams: {
        log: (value, offset) => {
          const { position } = follower;
          stored = stored.then(() => cache.put(POSITION, new Response(position)));
          stored.then(() => client.postMessage([offset, value]));
        },
      },
    });
  }`;

/** The page's script. Its own follower goes past the worker's handler of `fetch`. */
const SCRIPT = `
  globalThis.worker = [];
  globalThis.page = [];
  navigator.serviceWorker.onmessage = ({ data }) => worker.push(data);
  globalThis.register = async () => {
    await navigator.serviceWorker.register("/worker.js", { type: "module" });
    while (!navigator.serviceWorker.controller) await new Promise((resolve) => setTimeout(resolve, 20));
  };
  globalThis.follow = async () => {
    const { followLive } = await import("/main.js");
    followLive({
      url: "/parley",
      workflowId: "w",
      token: "page",
      streams: { log: (value, offset) => page.push([offset, value]) },
    });
  };
  globalThis.wake = () => navigator.serviceWorker.controller.postMessage("follow");`;

Deno.test("a service worker that is stopped ends its own connection alone, and goes on at a stored position", async () => {
  const bundle = await bundled();
  const live = { page: 0, worker: 0 };
  const javascript = { "content-type": "text/javascript" };
  await using parley = new Parley({ driver: memoryDriver(), workflows: [scribe], hotWait: 0 });
  const app = new Hono()
    .get("/", (c) => c.html("<!DOCTYPE html><title>A page</title>"))
    .get("/live", (c) => c.json(live))
    .get("/main.js", (c) => c.body(bundle, 200, javascript))
    .get("/worker.js", (c) => c.body(WORKER, 200, javascript))
    .use("/parley/*", async (c, next) => {
      const who = c.req.query("token") as keyof typeof live;
      live[who]++;
      c.req.raw.signal.addEventListener("abort", () => live[who]--);
      await next();
    })
    .route("/parley", parleyHttp({ parley, auth: () => true }));
  await using server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, app.fetch);
  await parley.start(scribe, undefined, { workflowId: "w" });
  await using browser = await Chromium.start();
  const page = await browser.open(`http://127.0.0.1:${server.addr.port}`);
  await page.evaluate(SCRIPT);
  await page.evaluate("register()");
  await page.evaluate("follow()");
  await page.evaluate("wake()");
  await parley.send("w", "one");
  await page.until("page.length === 1 && worker.length === 1");
  assert.deepEqual(live, { page: 1, worker: 1 });

  await page.stopServiceWorkers();
  await page.until(`fetch("/live").then(async (it) => (await it.json()).worker === 0)`);
  await parley.send("w", "two");
  await page.until("page.length === 2");
  assert.deepEqual([live.page, await page.evaluate("worker.length")], [1, 1], "the page's own connection goes on");

  await page.evaluate("wake()");
  await parley.send("w", "three");
  await page.until("page.length === 3 && worker.length === 3");
  const all = [[0, "one"], [1, "two"], [2, "three"]];
  assert.deepEqual(await page.evaluate("[page, worker]"), [all, all]);
  await parley.send("w", "end");
});

async function bundled(): Promise<string> {
  return await withDirectory(async (directory) => {
    const output = `${directory}/main.js`;
    const options = ["--quiet", "--platform", "browser", "--output", output];
    const { code, stderr } = await deno("bundle", ...options, "http/client/follow_live.ts");
    assert.equal(code, 0, stderr);
    return await Deno.readTextFile(output);
  });
}
