/**
 * A driver for Redis at Upstash. Each call is one HTTP request that runs one script. A stream of
 * server-sent events tells of changes while anybody waits.
 *
 * @module
 */

import type { Driver } from "../../core/driver/driver.ts";
import { openUpstash, type UpstashDriverOptions } from "./driver.ts";
import type { UpstashCredentials } from "./transport/transport.ts";
import type { UpstashRedis } from "./transport/instance.ts";

export type { UpstashDriverOptions } from "./driver.ts";
export type { UpstashCredentials } from "./transport/transport.ts";
export type { UpstashRedis, UpstashSubscriber } from "./transport/instance.ts";

/**
 * A driver over a Redis database at Upstash.
 *
 * Each call is one request. A list, and a claim by due time or a purge that finds something, make
 * more, because a script may touch only keys that its request declares. There is nothing to set up
 * and nothing to close. While anybody waits in memory, and `push` is on, one `SUBSCRIBE` tells of
 * changes. Without it, waits poll.
 *
 * Turn eviction off for the database, because eviction also removes keys of workflows that have not
 * ended.
 *
 * Failures reject with `DriverError`, which contains neither values nor the URL nor the token. If
 * it is `retryable`, the same call may be made again: it was not carried out, or its outcome is
 * unknown because a request got no answer. Parley repeats such calls by itself.
 *
 * @param redis The URL and token of the database, or an instance of `Redis` of `@upstash/redis`.
 * The settings of an instance apply, and the driver closes nothing of it.
 * @param options The prefix, push, retention, a time limit.
 * @returns The driver.
 * @throws {ValidationError} If the database or an option is invalid.
 *
 * @example Use a database at Upstash
 * ```ts ignore
 * // Ignored: it needs a database at Upstash.
 * import { Parley, workflow } from "@parley/parley";
 * import { upstashDriver } from "@parley/parley/upstash";
 *
 * const driver = upstashDriver({
 *   url: Deno.env.get("UPSTASH_REDIS_REST_URL")!,
 *   token: Deno.env.get("UPSTASH_REDIS_REST_TOKEN")!,
 * }, { retention: "7d" });
 *
 * const greet = workflow("greet", async (ctx, name: string) => await ctx.step("greet", () => `Hello ${name}`));
 * const parley = new Parley({ driver, workflows: [greet] });
 * const handle = await parley.start(greet, "Ada");
 * console.log(await handle.result());
 * ```
 *
 * @example A bad prefix is refused at once
 * ```ts
 * import { upstashDriver } from "@parley/parley/upstash";
 * import assert from "node:assert/strict";
 *
 * const database = { url: "https://example.upstash.io", token: "secret" };
 * assert.throws(() => upstashDriver(database, { prefix: "my app" }), { code: "invalid_value" });
 * ```
 *
 * @category Driver
 */
export function upstashDriver(redis: UpstashRedis | UpstashCredentials, options: UpstashDriverOptions = {}): Driver {
  return openUpstash(redis, options).driver;
}
