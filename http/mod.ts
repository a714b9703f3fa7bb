/**
 * Every operation from an edge function, over HTTP: a Hono app with auth.
 *
 * @module
 */

export { parleyHttp } from "./app.ts";
export { type Action, anyOf, type Auth, type AuthRequest, bearer } from "./auth.ts";
export type { CorsOptions, ParleyHttpOptions } from "./options.ts";
export { type Scope, scopedTokens } from "./tokens.ts";
export type { Delivery, Verifier, VerifierOptions } from "./verifiers/verifier.ts";
export { github } from "./verifiers/github.ts";
export { standardWebhooks, type StandardWebhooksOptions } from "./verifiers/standard_webhooks.ts";
export { stripe } from "./verifiers/stripe.ts";
export { httpWake } from "./wake.ts";
export { webhook, type WebhookDelivery, type WebhookMessage, type WebhookOptions } from "./webhook.ts";
