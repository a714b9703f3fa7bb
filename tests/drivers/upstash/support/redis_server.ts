/**
 * The Redis server of a test run.
 *
 * @module
 */

import { startRedis } from "../../../../scripts/redis.ts";

export { type RedisOptions, type RedisServer, startRedis } from "../../../../scripts/redis.ts";

let shared: Promise<string> | undefined;

/**
 * Where a Redis is that the tests share: the one of `REDIS_URL`, or the one that `deno task test` has started, or one that is started now and
 * stops with this process. Keys in it need a prefix that nobody else has. What disturbs others, such as `FLUSHALL` or `CONFIG SET`, is
 * for a server of one's own: {@linkcode startRedis}.
 *
 * To be called while a test file is loaded. In a test, Deno would count the server as a leak of it.
 */
export function redisUrl(): Promise<string> {
  shared ??= given("REDIS_URL", "PARLEY_TEST_REDIS") ?? startRedis().then(({ url }) => url);
  return shared;
}

function given(...names: string[]): Promise<string> | null {
  const url = names.map((name) => Deno.env.get(name)).find((value) => value);
  return url ? Promise.resolve(url) : null;
}
