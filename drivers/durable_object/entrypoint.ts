/**
 * The entry point of a Worker that an object calls when workflows are due.
 *
 * @module
 */

import { WorkerEntrypoint } from "cloudflare:workers";
import type { Parley } from "../../core/parley.ts";
import { checkWholeNumber } from "../../core/values/checks.ts";
import type { Continued, DueObject } from "./protocol.ts";

/**
 * The `ctx` of an invocation of a Worker.
 *
 * @category Object
 */
export interface InvocationContext {
  /** Keeps the invocation alive until a promise settles. */
  waitUntil(work: Promise<unknown>): void;
}

/**
 * The class that {@linkcode parleyEntrypoint} makes.
 *
 * @category Object
 */
// deno-lint-ignore no-explicit-any -- the platform gives its own types
export type ParleyEntrypointClass = new (context: any, env: any) => {
  /** Begins to continue what is due in an object. */
  continueDue(due: DueObject): Continued;
};

/**
 * Options of {@linkcode parleyEntrypoint}.
 *
 * @category Object
 */
export interface ParleyEntrypointOptions {
  /** The largest number of workflows that one call continues, 1 or more. Default 1,000. */
  limit?: number;
}

const Base = WorkerEntrypoint as new (context: unknown, env: unknown) => {
  readonly ctx: InvocationContext;
  readonly env: unknown;
};

/**
 * Makes the class that an object calls when workflows are due. Export it as `ParleyEntrypoint`.
 *
 * It answers at once, and sweeps in its own `waitUntil`. So the object's alarm does not wait for the
 * workflows, and they continue even if the object is reset. A Worker has about 30 s for such work:
 * set `budget` of `Parley` below that, so that long workflows continue in another invocation.
 *
 * @param makeParley Makes the `Parley` of one invocation. It gets the Worker's bindings, its `ctx`,
 * and the name of the object, for `durableObjectDriver(namespace, { name })`.
 * @param options How many workflows one call continues.
 * @returns The class.
 * @throws {ValidationError} If the limit is not a whole number above 0.
 *
 * @example Continue workflows without a cron trigger
 * ```ts ignore
 * // Ignored: it runs in a Worker.
 * import { Parley } from "@parley/parley";
 * import { durableObjectDriver, parleyEntrypoint } from "@parley/parley/durable-object";
 * import { checkout } from "./checkout.ts";
 *
 * export const ParleyEntrypoint = parleyEntrypoint((env: Env, ctx, name) =>
 *   new Parley({
 *     driver: durableObjectDriver(env.PARLEY, { name }),
 *     workflows: [checkout],
 *     waitUntil: (work) => ctx.waitUntil(work),
 *     budget: "20s",
 *   })
 * );
 * ```
 *
 * @category Object
 */
export function parleyEntrypoint<Env>(
  makeParley: (env: Env, context: InvocationContext, object: string) => Parley,
  { limit = 1_000 }: ParleyEntrypointOptions = {},
): ParleyEntrypointClass {
  checkWholeNumber(limit, "limit of the entry point", 1);
  return class extends Base {
    continueDue({ object, now }: DueObject): Continued {
      const parley = makeParley(this.env as Env, this.ctx, object);
      this.ctx.waitUntil(parley.sweep({ limit }).then(() => parley.idle()));
      return { nextAt: parley.nextOccurrence(now) };
    }
  };
}
