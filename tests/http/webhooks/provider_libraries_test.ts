/**
 * The verifiers beside the providers' own libraries. All but Svix's only verify, so the tests sign as
 * the provider's documentation says, and the library must accept it. Those of Square and Polar come
 * without what they need for other things.
 */

import { LinearWebhookClient } from "@linear/sdk/webhooks";
import { Paddle } from "@paddle/paddle-node-sdk";
import "@shopify/shopify-api/adapters/web-api";
import { shopifyApi } from "@shopify/shopify-api";
import { verifySlackRequest } from "@slack/bolt/dist/receivers/verify-request.js";
import fc from "fast-check";
import { Context } from "hono";
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { createHmac } from "node:crypto";
import { createRequire } from "node:module";
import { Webhook } from "svix";
import { linear, paddle, shopify, slack, square, standardWebhooks, type Verifier } from "../../../http/mod.ts";
import { PackedPackage } from "../../support/packed_package.ts";

type Headers = Record<string, string>;
type Clocked = { tolerance?: "1m" | "1h"; clock?: { now(): number } };

const [SECRET, OTHER] = ["8f742231b10e8888abcd99yyyzzz85a5", "5a58zzzyyy99dcba8888e01b132247f8"];
const SQUARE_URL = "https://shop.example/square?a=1";

/** Square's own library, as far as it is used here. */
interface SquareLibrary {
  readonly WebhooksHelper: {
    verifySignature(delivery: {
      requestBody: string;
      signatureHeader: string;
      signatureKey: string;
      notificationUrl: string;
    }): Promise<boolean>;
  };
}

/** Polar's own library, as far as it is used here. */
interface PolarLibrary {
  readonly webhooks: { validateEvent(body: string, headers: Headers, secret: string): Promise<unknown> };
}

const [squarePackage, polarPackage] = await Promise.all([
  PackedPackage.download("square@46.0.0"),
  PackedPackage.download("@polar-sh/sdk@1.0.1"),
]);
Deno.test.afterAll(async () => {
  await squarePackage[Symbol.asyncDispose]();
  await polarPackage[Symbol.asyncDispose]();
});

const SQUARE: SquareLibrary = createRequire(squarePackage.file("package.json"))("./wrapper/WebhooksHelper.js");
const POLAR: PolarLibrary = await import(`file://${polarPackage.file("dist/2026-10/index.mjs")}`);

/** A provider, in this library and in its own. */
interface Provider {
  readonly verifier: (secret: string | string[] | ((c: Context) => string), options?: Clocked) => Verifier;
  /** The body of an event that was sent at this time, in epoch milliseconds. */
  readonly body: (text: string, at: number) => string;
  readonly sign: (body: string, options: { secret?: string; at: number }) => Headers;
  /** Whether the provider's library accepts the delivery. */
  readonly theirs: (headers: Headers, body: string) => Promise<boolean> | boolean;
  readonly id: string;
  /** Whether the time is signed. */
  readonly isTimed: boolean;
}

