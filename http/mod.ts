/**
 * Parley over HTTP: a Hono app with auth and a route for every operation, and webhook receivers.
 *
 * @module
 */

export { parleyHttp } from "./app.ts";
export { type Action, anyOf, type Auth, type AuthRequest, bearer } from "./auth/auth.ts";
export type { CorsOptions, ParleyHttpOptions } from "./options.ts";
export type { Secret } from "./auth/secret.ts";
export { type Scope, scopedTokens } from "./auth/tokens.ts";
export type { Delivery, Verifier, VerifierOptions } from "./webhooks/verifier.ts";
export { github } from "./webhooks/verifiers/github.ts";
export { linear } from "./webhooks/verifiers/linear.ts";
export { paddle } from "./webhooks/verifiers/paddle.ts";
export { shopify } from "./webhooks/verifiers/shopify.ts";
export { slack } from "./webhooks/verifiers/slack.ts";
export { square, type SquareOptions } from "./webhooks/verifiers/square.ts";
export { standardWebhooks, type StandardWebhooksOptions } from "./webhooks/verifiers/standard_webhooks.ts";
export { stripe } from "./webhooks/verifiers/stripe.ts";
export { httpWake } from "./client/wake.ts";
export type { WebhookMessage } from "./webhooks/deliver.ts";
export type { WebhookParse } from "./webhooks/parse.ts";
export { webhook, type WebhookDelivery, type WebhookOptions, type WebhookRouting } from "./webhooks/webhook.ts";
