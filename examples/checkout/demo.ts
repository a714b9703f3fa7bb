/**
 * The demo: twelve orders, and a real server that is killed twice. It exits with 1 if any order is
 * lost, charged twice or wrong.
 *
 * @module
 */

import { setTimeout as delay } from "node:timers/promises";
import { Cast } from "./demo/cast.ts";
import { problems, readStories, type Result, type Story } from "./demo/orders.ts";
import { conclude, printTable, say } from "./demo/report.ts";
import { ServerProcess } from "./demo/server.ts";
import { Ledger } from "./ledger.ts";

/** The maximum duration of the demo. */
const DEADLINE_MS = 180_000;
/** The lease, for which a dead server keeps its orders, and the latency of the provider. */
const FLAGS = ["--lease", "2s", "--latency", "600"];
/** A workflow that waits is suspended after two seconds. */
const UNTIL_SUSPENDED_MS = 2_200;

/** Plays the story, and settles with the result of each order. */
async function play(
  stories: Story[],
  server: ServerProcess,
  cast: Cast,
  books: () => Ledger,
  signal: AbortSignal,
): Promise<Result[]> {
  say("server", "starts on an empty database", "bold");
  await server.start(FLAGS, signal);
  const ordered = Promise.all(stories.map((story) => cast.order(story)));
  const followed = Promise.all(stories.map((story) => cast.follow(story)));
  // Both are awaited below. If the story ends before, it ends with another error, which causes
  // these two.
  for (const promise of [ordered, followed]) promise.catch(() => {});
  cast.sendWebhooks(stories, "early");
  await ordered;
  cast.sendWebhooks(stories, "at once");
  await delay(UNTIL_SUSPENDED_MS, undefined, { signal });

  cast.sendWebhooks(stories, "before kill 1");
  const [first] = stories.filter(({ webhooks }) => webhooks[0] === "before kill 1");
  await until(() => books().tally(first!.order.id, "charge").attempts > 0, signal);
  await server.kill();
  say("server", "KILLED while orders wait, and a charge is made but not answered", "red");
  cast.sendWebhooks(stories, "while dead");
  await server.start(FLAGS, signal);
  say("server", "is back", "bold");

  cast.sendWebhooks(stories, "before kill 2");
  const [second] = stories.filter(({ webhooks }) => webhooks[0] === "before kill 2");
  await until(() => cast.hasReached(second!, "charged"), signal);
  await server.kill();
  say("server", "KILLED between two steps: an order is charged and not shipped", "red");
  await server.start(FLAGS, signal);
  say("server", "is back", "bold");
  cast.sendWebhooks(stories, "after kill 2");

  const seen = await followed;
  cast.sendWebhooks(stories, "at the end");
  return await Promise.all(stories.map(async (story, index) => {
    const [info, webhooks] = await Promise.all([cast.info(story), cast.webhooksOf(story)]);
    return { story, info, webhooks, seen: seen[index]! };
  }));
}

async function until(holds: () => boolean, signal: AbortSignal): Promise<void> {
  while (!holds()) await delay(5, undefined, { signal });
}

/** Plays it in a directory that is removed again, and settles with the exit code. */
async function main(signal: AbortSignal): Promise<number> {
  const directory = await Deno.makeTempDir({ prefix: "parley-checkout-" });
  const books = () => new Ledger(`${directory}/ledger.jsonl`);
  const secret = crypto.getRandomValues(new Uint8Array(32)).toBase64();
  const server = new ServerProcess(directory, secret);
  try {
    const results = await play(await readStories(), server, new Cast(server, secret, signal), books, signal);
    printTable(results, books());
    const wrong = results.flatMap((result) => problems(result, books()));
    for (const problem of wrong) conclude(problem, "red");
    if (wrong.length === 0) conclude("Nothing was lost, and nothing happened twice.", "green");
    return wrong.length === 0 ? 0 : 1;
  } finally {
    await server.kill();
    await Deno.remove(directory, { recursive: true });
  }
}

const stop = new AbortController();
for (const signal of ["SIGINT", "SIGTERM"] as const) {
  Deno.addSignalListener(signal, () => stop.abort(new Error(`Stopped by ${signal}`)));
}
const timer = setTimeout(() => stop.abort(new Error(`The demo took more than ${DEADLINE_MS} ms`)), DEADLINE_MS);
try {
  Deno.exitCode = await main(stop.signal);
} catch (error) {
  conclude(String(stop.signal.aborted ? stop.signal.reason : error), "red");
  Deno.exitCode = 1;
} finally {
  clearTimeout(timer);
}
Deno.exit();
