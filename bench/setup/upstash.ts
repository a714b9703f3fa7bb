/**
 * The local Upstash of a run, as a process of its own.
 *
 * @module
 */

import { LOCK, ROOT } from "../../scripts/deno.ts";

/** The program belongs to the tests. This only starts it. */
const PROGRAM = "tests/drivers/upstash/server/main.ts";

/** A running server. */
export interface UpstashProcess extends AsyncDisposable {
  /** Its URL, its token, and the URL of its counts, as JSON. */
  readonly address: string;
}

/** Starts the server in front of a Redis. */
export async function startUpstash(redisUrl: string): Promise<UpstashProcess> {
  const args = ["run", LOCK, "-A", "--quiet", "--unstable-no-legacy-abort", PROGRAM, redisUrl];
  const child = new Deno.Command(Deno.execPath(), { args, cwd: ROOT, stdin: "piped", stdout: "piped" }).spawn();
  const reader = child.stdout.getReader();
  const { value } = await reader.read();
  reader.releaseLock();
  if (value === undefined) throw new Error("The local Upstash has not started");
  return {
    address: new TextDecoder().decode(value).trim(),
    async [Symbol.asyncDispose]() {
      await child.stdin.close();
      await child.stdout.cancel();
      await child.status;
    },
  };
}
