/**
 * The commands of the documentation, as they stand there, against a server.
 *
 * @module
 */

import assert from "node:assert/strict";
import { EXIT_CODES } from "../../cli/mod.ts";
import { COMMANDS } from "../../cli/parse.ts";
import { COMMAND_OPTIONS, COMMON_OPTIONS } from "../../cli/options.ts";
import { read } from "../project/files.ts";
import { commandsOf, normalised, type Shown, tryCommands } from "./support/page.ts";
import { openShop, type Shop } from "./support/server.ts";

/** Runs the commands of a page, and compares what they print. */
async function checkPage(shop: Shop, shown: readonly Shown[], before?: (command: string) => void): Promise<void> {
  for (const [index, { command, code, output }] of (await tryCommands(shop, shown, before)).entries()) {
    assert.equal(normalised(shop, output), normalised(shop, shown[index]!.output), command);
    assert.equal(code, 0, command);
  }
}

Deno.test("the story of order 7 in docs/operate.md: each command prints what the page says", async () => {
  await using shop = await openShop({ isPlain: true });
  const shown = commandsOf("docs/operate.md");
  assert.deepEqual(
    shown.map(({ command }) => command.split(" ")[1]),
    ["list", "show", "messages", "send", "list", "history", "resume", "show"],
  );
  await shop.parley.start("order", undefined, { workflowId: "order-7" });
  await shop.parley.idle();
  await shop.parley.send("order-7", { amount: 20 }, { topic: "paymnet" });
  await checkPage(shop, shown, (command) => command.startsWith("parley resume") && shop.openBank());
});

Deno.test("docs/cli.md: each command prints what the page says", async () => {
  await using shop = await openShop();
  const { parley } = shop;
  await parley.start("order", "lamp", { workflowId: "order-7" });
  await parley.idle();
  await parley.send("order-7", { amount: 20 }, { topic: "paymnet" });
  await parley.send("order-7", { amount: 20 }, { topic: "payment" });
  await parley.start("log", ["started", { row: 2 }], { workflowId: "import-1" });
  await parley.send("import-1", null, { topic: "end" });
  await parley.idle();
  const shown = commandsOf("docs/cli.md");
  assert(shown.length > 15);
  await checkPage(shop, shown);
  const tried = shown.map(({ command }) => /parley (\w+)/.exec(command)?.[1]);
  // A purge needs a store; the tests of stores have it.
  assert.deepEqual(COMMANDS.map(({ name }) => name).filter((name) => !tried.includes(name)), ["purge"]);
});

Deno.test("docs/cli.md has every exit code, and no option that does not exist", () => {
  const page = read("docs/cli.md");
  const codes = [...page.matchAll(/^\| (\d+) +\|/gm)].map(([, code]) => Number(code));
  assert.deepEqual(codes, Object.values(EXIT_CODES));
  const options = [...page.matchAll(/(?<=[ `])--([a-z][a-z-]+)/g)].map(([, name = ""]) => name);
  assert.deepEqual(options.filter((name) => !(name in COMMON_OPTIONS || name in COMMAND_OPTIONS)), []);
});
