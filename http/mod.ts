/**
 * Every operation from an edge function, over HTTP: a Hono app with auth.
 *
 * @module
 */

export { parleyHttp } from "./app.ts";
export { type Action, anyOf, type Auth, type AuthRequest, bearer } from "./auth.ts";
export type { CorsOptions, ParleyHttpOptions } from "./options.ts";
export { type Scope, scopedTokens } from "./tokens.ts";