const PROVIDERS: Readonly<Record<string, Provider>> = {
  slack: {
    verifier: slack,
    body: (text) => JSON.stringify({ type: "event_callback", event_id: "Ev1", text }),
    sign: (body, { secret = SECRET, at }) => {
      const timestamp = String(seconds(at));
      return {
        "x-slack-request-timestamp": timestamp,
        "x-slack-signature": `v0=${hmac(secret, `v0:${timestamp}:${body}`, "hex")}`,
      };
    },
    theirs: (headers, body) =>
      accepts(() =>
        verifySlackRequest({
          signingSecret: SECRET,
          body,
          headers: {
            "x-slack-signature": headers["x-slack-signature"] ?? "",
            "x-slack-request-timestamp": Number(headers["x-slack-request-timestamp"]),
          },
        })
      ),
    id: "Ev1",
    isTimed: true,
  },
  shopify: {
    verifier: shopify,
    body: (text) => JSON.stringify({ id: 820982911946154508, text }),
    sign: (body, { secret = SECRET }) => ({
      "x-shopify-hmac-sha256": hmac(secret, body, "base64"),
      "x-shopify-webhook-id": "b54557e4",
      "x-shopify-topic": "orders/paid",
      "x-shopify-shop-domain": "a.myshopify.com",
      "x-shopify-api-version": "2026-07",
    }),
    theirs: async (headers, rawBody) => {
      const rawRequest = new Request("https://shop.example/shopify", { method: "POST", headers, body: rawBody });
      return (await SHOPIFY.webhooks.validate({ rawBody, rawRequest })).valid;
    },
    id: "b54557e4",
    isTimed: false,
  },
  paddle: {
    verifier: paddle,
    body: (text) => JSON.stringify({ event_id: "evt_01", event_type: "transaction.completed", data: { text } }),
    sign: (body, { secret = SECRET, at }) => ({
      "paddle-signature": `ts=${seconds(at)};h1=${hmac(secret, `${seconds(at)}:${body}`, "hex")}`,
    }),
    theirs: async (headers, body) =>
      await new Paddle("a key").webhooks.isSignatureValid(body, SECRET, headers["paddle-signature"] ?? ""),
    id: "evt_01",
    isTimed: true,
  },
  linear: {
    verifier: linear,
    body: (text, at) => JSON.stringify({ type: "Issue", action: "update", data: { text }, webhookTimestamp: at }),
    sign: (body, { secret = SECRET }) => ({
      "linear-delivery": "234d1a4e",
      "linear-signature": hmac(secret, body, "hex"),
    }),
    theirs: (headers, body) =>
      accepts(() => {
        // The timestamp of its signature is only that of the body.
        assert(new LinearWebhookClient(SECRET).verify(Buffer.from(body), headers["linear-signature"] ?? ""));
      }),
    id: "234d1a4e",
    isTimed: true,
  },
  square: {
    verifier: (secret) => square(secret, { url: SQUARE_URL }),
    body: (text) => JSON.stringify({ event_id: "ac3ac95b", type: "payment.updated", data: { text } }),
    sign: (body, { secret = SECRET }) => ({
      "x-square-hmacsha256-signature": hmac(secret, SQUARE_URL + body, "base64"),
    }),
    theirs: async (headers, body) =>
      await SQUARE.WebhooksHelper.verifySignature({
        requestBody: body,
        signatureHeader: headers["x-square-hmacsha256-signature"] ?? "",
        signatureKey: SECRET,
        notificationUrl: SQUARE_URL,
      }),
    id: "ac3ac95b",
    isTimed: false,
  },
};

const SHOPIFY = shopifyApi({
  apiKey: "a key",
  apiSecretKey: SECRET,
  apiVersion: "2026-07" as Parameters<typeof shopifyApi>[0]["apiVersion"],
  hostName: "shop.example",
  isEmbeddedApp: false,
  // Without it, each refusal would be printed.
  logger: { log: () => {} },
});

function hmac(secret: string, text: string, encoding: "hex" | "base64"): string {
  return createHmac("sha256", secret).update(text).digest(encoding);
}

function seconds(ms: number): number {
  return Math.floor(ms / 1_000);
}

function accepts(verify: () => void): boolean {
  try {
    verify();
    return true;
  } catch {
    return false;
  }
}

/** The ID of a delivery; `undefined` if it is refused. */
async function verified(verify: Verifier, headers: Headers, body: string, env = {}): Promise<string | undefined> {
  const request = new Request("https://a.example", { method: "POST", headers, body });
  return (await verify(request, new TextEncoder().encode(body), new Context(request, { env })))?.id;
}

