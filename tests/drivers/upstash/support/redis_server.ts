/**
 * The Redis server of a test run.
 *
 * @module
 */

import { startRedis } from "../../../../scripts/redis.ts";

export { type RedisOptions, type RedisServer, startRedis } from "../../../../scripts/redis.ts";

let shared: Promise<string> | undefined;

/**
 * The URL of a Redis that the tests share: that of `REDIS_URL`, or the one that `deno task test`
 * has started, or one that is started now and stops with this process. Tests use keys with a prefix
 * of their own. Tests that disturb others, as with `FLUSHALL` or `CONFIG SET`, start a server of
 * their own: {@linkcode startRedis}.
 *
 * Call it while a test file is loaded. Within a test, Deno would report the server as a leak.
 */
export function redisUrl(): Promise<string> {
  shared ??= given("REDIS_URL", "PARLEY_TEST_REDIS") ?? startRedis().then(({ url }) => url);
  return shared;
}

function given(...names: string[]): Promise<string> | null {
  const url = names.map((name) => Deno.env.get(name)).find((value) => value);
  return url ? Promise.resolve(url) : null;
}
