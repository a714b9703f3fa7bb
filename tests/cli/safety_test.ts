/**
 * Secrets, hostile values and bad input.
 *
 * @module
 */

import assert from "node:assert/strict";
import { withDirectory } from "../project/files.ts";
import { postgresUrl } from "../drivers/postgres/support/server.ts";
import { startUpstashServer } from "../drivers/upstash/server/mod.ts";
import { redisUrl } from "../drivers/upstash/support/redis_server.ts";
import { run } from "./support/process.ts";
import { openShop, TOKEN } from "./support/server.ts";

const POSTGRES = await postgresUrl();
const REDIS = await redisUrl();

const SECRET = "very-s3cret";

/** The server's address with a login that it refuses. */
function wrongLogin(): string {
  const url = new URL(POSTGRES.replace(/^postgres(ql)?:/, "http:"));
  return `postgres://nobody-${crypto.randomUUID()}:${SECRET}@${url.host}${url.pathname}`;
}

Deno.test("a secret that is refused, or that is no legal one, is in no output", async () => {
  await using shop = await openShop();
  await using upstash = await startUpstashServer({ redisUrl: REDIS });
  const url = shop.url;
  const odd = `${SECRET} `;
  const cases: [code: number, args: string[], env?: Record<string, string>][] = [
    [5, ["list", "--url", url, "--token", SECRET]],
    [5, ["list", "--url", url, "--json"], { PARLEY_TOKEN: SECRET }],
    [5, ["stream", "a", "b", "--follow", "--url", url, "--token", SECRET]],
    [5, ["sweep", "--url", url, "--token", SECRET]],
    [5, ["list", "--store", upstash.url, "--token", SECRET]],
    [5, ["list", "--store", wrongLogin()]],
    [5, ["list", "--store", wrongLogin().replace(`:${SECRET}`, "")], { PGPASSWORD: SECRET }],
    [2, ["list", "--url", url, "--token", odd]],
    [2, ["list", "--url", `http://user:${SECRET}@127.0.0.1:1`, "--token", "t"]],
    [2, ["open", "--url", `http://user:${SECRET}@127.0.0.1:1`]],
    [2, ["open", "--url", `http://127.0.0.1:1/?token=${SECRET}`]],
    [2, ["list", "--url", `ftp://user:${SECRET}@127.0.0.1:1`, "--token", "t"]],
    [2, ["list", "--store", `postgres://user:${SECRET}@127.0.0.1:not-a-port/db`]],
    [2, ["list", "--store", `postgres://user:${SECRET}@[/db`]],
    [2, ["list", "--store", `postgres://user:${SECRET}@127.0.0.1:1/db`, "--neon-proxy", `nothing-${SECRET}`]],
    [2, [`postgres://user:${SECRET}@127.0.0.1/db`, "list"]],
    [2, ["list", SECRET, "--url", url, "--token", TOKEN]],
    [2, ["list", `--due=${SECRET}`]],
    [2, ["send", "a", `{"secret": ${SECRET}`, "--url", url, "--token", TOKEN]],
    [2, ["list", "--token-file", `/nothing/${SECRET}`, "--url", url]],
    [6, ["list", "--url", "http://127.0.0.1:1", "--token", SECRET]],
    [6, ["list", "--store", `postgres://user:${SECRET}@127.0.0.1:1/db`]],
    [6, ["list", "--store", `postgres://user:${SECRET}@127.0.0.1:1/db`, "--neon-proxy", "http://127.0.0.1:1/sql"]],
    [6, ["list", "--store", "http://127.0.0.1:1", "--token", SECRET]],
    [6, ["list", "--url", `${url}/elsewhere`, "--token", TOKEN]],
  ];
  for (const [code, args, env = {}] of cases) {
    const ran = await run(args, { env });
    const shown = JSON.stringify([args, ran]);
    assert.deepEqual([ran.code, ran.stdout], [code, ""], shown);
    assert(!ran.stderr.includes(SECRET) && !ran.stderr.includes(TOKEN), shown);
    assert.match(
      ran.stderr,
      args.includes("--json") ? /^\{"error":\{"code":"\w+","message":".+"\}\}\n$/ : /^parley: .+\n$/,
    );
  }
});

Deno.test("a token comes from a file, without its line end", async () => {
  await using shop = await openShop();
  await withDirectory(async (directory) => {
    const file = `${directory}/token`;
    await Deno.writeTextFile(file, `${TOKEN}\n`);
    const ran = await run(["list", "--token-file", file], { env: { PARLEY_URL: `${shop.url}/` } });
    assert.deepEqual(ran, { code: 0, stdout: "No workflows\n", stderr: "" });
    const none = await run(["list"], { env: { PARLEY_URL: shop.url } });
    assert.deepEqual([none.code, none.stdout], [2, ""]);
    assert.match(none.stderr, /^parley: Give the token: in the variable PARLEY_TOKEN/);
  });
});

/** Clears the screen, in both forms of its first character, and turns the direction of a text. */
const HOSTILE = "\x1b[2Jred\x9b31m\u202eabc\r\n\x07";