for (const [name, { verifier, body, sign, theirs, id, isTimed }] of Object.entries(PROVIDERS)) {
  Deno.test(`${name}() accepts and refuses what its own library does, on any body`, async () => {
    const anyText = fc.string({ unit: "grapheme" });
    await fc.assert(
      fc.asyncProperty(anyText, fc.constantFrom("none", "body", "secret"), async (text, change) => {
        const at = Date.now();
        const signed = body(text, at);
        const headers = sign(signed, { at, ...(change === "secret" && { secret: OTHER }) });
        const sent = change === "body" ? `${signed} ` : signed;
        assert.equal(await verified(verifier(SECRET), headers, sent), change === "none" ? id : undefined);
        assert.equal(await theirs(headers, sent), change === "none");
      }),
      { numRuns: 40 },
    );
  });

  Deno.test(`${name}() refuses headers that are missing, cut, changed or of another form`, async () => {
    const at = Date.now();
    const signed = body("x", at);
    const good = sign(signed, { at });
    const check = (headers: Headers) => verified(verifier(SECRET), headers, signed);
    assert.equal(await check(good), id);
    assert.equal(await check({}), undefined);
    const [header = "", signature = ""] = Object.entries(good).find(([name]) => /signature|hmac/.test(name)) ?? [];
    const bad = ["", "x", "=", "v0=", "h1=", signature.slice(0, -2), `${signature}00`, signature.slice(0, -4) + "0000"];
    for (const it of bad) assert.equal(await check({ ...good, [header]: it }), undefined, it);
  });

  Deno.test(`${name}() takes several secrets, and a function of the request's environment`, async () => {
    const at = Date.now();
    const signed = body("x", at);
    const good = sign(signed, { at });
    for (const secrets of [[SECRET, OTHER], [OTHER, SECRET]]) {
      assert.equal(await verified(verifier(secrets), good, signed), id);
    }
    assert.equal(await verified(verifier([OTHER]), good, signed), undefined);
    const verify = verifier((c) => c.env.SECRET);
    assert.equal(await verified(verify, good, signed, { SECRET }), id);
    assert.equal(await verified(verify, good, signed, { SECRET: OTHER }), undefined);
    for (const bad of [undefined, "", "two words"]) {
      await assert.rejects(
        verified(verify, good, signed, { SECRET: bad }),
        (error: Error) => error.name === "Error" && /each secret must be/.test(error.message),
      );
    }
    for (const bad of ["", "two words", [], undefined, 7] as unknown as string[]) {
      assert.throws(() => verifier(bad), { code: "invalid_value" });
    }
  });

  Deno.test(`${name}() ${isTimed ? "accepts a delivery up to five minutes from now" : "has no time"}`, async () => {
    const at = Math.floor(Date.now() / 1_000) * 1_000;
    const signed = body("x", at);
    const good = sign(signed, { at });
    const check = async (later: number, tolerance?: "1m" | "1h") =>
      await verified(
        verifier(SECRET, { clock: { now: () => at + later * 1_000 }, ...(tolerance && { tolerance }) }),
        good,
        signed,
      ) === id;
    for (const [later, fresh] of [[0, true], [300, true], [-300, true], [301, false], [-301, false]] as const) {
      assert.equal(await check(later), fresh || !isTimed, `${later} s`);
    }
    assert.deepEqual([await check(61, "1m"), await check(3_599, "1h")], [!isTimed, true]);
  });
}

Deno.test("the ID of what Slack does not retry is its signature", async () => {
  const { sign } = PROVIDERS.slack!;
  for (
    const body of ["payload=%7B%22type%22%3A%22block_actions%22%7D", "command=%2Fweather&text=94070", "{}", "null"]
  ) {
    const headers = sign(body, { at: Date.now() });
    assert.equal(await verified(slack(SECRET), headers, body), headers["x-slack-signature"]);
  }
});

Deno.test("slack() accepts the example of Slack's documentation", async () => {
  const body = "token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&" +
    "channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&" +
    "response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&" +
    "trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c";
  const signature = "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503";
  const headers = { "x-slack-request-timestamp": "1531420618", "x-slack-signature": signature };
  const verify = slack("8f742231b10e8888abcd99yyyzzz85a5", { clock: { now: () => 1_531_420_618_000 } });
  assert.equal(await verified(verify, headers, body), signature);
});

Deno.test("square() accepts a delivery as Square signs it, and not with another URL", async () => {
  const body = '{"merchant_id":"MLEFBHHSJGVHD","type":"webhooks.test_notification",' +
    '"event_id":"ac3ac95b-f97d-458c-a6e6-18981597e05f","created_at":"2022-07-13T20:30:59.037339943Z",' +
    '"data":{"type":"webhooks","id":"bc368e64-01aa-407e-b46e-3231809b1129"}}';
  const headers = { "x-square-hmacsha256-signature": "GF4YkrJgGBDZ9NIYbNXBnMzqb2HoL4RW/S6vkZ9/2N4=" };
  const at = (url: string) => square("Ibxx_5AKakO-3qeNVR61Dw", { url });
  const url = "https://webhook.site/679a4f3a-dcfa-49ee-bac5-9d0edad886b9";
  assert.equal(await verified(at(url), headers, body), "ac3ac95b-f97d-458c-a6e6-18981597e05f");
  assert.equal(await verified(at(`${url}/`), headers, body), undefined);
  for (const bad of [undefined, "", "/square", 7] as unknown as string[]) {
    assert.throws(() => at(bad), { code: "invalid_value" });
  }
});

