/**
 * Webhooks whose deliveries the providers' own libraries have signed, wherever the webhooks are.
 *
 * @module
 */

import { sign as githubSign } from "@octokit/webhooks-methods";
import assert from "node:assert/strict";
import { Webhook } from "standardwebhooks";
import Stripe from "stripe";
import type { Harness, MakeHarness, RegisterTest } from "../../../conformance/mod.ts";
import { registerSuite, type Rules, rulesFor } from "../../../conformance/suite.ts";
import { World } from "../../../conformance/workflows/world.ts";
import { type HookSettings, type Provider, SECRETS } from "../support/hooks.ts";
import { mountHooks } from "../support/mount.ts";
import { listener } from "../support/setup.ts";

const ORDER = "order 1";

/** What a delivery is signed with, over which body, as of when. */
interface Delivery {
  readonly id: string;
  readonly body: string;
  readonly at?: Date;
  readonly secret?: string;
}

/** The headers of a delivery. */
type Sign = (delivery: Delivery) => Promise<Record<string, string>>;

const SIGN: Readonly<Record<Provider, Sign>> = {
  standard: async ({ id, body, at = new Date(), secret = SECRETS.standard }) => {
    const timestamp = String(Math.floor(at.getTime() / 1_000));
    return {
      "webhook-id": id,
      "webhook-timestamp": timestamp,
      "webhook-signature": await new Webhook(secret).sign(id, at, body),
    };
  },
  stripe: async ({ body, at = new Date(), secret = SECRETS.stripe }) => {
    const options = { payload: body, secret, timestamp: Math.floor(at.getTime() / 1_000) };
    // Its types want every option.
    type Options = Parameters<typeof Stripe.webhooks.generateTestHeaderStringAsync>[0];
    return { "stripe-signature": await Stripe.webhooks.generateTestHeaderStringAsync(options as Options) };
  },
  github: async ({ id, body, secret = SECRETS.github }) => ({
    "x-github-delivery": id,
    "x-hub-signature-256": await githubSign(secret, body),
  }),
};

/** Of another account: each must be one that the provider's library takes. */
const OTHER_SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSx";

/** Registers the tests. */
export function providers(test: RegisterTest, makeHarness: MakeHarness): void {
  const names = Object.keys(SIGN) as Provider[];
  registerSuite(
    {
      name: "providers",
      rules: [rulesFor(names, accepting), rulesFor(names, refusing)],
    },
    test,
    makeHarness,
  );
}

function bodyOf(id: string, text = "paid"): string {
  return JSON.stringify({ id, order: ORDER, text, more: { "\u00fc": [1.5, null] } });
}

/** A workflow that waits for the message, and webhooks to bring it. */
function shopOf(harness: Harness, provider: Provider) {
  const world = new World(harness);
  const { parley } = world.isolate(0, [listener], { wake: "none" });
  const post = async (headers: Record<string, string>, body: string, settings: HookSettings = {}) => {
    const app = mountHooks(harness, parley, settings);
    const response = await world.until(Promise.resolve(app.request(`/${provider}`, { method: "POST", headers, body })));
    const answer = await response.json();
    return { status: response.status, duplicate: answer.duplicate, ignored: answer.ignored, code: answer.code };
  };
  return {
    parley,
    post,
    start: () => parley.start(listener, undefined, { workflowId: ORDER, enqueue: true }),
    sweep: () => world.until(parley.sweep()),
    deliver: async (id: string, settings?: HookSettings) => {
      const body = bodyOf(id);
      return await post(await SIGN[provider]({ id, body }), body, settings);
    },
  };
}

const SENT = { status: 200, duplicate: false, ignored: undefined, code: undefined };
const DUPLICATE = { ...SENT, duplicate: true };
const IGNORED = { ...SENT, duplicate: undefined, ignored: true };

const accepting = (provider: Provider): Rules => ({
  [`${provider}: a delivery that its library signed is sent once, however often it comes, also many at once`]: async (
    harness,
  ) => {
    const { parley, deliver, start, sweep } = shopOf(harness, provider);
    await start();
    const answers = await Promise.all(Array.from({ length: 4 }, () => deliver("d1")));
    assert.deepEqual(answers.filter(({ duplicate }) => !duplicate), [SENT]);
    assert.deepEqual(await deliver("d1"), DUPLICATE);
    assert.deepEqual(await deliver("d2"), SENT);
    await sweep();
    assert.equal(await parley.handle(ORDER).result(), "paid");
  },

  [`${provider}: what comes too early is 404, and what comes too late 200, or as the caller has it`]: async (
    harness,
  ) => {
    const { deliver, start, sweep } = shopOf(harness, provider);
    assert.deepEqual(await deliver("d1"), {
      status: 404,
      duplicate: undefined,
      ignored: undefined,
      code: "workflow_not_found",
    });
    assert.deepEqual(await deliver("d1", { onUnknown: "accept" }), IGNORED);
    await start();
    assert.deepEqual(await deliver("d1"), SENT);
    await sweep();
    assert.deepEqual(await deliver("d2"), IGNORED);
    const rejected = await deliver("d2", { onEnded: "reject" });
    assert.deepEqual(rejected, { status: 409, duplicate: undefined, ignored: undefined, code: "workflow_ended" });
  },
});

const refusing = (provider: Provider): Rules => ({
  [`${provider}: what is not signed, or otherwise, or long ago is 401, and nothing is sent`]: async (harness) => {
    const { deliver, post, start } = shopOf(harness, provider);
    await start();
    const body = bodyOf("d1");
    const good = await SIGN[provider]({ id: "d1", body });
    const forged: [headers: Record<string, string>, body: string][] = [
      [{}, body],
      [good, body.replace("paid", "free")],
      [good, `${body} `],
      [await SIGN[provider]({ id: "d1", body, secret: OTHER_SECRET }), body],
    ];
    // GitHub signs no time.
    if (provider !== "github") {
      forged.push([await SIGN[provider]({ id: "d1", body, at: new Date(Date.now() - 400_000) }), body]);
    }
    for (const [headers, sent] of forged) {
      const { status, code } = await post(headers, sent);
      assert.deepEqual([status, code], [401, "unauthorized"], JSON.stringify([headers, sent]));
    }
    assert.deepEqual(await deliver("d1"), SENT, "none of those was sent under this ID");
  },

  [`${provider}: what is signed and no event of the schema is 400`]: async (harness) => {
    const { post } = shopOf(harness, provider);
    for (const body of ["no JSON", '{"id":"d1"}', '{"id":"d1","order":7,"text":"x"}']) {
      const { status, code } = await post(await SIGN[provider]({ id: "d1", body }), body);
      assert.deepEqual([status, code], [400, "invalid_value"], body);
    }
  },
});
