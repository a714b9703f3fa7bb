/**
 * The shop over a Durable Object, which is the default.
 *
 * @module
 */

import { Parley } from "@parley/parley";
import { durableObjectDriver, type ObjectNamespace, parleyEntrypoint } from "@parley/parley/durable-object";
import { type Invocation, type Secrets, shop } from "./shop.ts";
import { order } from "./workflow.ts";

export { ParleyObject } from "@parley/parley/durable-object";

/** The binding of `wrangler.jsonc`, and the secrets. */
export interface Env extends Secrets {
  PARLEY: ObjectNamespace;
}

function parleyFor(env: Env, ctx: Invocation): Parley {
  return new Parley({
    driver: durableObjectDriver(env.PARLEY),
    workflows: [order],
    waitUntil: (work) => ctx.waitUntil(work),
    // A wait holds nothing, and a run ends before its invocation does.
    hotWait: 0,
    budget: "20s",
  });
}

/** The object's alarm calls this when an order is due, so there is no cron trigger. */
export const ParleyEntrypoint = parleyEntrypoint(parleyFor);

export default { fetch: shop(parleyFor).fetch };
