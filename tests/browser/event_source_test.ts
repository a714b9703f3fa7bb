/**
 * A browser's own `EventSource`, with a server that is killed.
 *
 * @module
 */

import assert from "node:assert/strict";
import { delay, systemClock } from "../../core/time/clock.ts";
import { connect } from "../../http/client/client.ts";
import { scopedTokens } from "../../http/mod.ts";
import { chromiumPath } from "../../scripts/chromium.ts";
import { startNeonStore } from "../support/adapter/neon.ts";
import { AdapterProcess } from "../support/adapter/process.ts";
import { count } from "../support/adapter/workflows.ts";
import { postgresUrl } from "../drivers/postgres/support/server.ts";
import { Chromium } from "./chromium.ts";

const POSTGRES = await postgresUrl();
// While the file is loaded: to install it may take a while.
await chromiumPath();

const WORKFLOW = "a workflow / with ünusual letters";
const NUMBERS = 60;
const EVERY_MS = 50;

/** What one `EventSource` of the page has seen. */
interface Seen {
  values: [id: string, value: number][];
  opens: number;
  errors: number;
  end: string | null;
  state: number;
}

/** The page's script: one `EventSource` that closes at the end, as it should, and one that does not. */
const SCRIPT = `
  globalThis.follow = (url, closes) => {
    const seen = { values: [], opens: 0, errors: 0, end: null, get state() { return source.readyState; } };
    const source = new EventSource(url);
    source.onopen = () => seen.opens++;
    source.onerror = () => seen.errors++;
    source.onmessage = ({ data, lastEventId }) => seen.values.push([lastEventId, JSON.parse(data)]);
    source.addEventListener("end", ({ data }) => {
      seen.end = data;
      if (closes) source.close();
    });
    return seen;
  };`;

/** The names of the sources in the page. */
const SOURCES = ["closing", "crossing", "lingering"] as const;

Deno.test("EventSource in a browser misses nothing and doubles nothing while the server is killed and restarted, and notices the end", async () => {
  await using neon = await startNeonStore(POSTGRES);
  await using server = await AdapterProcess.start(neon.store);
  await using browser = await Chromium.start();
  const client = connect({ url: `${server.url}/parley`, token: server.settings.token });
  await client.start(count, { to: NUMBERS, everyMs: EVERY_MS }, { workflowId: WORKFLOW });

  const page = await browser.open(server.url);
  await page.evaluate(SCRIPT);
  const url = await streamUrl(server);
  await page.evaluate(`globalThis.closing = follow(${JSON.stringify(url)}, true)`);
  // From another origin, as where the API has a host of its own.
  await page.evaluate(`globalThis.crossing = follow(${JSON.stringify(url.replace("127.0.0.1", "localhost"))}, true)`);
  await page.evaluate(`globalThis.lingering = follow(${JSON.stringify(url)}, false)`);

  for (const reached of [10, 30]) {
    await page.until(SOURCES.map((name) => `${name}.values.length >= ${reached}`).join(" && "));
    await server.kill();
    await page.until(SOURCES.map((name) => `${name}.state === EventSource.CONNECTING`).join(" && "));
    await delay(systemClock, 200);
    await server.start();
  }
  await page.until(SOURCES.map((name) => `${name}.state === EventSource.CLOSED`).join(" && "));
  const expected = Array.from({ length: NUMBERS }, (_, n) => [String(n), n]);
  for (const name of SOURCES) {
    const { values, opens, end } = await page.evaluate<Seen>(`({ ...${name} })`);
    assert.deepEqual(values, expected, name);
    assert.equal(end, JSON.stringify({ nextOffset: NUMBERS }), name);
    assert(opens >= 3, `${name} was opened ${opens} times, and the server was killed twice`);
  }
});

Deno.test("EventSource in a browser is closed for good by a token that is not for this stream", async () => {
  await using neon = await startNeonStore(POSTGRES);
  await using server = await AdapterProcess.start(neon.store);
  await using browser = await Chromium.start();
  const page = await browser.open(server.url);
  await page.evaluate(SCRIPT);
  const url = await streamUrl(server, "another stream");
  await page.evaluate(`globalThis.refused = follow(${JSON.stringify(url)}, true)`);
  await page.until("refused.state === EventSource.CLOSED");
  assert.deepEqual(await page.evaluate("({ ...refused })"), { values: [], opens: 0, errors: 1, end: null, state: 2 });
});

/** The URL of the stream, with a token for it and nothing else. */
async function streamUrl({ url, settings: { secret } }: AdapterProcess, key = "numbers"): Promise<string> {
  const token = await scopedTokens(secret).mint({
    actions: ["stream"],
    workflowId: WORKFLOW,
    keys: [key],
    expiresIn: "5m",
  });
  return `${url}/parley/workflows/${encodeURIComponent(WORKFLOW)}/streams/numbers?token=${token}`;
}