Deno.test("shopify() takes the headers of Shopify's newer events, and no mix of both kinds", async () => {
  const body = '{"a":1}';
  const signature = hmac(SECRET, body, "base64");
  const check = (headers: Headers) => verified(shopify(SECRET), headers, body);
  assert.equal(await check({ "shopify-hmac-sha256": signature, "shopify-webhook-id": "w1" }), "w1");
  assert.equal(await check({ "shopify-hmac-sha256": signature, "x-shopify-webhook-id": "w1" }), undefined);
  assert.equal(await check({ "shopify-hmac-sha256": signature }), undefined);
});

Deno.test("paddle() accepts any of several signatures, as during a rotation", async () => {
  const { body, sign } = PROVIDERS.paddle!;
  const at = Date.now();
  const signed = body("x", at);
  const header = sign(signed, { at })["paddle-signature"];
  for (const it of [`${header};h1=${"0".repeat(64)}`, header?.replace(";", `;h1=${"0".repeat(64)};`) ?? ""]) {
    assert.equal(await verified(paddle(SECRET), { "paddle-signature": it }, signed), "evt_01", it);
  }
});

Deno.test("a signed event without its ID, or its time, is refused", async () => {
  for (const body of ["{}", '{"event_id":7}', '{"event_id":""}', "null", "no JSON"]) {
    const at = Date.now();
    for (const name of ["paddle", "square"]) {
      const { verifier, sign } = PROVIDERS[name]!;
      await assert.rejects(verified(verifier(SECRET), sign(body, { at }), body), { code: "invalid_value" });
    }
    assert.equal(await verified(linear(SECRET), PROVIDERS.linear!.sign(body, { at }), body), undefined);
  }
  const late = '{"webhookTimestamp":"1"}';
  assert.equal(await verified(linear(SECRET), PROVIDERS.linear!.sign(late, { at: 0 }), late), undefined);
});

Deno.test("standardWebhooks() accepts what Svix's own library signs", async () => {
  const secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
  const signer = new Webhook(secret);
  await fc.assert(
    fc.asyncProperty(fc.string({ unit: "grapheme" }), fc.boolean(), async (text, change) => {
      const body = JSON.stringify({ text });
      const now = new Date();
      const headers = {
        "svix-id": "msg_1",
        "svix-timestamp": String(seconds(now.getTime())),
        "svix-signature": signer.sign("msg_1", now, body),
      };
      const sent = change ? `${body} ` : body;
      assert.equal(accepts(() => signer.verify(sent, headers)), !change);
      assert.equal(await verified(standardWebhooks(secret), headers, sent), change ? undefined : "msg_1");
    }),
    { numRuns: 40 },
  );
});

Deno.test("standardWebhooks() accepts and refuses what Polar's own library does, on any body", async () => {
  const secrets = ["polar_whs_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "polar_whs_Ibxx5AKakO3qeNVR61Dw"] as const;
  await fc.assert(
    fc.asyncProperty(
      fc.string({ unit: "grapheme" }),
      fc.constantFrom("none", "body", "secret", "old"),
      async (text, change) => {
        const body = JSON.stringify({ type: "order.paid", data: { text } });
        const timestamp = String(seconds(Date.now()) - (change === "old" ? 600 : 0));
        const signature = hmac(secrets[change === "secret" ? 1 : 0], `msg_1.${timestamp}.${body}`, "base64");
        const headers = {
          "webhook-id": "msg_1",
          "webhook-timestamp": timestamp,
          "webhook-signature": `v1,${signature}`,
        };
        const sent = change === "body" ? `${body} ` : body;
        const theirs = await POLAR.webhooks.validateEvent(sent, headers, secrets[0]).then(() => true, () => false);
        assert.equal(theirs, change === "none");
        assert.equal(
          await verified(standardWebhooks(secrets[0]), headers, sent),
          change === "none" ? "msg_1" : undefined,
        );
      },
    ),
    { numRuns: 40 },
  );
});
