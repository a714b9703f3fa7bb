/**
 * What a webhook does with a delivery.
 *
 * @module
 */

import assert from "node:assert/strict";
import { Hono } from "hono";
import { HTTPException } from "hono/http-exception";
import * as v from "valibot";
import { DriverError } from "../../../core/errors.ts";
import { standardWebhooks, webhook, type WebhookOptions } from "../../../http/mod.ts";
import { topic } from "../../../mod.ts";
import type { MakeHarness, RegisterTest } from "../../../conformance/mod.ts";
import { registerSuite, type Rules } from "../../../conformance/suite.ts";
import { CANARY, isReceived, order, paid, shop } from "../support/shop.ts";
import { deduping } from "./webhooks_once.ts";
import { shaping } from "./webhooks_shapes.ts";

/** Registers the tests. */
export function webhooks(test: RegisterTest, makeHarness: MakeHarness): void {
  registerSuite(
    { name: "webhooks", rules: [delivering, refusing, deduping, shaping, verifying] },
    test,
    makeHarness,
  );
}

const delivering: Rules = {
  "a delivery is sent, and acknowledged once it is stored": async (harness) => {
    const { parley, deliver, world, errors } = shop(harness);
    await order(parley);
    const { status, body } = await deliver(paid);
    assert.deepEqual([status, body], [200, { received: true, duplicate: false }]);
    assert.equal(await isReceived(world), true);
    assert.deepEqual(await parley.handle(CANARY).result(), { paid: true, text: CANARY });
    assert.deepEqual(errors, []);
  },

  "an event that route does not want is acknowledged, and nothing is written": async (harness) => {
    const { deliver } = shop(harness, { driver: { send: () => assert.fail("it was sent") } });
    assert.deepEqual((await deliver({ ...paid, type: "noise" })).body, { received: true, ignored: true });
  },

  "route gets the delivery, and may be asynchronous": async (harness) => {
    const { parley, deliver } = shop(harness, {
      route: async (_event, { id, headers }) => {
        await Promise.resolve();
        assert.deepEqual([id, headers.get("x-id")], ["d1", "d1"]);
        return { workflowId: CANARY, message: 1 };
      },
    });
    await order(parley);
    assert.equal((await deliver(paid)).status, 200);
  },

  "a workflow that has ended is 2xx by default, and 409 if it is to be rejected": async (harness) => {
    const { parley, deliver, world } = shop(harness);
    await order(parley);
    await deliver(paid);
    await isReceived(world);
    const { status, body } = await deliver(paid, { id: "d2" });
    assert.deepEqual([status, body], [200, { received: true, ignored: true }]);
    const strict = shop(harness, { onEnded: "reject" });
    const refused = await strict.deliver(paid, { id: "d2" });
    assert.deepEqual([refused.status, refused.body.code], [409, "workflow_ended"]);
    assert.deepEqual(strict.errors, []);
  },

  "a workflow that does not exist yet is 404, so that the provider tries again, and 2xx if it is to be accepted":
    async (harness) => {
      const { parley, deliver } = shop(harness);
      const refused = await deliver(paid);
      assert.deepEqual([refused.status, refused.body.code], [404, "workflow_not_found"]);
      const accepting = shop(harness, { onUnknown: "accept" });
      assert.deepEqual((await accepting.deliver(paid)).body, { received: true, ignored: true });
      await order(parley);
      assert.deepEqual(
        (await deliver(paid)).body,
        { received: true, duplicate: false },
        "the same delivery, tried again",
      );
    },

  "a parley for each request is made with its context": async (harness) => {
    const { parley } = shop(harness);
    await order(parley);
    const handler = webhook({
      parley: (c) => c.env.parley,
      verify: () => ({ id: "d" }),
      route: ({ order }) => ({ workflowId: order, message: 1 }),
    });
    const app = new Hono().post("/hook", handler);
    assert.equal((await app.request("/hook", { method: "POST", body: JSON.stringify(paid) }, { parley })).status, 200);
  },
};

