/**
 * Workflows with promises that nobody handles, in a worker, which tells what unhandled rejections there were.
 *
 * @module
 */

import { memoryDriver, Parley, workflow } from "@parley/parley";
import { abandon, pass } from "../../runtimes/abandoned.ts";

/** What is told. */
export interface Told {
  /** The workflows whose code has cleaned up. */
  readonly cleaned: string[];
  /** What a listener of the worker's own has heard of unhandled rejections. */
  readonly unhandled: string[];
}

const echo = workflow("echo", async (ctx, input: unknown) => await ctx.step("echo", () => input));

export default {
  async fetch(request: Request): Promise<Response> {
    const { pathname } = new URL(request.url);
    if (pathname === "/echo") {
      const handle = await new Parley({ driver: memoryDriver(), workflows: [echo] }).start(echo, "alive");
      return Response.json(await handle.result());
    }
    const unhandled: string[] = [];
    const onUnhandled = (event: PromiseRejectionEvent) => void unhandled.push(String(event.reason));
    globalThis.addEventListener("unhandledrejection", onUnhandled);
    const cleaned = pathname === "/abandon" ? await abandon() : [];
    if (pathname === "/foreign") void Promise.reject(new TypeError("of the user's own")).then(() => {});
    await pass(100);
    globalThis.removeEventListener("unhandledrejection", onUnhandled);
    return Response.json({ cleaned, unhandled } satisfies Told);
  },
};
