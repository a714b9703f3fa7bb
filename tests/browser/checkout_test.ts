/**
 * The shop of `examples/checkout`, as its customers see it.
 *
 * @module
 */

import assert from "node:assert/strict";
import { chromiumPath } from "../../scripts/chromium.ts";
import { openShop } from "../examples/checkout_shop.ts";
import { Chromium } from "./chromium.ts";

// While the file is loaded: to install it may take a while.
await chromiumPath();

Deno.test("a customer orders, pays and sees the order shipped", async () => {
  await using shop = openShop();
  await using server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, shop.app.fetch);
  await using browser = await Chromium.start();
  const page = await browser.open(`http://127.0.0.1:${server.addr.port}/`);
  await page.evaluate("document.forms[0].requestSubmit()");
  await page.until("location.pathname.startsWith('/pay/') && document.forms.length === 1");
  await page.evaluate("document.querySelector('button[value=paid]').click()");
  await page.until("document.getElementById('state')?.textContent === 'That is all'");
  const stages = await page.evaluate<string[]>(
    "[...document.querySelectorAll('#progress li')].map((line) => line.dataset.stage)",
  );
  assert.deepEqual(stages, ["placed", "waiting", "paid", "charged", "shipped"]);
});
