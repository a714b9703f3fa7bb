/**
 * The inspector in a browser, over a server with real workflows.
 *
 * @module
 */

import assert from "node:assert/strict";
import { memoryDriver } from "../../drivers/memory/mod.ts";
import { Parley, topic, workflow, type WorkflowContext } from "../../mod.ts";
import { chromiumPath } from "../../scripts/chromium.ts";
import { fill, openStore, OTHER, sizesOf } from "../../bench/scale/postgres/store.ts";
import { postgresDriver } from "../../drivers/postgres/mod.ts";
import { openPool } from "../drivers/postgres/support/postgres.ts";
import { postgresUrl } from "../drivers/postgres/support/server.ts";
import { quoted } from "../drivers/postgres/support/store.ts";
import { InspectorSetting } from "./inspector.ts";

// While the file is loaded: to install it may take a while.
await chromiumPath();
const POSTGRES = await postgresUrl();

/** What looks like HTML, in every place that the page shows. */
const HOSTILE = `"><img src=x onerror="document.title='owned'"><script>document.title='owned'</script>/../?#%00&amp;`;

const payment = topic<number>("payment");

const order = workflow("order", async (ctx, { steps = 1, fail = false }: { steps?: number; fail?: boolean }) => {
  await ctx.setEvent("stage", "placed");
  for (let n = 0; n < steps; n++) await ctx.step(`step ${n}`, () => n);
  const child = await ctx.start(note, HOSTILE, { workflowId: `${ctx.workflowId} note` });
  await ctx.send(child.workflowId, HOSTILE, { topic: HOSTILE });
  await child.result();
  const cents = await ctx.recv(payment, { timeout: "1h" });
  await ctx.setEvent("stage", "paid");
  if (fail) await ctx.step("charge", () => Promise.reject(new Error(HOSTILE, { cause: new TypeError("no card") })));
  await ctx.writeStream("lines", `${cents} cents`);
  await ctx.recv("end");
  return cents;
});

const note = workflow("note", async (ctx: WorkflowContext, text: string) => {
  await ctx.setEvent(HOSTILE, text);
  await ctx.writeStream(HOSTILE, text);
  return await ctx.recv(HOSTILE);
});

/** A server over memory, and a browser. */
function openSetting(): InspectorSetting {
  return new InspectorSetting(new Parley({ driver: memoryDriver(), workflows: [order, note], hotWait: "10ms" }));
}

Deno.test("the list shows, filters and opens workflows", async () => {
  await using setting = openSetting();
  const { parley } = setting;
  for (let n = 0; n < 60; n++) await parley.start(note, "", { workflowId: `note ${n}`, enqueue: true });
  await parley.start(order, {}, { workflowId: "order 7" });
  await parley.idle();
  const inspector = await setting.open("#/");
  await inspector.says("50 shown, and there are more.");
  await inspector.click("Load more");
  await inspector.says("62 shown.");

  await inspector.type("ID starts with", "order");
  await inspector.click("Filter");
  await inspector.says("2 shown.");
  await inspector.type("Name", "order");
  await inspector.type("Status", "PENDING");
  await inspector.click("Filter");
  await inspector.says("1 shown.");
  assert.match((await inspector.rows())[0]!, /^order 7\s+order\s+PENDING\s.*recv "payment"$/s);
  await inspector.type("Created after", "2999-01-01T00:00");
  await inspector.click("Filter");
  await inspector.says("No workflow matches.");
  await inspector.click("Clear");
  await inspector.type("Due now", "");
  await inspector.click("Filter");
  await inspector.says("50 shown, and there are more.");
  await inspector.type("Has a problem", "");
  await inspector.click("Filter");
  await inspector.says("No workflow matches.");

  await inspector.type("Workflow ID", "order 7");
  await inspector.click("Open");
  await inspector.says("step 0");
  await inspector.click("order 7 note");
  await inspector.page.until(`document.querySelector("h1")?.textContent === "Workflow order 7 note"`);
  assert.deepEqual(await inspector.page.evaluate("window.blocked"), []);
});

