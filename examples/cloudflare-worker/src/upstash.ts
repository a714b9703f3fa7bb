/**
 * The shop over Redis at Upstash.
 *
 * @module
 */

import { Parley } from "@parley/parley";
import { httpWake } from "@parley/parley/http";
import { upstashDriver } from "@parley/parley/upstash";
import { type Invocation, type Secrets, shop } from "./shop.ts";
import { order } from "./workflow.ts";

/** The binding of `wrangler.upstash.jsonc`, and the secrets. */
export interface Env extends Secrets {
  UPSTASH_REDIS_REST_URL: string;
  UPSTASH_REDIS_REST_TOKEN: string;
  /** This Worker, which continues workflows in invocations of their own. */
  SELF: { fetch(url: string, init: RequestInit): Promise<Response> };
}

function parleyFor(env: Env, ctx: Invocation): Parley {
  const fetch = (url: string, init: RequestInit) => env.SELF.fetch(url, init);
  return new Parley({
    driver: upstashDriver({ url: env.UPSTASH_REDIS_REST_URL, token: env.UPSTASH_REDIS_REST_TOKEN }, {
      retention: "7d",
    }),
    workflows: [order],
    waitUntil: (work) => ctx.waitUntil(work),
    wake: httpWake({ url: "https://self/parley", token: env.PARLEY_SECRET, fetch }),
    // A wait holds nothing. A run ends before its invocation does. Both stay below the 50 requests
    // of the free plan.
    hotWait: 0,
    budget: "20s",
    maxRequests: 40,
  });
}

export default {
  fetch: shop(parleyFor).fetch,
  /** Continues workflows after a passed deadline or the death of an invocation. */
  async scheduled(_event: unknown, env: Env, ctx: Invocation): Promise<void> {
    await parleyFor(env, ctx).sweep({ limit: 4 });
  },
};
