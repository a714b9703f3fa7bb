/**
 * The inspector: one page that shows and repairs workflows, and what its caller may do.
 *
 * @module
 */

import type { Context, Hono } from "hono";
import { type Action, ACTIONS, isKnown } from "../auth/auth.ts";
import type { Settings } from "../options.ts";
import { unauthorized } from "../routes/route.ts";

/**
 * Adds the routes of the inspector. The page has no secrets, so everybody may load it. What it shows
 * comes from the other routes, with the token of its user.
 */
export function addInspector(app: Hono, settings: Settings): void {
  for (const path of ["/inspector", "/inspector/"]) app.get(path, servePage);
  app.get("/inspector/actions", async (c) => {
    const actions = await allowedActions(c, settings, c.req.query("workflowId"));
    if (actions.length === 0 && !isKnown(c)) throw unauthorized();
    return Response.json({ actions }, { headers: { "cache-control": "no-store" } });
  });
}

/** The page is loaded with the first request for it. */
async function servePage(): Promise<Response> {
  const { PAGE, SCRIPT_HASH, STYLE_HASH } = await import("./page.ts");
  const policy = [
    "default-src 'none'",
    `script-src '${SCRIPT_HASH}'`,
    `style-src '${STYLE_HASH}'`,
    "connect-src 'self'",
    "img-src data:",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
    "trusted-types 'none'",
  ];
  return new Response(PAGE, {
    headers: {
      "content-type": "text/html; charset=utf-8",
      "content-security-policy": policy.join("; "),
      "cache-control": "no-cache",
      "cross-origin-opener-policy": "same-origin",
      "referrer-policy": "no-referrer",
      "x-content-type-options": "nosniff",
      "x-frame-options": "DENY",
    },
  });
}

/**
 * The actions that the caller may do.
 *
 * @param workflowId The workflow that they concern. Without it, those that concern all workflows.
 */
async function allowedActions(c: Context, { auth }: Settings, workflowId: string | undefined): Promise<Action[]> {
  const allowed: Action[] = [];
  for (const action of ACTIONS) {
    if (await auth(c, { action, ...(workflowId !== undefined && { workflowId }) }) === true) allowed.push(action);
  }
  return allowed;
}
