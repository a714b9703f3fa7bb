/**
 * The library where there is no Deno.
 *
 * @module
 */

import assert from "node:assert/strict";
import { bearer, parleyHttp } from "../../http/mod.ts";
import { memoryDriver, Parley } from "../../mod.ts";
import { findProgram } from "../../scripts/install.ts";
import { deno, withDirectory } from "../project/files.ts";
import { bunPath } from "./bun.ts";
import { echo, order } from "./program.ts";

const TOKEN = "s3cret";
/** A runtime that hangs is stopped. */
const PATIENCE_MS = 60_000;

const node = await findProgram(["node"]);
const bun = await bunPath();

/** Bundles the program and runs it beside an adapter of this process. */
async function runProgram(command: string): Promise<void> {
  const parley = new Parley({ driver: memoryDriver(), workflows: [order, echo] });
  const app = parleyHttp({ parley, auth: bearer(TOKEN) });
  await using server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, app.fetch);
  await withDirectory(async (directory) => {
    const bundle = `${directory}/main.mjs`;
    const bundled = await deno(
      "bundle",
      "--quiet",
      "--platform",
      "browser",
      "--external",
      "node:process",
      "--output",
      bundle,
      "tests/runtimes/main.ts",
    );
    assert.equal(bundled.code, 0, bundled.stderr);
    const args = [bundle, `http://127.0.0.1:${server.addr.port}`, TOKEN];
    const signal = AbortSignal.timeout(PATIENCE_MS);
    const child = new Deno.Command(command, { args, cwd: directory, stdin: "null", env: { NO_COLOR: "1" }, signal });
    const { code, stdout, stderr } = await child.output();
    const [printed, errors] = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes));
    assert.match(printed!, /^done: [1-9]\d+ checks\n$/, `${errors}`);
    assert.deepEqual([code, errors], [0, ""]);
  });
  await parley[Symbol.asyncDispose]();
}

if (node === undefined) console.log("No Node on this machine: its test is left out");
else Deno.test("the library, the adapter and connect() work in Node, as a bundle", () => runProgram(node));

Deno.test("the library, the adapter and connect() work in Bun, as a bundle", () => runProgram(bun));
