/**
 * What must hold of a command line that a reader or a user ends, in every runtime.
 *
 * @module
 */

import assert from "node:assert/strict";
import { type Program, spawn } from "./process.ts";
import { openShop } from "./server.ts";

/** Follows a stream until Ctrl-C. */
export async function endsAtInterrupt(program: Program): Promise<void> {
  await using shop = await openShop();
  await shop.parley.start("log", ["one", "two"], { workflowId: "log-1" });
  const child = spawn(["stream", "log-1", "log", "--follow"], { env: shop.env, program });
  const [printed, rest] = [await readUntil(child.stdout, "two\n"), collect(child.stderr)];
  child.kill("SIGINT");
  assert.deepEqual([printed, (await child.status).code, await rest], ["one\ntwo\n", 130, ""]);
}

/** Reads the first line of a long output, as `head -1` does. */
export async function endsAtBrokenPipe(program: Program): Promise<void> {
  await using shop = await openShop();
  // More than any pipe holds.
  const line = "x".repeat(1_000);
  await shop.parley.start("log", Array.from({ length: 900 }, (_, n) => `${n} ${line}`), { workflowId: "log-1" });
  await shop.parley.idle();
  const child = spawn(["stream", "log-1", "log"], { env: shop.env, program });
  const rest = collect(child.stderr);
  assert.match(await readUntil(child.stdout, "\n"), /^0 x+\n/);
  assert.deepEqual([(await child.status).code, await rest], [0, ""]);
}

/** Reads until a text comes, and closes the stream. */
async function readUntil(stream: ReadableStream<Uint8Array<ArrayBuffer>>, end: string): Promise<string> {
  let printed = "";
  for await (const text of stream.pipeThrough(new TextDecoderStream())) {
    printed += text;
    if (printed.includes(end)) break;
  }
  return printed;
}

async function collect(stream: ReadableStream<Uint8Array<ArrayBuffer>>): Promise<string> {
  return await new Response(stream).text();
}
