/**
 * Routes for schedulers and for other invocations.
 *
 * @module
 */

import type { Context } from "hono";
import * as v from "valibot";
import { checkName } from "../../core/values/checks.ts";
import { answer } from "../wire/encoding.ts";
import { given, type Route, route } from "./route.ts";
import { count, SweepResultBody, WakeBody } from "./schemas.ts";

const SweepQuery = v.object({ limit: count(1, 10_000, "The most workflows to take. Default 100") });

/** The routes. */
export const scheduleRoutes: readonly Route[] = [
  route(
    {
      method: "post",
      path: "/sweep",
      action: "sweep",
      summary: "Take over the workflows that are due, and run each until it ends or waits",
      query: SweepQuery,
      responses: { 200: { description: "How many workflows were taken, and their outcomes", schema: SweepResultBody } },
    },
    async ({ c, parley, query }) => {
      const result = await parley.sweep({ ...given(query), signal: c.req.raw.signal });
      return answer(c, () => result);
    },
  ),
  route({
    method: "post",
    path: "/wake",
    action: "wake",
    summary: "Continue these workflows in another invocation",
    body: WakeBody,
    responses: { 202: { description: "Those that are due are being continued", content: [] } },
  }, ({ c, parley, settings, body: { workflowIds } }) => {
    // A refusal needs an answer, and the answer is sent before the workflows run.
    for (const workflowId of workflowIds) checkName(workflowId, "workflow ID");
    // The caller is an invocation with its own time limit, so it does not wait for the workflows.
    keepAlive(c, parley.wake(workflowIds).then(() => {}, settings.report));
    return new Response(null, { status: 202 });
  }),
];

/** Keeps the invocation alive until the work is done, on platforms that would end it earlier. */
function keepAlive(c: Context, work: Promise<void>): void {
  try {
    c.executionCtx.waitUntil(work);
  } catch {
    // Hono throws on platforms without this function.
  }
}
