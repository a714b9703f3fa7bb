/**
 * Three tabs of a browser, each with a stream and an event, over HTTP/1.1.
 *
 * @module
 */

import assert from "node:assert/strict";
import { Hono } from "hono";
import { parleyHttp, scopedTokens } from "../../http/mod.ts";
import { memoryDriver, Parley, workflow } from "../../mod.ts";
import { chromiumPath } from "../../scripts/chromium.ts";
import { Chromium } from "./chromium.ts";

// While the file is loaded: to install it may take a while.
await chromiumPath();

const TABS = ["one", "two", "three"];
/** How long a request that is held up is waited for, in milliseconds. */
const HELD_MS = 2_000;

/** Writes what it is sent, and ends at `"end"`. */
const scribe = workflow("scribe", async (ctx) => {
  for (let value = await ctx.recv<string>(); value !== "end"; value = await ctx.recv<string>()) {
    await Promise.all([ctx.writeStream("progress", value), ctx.setEvent("status", value)]);
  }
});

/** The page's script: what each `EventSource` has seen, and whether a further request is answered. */
const SCRIPT = `
  globalThis.follow = (url) => {
    const seen = { values: [], opens: 0, end: false };
    const source = new EventSource(url);
    source.onopen = () => seen.opens++;
    source.onmessage = ({ data }) => seen.values.push(JSON.parse(data));
    source.addEventListener("end", () => { seen.end = true; source.close(); });
    return seen;
  };
  globalThis.isAnswered = async (ms) => {
    const init = { cache: "no-store", signal: AbortSignal.timeout(ms) };
    return await fetch("/hello", init).then((it) => it.ok, () => false);
  };`;

/** A server, and a browser with three tabs that follow the URLs. */
async function withTabs(
  urls: (token: string) => string[],
  run: (
    them: { pages: Awaited<ReturnType<Chromium["open"]>>[]; tell(...values: string[]): Promise<void>; live(): number },
  ) => Promise<void>,
): Promise<void> {
  const tokens = scopedTokens("a secret of the tests, and of nobody else");
  await using parley = new Parley({ driver: memoryDriver(), workflows: [scribe], hotWait: 0 });
  let live = 0;
  const app = new Hono()
    .get("/", (c) => c.html("<!DOCTYPE html><title>A page</title>"))
    .get("/hello", (c) => c.text("hello"))
    .use("/parley/*", (_c, next) => (live++, next()))
    .route("/parley", parleyHttp({ parley, auth: tokens }));
  await using server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, app.fetch);
  await parley.start(scribe, undefined, { workflowId: "w" });
  const token = await tokens.mint({ actions: ["stream", "event"], workflowId: "w", expiresIn: "5m" });
  await using browser = await Chromium.start();
  const pages = [];
  for (const _ of TABS) {
    const page = await browser.open(`http://127.0.0.1:${server.addr.port}`);
    await page.evaluate(SCRIPT);
    for (const url of urls(token)) {
      await page.evaluate(`(globalThis.sources ??= []).push(follow(${JSON.stringify(`/parley/workflows/w${url}`)}))`);
    }
    await page.until("sources.every(({ opens }) => opens === 1)");
    pages.push(page);
  }
  const tell = async (...values: string[]) => {
    await parley.sendAll(values.map((message) => ({ destinationId: "w", message })));
    await parley.idle();
  };
  await run({ pages, tell, live: () => live });
}

Deno.test("three tabs with a stream and an event over one connection each hold up no other request", async () => {
  const urls = (token: string) => [`/live?stream=progress&event=status&token=${token}`];
  await withTabs(urls, async ({ pages, tell, live }) => {
    assert.equal(live(), TABS.length);
    for (const page of pages) assert(await page.evaluate("isAnswered(20_000)"));
    await tell("paid");
    for (const page of pages) await page.until("sources[0].values.length === 2");
    await tell("end");
    for (const page of pages) {
      await page.until("sources[0].end");
      const values = await page.evaluate<object[]>("sources[0].values");
      assert.deepEqual(values.map((it) => JSON.stringify(it)).toSorted(), [
        '{"event":"status","version":1,"value":"paid"}',
        '{"stream":"progress","offset":0,"value":"paid"}',
      ]);
    }
  });
});

Deno.test("three tabs with a connection for each stream and each event hold up the next request", async () => {
  const urls = (token: string) => [`/streams/progress?token=${token}`, `/events/status?token=${token}`];
  await withTabs(urls, async ({ pages, tell }) => {
    assert.equal(await pages[0]!.evaluate(`isAnswered(${HELD_MS})`), false);
    await tell("end");
    assert.equal(await pages[0]!.evaluate("isAnswered(20_000)"), true);
  });
});
