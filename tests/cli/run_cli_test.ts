/**
 * What needs a terminal: questions, progress and widths.
 *
 * @module
 */

import assert from "node:assert/strict";
import { type CliIo, EXIT_CODES, runCli } from "../../cli/mod.ts";
import { withProgress } from "../../cli/progress.ts";
import { cut, escapeText, shownAge, shownName, table, toJson } from "../../cli/text.ts";
import { openShop, type Shop, TOKEN } from "./support/server.ts";

/** Runs the command line in this process. */
async function runHere(shop: Shop, args: string[], io: Partial<CliIo>) {
  const printed = { code: -1, out: "", err: "", asked: "" };
  printed.code = await runCli(args, {
    env: { PARLEY_URL: shop.url, PARLEY_TOKEN: TOKEN },
    out: (text) => void (printed.out += text),
    err: (text) => void (printed.err += text),
    ...io,
    ...(io.ask && { ask: async (...args) => (printed.asked = args[0], await io.ask!(...args)) }),
  });
  return printed;
}

Deno.test("cancel, delete and purge ask where there is somebody to ask, unless --yes is given", async () => {
  await using shop = await openShop();
  await shop.parley.start("order", null, { workflowId: "order\x1b1", enqueue: true });
  const status = async () => (await shop.parley.status("order\x1b1")).status;
  const answering = (answer: string) => ({ ask: () => Promise.resolve(answer) });

  const declined = await runHere(shop, ["cancel", "order\x1b1", "--children"], answering("\n"));
  assert.deepEqual(declined, {
    code: 8,
    out: "",
    err: "parley: Nothing was done\n",
    asked: `Cancel "order\\u001b1" and all that it has started? [y/N] `,
  });
  assert.equal(await status(), "ENQUEUED");
  assert.equal((await runHere(shop, ["cancel", "order\x1b1"], answering(" Yes "))).code, 0);
  assert.equal(await status(), "CANCELLED");
  assert.equal((await runHere(shop, ["delete", "order\x1b1"], answering("no"))).code, 8);
  const deleted = await runHere(shop, ["delete", "order\x1b1", "--yes"], answering("no"));
  assert.deepEqual([deleted.code, deleted.asked], [0, ""]);
});

Deno.test("an aborted signal ends a command with exit code 130, and so does one during a question", async () => {
  await using shop = await openShop();
  await shop.parley.start("log", ["one"], { workflowId: "log-1" });
  const stop = new AbortController();
  const following = await runHere(shop, ["stream", "log-1", "log", "--follow"], {
    out: () => stop.abort(),
    signal: stop.signal,
  });
  assert.deepEqual([following.code, following.err], [130, ""]);
  const asking = new AbortController();
  const asked = await runHere(shop, ["cancel", "log-1"], {
    signal: asking.signal,
    ask: () => (asking.abort(), Promise.reject(new Error("aborted"))),
  });
  assert.deepEqual([asked.code, asked.err], [130, ""]);
});

Deno.test("a table fits the terminal, and has no column without content", async () => {
  await using shop = await openShop();
  await shop.parley.start("order", "x".repeat(500), { workflowId: "order-1" });
  await shop.parley.idle();
  await shop.parley.send("order-1", "y".repeat(500));
  const { out } = await runHere(shop, ["messages", "order-1"], { width: 60 });
  assert.deepEqual(out.split("\n").map((line) => line.length), [37, 60, 0]);
  assert.equal(table(["A", "B", "C"], [["1", "", "x"], ["日本", "", "y"]]), "A     C\n1     x\n日本  y\n");
  assert.deepEqual([cut("abcdef", 4), cut("日本語", 5), cut("abc", 3)], ["abc…", "日本…", "abc"]);
});