Deno.test("every button asks first, and does what it says", async () => {
  await using setting = openSetting();
  const { parley } = setting;
  await parley.start(order, { fail: true }, { workflowId: "order 7" });
  const inspector = await setting.open("#/workflows/order%207");
  await inspector.says("Unread messages");
  assert.deepEqual(await inspector.buttons(), ["Send a message…", "Cancel…", "Resume…"]);

  // A message that is not JSON, one that nobody waits for, and the right one.
  await inspector.click("Send a message…");
  await inspector.type("Topic", "payment");
  await inspector.type("Message", "{");
  await inspector.click("Send message");
  await inspector.says("The message is not JSON");
  await inspector.type("Message", "4900");
  await inspector.click("Do nothing");
  assert.equal((await parley.messages("order 7", { state: "all" })).messages.length, 0);
  await inspector.click("Send a message…");
  await inspector.type("Topic", "paymnet");
  await inspector.type("Message", `{"cents": 1}`);
  await inspector.type("Idempotency key", "k");
  await inspector.click("Send message");
  await inspector.says(`"paymnet"`);
  await inspector.click("Send a message…");
  await inspector.type("Topic", "payment");
  await inspector.type("Message", "4900");
  await inspector.type("Idempotency key", "k");
  await inspector.click("Send message");
  await inspector.says("the key belongs to another message");
  await inspector.type("Idempotency key", "");
  await inspector.click("Send message");

  // It fails, and goes on from an earlier position.
  await inspector.says("TypeError: no card");
  await inspector.says("failed: Error");
  const { failed } = await parley.status("order 7");
  assert.deepEqual(await inspector.buttons(), ["Resume…", "Delete…"]);
  await inspector.click(`${failed!.position}: step "charge"`);
  assert.match(await inspector.page.evaluate<string>("document.activeElement.innerText"), /charge/);
  await inspector.click("Resume…");
  await inspector.type("From position", `${failed!.position - 1}`);
  await inspector.click("Resume workflow");
  await inspector.page.until(`document.querySelector("dialog") === null`);
  await inspector.page.until(`document.querySelector("[aria-label=Actions]").innerText.includes("Delete")`);

  await parley.start(order, {}, { workflowId: "order 8" });
  const other = await setting.open("#/workflows/order%208");
  await other.click("Cancel…");
  await other.type("Cancel its children too", "");
  await other.click("Cancel workflow");
  await other.says("CANCELLED");
  await other.click("Delete…");
  await other.click("Do nothing");
  assert.equal((await parley.status("order 8")).status, "CANCELLED");
  await other.click("Delete…");
  await other.click("Delete workflow");
  await other.page.until(`location.hash === "#/"`);
  await assert.rejects(parley.status("order 8"), { code: "workflow_not_found" });
  await inspector.click("Forget token");
  await inspector.says("A token that the server accepts");
  for (const { page } of [inspector, other]) assert.deepEqual(await page.evaluate("window.blocked"), []);
});

Deno.test("events and streams follow live, and the page shows what the workflow does next", async () => {
  await using setting = openSetting();
  const { parley } = setting;
  await parley.start(order, {}, { workflowId: "order 7" });
  const inspector = await setting.open("#/workflows/order%207");
  await inspector.click("Follow event stage");
  await parley.send("order 7", 4_900, { topic: payment });
  await inspector.says(`"paid"`);
  await inspector.says(`recv "end"`);
  await inspector.click("Follow stream lines");
  await inspector.says(`"4900 cents"`);
  const pressed = `document.querySelector("[aria-label='Follow stream lines']").getAttribute("aria-pressed")`;
  assert.equal(await inspector.page.evaluate(pressed), "true");
  await parley.send("order 7", null, { topic: "end" });
  await inspector.page.until(`${pressed} === "false"`);
  await inspector.says("SUCCESS");
  await inspector.says("Output");
});

Deno.test("2,000 steps are on a timeline that is drawn to scale", async () => {
  await using setting = openSetting();
  const { parley } = setting;
  await parley.start(order, { steps: 2_000 }, { workflowId: "long" });
  await parley.idle();
  const inspector = await setting.open("#/workflows/long");
  await inspector.page.until(`document.querySelectorAll(".timeline tbody tr").length === 2005`);
  const drawn = await inspector.page.evaluate<[start: number, length: number][]>(
    `[...document.querySelectorAll(".bar")].map(({ style }) => [parseFloat(style.left), parseFloat(style.width)])`,
  );
  const entries = [];
  for (let after = -1; entries.length < 2_005;) {
    const page = await parley.history("long", { limit: 1_000, ...(after >= 0 && { after }) });
    entries.push(...page.entries);
    after = page.next ?? 0;
  }
  // The scale goes from the creation to now, so one factor fits all bars.
  const { createdAt } = await parley.status("long");
  const [last] = entries.slice(-1);
  const scale = drawn.at(-1)![0] / (last!.startedAt - createdAt);
  for (const [index, { startedAt, endedAt }] of entries.entries()) {
    assert(Math.abs(drawn[index]![0] - (startedAt - createdAt) * scale) < 0.5, `the start of ${index}`);
    if (endedAt) assert(Math.abs(drawn[index]![1] - (endedAt - startedAt) * scale) < 0.5, `the length of ${index}`);
  }
  await inspector.click("Zoom in");
  const shown = `document.querySelectorAll(".bar:not([hidden])").length`;
  assert(await inspector.page.evaluate<number>(shown) < 2_005);
  for (const name of ["Later", "Earlier", "Zoom out", "Show all"]) await inspector.click(name);
  assert.equal(await inspector.page.evaluate(shown), 2_005);
});

