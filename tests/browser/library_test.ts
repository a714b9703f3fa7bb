/**
 * The library in a browser.
 *
 * @module
 */

import assert from "node:assert/strict";
import { Hono } from "hono";
import { bearer, parleyHttp } from "../../http/mod.ts";
import { memoryDriver, Parley } from "../../mod.ts";
import { chromiumPath } from "../../scripts/chromium.ts";
import { deno, withDirectory } from "../project/files.ts";
import { echo, order } from "../runtimes/program.ts";
import { Chromium } from "./chromium.ts";

// While the file is loaded: to install it may take a while.
await chromiumPath();

const TOKEN = "s3cret";

Deno.test("the library, the adapter and connect() work in a browser, as a bundle", async () => {
  const parley = new Parley({ driver: memoryDriver(), workflows: [order, echo] });
  const bundle = await bundled();
  const app = new Hono()
    .get("/", (c) => c.html("<!DOCTYPE html><title>A page</title>"))
    .get("/main.js", (c) => c.body(bundle, 200, { "content-type": "text/javascript" }))
    .route("/parley", parleyHttp({ parley, auth: bearer(TOKEN) }));
  await using server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, app.fetch);
  const url = `http://127.0.0.1:${server.addr.port}`;
  await using browser = await Chromium.start();
  const page = await browser.open(url);
  const checks = await page.evaluate<number>(
    `import("/main.js").then(({ main }) => main(["${url}/parley", "${TOKEN}"]))`,
  );
  assert(checks > 10, `${checks} checks`);
  await parley[Symbol.asyncDispose]();
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
      "tests/runtimes/program.ts",
    );
    assert.equal(code, 0, stderr);
    return await Deno.readTextFile(output);
  });
}
