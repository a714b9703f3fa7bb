/**
 * The inspector while something changes: the workflow, the token, the server or the clock.
 *
 * @module
 */

import assert from "node:assert/strict";
import { memoryDriver } from "../../drivers/memory/mod.ts";
import { Parley, workflow } from "../../mod.ts";
import { chromiumPath } from "../../scripts/chromium.ts";
import { InspectorSetting } from "./inspector.ts";

// While the file is loaded: to install it may take a while.
await chromiumPath();

/** A server over memory, a browser, and a workflow whose first step takes as long as the test wants. */
function openSetting() {
  const slow = Promise.withResolvers<string>();
  let runs = 0;
  const race = workflow("race", async (ctx) => {
    await Promise.all([ctx.step("slow", () => slow.promise), ctx.step("fast", () => `fast ${++runs}`)]);
    await ctx.setEvent("b", "second");
    await ctx.recv("event");
    await ctx.setEvent("a", "first");
    await ctx.recv("end");
  });
  const wait = workflow("wait", async (ctx, topics: string[]) => {
    for (const topic of topics) await ctx.recv(topic);
  });
  const parley = new Parley({ driver: memoryDriver(), workflows: [race, wait], hotWait: "10ms" });
  return { setting: new InspectorSetting(parley), parley, race, wait, slow };
}

Deno.test("a step that ends after later ones is shown, and so is a resume from elsewhere", async () => {
  const { setting, parley, race, slow } = openSetting();
  await using _ = setting;
  await parley.start(race, undefined, { workflowId: "race" });
  const inspector = await setting.open("#/workflows/race");
  await inspector.says(`"fast"`);
  slow.resolve("at last");
  await inspector.says(`"slow"`);
  await inspector.says(`recv "event"`);
  const positions = `[...document.querySelectorAll(".timeline tbody tr td:first-child")].map((it) => it.innerText)`;
  assert.deepEqual(await inspector.page.evaluate(positions), ["0", "1", "2", "3"]);

  // Opened, so that their values are on the page.
  await inspector.page.evaluate(`document.querySelectorAll("summary").forEach((it) => it.click())`);
  await inspector.says(`"fast 1"`);
  await parley.cancel("race");
  await parley.resume("race", { from: 0 });
  await inspector.says(`"fast 2"`);
  assert.deepEqual(await inspector.page.evaluate(positions), ["0", "1", "2", "3"]);
});

Deno.test("the focus, open details and what a screen reader has read stay while the page is read again", async () => {
  const { setting, parley, race, slow } = openSetting();
  await using _ = setting;
  slow.resolve("");
  await parley.start(race, undefined, { workflowId: "race" });
  await parley.send("race", "one", { topic: "other" });
  const inspector = await setting.open("#/workflows/race");
  const { page } = inspector;
  await inspector.says(`recv "event"`);
  await inspector.says(`"one"`);
  await page.evaluate(`window.changes = 0;
    new MutationObserver((all) => window.changes += all.length)
      .observe(document.querySelector("[aria-live]"), { childList: true, subtree: true });
    document.querySelector("[aria-labelledby=section-messages] details").open = true;
    document.querySelector("[aria-label='Follow event b']").focus()`);
  const reads = () => setting.requests.filter((it) => it.endsWith("/history")).length;
  for (const before = reads(); reads() < before + 2;) await new Promise((resolve) => setTimeout(resolve, 50));
  assert.equal(await page.evaluate("window.changes"), 0);

  // A new message, and a new event before the one that has the focus.
  await parley.send("race", "two", { topic: "other" });
  await parley.send("race", null, { topic: "event" });
  await inspector.says(`"first"`);
  await inspector.says(`"two"`);
  assert.equal(await page.evaluate(`document.activeElement.getAttribute("aria-label")`), "Follow event b");
  assert.equal(await page.evaluate(`document.querySelector("[aria-labelledby=section-messages] details").open`), true);
  const events =
    `[...document.querySelectorAll("[aria-labelledby=section-events] tbody th")].map((it) => it.innerText)`;
  assert.deepEqual(await page.evaluate(events), [`"a"`, `"b"`]);
});

