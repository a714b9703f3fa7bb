/**
 * A driver for Cloudflare's Durable Objects: one object holds a store in its SQLite, and Workers call
 * it. Its alarm continues workflows that are due.
 *
 * @module
 */

import type { Driver } from "../../core/driver/driver.ts";
import { type DurableObjectDriverOptions, openDurableObject } from "./driver.ts";
import type { ObjectNamespace } from "./platform.ts";

export type { DurableObjectDriverOptions } from "./driver.ts";
export {
  type InvocationContext,
  parleyEntrypoint,
  type ParleyEntrypointClass,
  type ParleyEntrypointOptions,
} from "./entrypoint.ts";
export { ParleyObject } from "./object.ts";
export type { ObjectContext, ObjectNamespace, ObjectStorage } from "./platform.ts";
export type { Continued, DueObject } from "./protocol.ts";

/**
 * Makes a driver over an object of the class {@linkcode ParleyObject}, for a Worker.
 *
 * Each call is one request to the object, and one transaction in it. The first call creates the
 * tables. The store's clock is that of the object. While anybody waits in memory, a socket for each
 * target that is watched carries hints. The object sleeps meanwhile.
 *
 * A driver opens nothing before it is used, so make one for each request. A socket belongs to the
 * request in which it was opened.
 *
 * A call that fails rejects with `DriverError`. It is `retryable` if the object was reset or cannot
 * be reached. Parley repeats such calls by itself, each through a new stub.
 *
 * @param namespace The namespace of the objects, such as `env.PARLEY`. A stub is refused, because
 * it fails for good once its object was reset.
 * @param options The object's name, or how to spread workflows over several objects.
 * @returns The driver.
 * @throws {ValidationError} If the namespace or an option is invalid.
 *
 * @example Use the object of a Worker
 * ```ts ignore
 * // Ignored: it runs in a Worker.
 * import { Parley } from "@parley/parley";
 * import { durableObjectDriver } from "@parley/parley/durable-object";
 *
 * export default {
 *   async fetch(request: Request, env: Env, ctx: ExecutionContext): Promise<Response> {
 *     const driver = durableObjectDriver(env.PARLEY);
 *     const parley = new Parley({ driver, waitUntil: (work) => ctx.waitUntil(work) });
 *     await parley.send(new URL(request.url).pathname.slice(1), await request.json());
 *     return new Response(null, { status: 204 });
 *   },
 * };
 * ```
 *
 * @category Driver
 */
export function durableObjectDriver(namespace: ObjectNamespace, options: DurableObjectDriverOptions = {}): Driver {
  return openDurableObject(namespace, options).driver;
}
