import { sign as githubSign, verify as githubVerify } from "@octokit/webhooks-methods";
import fc from "fast-check";
import { Context } from "hono";
import assert from "node:assert/strict";
import { Webhook } from "standardwebhooks";
import Stripe from "stripe";
import { github, standardWebhooks, stripe, type Verifier } from "../../../http/mod.ts";

/** Of the test vectors of Standard Webhooks, which were Svix's. */
const VECTOR = {
  secret: "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
  id: "msg_p5jXN8AQM9LWM0D4loKWxJek",
  timestamp: 1_614_265_330,
  body: '{"test": 2432232314}',
  signature: "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
};
const AT_VECTOR = { clock: { now: () => VECTOR.timestamp * 1_000 } };

/** The ID of a delivery; `undefined` if it is refused. */
async function verified(verify: Verifier, headers: Record<string, string>, body: string): Promise<string | undefined> {
  const request = new Request("https://a.example", { method: "POST", headers, body });
  return (await verify(request, new TextEncoder().encode(body), new Context(request)))?.id;
}

/** A header as Stripe's own library makes it for tests. */
async function stripeHeaderOf(
  options: { payload: string; secret: string; timestamp?: number; scheme?: string; signature?: string },
): Promise<string> {
  // Its types want every option.
  return await Stripe.webhooks.generateTestHeaderStringAsync(
    options as Parameters<typeof Stripe.webhooks.generateTestHeaderStringAsync>[0],
  );
}

function standardHeaders(
  { id = VECTOR.id, timestamp = String(VECTOR.timestamp), signature = VECTOR.signature, prefix = "webhook-" } = {},
) {
  return { [`${prefix}id`]: id, [`${prefix}timestamp`]: timestamp, [`${prefix}signature`]: signature };
}

Deno.test("standardWebhooks() accepts the published vector, and no changed one", async () => {
  const verify = standardWebhooks(VECTOR.secret, AT_VECTOR);
  const check = (change: Parameters<typeof standardHeaders>[0], body = VECTOR.body) =>
    verified(verify, standardHeaders(change), body);
  assert.equal(await check({}), VECTOR.id);
  assert.equal(await check({ prefix: "svix-" }), VECTOR.id);
  assert.equal(
    await verified(
      standardWebhooks(VECTOR.secret.slice(6), { ...AT_VECTOR, encoding: "base64" }),
      standardHeaders(),
      VECTOR.body,
    ),
    VECTOR.id,
  );
  assert.equal(await check({ id: "msg_other" }), undefined);
  assert.equal(await check({ timestamp: String(VECTOR.timestamp + 1) }), undefined);
  assert.equal(await check({}, VECTOR.body.replace(" ", "")), undefined);
  assert.equal(await check({ prefix: "x-" }), undefined);
  const refused = [
    "",
    "v1",
    "v1,",
    "v1,!",
    VECTOR.signature.replace("v1", "v2"),
    VECTOR.signature.replace("v1", "v1a"),
    VECTOR.signature.slice(3),
    VECTOR.signature.replace("g0", "g1"),
    "v1,AAAA",
  ];
  for (const signature of refused) assert.equal(await check({ signature }), undefined, signature);
});

Deno.test("standardWebhooks() accepts any of several signatures and secrets", async () => {
  const signature = `v1a,AAAA v1,AAAA ${VECTOR.signature} v2,AAAA`;
  assert.equal(
    await verified(standardWebhooks(VECTOR.secret, AT_VECTOR), standardHeaders({ signature }), VECTOR.body),
    VECTOR.id,
  );
  for (const secrets of [["whsec_AAAA", VECTOR.secret], [VECTOR.secret, "v1,whsec_AAAA"]]) {
    assert.equal(await verified(standardWebhooks(secrets, AT_VECTOR), standardHeaders(), VECTOR.body), VECTOR.id);
  }
  assert.equal(
    await verified(standardWebhooks(["whsec_AAAA", "whsec_BBBB"], AT_VECTOR), standardHeaders(), VECTOR.body),
    undefined,
  );
});

Deno.test("verifiers accept a signature up to five minutes from now, or within another tolerance", async () => {
  const stripeBody = '{"id":"evt_1"}';
  const stripeHeader = await stripeHeaderOf({ payload: stripeBody, secret: "whsec_x", timestamp: VECTOR.timestamp });
  const at = async (seconds: number, tolerance?: "1m" | "1h") => {
    const options = { clock: { now: () => (VECTOR.timestamp + seconds) * 1_000 }, ...(tolerance && { tolerance }) };
    return [
      await verified(standardWebhooks(VECTOR.secret, options), standardHeaders(), VECTOR.body) !== undefined,
      await verified(stripe("whsec_x", options), { "stripe-signature": stripeHeader }, stripeBody) !== undefined,
    ];
  };
  for (
    const [seconds, fresh] of [[0, true], [300, true], [-300, true], [301, false], [-301, false], [1e6, false]] as const
  ) {
    assert.deepEqual(await at(seconds), [fresh, fresh], `${seconds} s`);
  }
  assert.deepEqual([await at(61, "1m"), await at(3_599, "1h")], [[false, false], [true, true]]);
});

