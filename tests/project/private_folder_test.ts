/**
 * The commands of the README in a folder that only its owner may enter, as in a clone in the home
 * of the root user.
 *
 * @module
 */

import assert from "node:assert/strict";
import { dirname } from "node:path";
import { projectFiles, ROOT, withDirectory } from "./files.ts";

/** Variables that name running servers. Without them, the tests start their own. */
const SERVERS = [
  "DATABASE_URL",
  "REDIS_URL",
  "PARLEY_TEST_POSTGRES",
  "PARLEY_TEST_POSTGRES_OLDEST",
  "PARLEY_TEST_REDIS",
];

/** A file for each server, and one test of each. */
const FILES = ["tests/drivers/postgres/server_test.ts", "tests/drivers/upstash/server_test/redis_server_test.ts"];
const FILTER = "/^(two schemas side by side|servers that are started at once)/";

const MAX_MS = 240_000;

/** Starts `deno` in the folder, where no server is given. */
function start(cwd: string, ...args: string[]): Deno.ChildProcess {
  const env = Object.fromEntries(Object.entries(Deno.env.toObject()).filter(([name]) => !SERVERS.includes(name)));
  const signal = AbortSignal.timeout(MAX_MS);
  const options = { args, cwd, clearEnv: true, env: { ...env, NO_COLOR: "1" }, signal };
  return new Deno.Command(Deno.execPath(), { ...options, stdin: "null", stdout: "piped", stderr: "null" }).spawn();
}

/**
 * Reads the output of a process, and stops the process once the output matches. The process cleans
 * up after itself.
 */
async function stopWhen(child: Deno.ChildProcess, wanted: RegExp): Promise<string> {
  let printed = "";
  for await (const text of child.stdout.pipeThrough(new TextDecoderStream())) {
    if (!wanted.test(printed) && wanted.test(printed += text)) child.kill("SIGTERM");
  }
  await child.status;
  return printed;
}

Deno.test("the commands of the README work in a folder that only its owner may enter", async () => {
  await withDirectory(async (directory) => {
    for (const path of projectFiles()) {
      await Deno.mkdir(dirname(`${directory}/${path}`), { recursive: true });
      await Deno.copyFile(new URL(path, ROOT), `${directory}/${path}`);
    }
    await Deno.chmod(directory, 0o700);

    const demo = await stopWhen(start(directory, "task", "demo"), /webhook paid for \S+: 200/);
    assert.match(demo, /webhook paid for \S+: 200/);

    const { stdout } = await start(directory, "task", "test", "--no-check", ...FILES, "--filter", FILTER).output();
    const printed = new TextDecoder().decode(stdout);
    assert.equal(printed.trimEnd().split("\n").at(-1), "2 passed, 0 failed", printed);
  });
});
