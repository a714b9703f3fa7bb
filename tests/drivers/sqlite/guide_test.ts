/**
 * The examples with `node:sqlite`. They run here, because other packages hide its types from the
 * check of all examples.
 *
 * @module
 */

import assert from "node:assert/strict";
import { read, ROOT, withDirectory } from "../../project/files.ts";

/** Runs the first example of a text. */
async function runExample(text: string): Promise<string> {
  const [, code = ""] = /```ts ignore\n(.*?)```/s.exec(text) ?? [];
  assert.match(code, /node:sqlite/);
  return await withDirectory(async (directory) => {
    const path = `${directory}/example.ts`;
    await Deno.writeTextFile(path, code);
    const config = new URL("deno.json", ROOT).pathname;
    const command = new Deno.Command(Deno.execPath(), {
      args: ["run", "--no-check", "-A", "--config", config, path],
      // An example may make a file.
      cwd: directory,
      env: { NO_COLOR: "1" },
    });
    const { code: status, stdout, stderr } = await command.output();
    assert.equal(status, 0, new TextDecoder().decode(stderr));
    return new TextDecoder().decode(stdout);
  });
}

Deno.test("the first example of the README sells an order", async () => {
  const printed = "https://pay.example/order-1\norder-1: 20 paid\n";
  assert.equal(await runExample(read("README.md")), printed);
});

Deno.test("the example of the guide for SQLite greets", async () => {
  assert.equal(await runExample(read("docs/sqlite.md")), "Hello, Ada\n");
});

Deno.test("the example of sqliteDriver() finds what it has stored", async () => {
  assert.equal(await runExample(read("drivers/sqlite/mod.ts").replaceAll(/^ \* ?/gm, "")), "");
});