Deno.test("a time that is not whole seconds is refused", async () => {
  for (const timestamp of ["", "0x60375A32", "1614265330.0", "1e9", "-1", " ", "9".repeat(30), "NaN"]) {
    assert.equal(
      await verified(standardWebhooks(VECTOR.secret, AT_VECTOR), standardHeaders({ timestamp }), VECTOR.body),
      undefined,
    );
    assert.equal(
      await verified(stripe("s", AT_VECTOR), { "stripe-signature": `t=${timestamp},v1=00` }, "{}"),
      undefined,
    );
  }
});

Deno.test("standardWebhooks() takes secrets as Supabase and Polar show them, and signs as their libraries do", async () => {
  const base64 = VECTOR.secret.slice("whsec_".length);
  const polar = "polar_whs_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
  const text = "a text of the owner's own";
  // Supabase's guide takes `v1,whsec_` away; Polar's SDK gives the library the whole text in base64.
  const cases: [secret: string, signer: Webhook, options?: { encoding: "base64" | "text" }][] = [
    [`v1,whsec_${base64}`, new Webhook(`v1,whsec_${base64}`.replace("v1,whsec_", ""))],
    [polar, new Webhook(btoa(polar))],
    [base64, new Webhook(base64), { encoding: "base64" }],
    [text, new Webhook(btoa(text)), { encoding: "text" }],
    ["abcd", new Webhook(btoa("abcd")), { encoding: "text" }],
    [polar, new Webhook(btoa(polar)), { encoding: "base64" }],
    [VECTOR.secret, new Webhook(VECTOR.secret), { encoding: "text" }],
  ];
  const now = new Date(Math.floor(Date.now() / 1_000) * 1_000);
  for (const [secret, signer, options] of cases) {
    const headers = standardHeaders({
      timestamp: String(now.getTime() / 1_000),
      signature: signer.sign(VECTOR.id, now, VECTOR.body),
    });
    assert.equal(await verified(standardWebhooks(secret, options), headers, VECTOR.body), VECTOR.id, secret);
    assert.equal(await verified(standardWebhooks(secret, options), headers, `${VECTOR.body} `), undefined, secret);
    const others = ["whsec_AAAA", "v1,whsec_AAAA", "polar_whs_other", "polar_whs_"];
    assert.equal(await verified(standardWebhooks(others), headers, VECTOR.body), undefined, secret);
  }
});

Deno.test("standardWebhooks() refuses a secret that may be either base64 or a text, and says what to do", () => {
  for (
    const secret of [
      "abcd",
      "my-webhook-secret",
      "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
      "WHSEC_AAAA",
      "sk_live_whsec_AAAA",
    ]
  ) {
    assert.throws(
      () => standardWebhooks(secret),
      (error: Error) => /encoding/.test(error.message) && !error.message.includes(secret),
    );
  }
  for (const secret of ["v1,whsec_", "v1,whsec_not base64!", "whsec_AAAA\n", "polar_whs_x\n", " polar_whs_x"]) {
    assert.throws(() => standardWebhooks(secret), { code: "invalid_value" });
  }
  assert.throws(() => standardWebhooks("not base64!", { encoding: "base64" }), { code: "invalid_value" });
  assert.throws(() => standardWebhooks("abcd", { encoding: "hex" as "text" }), { code: "invalid_value" });
});

const BODY = fc.record({ id: fc.string({ unit: "grapheme", minLength: 1 }), text: fc.string({ unit: "grapheme" }) })
  .map((it) => JSON.stringify(it));

Deno.test("standardWebhooks() agrees with the library of Standard Webhooks", async () => {
  const bytes = fc.uint8Array({ minLength: 1, maxLength: 64 });
  const id = fc.stringMatching(/^[\x21-\x7e]{1,40}$/);
  await fc.assert(fc.asyncProperty(bytes, id, BODY, fc.boolean(), async (key, id, body, change) => {
    const secret = `whsec_${btoa(String.fromCharCode(...key))}`;
    const signer = new Webhook(secret);
    const now = new Date(Math.floor(Date.now() / 1_000) * 1_000);
    const headers = standardHeaders({
      id,
      timestamp: String(now.getTime() / 1_000),
      signature: signer.sign(id, now, body),
    });
    const sent = change ? `${body} ` : body;
    const theirs = (() => {
      try {
        signer.verify(sent, headers);
        return id;
      } catch {
        return undefined;
      }
    })();
    assert.equal(await verified(standardWebhooks(secret), headers, sent), theirs);
    assert.equal(theirs, change ? undefined : id);
  }));
});