const refusing: Rules = {
  "a delivery that is not the provider's is 401, before anything is parsed or read from the store": async (harness) => {
    const { deliver, errors } = shop(harness, {
      parley: () => assert.fail("it was asked"),
      route: () => assert.fail("it was routed"),
    });
    for (const raw of [JSON.stringify(paid), "{", "", new Uint8Array([0xff])]) {
      const { status, body, headers } = await deliver(undefined, { id: null, raw });
      assert.deepEqual([status, body.code, headers.get("content-type")], [
        401,
        "unauthorized",
        "application/problem+json",
      ]);
    }
    assert.deepEqual(errors, []);
  },

  "an event that is not JSON, or that the schema refuses, is 400, and nothing is written": async (harness) => {
    const { deliver, errors } = shop(harness, { driver: { send: () => assert.fail("it was sent") } });
    for (
      const raw of [
        "{",
        CANARY,
        "payload=%7B%7D",
        new Uint8Array([0x22, 0xff, 0x22]),
        "null",
        "[]",
        `{"type":"${CANARY}"}`,
        `{"type":"paid","order":{"${CANARY}":1}}`,
      ]
    ) {
      const { status, body } = await deliver(undefined, { raw });
      assert.deepEqual([status, body.code], [400, "invalid_value"]);
    }
    assert.deepEqual(errors, []);
  },

  "a body has a limit": async (harness) => {
    const { deliver } = shop(harness, { bodyLimit: 100 });
    const { status, body } = await deliver({ ...paid, text: "x".repeat(100) });
    assert.deepEqual([status, body.code], [413, "body_too_large"]);
  },

  "a route that returns an illegal message is a 500, reported without the payload": async (
    harness,
  ) => {
    const workflowIds = ["", `${CANARY}\0`, CANARY.repeat(99), undefined, null, { [CANARY]: 1 }] as string[];
    const bad = [...workflowIds.map((workflowId) => ({ workflowId, message: 1 })), {
      workflowId: CANARY,
      message: () => CANARY,
    }];
    const topics = [`${CANARY}\0`, null, 7, {}].map((topic) => ({
      workflowId: CANARY,
      topic: topic as string,
      message: 1,
    }));
    for (const message of [...bad, ...topics]) {
      const { deliver, errors } = shop(harness, { route: () => message, onUnknown: "accept" });
      const { status, body } = await deliver(paid);
      assert.deepEqual([status, body.code, errors.length], [500, "internal", 1]);
      assert.match(String(errors[0]), /route returned must be/);
      assert.doesNotMatch(Deno.inspect(errors[0]), new RegExp(CANARY));
    }
    const large = shop(harness, { route: () => ({ workflowId: CANARY, message: CANARY.repeat(2 ** 17) }) });
    assert.equal((await large.deliver(paid)).status, 413);
  },

  "a message that the topic's schema refuses is 400": async (harness) => {
    const news = topic("news", v.object({ cents: v.number() }));
    const { deliver, errors } = shop(harness, {
      route: ({ order }) => ({ workflowId: order, topic: news, message: { cents: CANARY } }),
    });
    const { status, body } = await deliver(paid);
    assert.deepEqual([status, body.code, errors], [400, "invalid_value", []]);
  },

  "a fault of the store is 503, of whatever kind, reported": async (harness) => {
    for (
      const error of [
        new DriverError(CANARY, { retryable: true }),
        new DriverError(CANARY, { retryable: false }),
        new Error(CANARY),
      ]
    ) {
      const { deliver, errors } = shop(harness, { driver: { send: () => Promise.reject(error) } });
      const { status, headers, body } = await deliver(paid);
      assert.deepEqual([status, headers.get("retry-after"), body.code], [503, "1", "driver"]);
      assert.equal(errors.length, 1);
    }
  },

  "an error in route, or in the function for the parley, is a reported 500": async (harness) => {
    const fail = () => {
      throw new Error(CANARY);
    };
    for (const options of [{ route: fail }, { parley: fail }]) {
      const { deliver, errors } = shop(harness, options);
      const { status, body } = await deliver(paid);
      assert.deepEqual([status, body.code, errors.length], [500, "internal", 1]);
    }
  },

  "webhook() refuses options that cannot be right": (harness) => {
    const { parley } = shop(harness);
    const good = { parley, verify: () => undefined, route: () => undefined };
    for (const bad of [{ verify: undefined }, { route: undefined }, { bodyLimit: 0 }]) {
      assert.throws(() => webhook({ ...good, ...bad } as unknown as WebhookOptions<unknown>), {
        code: "invalid_value",
      });
    }
    return Promise.resolve();
  },
};

