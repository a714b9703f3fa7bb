/**
 * The command line in Node and Bun, as a bundle.
 *
 * @module
 */

import assert from "node:assert/strict";
import { findProgram } from "../../scripts/install.ts";
import { deno } from "../project/files.ts";
import { postgresUrl } from "../drivers/postgres/support/server.ts";
import { bunPath } from "../runtimes/bun.ts";
import { endsAtBrokenPipe, endsAtInterrupt } from "./support/live.ts";
import { type Program, run } from "./support/process.ts";
import { openShop } from "./support/server.ts";

const POSTGRES = await postgresUrl();

/** The script of the npm package, which calls the function, since Node 20 knows no main module. */
const SCRIPT = `import process from "node:process";
import { runCli } from "./cli.mjs";
process.exit(await runCli(process.argv.slice(2)));
`;

const directory = await Deno.makeTempDir();
Deno.test.afterAll(() => Deno.remove(directory, { recursive: true }));
const bundled = await deno("bundle", "--quiet", "--output", `${directory}/cli.mjs`, "cli/mod.ts");
assert.equal(bundled.code, 0, bundled.stderr);
await Deno.writeTextFile(`${directory}/parley.mjs`, SCRIPT);

const node = await findProgram(["node"]);
const runtimes: [name: string, program: Program][] = [
  ["Bun", [await bunPath(), `${directory}/cli.mjs`]],
  ["Bun, by a script", [await bunPath(), `${directory}/parley.mjs`]],
  ...(node === undefined ? [] : [["Node, by a script", [node, `${directory}/parley.mjs`]] satisfies [string, Program]]),
];
if (node === undefined) console.log("No Node on this machine: its tests are left out");

for (const [name, program] of runtimes) {
  Deno.test(`${name}: the command line starts, shows and mends a workflow`, async () => {
    await using shop = await openShop({ program });
    const { cli, json } = shop;
    await json("start", "order", `{"item": "ö"}`, "--id", "order-7");
    const { stdout } = await run(["send", "order-7", "-", "--topic", "payment"], {
      program,
      env: shop.env,
      input: `{"amount": 20}`,
    });
    assert.equal(stdout, `Sent a message of topic "payment" to order-7\n`);
    await shop.parley.idle();
    assert.match((await cli("list", "--status", "ERROR")).stdout, / failed: step "charge"\n$/);
    shop.openBank();
    await json("resume", "order-7");
    const { input, output } = await json("show", "order-7", "--wait");
    assert.deepEqual([input, output], [{ item: "ö" }, "20 charged"]);
    assert.equal((await cli("list", "--nothing")).code, 2);
    assert.equal((await cli("show", "order-8")).code, 3);
  });

  Deno.test(`${name}: parley stream --follow ends at Ctrl-C with exit code 130`, () => endsAtInterrupt(program));

  Deno.test(`${name}: a reader that goes away ends a command quietly`, () => endsAtBrokenPipe(program));

  Deno.test(`${name}: node-postgres is loaded for a database`, async () => {
    const schema = `Cli ${crypto.randomUUID()}`;
    const { code, stderr } = await run(["list", "--store", POSTGRES, "--schema", schema], { program });
    assert.deepEqual([code, /^parley: The database has no schema "Cli /.test(stderr)], [3, true], stderr);
  });
}
