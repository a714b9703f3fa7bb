/**
 * The page of `examples/chat`.
 *
 * @module
 */

import assert from "node:assert/strict";
import { STORY } from "../../examples/chat/model.ts";
import { script } from "../../examples/chat/page.ts";
import { chromiumPath } from "../../scripts/chromium.ts";
import { openChat } from "../examples/chat_setup.ts";
import { deno, withDirectory } from "../project/files.ts";
import { Chromium } from "./chromium.ts";

// While the file is loaded: to install it may take a while.
await chromiumPath();

/** The script of the same page with React's `useChat`. */
async function reactScript(): Promise<string> {
  return await withDirectory(async (directory) => {
    const output = `${directory}/main.js`;
    const options = ["--quiet", "--platform", "browser", "--minify", "--output", output];
    const { code, stderr } = await deno("bundle", ...options, "tests/browser/use_chat_page.ts");
    assert.equal(code, 0, stderr);
    return await Deno.readTextFile(output);
  });
}

for (
  const [name, bundled, isPlain] of [["the page", script, true], ["useChat of React", reactScript, false]] as const
) {
  Deno.test(`${name} shows a story once, through a retry and a reload, stops, and asks for an approval`, async () => {
    await tellStories(await bundled(), isPlain);
  });
}

/** Leads the chat through all of it. `isPlain`: whether the page also reads by `EventSource`. */
async function tellStories(bundle: string, isPlain: boolean): Promise<void> {
  await using chat = openChat({ pauseMs: 30, script: () => Promise.resolve(bundle) });
  await using browser = await Chromium.start();
  const page = await browser.open(chat.url);
  const say = async (text: string) => {
    await page.until("document.getElementById('status').textContent === 'ready'");
    await page.evaluate(`document.getElementById('text').value = ${JSON.stringify(text)}`);
    await page.evaluate("document.forms[0].requestSubmit()");
  };
  const latest = "document.querySelector('.message:last-child')?.textContent";
  const plain = isPlain ? "document.getElementById('plain').textContent" : JSON.stringify(STORY);

  await say("Tell me a story, but stumble");
  await page.until(`${latest}.includes('sentence')`);
  await page.evaluate("location.reload()");
  await page.until(`${latest}?.trim() === ${JSON.stringify(STORY)} && ${plain} === ${JSON.stringify(STORY)}`);
  assert.equal(await page.evaluate("document.querySelectorAll('.message').length"), 2);

  await say("Tell me a story");
  await page.until(`document.querySelectorAll('.message').length === 4 && ${latest}.includes('workflow')`);
  await page.evaluate("document.getElementById('stop').click()");
  await page.until("document.getElementById('status').textContent === 'ready'");
  assert.equal((await chat.parley.list()).workflows[0]!.status, "CANCELLED");

  await say("Please refund order 7");
  await page.until("document.querySelector('.message button') !== null");
  await page.evaluate("document.querySelector('.message button').click()");
  await page.until(`${latest}.includes('order 7 is refunded')`);
  assert.equal(chat.refunds.length, 1);
}
