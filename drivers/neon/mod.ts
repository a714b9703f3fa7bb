/**
 * A driver for Neon's serverless PostgreSQL: each call is one HTTP request, and a WebSocket tells of changes while somebody waits.
 *
 * @module
 */

import type { Driver } from "../../core/driver/driver.ts";
import { type NeonDriverOptions, openNeon } from "./driver.ts";
import type { Push } from "./push.ts";

export type { Duration } from "../../core/values/checks.ts";
export type * from "../../core/driver/driver.ts";
export type { Endpoint } from "./address.ts";
export type { NeonDriverOptions } from "./driver.ts";

/** Of this isolate: where there is a driver for each request, they have one connection all the same. */
const pushes = new Map<string, Push>();

/**
 * A driver over a database at Neon.
 *
 * Each call is one `POST`, whatever it does; tables and functions are created at first use, in a schema of their own. The driver holds no connection
 * while nobody waits in memory, so there is nothing to close. While somebody does, and `push` is on, one WebSocket to the database
 * tells of changes, for all drivers of an isolate that reach one schema in the same way; it opens about 0.1 s after the first wait began and closes
 * about 1 s after the last has ended. Hints are an optimisation: without them, and whenever the connection is down, waits poll.
 *
 * Trouble rejects with `DriverError`, which has nothing of values or the connection string. Where it is `retryable` the same call may be made
 * again: it was not carried out, or nobody knows, since a request got no answer. Parley does so by itself.
 *
 * @param connectionString As Neon shows it: `postgresql://USER:PASSWORD@HOST/DATABASE`. Parameters after a `?` have no effect.
 * @param options The schema, push, a time limit, another proxy.
 * @returns The driver.
 * @throws {ValidationError} If the connection string or an option is not what it must be; if `push: true` is asked for where it cannot work.
 *
 * @example Use a database at Neon
 * ```ts ignore
 * // Ignored: it needs a database at Neon.
 * import { Parley, workflow } from "@parley/parley";
 * import { neonDriver } from "@parley/parley/neon";
 *
 * const greet = workflow("greet", async (ctx, name: string) => await ctx.step("greet", () => `Hello ${name}`));
 * const parley = new Parley({ driver: neonDriver(Deno.env.get("DATABASE_URL")!), workflows: [greet] });
 * const handle = await parley.start(greet, "Ada");
 * console.log(await handle.result());
 * ```
 *
 * @example A bad connection string is refused at once, and is not shown
 * ```ts
 * import { neonDriver } from "@parley/parley/neon";
 * import assert from "node:assert/strict";
 *
 * assert.throws(() => neonDriver("postgresql://user:secret@"), (error: Error) => !error.message.includes("secret"));
 * ```
 */
export function neonDriver(connectionString: string, options: NeonDriverOptions = {}): Driver {
  return openNeon(connectionString, options, { pushes }).driver;
}