Deno.test("progress is shown on a terminal alone, after a moment, and disappears", async () => {
  const run = async (hasProgress: boolean) => {
    let printed = "";
    const io = { hasProgress, err: (text: string) => void (printed += text) };
    await withProgress(io, "Listing workflows", async (report) => {
      report("50 so far");
      await new Promise((resolve) => setTimeout(resolve, 1_700));
    });
    return printed;
  };
  const [shown, none] = await Promise.all([run(true), run(false)]);
  // deno-lint-ignore no-control-regex
  assert.match(shown, /^(\r\x1b\[2KListing workflows: 50 so far, \d+ s)+\r\x1b\[2K$/);
  assert.equal(none, "");
});

Deno.test("escapes leave what people write, and quote what a shell would read otherwise", () => {
  assert.equal(escapeText("naïve 日本語 👨‍👩‍👧 \u200cنمی‌خواهم"), "naïve 日本語 👨‍👩‍👧 \u200cنمی‌خواهم");
  assert.equal(escapeText("\x1b[0m\u009b\u202e\u{e0041}\ud800"), "\\u001b[0m\\u009b\\u202e\\udb40\\udc41\\ud800");
  assert.deepEqual([shownName("order-7"), shownName("a b"), shownName("a\u0000")], ["order-7", `"a b"`, `"a\\u0000"`]);
  assert.equal(toJson({ text: "\x9b", big: 2n ** 70n }), `{"text":"\\u009b","big":"1180591620717411303424"}`);
  assert.deepEqual([shownAge(1_000, 61_500), shownAge(7_200_000, 0)], ["1m ago", "in 2h"]);
  assert.deepEqual([shownAge(71 * 3_600_000, 0), shownAge(0, 3_599_999)], ["in 2d 23h", "59m 59s ago"]);
  assert.deepEqual([shownAge(0, 999), shownAge(0, 1_999), shownAge(0, 86_460_000)], ["999ms ago", "1s ago", "1d ago"]);
});

Deno.test("a command or an option that is misspelt is answered with the one that it resembles", async () => {
  const said = async (...args: string[]) => {
    let err = "";
    assert.equal(await runCli(args, { env: {}, err: (text) => void (err += text) }), EXIT_CODES.usage);
    return err;
  };
  assert.match(await said("lsit"), /no such command; did you mean list\?/);
  assert.match(await said("HISTORY-"), /did you mean history\?/);
  assert.match(await said("list", "--statsu", "ERROR"), /no option "--statsu"; did you mean --status\?/);
  for (const args of [["frobnicate"], ["list", "--frobnicate"], ["postgres://user:secret@host/db"]]) {
    assert.doesNotMatch(await said(...args), /did you mean|secret/);
  }
});

Deno.test("an address without the adapter behind it is answered with what is missing", async () => {
  const fetch = () => Promise.resolve(new Response("<h1>Not found</h1>", { status: 404 }));
  let err = "";
  const env = { PARLEY_URL: "https://example.com", PARLEY_TOKEN: TOKEN };
  await runCli(["list"], { env, fetch, err: (text) => void (err += text) });
  assert.match(err, /list was answered with 404: the url must be where the adapter is mounted, with its path/);
});

Deno.test("an error of a client that shows a password is printed without it", async () => {
  await using shop = await openShop();
  const fetch = () => Promise.reject(new TypeError(`cannot fetch with Bearer ${TOKEN}`));
  const { code, out, err } = await runHere(shop, ["open"], {
    openBrowser: () => Promise.reject(new Error(TOKEN)),
  });
  assert.deepEqual([code, out, err], [0, `${shop.url}/inspector\n`, "No browser could be opened here\n"]);
  const failed = await runHere(shop, ["list"], { fetch });
  assert.equal(failed.code, 6);
  const odd = await runHere(shop, ["list"], { out: () => Promise.reject(new Error(`odd ${TOKEN}`)) });
  assert.deepEqual([odd.code, odd.err], [1, "parley: Something failed: Error: odd ***\n"]);
  assert(!failed.err.includes(TOKEN));
});

Deno.test("a fault that a command survives is reported as JSON with --json, and never shows the token", async () => {
  await using shop = await openShop();
  for (const json of [true, false]) {
    const leaving = new AbortController();
    let err = "";
    const code = await runCli(["stream", "order", "lines", "--follow", ...(json ? ["--json"] : [])], {
      env: { PARLEY_URL: shop.url, PARLEY_TOKEN: TOKEN },
      signal: leaving.signal,
      fetch: () => Promise.reject(Object.assign(new Error(TOKEN), { code: TOKEN })),
      out: () => {},
      err: (text) => {
        err += text;
        leaving.abort();
      },
    });
    assert.equal(code, 130);
    assert(!err.includes(TOKEN), err);
    const [line = ""] = err.split("\n");
    if (json) assert.equal(JSON.parse(line).warning.code, "driver");
    else assert.match(line, /^parley: Parley over HTTP: readStream/);
  }
});

Deno.test("a note names the next page in the way that a shell takes it", async () => {
  await using shop = await openShop();
  for (const workflowId of ["it's 1", "it's 2"]) {
    await shop.parley.start("order", null, { workflowId, enqueue: true });
  }
  const { err } = await runHere(shop, ["list", "--limit", "1"], {});
  const [, quoted = ""] = /--cursor (.*)\n$/.exec(err) ?? [];
  const { stdout } = await new Deno.Command("/bin/sh", { args: ["-c", `printf %s ${quoted}`] }).output();
  const next = await runHere(shop, ["list", "--cursor", new TextDecoder().decode(stdout), "--json"], {});
  assert.equal(JSON.parse(next.out).workflows.length, 1);
});
