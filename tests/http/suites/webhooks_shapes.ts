/**
 * The shapes in which providers send, and expect answers: forms, several messages, challenges.
 *
 * @module
 */

import assert from "node:assert/strict";
import { Hono } from "hono";
import { DriverError, ValidationError } from "../../../core/errors.ts";
import { slack, webhook, type WebhookMessage, type WebhookOptions } from "../../../http/mod.ts";
import type { Rules } from "../../../conformance/suite.ts";
import { listener } from "../support/setup.ts";
import { CANARY, order, paid, shop } from "../support/shop.ts";

const news = (workflowId: string, message: unknown = 1): WebhookMessage => ({ workflowId, topic: "news", message });

/** Bodies, lists of messages and answers. */
export const shaping: Rules = {
  "a form is an object of texts, and of lists for fields that come several times": async (harness) => {
    const { parley } = shop(harness);
    const parse = async (body: string | Uint8Array<ArrayBuffer>, parse: WebhookOptions<unknown>["parse"] = "form") => {
      let event: unknown;
      const handler = webhook({
        parley,
        parse,
        verify: () => ({ id: "d" }),
        route: (it) => void (event = it),
        onError: () => {},
      });
      const app = new Hono().post("/hook", handler);
      const { status } = await app.request("/hook", { method: "POST", body });
      return status === 200 ? event : status;
    };
    assert.deepEqual(await parse("command=%2Fdeploy&text=to+the+moon%21&e=%C3%BC&empty=&bare&&x=1&x=2&x=3=4"), {
      command: "/deploy",
      text: "to the moon!",
      e: "\u00fc",
      empty: "",
      bare: "",
      x: ["1", "2", "3=4"],
    });
    assert.deepEqual(await parse(""), {});
    const hostile = await parse("__proto__=1&constructor=2") as object;
    assert.deepEqual([Object.keys(hostile), Object.getPrototypeOf(hostile)], [
      ["__proto__", "constructor"],
      Object.prototype,
    ]);
    for (const bad of ["a=%", "a=%ff", "%zz=1", new Uint8Array([0x61, 0xff])]) assert.equal(await parse(bad), 400);

    assert.deepEqual(await parse("payload=%7B%22type%22%3A%22block_actions%22%7D&x=1", "payload"), {
      type: "block_actions",
    });
    for (const bad of ["", "x=1", "payload=", "payload={", "payload=1&payload=2", "%7B%7D"]) {
      assert.equal(await parse(bad, "payload"), 400, bad);
    }

    const ofHeaders = (text: string, headers: Headers) => [text, headers.get("content-type")];
    assert.deepEqual(await parse("<xml/>", ofHeaders), ["<xml/>", "text/plain;charset=UTF-8"]);
    assert.deepEqual(await parse("x", (text) => Promise.resolve(`${text}!`)), "x!");
    assert.equal(await parse(new Uint8Array([0xff]), ofHeaders), 400);
    assert.equal(
      await parse("x", () => {
        throw new ValidationError("It must be XML");
      }),
      400,
    );
    assert.equal(await parse("x", () => JSON.parse("{")), 500, "a mistake of the function");
  },

  "a list of messages is sent together, each once, and to one workflow several": async (harness) => {
    const list = [news(CANARY, 1), news(CANARY, 2), news("another", 3)];
    const { parley, deliver } = shop(harness, { route: () => list });
    await order(parley);
    assert.equal((await deliver(paid)).status, 404, "one is missing, so none is sent");
    assert.deepEqual(await parley.messages(CANARY), { messages: [] });
    await parley.start(listener, undefined, { workflowId: "another", enqueue: true });
    assert.deepEqual((await deliver(paid)).body, { received: true, duplicate: false });
    assert.deepEqual((await deliver(paid)).body, { received: true, duplicate: true });
    assert.deepEqual((await parley.messages(CANARY)).messages.map(({ topic }) => topic), ["news", "news"]);
    assert.equal((await parley.messages("another")).messages.length, 1);
  },

  "a list takes one call of the store, and none if it is empty": async (harness) => {
    let sends = 0;
    const [driver] = harness.drivers;
    const counting = {
      send: (...args: Parameters<typeof driver.send>) => {
        sends++;
        return driver.send(...args);
      },
    };
    let list: WebhookMessage[] = [];
    const { parley, deliver } = shop(harness, { driver: counting, route: () => list });
    await order(parley);
    assert.deepEqual([(await deliver(paid)).body, sends], [{ received: true, ignored: true }, 0]);
    list = [1, 2, 3].map((it) => news(CANARY, it));
    assert.deepEqual([(await deliver(paid)).body, sends], [{ received: true, duplicate: false }, 1]);
  },

  "a route that becomes one with a list does not send its first message again": async (harness) => {
    let routed: WebhookMessage | WebhookMessage[] = news(CANARY, 1);
    const { parley, deliver } = shop(harness, { route: () => routed });
    await order(parley);
    assert.equal((await deliver(paid)).body.duplicate, false);
    routed = [news(CANARY, 1), news(CANARY, 2)];
    assert.equal((await deliver(paid)).body.duplicate, false);
    assert.equal((await parley.messages(CANARY)).messages.length, 2);
  },

  "where a missing workflow is accepted, the other messages of the list are sent": async (harness) => {
    const list = [news("missing"), news(CANARY), news("missing too")];
    const { parley, deliver } = shop(harness, { route: () => list, onUnknown: "accept" });
    assert.deepEqual((await deliver(paid)).body, { received: true, ignored: true });
    await order(parley);
    assert.deepEqual((await deliver(paid)).body, { received: true, duplicate: false });
    assert.deepEqual((await deliver(paid)).body, { received: true, duplicate: true });
    assert.equal((await parley.messages(CANARY)).messages.length, 1);
  },

  "an illegal message in a list is a reported 500, and none is sent": async (harness) => {
    for (const bad of [news(""), null, news(CANARY, () => 1)] as WebhookMessage[]) {
      const { deliver, errors } = shop(harness, { route: () => [news(CANARY), bad], onUnknown: "accept" });
      assert.deepEqual([(await deliver(paid)).status, errors.length], [500, 1]);
    }
  },

  "respond answers in place of the acknowledgment, once the messages are stored": async (harness) => {
    const { parley, app } = shop(harness);
    await order(parley);
    const errors: unknown[] = [];
    const handler = webhook({
      parley,
      verify: ({ headers }) => headers.has("x-id") ? { id: headers.get("x-id")! } : undefined,
      route: ({ text }) => text === undefined ? undefined : news(CANARY, text),
      respond: async ({ challenge, text }, { id, headers }) => {
        if (text === "wrong") return text;
        if (challenge !== undefined) return new Response(challenge, { status: 201, headers: { "x-seen": id } });
        if (text === undefined) return undefined;
        const { messages } = await parley.messages(CANARY);
        return Response.json({ stored: messages.length, id: headers.get("x-id") });
      },
      onError: (error) => errors.push(error),
    });
    app.post("/asking", handler);
    const ask = (event: unknown, headers: Record<string, string> = { "x-id": "d1" }) =>
      app.request("/asking", { method: "POST", headers, body: JSON.stringify(event) });
    const challenged = await ask({ challenge: "3eZbrw1a" });
    assert.deepEqual([challenged.status, await challenged.text(), challenged.headers.get("x-seen")], [
      201,
      "3eZbrw1a",
      "d1",
    ]);
    assert.deepEqual(await (await ask({ text: "x" })).json(), { stored: 1, id: "d1" });
    assert.deepEqual(await (await ask({ text: "x" })).json(), { stored: 1, id: "d1" });
    assert.deepEqual(await (await ask({})).json(), { received: true, ignored: true });
    assert.equal((await ask({ challenge: "x" }, {})).status, 401, "only who is the provider gets an answer");
    assert.deepEqual([(await ask({ text: "wrong" })).status, errors.length], [500, 1]);
    assert.match(String(errors[0]), /must be a Response/);
  },

  "respond is not asked about a delivery that is not stored": async (harness) => {
    const respond = () => assert.fail("it was asked");
    const store = { send: () => Promise.reject(new DriverError("no", { retryable: true })) };
    for (const [options, status] of [[{}, 404], [{ driver: store }, 503]] as const) {
      assert.equal((await shop(harness, { ...options, respond }).deliver(paid)).status, status);
    }
  },

  "the secret comes from the environment of the request; without it, nothing is let in and onError is told": async (
    harness,
  ) => {
    const { parley } = shop(harness);
    const errors: unknown[] = [];
    const handler = webhook({
      parley,
      parse: "form",
      verify: slack((c) => c.env.SLACK_SECRET, { clock: { now: () => 1_531_420_618_000 } }),
      route: () => undefined,
      onError: (error) => errors.push(error),
    });
    const app = new Hono().post("/slack", handler);
    const headers = {
      "x-slack-request-timestamp": "1531420618",
      // HMAC-SHA256 of "v0:1531420618:a=1" with the secret "s3cret".
      "x-slack-signature": "v0=1f67e37950255592bd1561bb9c299e7e224d8a844652128369578f14870ae6cb",
    };
    const post = (env: object) => app.request("/slack", { method: "POST", headers, body: "a=1" }, env);
    assert.equal((await post({ SLACK_SECRET: "s3cret" })).status, 200);
    assert.equal((await post({ SLACK_SECRET: "another" })).status, 401);
    assert.deepEqual(errors, []);
    assert.equal((await post({})).status, 401);
    assert.match(String(errors), /Slack: each secret must be/);
  },

  "a ParleyError of a verifier keeps its status and is reported, because a stranger cannot cause it": async (
    harness,
  ) => {
    const error = new ValidationError("Making a verifier: there must be a secret");
    const { deliver, errors } = shop(harness, { verify: () => Promise.reject(error) });
    assert.equal((await deliver(paid)).status, 400);
    assert.deepEqual(errors, [error]);
  },

  "webhook() refuses a parse or a respond that cannot be right": (harness) => {
    const { parley } = shop(harness);
    const good = { parley, verify: () => undefined, route: () => undefined };
    for (const bad of [{ parse: "xml" }, { parse: null }, { respond: "challenge" }, { respond: new Response() }]) {
      assert.throws(() => webhook({ ...good, ...bad } as unknown as WebhookOptions<unknown>), {
        code: "invalid_value",
      });
    }
    return Promise.resolve();
  },
};
