/**
 * Parley over HTTP: a Hono app with auth and a route for every operation, and webhook receivers.
 *
 * @module
 */

export { parleyHttp } from "./app.ts";
export { type Action, anyOf, type Auth, type AuthRequest, bearer } from "./auth/auth.ts";
export type { CorsOptions, ParleyHttpOptions } from "./options.ts";
export { type Scope, scopedTokens } from "./auth/tokens.ts";
export type { Delivery, Verifier, VerifierOptions } from "./webhooks/verifier.ts";
export { github } from "./webhooks/github.ts";
export { standardWebhooks, type StandardWebhooksOptions } from "./webhooks/standard_webhooks.ts";
export { stripe } from "./webhooks/stripe.ts";
export { httpWake } from "./client/wake.ts";
export { webhook, type WebhookDelivery, type WebhookMessage, type WebhookOptions } from "./webhooks/webhook.ts";
