/**
 * A webhook for each provider whose deliveries the library verifies. In a file that a worker can import: the suite itself needs `node:assert`.
 *
 * @module
 */

import { Hono } from "hono";
import * as v from "valibot";
import { github, standardWebhooks, stripe, webhook, type WebhookOptions } from "../../../http/mod.ts";
import type { Parley } from "../../../mod.ts";

/** What each provider signs with. */
export const SECRETS = {
  standard: "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
  stripe: "whsec_test_secret",
  github: "It's a Secret to Everybody",
} as const;

/** The last segment of a webhook's path. */
export type Provider = keyof typeof SECRETS;

/** What a provider's webhook does with a workflow that is not there. */
export type HookSettings = Pick<WebhookOptions<unknown>, "onUnknown" | "onEnded">;

/** An event of any of them; the `id` is the one that Stripe's deliveries are known by. */
export const HookEvent = v.object({ id: v.string(), order: v.string(), text: v.string() });

/** A webhook for each provider, at its name. */
export function hooks(parley: Parley, settings: HookSettings): Hono {
  const verifiers = {
    standard: standardWebhooks(SECRETS.standard),
    stripe: stripe(SECRETS.stripe),
    github: github(SECRETS.github),
  } satisfies Record<Provider, unknown>;
  const app = new Hono();
  for (const [provider, verify] of Object.entries(verifiers)) {
    const route = ({ order, text }: v.InferOutput<typeof HookEvent>) => ({
      workflowId: order,
      topic: "news",
      message: text,
    });
    app.post(`/${provider}`, webhook({ parley, verify, schema: HookEvent, route, onError: () => {}, ...settings }));
  }
  return app;
}