Deno.test("IDs, names, topics, values and errors cannot change a terminal, and JSON keeps them", async () => {
  await using shop = await openShop();
  const { parley, cli, json } = shop;
  const id = `id ${HOSTILE}`;
  await parley.start("log", [HOSTILE, { [HOSTILE]: HOSTILE }], { workflowId: id });
  await parley.start(`name ${HOSTILE}`, HOSTILE, { workflowId: "named", enqueue: true });
  await parley.send(id, HOSTILE, { topic: HOSTILE, idempotencyKey: HOSTILE });
  await parley.idle();
  const commands = [
    ["list"],
    ["list", "--values", "--json"],
    ["show", id],
    ["show", "named"],
    ["history", id],
    ["messages", id],
    ["messages", id, "--json"],
    ["stream", id],
    ["stream", id, "log"],
    ["stream", id, "log", "--json"],
    ["show", HOSTILE],
    ["show", HOSTILE, "--json"],
    ["cancel", id],
    ["delete", id],
  ];
  for (const args of commands) {
    const { stdout, stderr } = await cli(...args);
    // deno-lint-ignore no-control-regex
    assert.doesNotMatch(stdout + stderr, /[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]/, args[0]);
    assert(stdout + stderr !== "");
  }
  const { workflows } = await json("list", "--name", `name ${HOSTILE}`, "--values");
  assert.deepEqual([workflows[0].name, workflows[0].input], [`name ${HOSTILE}`, HOSTILE]);
});

Deno.test("bad input is refused before any request, with exit code 2", async () => {
  const bad = [
    ["list", "--status", "LOST"],
    ["list", "--limit", "0"],
    ["list", "--limit", "many"],
    ["list", "--created-after", "yesterday"],
    ["list", "--created-after", "2027-13-01"],
    ["list", "--created-after", "2027-02-30T09:00Z"],
    ["start", "a", "1", "--at", "1798765200"],
    ["list", "--created-before", "2 hours"],
    ["list", "--all", "--cursor", "x"],
    ["list", "--follow"],
    ["list", "--topic"],
    ["show"],
    ["show", ""],
    ["show", "a", "b"],
    ["show", "a", "--timeout", "soon"],
    ["messages", "a", "--state", "open"],
    ["history", "a", "--after", "-1"],
    ["history", "a", "--after=-1"],
    ["send", "a", "not json"],
    ["send", "a"],
    ["start", "a", "1", "--delay", "1h", "--at", "2027-01-01"],
    ["start", "a", "1", "--at", "1h"],
    ["resume", "a", "--from", "1.5"],
    ["stream", "a", "--follow"],
    ["sweep", "--limit", "100000"],
    ["purge"],
    ["purge", "--older-than", "1d"],
    ["nothing"],
  ];
  for (const args of bad) {
    // A request would be answered with another code.
    const ran = await run([...args, "--url", "http://127.0.0.1:1", "--token", "t"]);
    assert.deepEqual([ran.code, ran.stdout], [2, ""], JSON.stringify([args, ran]));
  }
  const nowhere = await run(["list"]);
  assert.deepEqual([nowhere.code, /^parley: Say where the workflows are/.test(nowhere.stderr)], [2, true]);
});

Deno.test("a value that is too large for JSON breaks no list", async () => {
  await using shop = await openShop();
  const { parley, cli, json } = shop;
  const part = "x".repeat(500_000);
  // In the library's own encoding, the part is stored once.
  await parley.start("log", [], { workflowId: "log-1" });
  await parley.send("log-1", Array(200).fill(part));
  await parley.send("log-1", "small");
  const { messages } = await json("messages", "log-1");
  assert.deepEqual(messages.map((it: { value?: unknown; unreadable?: true }) => [it.value, it.unreadable]), [
    [undefined, true],
    ["small", undefined],
  ]);
  assert.match((await cli("messages", "log-1")).stdout, /\(too large to be shown as JSON\)\n.* "small"\n$/);
  await parley.start("log", [Array(200).fill(part), "small"], { workflowId: "log-2" });
  await parley.idle();
  assert.deepEqual((await json("stream", "log-2", "log")).values, [null, "small"]);
  assert.equal((await cli("stream", "log-2", "log")).stdout, "(too large to be shown as JSON)\nsmall\n");
  await parley.send("log-2", 1, { topic: "end" });
  const lines = (await cli("stream", "log-2", "log", "--follow", "--json")).stdout.trim().split("\n");
  assert.deepEqual(lines.map((line) => JSON.parse(line)), [{ offset: 0, unreadable: true }, {
    offset: 1,
    value: "small",
  }]);
});

Deno.test("a password that is also the name of the schema takes no name out of a message", async () => {
  // In this database, nobody has used Parley.
  const url = POSTGRES.replace(/[^/]*$/, "template1");
  const schema = decodeURIComponent(new URL(POSTGRES.replace(/^postgres(ql)?:/, "http:")).password);
  const { stderr } = await run(["list", "--store", url, "--schema", schema]);
  assert(stderr.includes(`The database has no schema "${schema}"`), stderr);
});

Deno.test("a value that only the server can judge is refused with exit code 2, and a wait that is over with 7", async () => {
  await using shop = await openShop();
  const { code, stderr } = await shop.cli("list", "--cursor", "mine");
  assert.deepEqual([code, /the cursor must be one that an earlier page gave/.test(stderr)], [2, true]);
  await shop.json("start", "order", "--id", "order-1");
  assert.equal((await shop.cli("show", "order-1", "--wait", "--timeout", "1ms")).code, 7);
});