Deno.test("stripe() accepts and refuses what Stripe's own library does", async () => {
  // As in the tests of stripe-node.
  const secret = "whsec_test_secret";
  const payload = JSON.stringify({ id: "evt_test_webhook", object: "event" }, null, 2);
  const sign = (options: Partial<Parameters<typeof stripeHeaderOf>[0]> = {}) =>
    stripeHeaderOf({ payload, secret, ...options });
  const good = await sign();
  const timestamp = Math.floor(Date.now() / 1_000);
  const cases: [header: string, accepted: boolean][] = [
    [good, true],
    [`${good},v1=potato`, true],
    [`v1=potato,${good}`, true],
    [`${await sign({ secret: "whsec_old" })},${good.split(",")[1]}`, true],
    [await sign({ scheme: "v0" }), false],
    [await sign({ signature: "bad_signature" }), false],
    [await sign({ secret: "whsec_other" }), false],
    [await sign({ timestamp: timestamp - 400 }), false],
    [good.replace(/t=\d+/, `t=${timestamp - 10}`), false],
    ["I'm not even a real signature header", false],
    ["", false],
  ];
  for (const [header, accepted] of cases) {
    const headers = { "stripe-signature": header };
    assert.equal(await verified(stripe(secret), headers, payload), accepted ? "evt_test_webhook" : undefined, header);
    const theirs = await Stripe.webhooks.constructEventAsync(payload, header, secret).then(() => true, () => false);
    assert.equal(theirs, accepted, header);
  }
  assert.equal(
    await verified(stripe(["whsec_new", secret]), { "stripe-signature": good }, payload),
    "evt_test_webhook",
  );
});

Deno.test("stripe() agrees with the library of Stripe on any body", async () => {
  await fc.assert(
    fc.asyncProperty(BODY, fc.boolean(), async (payload, change) => {
      const header = await stripeHeaderOf({ payload, secret: "whsec_x" });
      const sent = change ? `${payload}\n` : payload;
      assert.equal(
        await verified(stripe("whsec_x"), { "stripe-signature": header }, sent),
        change ? undefined : JSON.parse(payload).id,
      );
    }),
    { numRuns: 50 },
  );
});

Deno.test("stripe() refuses a signed event without an ID", async () => {
  for (const payload of ["{}", '{"id":7}', '{"id":""}', "[]", "null", "no JSON"]) {
    const header = await stripeHeaderOf({ payload, secret: "s" });
    await assert.rejects(verified(stripe("s"), { "stripe-signature": header }, payload), { code: "invalid_value" });
  }
});

Deno.test("github() accepts the example of GitHub's documentation, and no changed one", async () => {
  const body = "Hello, World!";
  const secret = "It's a Secret to Everybody";
  const digest = "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
  const headers = {
    "x-github-delivery": "72d3162e-cc78-11e3-81ab-4c9367dc0958",
    "x-hub-signature-256": `sha256=${digest}`,
  };
  assert.equal(await verified(github(secret), headers, body), headers["x-github-delivery"]);
  assert.equal(await verified(github(["another", secret]), headers, body), headers["x-github-delivery"]);
  assert.equal(await verified(github("another"), headers, body), undefined);
  assert.equal(await verified(github(secret), headers, "Hello, World?"), undefined);
  for (
    const signature of [
      "",
      digest,
      "sha256=",
      "sha256=zz",
      `sha1=${digest}`,
      `sha256=${digest.slice(2)}`,
      `sha256=${digest}00`,
      `sha256=8${digest.slice(1)}`,
    ]
  ) {
    assert.equal(
      await verified(github(secret), { ...headers, "x-hub-signature-256": signature }, body),
      undefined,
      signature,
    );
  }
  assert.equal(
    await verified(github(secret), { "x-hub-signature-256": headers["x-hub-signature-256"] }, body),
    undefined,
  );
});

Deno.test("github() agrees with the library of GitHub", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.string({ unit: "grapheme", minLength: 1 }),
      BODY,
      fc.boolean(),
      async (secret, body, change) => {
        const signature = await githubSign(secret, body);
        const sent = change ? `${body} ` : body;
        const mine = await verified(
          github(secret),
          { "x-github-delivery": "d", "x-hub-signature-256": signature },
          sent,
        );
        assert.equal(mine !== undefined, await githubVerify(secret, sent, signature));
        assert.equal(mine, change ? undefined : "d");
      },
    ),
  );
});

Deno.test("verifiers refuse secrets that cannot be right", () => {
  for (const secret of ["", [], [""], undefined, 7] as unknown as string[]) {
    for (const make of [standardWebhooks, stripe, github]) assert.throws(() => make(secret), { code: "invalid_value" });
  }
  for (const secret of ["whsec_", "not base64!", "whsec_ä"]) {
    assert.throws(() => standardWebhooks(secret), (error: Error) => !error.message.includes(secret));
  }
  assert.throws(() => stripe("whsec_x\n"), { code: "invalid_value" });
});
