/**
 * A harness over the Upstash driver, in front of a local Upstash of its own.
 *
 * @module
 */

import { openUpstash } from "../../../../drivers/upstash/driver.ts";
import { UPSTASH_TIMING } from "../../../../drivers/upstash/transport/push.ts";
import type { PushTiming } from "../../../../drivers/push.ts";
import { SCRIPTS } from "../../../../drivers/upstash/scripts.ts";
import { openTransport } from "../../../../drivers/upstash/transport/open_transport.ts";
import { systemClock } from "../../../../core/time/clock.ts";
import { ManualClock } from "../../../../testing/mod.ts";
import type { CountingHarness, Exception } from "../../../support/costs.ts";
import { counted, Requests } from "../../../support/requests.ts";
import { Redis } from "../server/redis.ts";
import { startUpstashServer, type UpstashServer } from "../server/mod.ts";

/** Opens and closes connections at once, because the suites wait often and briefly. */
const EAGER: PushTiming = { ...UPSTASH_TIMING, openAfterMs: 0, lingerMs: 0 };

const HOUR_MS = 3_600_000;

/** Calls that cost more than 1 request. */
export const upstashCosts: Readonly<Record<string, Exception>> = {
  list: {
    requests: 2,
    because: "a script may touch only keys that were declared: the index says which rows there are",
  },
};

/**
 * Makes harnesses with keys of their own. The store's clock is an hour ahead of the other one, so
 * that a driver that confuses them fails. It only moves by hand. A harness ends when both drivers
 * have closed their connections, and its keys are removed.
 *
 * @param redisUrl The URL of Redis.
 * @param options `warm`: whether Redis knows the scripts, as it does after the first use of each.
 */
export function upstashHarness(
  redisUrl: string,
  { push, warm = false }: { push: boolean; warm?: boolean },
): () => Promise<CountingHarness> {
  return async () => {
    const requests = new Requests();
    const clock = new ManualClock(undefined, { settled: () => requests.settled() });
    let now = clock.now() + HOUR_MS;
    const server = await startUpstashServer({ redisUrl, clock: () => now });
    const prefix = `suite:${crypto.randomUUID()}`;
    const open = () => openUpstash(server, { prefix, push }, { timing: EAGER });
    const [a, b] = [open(), open()];
    const move = async (ms: number) => {
      await requests.settled();
      now += ms;
      await clock.advance(Math.max(0, ms));
    };
    let moving = Promise.resolve();
    if (warm) await loadScripts(server);
    const before = server.requests.command;
    return {
      drivers: [counted(a.driver, requests), counted(b.driver, requests)],
      clock,
      requests: () => server.requests.command - before,
      advance: (ms) => moving = moving.then(() => move(ms)),
      async [Symbol.asyncDispose]() {
        // A zombie may begin a request or a wait after the suite has finished, and the answer may
        // begin another.
        for (let looks = 0; looks < 3; looks++) {
          await requests.settled();
          await Promise.all([a.push?.idle, b.push?.idle]);
        }
        await server[Symbol.asyncDispose]();
        using redis = await Redis.connect(redisUrl);
        await removeKeys(redis, prefix);
      },
    };
  };
}

/** Loads the scripts into a server, as the first use of each does. */
export async function loadScripts(server: UpstashServer): Promise<void> {
  const { send } = openTransport(server, { timeoutMs: 10_000, clock: systemClock });
  for (const { source } of Object.values(SCRIPTS)) await send(["SCRIPT", "LOAD", source], "test");
}

/** The keys of a prefix. */
export async function keysOf(redis: Redis, prefix: string): Promise<string[]> {
  const keys: string[] = [];
  let cursor = "0";
  do {
    const [next, found] = await redis.ask("SCAN", cursor, "MATCH", `${prefix}/*`, "COUNT", "1000") as [
      string,
      string[],
    ];
    keys.push(...found);
    cursor = next;
  } while (cursor !== "0");
  return keys.sort();
}

/** Removes the keys of a prefix. */
export async function removeKeys(redis: Redis, prefix: string): Promise<void> {
  const keys = await keysOf(redis, prefix);
  for (let from = 0; from < keys.length; from += 1_000) await redis.ask("UNLINK", ...keys.slice(from, from + 1_000));
}

/** By key, without the prefix: the content, and whether it expires. */
export type Dump = Record<string, { readonly held: unknown; readonly expires: boolean }>;

/** How to read a key, by its type. */
const READ: Readonly<Record<string, readonly string[]>> = {
  hash: ["HGETALL"],
  set: ["SMEMBERS"],
  list: ["LRANGE", "0", "-1"],
  zset: ["ZRANGE", "0", "-1", "WITHSCORES"],
};

/** All keys of a prefix, with their content. */
export async function dumpKeys(redis: Redis, prefix: string): Promise<Dump> {
  const contents: Dump = {};
  for (const key of await keysOf(redis, prefix)) {
    const type = String(await redis.ask("TYPE", key));
    const [command = "", ...args] = READ[type] ?? [];
    const items = await redis.ask(command, key, ...args) as string[];
    // Hashes and sets have no order.
    const held = type === "hash" ? Object.fromEntries(pairs(items)) : type === "set" ? items.toSorted() : items;
    contents[key.slice(prefix.length + 1)] = { held, expires: Number(await redis.ask("PTTL", key)) >= 0 };
  }
  return contents;
}

function pairs(items: readonly string[]): [string, string][] {
  return items.flatMap((item, index): [string, string][] => index % 2 ? [] : [[item, items[index + 1] ?? ""]]);
}
