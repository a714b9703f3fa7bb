/**
 * A driver for Redis at Upstash: each call is one HTTP request that runs one script, and a stream of server-sent events tells of changes while somebody waits.
 *
 * @module
 */

import type { Driver } from "../../core/driver/driver.ts";
import { openUpstash, type UpstashDriverOptions } from "./driver.ts";
import type { UpstashCredentials } from "./transport/transport.ts";
import type { UpstashRedis } from "./transport/instance.ts";

export type { Duration } from "../../core/values/checks.ts";
export type * from "../../core/driver/driver.ts";
export type { UpstashDriverOptions } from "./driver.ts";
export type { UpstashCredentials } from "./transport/transport.ts";
export type { UpstashRedis, UpstashSubscriber } from "./transport/instance.ts";

/**
 * A driver over a Redis database at Upstash.
 *
 * Each call is one request, with the exceptions of a list, of a claim by due time and of a purge that find something: a script may touch only keys that
 * its request has declared, so these look first for what there is. There is nothing to set up. The driver holds no connection while nobody waits in
 * memory, so there is nothing to close. While somebody does, and `push` is on, one `SUBSCRIBE` tells of changes; it opens about 0.1 s after
 * the first wait began and closes about 1 s after the last has ended. Hints are an optimisation: without them, and whenever the
 * stream is down, waits poll.
 *
 * With `retention` the keys of a workflow expire so long after it has ended; a workflow that has not ended never does. Turn eviction off for the database: it
 * takes keys away from those too.
 *
 * Trouble rejects with `DriverError`, which has nothing of values, the URL or the token. Where it is `retryable` the same call may be made
 * again: it was not carried out, or nobody knows, since a request got no answer. Parley does so by itself.
 *
 * @param redis Where the database is, or an instance of `Redis` of `@upstash/redis`. An instance stays the caller's, and its settings count; the driver
 * closes nothing of it.
 * @param options The prefix, push, retention, a time limit.
 * @returns The driver.
 * @throws {ValidationError} If what is given or an option is not what it must be.
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
 */
export function upstashDriver(redis: UpstashRedis | UpstashCredentials, options: UpstashDriverOptions = {}): Driver {
  return openUpstash(redis, options).driver;
}
