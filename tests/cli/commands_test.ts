/**
 * Each command as a process, against a server.
 *
 * @module
 */

import assert from "node:assert/strict";
import { memoryDriver, Parley, workflow } from "../../mod.ts";
import { scopedTokens } from "../../http/mod.ts";
import { withDirectory } from "../project/files.ts";
import { run } from "./support/process.ts";
import { openShop } from "./support/server.ts";

Deno.test("parley start, show, messages, send, list, history, resume: an order that is stuck ends", async () => {
  await using shop = await openShop();
  const { cli, json } = shop;
  assert.deepEqual(await json("start", "order", `"lamp"`, "--id", "order-7"), { workflowId: "order-7", created: true });
  assert.deepEqual(await json("start", "order", `"lamp"`, "--id", "order-7"), {
    workflowId: "order-7",
    created: false,
  });

  // The topic is misspelt.
  assert.equal((await json("send", "order-7", `{"amount": 20}`, "--topic", "paymnet")).duplicate, false);
  const stuck = await cli("show", "order-7");
  assert.match(stuck.stdout, /^order-7\n {2}name {5}order\n {2}status {3}PENDING\n/);
  assert.match(stuck.stdout, /\n {2}waits {4}recv "payment" at position 1, since \S+ \(\S+ ago\)\n/);
  assert.match(stuck.stdout, /\n {2}unread {3}1 message: 1 of topic "paymnet"\n {2}input {4}"lamp"\n$/);
  assert.match((await cli("messages", "order-7")).stdout, /^TOPIC +SENT +MESSAGE\n"paymnet" +\S+Z +\{"amount":20\}\n$/);
  assert.match((await cli("list")).stdout, /\norder-7 +order +PENDING .* waits: recv "payment"; 1 unread\n$/);

  const sent = await cli("send", "order-7", `{"amount": 20}`, "--topic", "payment", "--idempotency-key", "delivery-1");
  assert.equal(sent.stdout, `Sent a message of topic "payment" to order-7\n`);
  const failed = await cli("show", "order-7");
  assert.match(failed.stdout, /\n {2}failed {3}step "charge" at position 2\n {2}error {4}Error: the bank is closed\n/);
  assert.match((await cli("list", "--status", "error,cancelled")).stdout, / failed: step "charge"\n$/);
  const { entries } = await json("history", "order-7");
  assert.deepEqual(entries.map((it: { state: string }) => it.state), ["done", "done", "failed"]);
  const history = (await cli("history", "order-7")).stdout.split("\n");
  assert.match(history[0]!, /^POSITION {2}OPERATION +STATE +BEGAN +TOOK +TRIES {2}OUTCOME$/);
  assert.match(history[2]!, /^1 {9}recv "payment" +done +\S+Z +\d+m?s +\{"amount":20\}$/);
  assert.match(history[3]!, /^2 {9}step "charge" +failed +\S+Z +\d+m?s +1 +Error: the bank is closed$/);

  shop.openBank();
  assert.equal((await cli("resume", "order-7")).stdout, "Resumed order-7\n");
  const { status, output } = await json("show", "order-7", "--wait");
  assert.deepEqual([status, output], ["SUCCESS", "20 charged"]);
  const received = await json("messages", "order-7", "--state", "received");
  assert.deepEqual(received.messages.map((it: { idempotencyKey: string }) => it.idempotencyKey), ["delivery-1"]);
});

