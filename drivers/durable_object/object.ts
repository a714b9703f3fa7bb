/**
 * The class of the objects.
 *
 * @module
 */

import { DurableObject } from "cloudflare:workers";
import type { ObjectContext } from "./platform.ts";
import type { ObjectCall } from "./protocol.ts";
import { close } from "./sockets.ts";
import { type ObjectInternals, ObjectStore } from "./store.ts";

/**
 * A Durable Object that holds one store in its SQLite. Export it from the Worker, bind a namespace
 * to it, and name it among `new_sqlite_classes` in the migrations.
 *
 * Its alarm calls the Worker when workflows are due: deadlines that have passed, leases of runs that
 * have died, workflows that a call has made due, and schedules. So it needs no cron trigger. It calls
 * the export of {@linkcode parleyEntrypoint}: the service binding `PARLEY_ENTRYPOINT` of its
 * environment, or else the export `ParleyEntrypoint` of its own Worker, which needs a compatibility
 * date from 2025-11-17 on. Without either, it sets no alarm.
 *
 * @example A Worker with a store
 * ```ts ignore
 * // Ignored: it runs in a Worker.
 * import { Parley, workflow } from "@parley/parley";
 * import { durableObjectDriver, parleyEntrypoint } from "@parley/parley/durable-object";
 * export { ParleyObject } from "@parley/parley/durable-object";
 *
 * const greet = workflow("greet", async (ctx, name: string) => await ctx.step("greet", () => `Hello ${name}`));
 *
 * const parleyFor = (env: Env, ctx: ExecutionContext) =>
 *   new Parley({
 *     driver: durableObjectDriver(env.PARLEY),
 *     workflows: [greet],
 *     waitUntil: (work) => ctx.waitUntil(work),
 *   });
 * export const ParleyEntrypoint = parleyEntrypoint(parleyFor);
 *
 * export default {
 *   async fetch(request: Request, env: Env, ctx: ExecutionContext): Promise<Response> {
 *     const handle = await parleyFor(env, ctx).start(greet, new URL(request.url).pathname);
 *     return new Response(await handle.result());
 *   },
 * };
 * ```
 *
 * @category Object
 */
export class ParleyObject extends DurableObject {
  readonly #store: ObjectStore;

  /**
   * Called by the platform.
   *
   * @param context The object's `ctx`.
   * @param env The Worker's bindings.
   * @param internals Left out, except in tests.
   */
  constructor(context: ObjectContext, env: unknown, internals?: ObjectInternals) {
    super(context, env);
    const bound = (env as { PARLEY_ENTRYPOINT?: unknown } | null)?.PARLEY_ENTRYPOINT;
    this.#store = new ObjectStore(context, bound ?? context.exports?.ParleyEntrypoint, internals);
  }

  /**
   * Carries out a call of {@linkcode durableObjectDriver}, which alone knows what it has to be.
   *
   * @param call The method and its parameters.
   * @returns Its result or its error.
   */
  parley(call: unknown): unknown {
    return this.#store.call(call as ObjectCall);
  }

  /**
   * Opens a subscription of {@linkcode durableObjectDriver}.
   *
   * @param request The request for a socket.
   * @returns The answer with the socket.
   */
  fetch(request: Request): Response {
    return this.#store.watch(request);
  }

  /** Called by the platform when something is due. */
  alarm(): void {
    this.#store.alarm();
  }

  /** Called by the platform for a message that the object needs not know. */
  webSocketMessage(): void {}

  /**
   * Called by the platform when a Worker has closed its socket.
   *
   * @param socket The socket.
   */
  webSocketClose(socket: { close(code?: number): void }): void {
    close(socket);
  }

  /** Called by the platform when a socket is lost. */
  webSocketError(): void {}
}