Deno.test("IDs, keys, topics and values that look like HTML are text", async () => {
  await using setting = openSetting();
  const { parley } = setting;
  await parley.start(order, { fail: true }, { workflowId: HOSTILE });
  await parley.send(HOSTILE, 1, { topic: payment });
  await parley.idle();
  const inspector = await setting.open("#/");
  await inspector.click(HOSTILE);
  await inspector.says("failed: Error");
  await inspector.page.evaluate(`document.querySelectorAll("summary").forEach((it) => it.click())`);
  await inspector.click(`${HOSTILE} note`);
  await inspector.page.until(`document.querySelector("h1")?.textContent.endsWith(" note")`);
  await inspector.click(`Follow stream ${HOSTILE}`);
  await inspector.click(`Follow event ${HOSTILE}`);
  await inspector.page.until(`document.querySelectorAll(".values li").length === 1`);
  assert.equal(await inspector.page.evaluate(`document.querySelectorAll("main img, main script").length`), 0);
  assert.notEqual(await inspector.page.evaluate("document.title"), "owned");
  assert.deepEqual(await inspector.page.evaluate("window.blocked"), []);
});

Deno.test("a token sees and does what it allows, and stays in its tab", async () => {
  await using setting = openSetting();
  const { parley } = setting;
  await parley.start(order, {}, { workflowId: "order 7" });
  await parley.idle();
  const looking = await setting.open("#/", { actions: ["inspect"], workflowId: "order 7", expiresIn: "1h" });
  await looking.says("The token does not allow to list workflows");
  await looking.type("Workflow ID", "order 7");
  await looking.click("Open");
  await looking.says("step 0");
  assert.deepEqual(await looking.buttons(), []);
  const buttons = await looking.page.evaluate<string[]>(`[...document.querySelectorAll("main button:not([hidden])")]
    .map((it) => it.textContent)`);
  assert.deepEqual(buttons, ["Zoom in", "Zoom out", "Earlier", "Later", "Show all"]);
  assert.equal(await looking.page.evaluate("localStorage.length + document.cookie.length"), 0);
  assert.equal(
    await looking.page.evaluate("location.href.includes(sessionStorage.getItem(sessionStorage.key(0)))"),
    false,
  );

  const other = await setting.open("#/workflows/order%207", { actions: ["list"], expiresIn: "1h" });
  await other.says("The token does not allow to inspect this workflow.");
  const wrong = await setting.open("#/workflows/missing");
  await wrong.says("This cannot be shown");
  await wrong.page.evaluate(`sessionStorage.setItem(sessionStorage.key(0), "wrong"); location.reload()`);
  await wrong.says("The server does not accept this token.");
});

Deno.test("the page works with the keyboard alone, and with a screen reader, light and dark, 360 pixels wide", async () => {
  await using setting = openSetting();
  const { parley } = setting;
  await parley.start(order, {}, { workflowId: "order 7" });
  await parley.idle();
  const inspector = await setting.open("#/workflows/order%207");
  const { page } = inspector;
  await inspector.says("step 0");
  for (let n = 0; n < 50; n++) {
    await page.press("Tab");
    if (await page.evaluate("document.activeElement.textContent") === "Cancel…") break;
  }
  await page.press("Enter");
  await page.until(`document.querySelector("dialog[open]")?.contains(document.activeElement)`);
  assert.deepEqual(await inspector.violations(), [], "the dialog");
  await page.press("Escape");
  await page.until(`document.querySelector("dialog") === null`);
  assert.equal(await page.evaluate("document.activeElement.textContent"), "Cancel…");
  for (const scheme of ["light", "dark"] as const) {
    for (const width of [360, 1_200]) {
      await page.emulate({ width, height: 800, scheme });
      assert.deepEqual(await inspector.violations(), [], `${scheme}, ${width}`);
      assert(await page.evaluate<number>("document.documentElement.scrollWidth") <= width);
    }
  }
  await page.evaluate(`location.hash = "#/"`);
  await inspector.says("2 shown.");
  assert.deepEqual(await inspector.violations(), []);
});

Deno.test("among 100,000 workflows, a page of the list is one request, and has fifty rows", async () => {
  const pool = await openPool(POSTGRES);
  const schema = `inspector ${crypto.randomUUID()}`;
  try {
    await fill(await openStore(pool, schema), quoted(schema), { ...sizesOf(1_000), workflows: 100_000 });
    await using setting = new InspectorSetting(new Parley({ driver: postgresDriver(pool, { schema }) }));
    const inspector = await setting.open("#/");
    const listed = () => setting.requests.filter((it) => it.endsWith("/workflows")).length;
    await inspector.says("50 shown, and there are more.");
    assert.equal(listed(), 1);
    await inspector.click("Load more");
    await inspector.says("100 shown, and there are more.");
    await inspector.type("ID starts with", "w9999");
    await inspector.click("Filter");
    await inspector.says("11 shown.");
    await inspector.type("Status", "SUCCESS");
    await inspector.click("Filter");
    await inspector.says("9 shown.");
    assert.equal(listed(), 4);
    await inspector.type("Workflow ID", OTHER);
    await inspector.click("Open");
    await inspector.says("ENQUEUED");
  } finally {
    await pool.query(`drop schema if exists ${quoted(schema)} cascade`);
    await pool.end();
  }
});
