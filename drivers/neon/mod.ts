/**
 * A driver for Neon's serverless PostgreSQL. Each call is one HTTP request, and a WebSocket carries
 * hints of changes while something waits.
 *
 * @module
 */

import type { Driver } from "../../core/driver/driver.ts";
import type { PushConnection } from "../push.ts";
import { type NeonDriverOptions, openNeon } from "./driver.ts";

export type { Endpoint } from "./address.ts";
export type { NeonDriverOptions } from "./driver.ts";

/**
 * The connections of this isolate. Drivers that are made for one request each share a connection.
 */
const pushes = new Map<string, PushConnection>();

/**
 * Makes a driver over a database at Neon.
 *
 * Each call is one `POST`, whatever it does. The first call creates tables and functions, in a
 * schema of their own. The driver holds no connection while nothing waits in memory, so there is
 * nothing to close.
 *
 * While something waits, and `push` is on, one WebSocket to the database carries hints of changes.
 * All drivers of an isolate that reach one schema in the same way share it. The connection opens
 * about 0.1 s after the first wait has begun, and closes about 1 s after the last one has ended.
 * Hints are only an optimisation. Without them, and whenever the connection is down, waits poll.
 *
 * A call that fails rejects with `DriverError`, which contains neither values nor the connection
 * string. If the error is `retryable`, the same call may be made again. It was not carried out, or
 * its outcome is unknown. Parley repeats such calls by itself.
 *
 * @param connectionString The string that Neon shows: `postgresql://USER:PASSWORD@HOST/DATABASE`.
 * Parameters after a `?` have no effect.
 * @param options The schema, push, a time limit, another proxy.
 * @returns The driver.
 * @throws {ValidationError} If the connection string or an option is not valid, or if `push` is
 * `true` where push cannot work.
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
 * @example A bad connection string throws at once, and the error does not show it
 * ```ts
 * import { neonDriver } from "@parley/parley/neon";
 * import assert from "node:assert/strict";
 *
 * assert.throws(() => neonDriver("postgresql://user:secret@"), (error: Error) => !error.message.includes("secret"));
 * ```
 *
 * @category Driver
 */
export function neonDriver(connectionString: string, options: NeonDriverOptions = {}): Driver {
  return openNeon(connectionString, options, { pushes }).driver;
}