Deno.test("parley list takes every filter, and pages", async () => {
  await using shop = await openShop();
  for (const id of ["a-1", "a-2", "b-1"]) await shop.parley.start("order", id, { workflowId: id, enqueue: true });
  await shop.parley.cancel("b-1");
  const ids = async (...args: string[]) => {
    const { workflows } = await shop.json("list", ...args);
    return workflows.map((it: { workflowId: string }) => it.workflowId).toSorted();
  };
  assert.deepEqual(await ids("--id-prefix", "a-"), ["a-1", "a-2"]);
  assert.deepEqual(await ids("--status", "CANCELLED", "--status", "ERROR"), ["b-1"]);
  assert.deepEqual(await ids("--name", "log"), []);
  assert.deepEqual(await ids("--due"), ["a-1", "a-2"]);
  assert.deepEqual(await ids("--problem"), []);
  assert.deepEqual(await ids("--created-after", "1h"), ["a-1", "a-2", "b-1"]);
  assert.deepEqual(await ids("--created-before", "1h"), []);
  assert.deepEqual(await ids("--created-after", "2020-01-01", "--created-before", "2020-01-02T10:00Z"), []);
  assert.deepEqual(await ids("--all"), ["a-1", "a-2", "b-1"]);
  assert.equal((await ids("--all", "--limit", "2")).length, 2, "the limit is that of the whole list");
  const page = await shop.json("list", "--limit", "2", "--values");
  const inputs = page.workflows.map((it: { input: string }) => it.input);
  assert.deepEqual([...inputs, ...await ids("--cursor", page.cursor)].toSorted(), ["a-1", "a-2", "b-1"]);
  assert.match((await shop.cli("list", "--limit", "2")).stderr, /^There are more: --all, or --cursor '/);
  assert.equal((await shop.cli("list", "--name", "log")).stdout, "No workflows\n");
});

Deno.test("parley cancel, delete and resume --from say what they did, and refuse what the state does not allow", async () => {
  await using shop = await openShop();
  const { cli, json } = shop;
  await json("start", "parent", "--id", "parent");
  assert.deepEqual(await json("cancel", "parent", "--children"), { workflowId: "parent" });
  assert.equal((await json("show", "child")).status, "CANCELLED");
  assert.equal((await cli("delete", "child", "--yes")).stdout, "Deleted child\n");
  assert.equal((await cli("show", "child")).code, 3);

  await json("start", "order", "--id", "order-1");
  await json("send", "order-1", `{"amount": 20}`, "--topic", "payment");
  const active = await cli("delete", "parent-2");
  assert.deepEqual([active.code, active.stderr], [3, `parley: Workflow "parent-2" does not exist\n`]);
  shop.openBank();
  assert.equal((await cli("resume", "order-1", "--from", "1")).stdout, "Resumed order-1 from position 1\n");
  assert.equal((await json("show", "order-1")).status, "SUCCESS");
  assert.equal((await cli("cancel", "order-1")).code, 4);
  const ended = await cli("send", "order-1", "1", "--json");
  assert.deepEqual([ended.code, ended.stdout, JSON.parse(ended.stderr).error.code], [4, "", "workflow_ended"]);
  await json("start", "order", "--id", "order-2");
  assert.equal((await cli("delete", "order-2")).code, 4);
});

Deno.test("parley start takes an input from the standard input, and begins later with --delay and --at", async () => {
  await using shop = await openShop();
  const { env, json, cli } = shop;
  const ran = await run(["start", "order", "-", "--id", "order-1"], { env, input: `{"item": "lamp"}\n` });
  assert.deepEqual(ran, { code: 0, stdout: "Started order-1\n", stderr: "" });
  await json("start", "order", "--id", "later", "--delay", "1h");
  await json("start", "order", "--id", "then", "--at", "2100-01-31T09:00Z");
  await json("start", "order", "--id", "now", "--enqueue");
  const { workflows } = await json("list", "--status", "ENQUEUED");
  assert.deepEqual(workflows.map((it: { workflowId: string }) => it.workflowId).toSorted(), ["later", "now", "then"]);
  assert.equal((await json("show", "later")).due, false);
  assert.match((await cli("show", "now")).stdout, /\n {2}due +now; if it stays so, nothing sweeps/);
  assert.deepEqual(await json("sweep", "--limit", "5"), { claimed: 1, finished: 0, suspended: 1 });
  assert.equal((await cli("sweep")).stdout, "Took 0: 0 ended, 0 wait again\n");
  const unknown = await cli("start", "ordre");
  assert.deepEqual([unknown.code, unknown.stdout], [3, ""]);
  assert.match(unknown.stderr, /There is no workflow named "ordre" here/);
  assert.equal((await json("start", "ordre", "--enqueue")).created, true);
});

Deno.test("parley events and stream print values, with --follow until the end of the stream", async () => {
  await using shop = await openShop();
  const { cli, json } = shop;
  await json("start", "order", "--id", "order-1");
  const { events } = await json("events", "order-1");
  assert.deepEqual([events[0].key, events[0].value], ["payment-url", "https://pay.example/7"]);
  assert.match(
    (await cli("events", "order-1")).stdout,
    /^EVENT .*\n"payment-url" +1 +\S+ ago +"https:\/\/pay.example\/7"\n$/,
  );

  await json("start", "log", `["one", {"n": 2}]`, "--id", "log-1");
  assert.match((await cli("stream", "log-1")).stdout, /^STREAM .*\n"log" +2 +open +\S+ ago\n$/);
  assert.equal((await cli("stream", "log-1", "log")).stdout, `one\n{"n":2}\n`);
  assert.deepEqual(await json("stream", "log-1", "log", "--from", "1"), {
    values: [{ n: 2 }],
    closed: false,
    nextOffset: 2,
  });
  const following = cli("stream", "log-1", "log", "--follow", "--json");
  await json("send", "log-1", "null", "--topic", "end");
  const { code, stdout } = await following;
  assert.deepEqual([code, stdout], [0, `{"offset":0,"value":"one"}\n{"offset":1,"value":{"n":2}}\n`]);
});

Deno.test("parley open prints the inspector's address, and never a token", async () => {
  await using shop = await openShop();
  const { stdout } = await shop.cli("open", "a/b #1", "--print");
  assert.equal(stdout, `${shop.url}/inspector#/workflows/a%2Fb%20%231\n`);
  assert.deepEqual(await shop.json("open", "--print"), { url: `${shop.url}/inspector` });
  // A program of this name, in place of the browser's.
  if (Deno.build.os !== "linux") return;
  await withDirectory(async (directory) => {
    const opener = `${directory}/xdg-open`;
    await Deno.writeTextFile(
      opener,
      `#!/bin/sh\necho "$*" >${directory}/opened.part\nmv ${directory}/opened.part ${directory}/opened\n`,
    );
    await Deno.chmod(opener, 0o755);
    const env = { ...shop.env, PATH: `${directory}:${Deno.env.get("PATH")}` };
    assert.equal((await run(["open", "order-7"], { env })).code, 0);
    const opened = `${shop.url}/inspector#/workflows/order-7\n`;
    for (let tries = 0; tries < 1_000; tries++) {
      if (await Deno.readTextFile(`${directory}/opened`).catch(() => "") === opened) return;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    assert.fail("nothing was opened");
  });
});

Deno.test("parley --help and parley COMMAND --help describe commands and options", async () => {
  const all = await run(["--help"]);
  assert.equal(all.code, 0);
  for (const name of "list show history messages events stream send start cancel resume delete sweep open".split(" ")) {
    assert.match(all.stdout, new RegExp(`^  ${name}\\b`, "m"));
  }
  const one = await run(["list", "--help"]);
  assert.match(one.stdout, /^Usage: parley list \[OPTIONS\]$/m);
  assert.match(one.stdout, /^ {2}--created-after TIME {2,}\S/m);
  assert.deepEqual(await run(["help", "list"]), one);
  assert.equal((await run([])).code, 2);
});

Deno.test("parley show leaves out what a scoped token does not allow", async () => {
  const scoped = scopedTokens("a secret of the server that nobody guesses");
  await using shop = await openShop({ auth: scoped });
  await shop.parley.start("order", "lamp", { workflowId: "order-1" });
  await shop.parley.idle();
  await shop.parley.send("order-1", 1, { topic: "paymnet" });
  const PARLEY_TOKEN = await scoped.mint({ actions: ["info"], expiresIn: "1h" });
  const env = { ...shop.env, PARLEY_TOKEN };
  const { code, stdout, stderr } = await run(["show", "order-1"], { env });
  assert.deepEqual([code, stderr], [0, ""]);
  assert.match(stdout, /\n {2}waits {4}recv "payment"\n {2}unread {3}1 message\n {2}input {4}"lamp"\n$/);
  const history = await run(["history", "order-1"], { env });
  assert.deepEqual([history.code, history.stdout], [5, ""]);
});

Deno.test("parley list --all prints thousands of workflows as one document, and history without operations says so", async () => {
  await using shop = await openShop();
  const ids = Array.from({ length: 2_100 }, (_, n) => `order-${n}`);
  for (const workflowId of ids) await shop.parley.start("order", null, { workflowId, enqueue: true });
  const { workflows, cursor } = await shop.json("list", "--all");
  assert.deepEqual(workflows.map((it: { workflowId: string }) => it.workflowId).toSorted(), ids.toSorted());
  assert.equal(cursor, undefined);
  assert.equal((await shop.cli("list", "--all")).stdout.split("\n").length, ids.length + 2);
  assert.equal((await shop.cli("history", "order-1")).stdout, "No operations\n");
});

Deno.test("parley show has the problem of a parked workflow, and an error with its causes, and cuts long values", async () => {
  const driver = memoryDriver();
  const older = new Parley({
    driver,
    hotWait: 0,
    workflows: [
      workflow("order", async (ctx) => {
        await ctx.step("old", () => {});
        await ctx.recv("payment");
      }),
      workflow("fails", (_ctx, _input: string) => {
        const odd = { name: Object.create(null), message: "odd" };
        throw new TypeError("outer", { cause: new Error("inner", { cause: odd }) });
      }),
    ],
  });
  await older.start("order", null, { workflowId: "parked" });
  await older.start("fails", "x".repeat(5_000), { workflowId: "failed" });
  await older.idle();
  await older.close();

  await using shop = await openShop({ driver });
  await shop.json("send", "parked", "{}", "--topic", "payment");
  assert.match((await shop.cli("list", "--problem")).stdout, /\nparked .* problem: Replaying workflow "parked"/);
  const { stdout } = await shop.cli("show", "parked");
  assert.match(stdout, /\n {2}problem {2}NonDeterminismError: Replaying workflow "parked": position 0 is setEvent/);
  const failed = await shop.cli("show", "failed");
  assert.match(
    failed.stdout,
    /\n {2}error {4}TypeError: outer\n {11}caused by Error: inner\n {11}caused by odd\n/,
  );
  assert.match(failed.stdout, /\n {2}input {4}"x+…\n$/);
  assert(failed.stdout.length < 2_000);
});
