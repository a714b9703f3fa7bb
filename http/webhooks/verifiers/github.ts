/**
 * GitHub (https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries):
 * HMAC-SHA256 over the body.
 *
 * @module
 */

import { checkWith, fromHex } from "./hmac.ts";
import type { Secret } from "../../auth/secret.ts";
import type { Verifier } from "../verifier.ts";

/**
 * Verifies deliveries of GitHub. The delivery's ID is in the header `X-GitHub-Delivery`, and a
 * redelivery has the same one.
 *
 * GitHub signs only the body, and neither the ID nor the time. So anybody who has seen a delivery
 * can send it again under another ID. If that would do harm, let the message be one that may come
 * twice. Set the webhook's content type to `application/json`. With GitHub's default, set the
 * webhook's option `parse: "payload"`.
 *
 * @param secret The webhook's secret, several during a rotation, or a function of the request's
 * context that returns them.
 * @throws {ValidationError} If a secret is empty.
 *
 * @example Forward GitHub's deliveries to a workflow
 * ```ts
 * import { memoryDriver, Parley } from "@parley/parley";
 * import { github, webhook } from "@parley/parley/http";
 * import { Hono } from "hono";
 *
 * const parley = new Parley({ driver: memoryDriver() });
 * const app = new Hono().post(
 *   "/github",
 *   webhook({
 *     parley,
 *     verify: github("It's a Secret to Everybody"),
 *     route: (event, { headers }) =>
 *       headers.get("x-github-event") === "push"
 *         ? { workflowId: `deploy ${event.after}`, message: event.ref }
 *         : undefined,
 *   }),
 * );
 * console.log((await app.request("/github", { method: "POST", body: "{}" })).status); // 401
 * ```
 *
 * @category Webhooks
 */
export function github(secret: Secret<string | string[]>): Verifier {
  const check = checkWith(secret, (it) => new TextEncoder().encode(it), "GitHub");
  return async ({ headers }, body, c) => {
    const id = headers.get("x-github-delivery");
    const [, digits = ""] = /^sha256=([0-9a-f]+)$/i.exec(headers.get("x-hub-signature-256") ?? "") ?? [];
    return id && await check(c, { prefix: "", body }, [fromHex(digits)]) ? { id } : undefined;
  };
}