const verifying: Rules = {
  "a verifier of the user's own gets the request and the raw body, as bytes and as text": async (harness) => {
    const seen: unknown[] = [];
    const { parley, deliver } = shop(harness, {
      verify: async (request, body) => {
        seen.push(
          body instanceof Uint8Array,
          new TextDecoder().decode(body),
          String(body),
          JSON.parse(String(body)).type,
          await request.text(),
          request.method,
        );
        return { id: "d" };
      },
    });
    await order(parley);
    const raw = JSON.stringify(paid, null, 3);
    assert.equal((await deliver(undefined, { raw })).status, 200);
    assert.deepEqual(seen, [true, raw, raw, "paid", raw, "POST"]);
  },

  "an error of a verifier is 401, unless it has its own status; it is reported unless it is a refusal": async (
    harness,
  ) => {
    class WebhookVerificationError extends Error {}
    const ofStripe = Object.assign(new Error(CANARY), { type: "StripeSignatureVerificationError" });
    const ofAnotherHono = Object.assign(new Error(), {
      status: 403,
      getResponse: () => Response.json({}, { status: 403 }),
    });
    const outcomes: [thrown: unknown, status: number, reported: number][] = [
      [new Error(CANARY), 401, 1],
      [new TypeError(`${CANARY} is not a function`), 401, 1],
      [CANARY, 401, 1],
      [new WebhookVerificationError(CANARY), 401, 0],
      [ofStripe, 401, 0],
      [new DriverError(CANARY, { retryable: true }), 503, 1],
      [new HTTPException(429, { res: Response.json({}, { status: 429 }) }), 429, 0],
      [ofAnotherHono, 403, 0],
    ];
    for (const [thrown, expected, reported] of outcomes) {
      for (
        const verify of [() => Promise.reject(thrown), () => {
          throw thrown;
        }]
      ) {
        const { deliver, errors } = shop(harness, { verify });
        assert.equal((await deliver(paid)).status, expected);
        assert.deepEqual(errors, reported === 0 ? [] : [thrown]);
      }
    }
    for (const delivery of [undefined, null, {}, { id: "" }, { id: 7 }, true]) {
      const { deliver } = shop(harness, { verify: () => delivery as unknown as { id: string } });
      assert.equal((await deliver(paid)).status, 401);
    }
  },

  "a verifier of a provider does its work behind a webhook": async (harness) => {
    const clock = { now: () => 1_614_265_330_000 };
    const verify = standardWebhooks("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", { clock });
    const { parley } = shop(harness);
    await order(parley);
    const handler = webhook({ parley, verify, route: () => ({ workflowId: CANARY, message: 1 }), onError: () => {} });
    const app = new Hono().post("/hook", handler);
    const headers = {
      "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
      "webhook-timestamp": "1614265330",
      "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    };
    const body = '{"test": 2432232314}';
    assert.equal((await app.request("/hook", { method: "POST", headers, body })).status, 200);
    assert.equal((await app.request("/hook", { method: "POST", headers, body: body.replace(" ", "") })).status, 401);
  },
};