Deno.test("the page says when the server is away, the workflow is gone or replaced, and the token has expired", async () => {
  const { setting, parley, wait } = openSetting();
  await using _ = setting;
  await parley.start(wait, ["x"], { workflowId: "w" });
  const inspector = await setting.open("#/workflows/w");
  await inspector.says(`recv "x"`);
  setting.intercept = (path) =>
    Promise.resolve(path.endsWith("/history") ? new Response(null, { status: 503 }) : undefined);
  await inspector.says("Not up to date: Status 503.");
  // Although the page knows that it has ended, it reads what it has missed.
  await parley.cancel("w");
  await inspector.says("CANCELLED");
  setting.intercept = () => Promise.resolve(undefined);
  await inspector.page.until(`!document.body.innerText.includes("Not up to date")`);

  await parley.start(wait, ["first"], { workflowId: "v" });
  await inspector.page.evaluate(`location.hash = "#/workflows/v"`);
  await inspector.says(`recv "first"`);
  await parley.cancel("v");
  await parley.delete("v");
  await inspector.says("This workflow does not exist any more.");
  await parley.start(wait, ["second"], { workflowId: "v" });
  await inspector.says(`recv "second"`);
  assert.equal(await inspector.page.evaluate(`document.body.innerText.includes('"first"')`), false);

  await inspector.page.evaluate(`sessionStorage.setItem(sessionStorage.key(0), "expired")`);
  await inspector.says("The server does not accept this token.");
});

Deno.test("a list that comes late does not replace the page that the user has gone to", async () => {
  const { setting, parley, wait } = openSetting();
  await using _ = setting;
  await parley.start(wait, ["x"], { workflowId: "w" });
  const inspector = await setting.open("#/workflows/w");
  await inspector.says(`recv "x"`);
  const held = Promise.withResolvers<undefined>();
  const asked = Promise.withResolvers<void>();
  setting.intercept = (path) => {
    if (!path.endsWith("/inspector/actions")) return Promise.resolve(undefined);
    asked.resolve();
    setting.intercept = () => Promise.resolve(undefined);
    return held.promise;
  };
  await inspector.page.evaluate(`location.hash = "#/"`);
  await asked.promise;
  await inspector.page.evaluate(`location.hash = "#/workflows/w"`);
  await inspector.says(`recv "x"`);
  const listed = setting.requests.length;
  held.resolve(undefined);
  const reads = () => setting.requests.slice(listed).filter((it) => it.endsWith("/history")).length;
  while (reads() === 0) await new Promise((resolve) => setTimeout(resolve, 50));
  await inspector.says(`recv "x"`);
  assert(!setting.requests.slice(listed).some((it) => it.endsWith("/workflows")));
});

Deno.test("a browser whose clock is an hour off draws the timeline by the server's clock", async () => {
  const { setting, parley, wait } = openSetting();
  await using _ = setting;
  await parley.start(wait, ["x"], { workflowId: "w" });
  for (const hours of [1, -1]) {
    const inspector = await setting.open("#/");
    await inspector.says("1 shown.");
    await inspector.page.evaluate(`(() => {
      const now = Date.now;
      Date.now = () => now() + ${hours} * 3_600_000;
      location.hash = "#/workflows/w";
    })()`);
    await inspector.says(`recv "x"`);
    const shown = await inspector.page.evaluate<string>(
      `document.querySelector("[aria-label=Scale] [role=status]").innerText`,
    );
    assert.match(shown, /^\d+(\.\d)? (s|ms) of /, `${hours} h`);
    const width = `parseFloat(document.querySelector(".bar").style.width)`;
    await inspector.page.until(`${width} > 50`);
  }
});

Deno.test("a change that is on its way can be neither repeated nor taken back", async () => {
  const { setting, parley, wait } = openSetting();
  await using _ = setting;
  await parley.start(wait, ["x"], { workflowId: "w" });
  const inspector = await setting.open("#/workflows/w");
  const held = Promise.withResolvers<undefined>();
  setting.intercept = (path) => path.endsWith("/cancel") ? held.promise : Promise.resolve(undefined);
  await inspector.click("Cancel…");
  await inspector.click("Cancel workflow");
  const disabled = `[...document.querySelectorAll("dialog button")].map((it) => it.disabled)`;
  assert.deepEqual(await inspector.page.evaluate(disabled), [true, true]);
  await inspector.page.evaluate(`document.querySelector("dialog form").requestSubmit()`);
  await inspector.page.press("Escape");
  await inspector.page.press("Escape");
  held.resolve(undefined);
  await inspector.says("CANCELLED");
  assert.equal(setting.requests.filter((it) => it.endsWith("/cancel")).length, 1);
});
