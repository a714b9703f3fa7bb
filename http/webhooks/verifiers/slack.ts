/**
 * Slack (https://docs.slack.dev/authentication/verifying-requests-from-slack): HMAC-SHA256 over
 * time and body.
 *
 * @module
 */

import { memberOf } from "./event_id.ts";
import { checkWith, freshness, fromHex, toTextKey } from "./hmac.ts";
import type { Secret } from "../../auth/secret.ts";
import type { Verifier, VerifierOptions } from "../verifier.ts";

/**
 * Verifies requests of Slack: events, interactions and slash commands. The delivery's ID is the
 * event's `event_id`. A request without one is not retried by Slack, and its ID is its signature.
 *
 * Interactions are forms with JSON in the field `payload`, for the webhook's option
 * `parse: "payload"`. Slash commands are forms, for `parse: "form"`. Slack asks whether the URL of
 * events is yours by a challenge, which the option `respond` answers.
 *
 * @param secret The app's signing secret, several during a rotation, or a function of the
 * request's context that returns them.
 * @param options How old a signature may be.
 * @throws {ValidationError} If a secret is empty, or contains white space.
 *
 * @example Forward events to a workflow, and answer the challenge
 * ```ts
 * import { memoryDriver, Parley } from "@parley/parley";
 * import { slack, webhook } from "@parley/parley/http";
 * import { Hono } from "hono";
 *
 * const parley = new Parley({ driver: memoryDriver() });
 * const app = new Hono().post(
 *   "/slack",
 *   webhook({
 *     parley,
 *     verify: slack("8f742231b10e8888abcd99yyyzzz85a5"),
 *     route: ({ type, event }) =>
 *       type === "event_callback" ? { workflowId: event.channel, topic: "said", message: event.text } : undefined,
 *     respond: ({ type, challenge }) => type === "url_verification" ? new Response(challenge) : undefined,
 *   }),
 * );
 * console.log((await app.request("/slack", { method: "POST", body: "{}" })).status); // 401
 * ```
 *
 * @category Webhooks
 */
export function slack(secret: Secret<string | string[]>, options: VerifierOptions = {}): Verifier {
  const check = checkWith(secret, toTextKey, "Slack");
  const isFresh = freshness(options);
  return async ({ headers }, body, c) => {
    const timestamp = headers.get("x-slack-request-timestamp") ?? "";
    const signature = headers.get("x-slack-signature") ?? "";
    const [, digits = ""] = /^v0=([0-9a-f]+)$/i.exec(signature) ?? [];
    if (!isFresh(timestamp) || !await check(c, { prefix: `v0:${timestamp}:`, body }, [fromHex(digits)])) {
      return undefined;
    }
    const id = memberOf(body, "event_id");
    return { id: typeof id === "string" && id !== "" ? id : signature.toLowerCase() };
  };
}
