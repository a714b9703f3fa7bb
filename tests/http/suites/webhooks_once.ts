/**
 * That a webhook sends each delivery once.
 *
 * @module
 */

import assert from "node:assert/strict";
import { Hono } from "hono";
import { parleyHttp, webhook } from "../../../http/mod.ts";
import type { Rules } from "../../../conformance/suite.ts";
import { listener } from "../support/setup.ts";
import { CANARY, order, paid, shop } from "../support/shop.ts";

/** Repeated deliveries. */
export const deduping: Rules = {
  "a repeated delivery is 2xx and sent once, even if many come at the same time": async (harness) => {
    const { parley, deliver } = shop(harness);
    await order(parley);
    const answers = await Promise.all(Array.from({ length: 5 }, () => deliver(paid)));
    assert.deepEqual(answers.map(({ status }) => status), [200, 200, 200, 200, 200]);
    assert.deepEqual(answers.map(({ body }) => body.duplicate).sort(), [false, true, true, true, true]);
    assert.equal((await deliver(paid, { id: "d2" })).body.duplicate, false);
  },

  "the same ID at another endpoint, or for another topic or workflow, is another delivery": async (harness) => {
    let topic = "news";
    const { parley, deliver } = shop(harness, { route: ({ order }) => ({ workflowId: order, topic, message: 1 }) });
    await order(parley);
    await parley.start(listener, undefined, { workflowId: "another", enqueue: true });
    const isDuplicate = async (path: string, to = CANARY) => {
      const { status, body } = await deliver({ ...paid, order: to }, { path });
      assert.equal(status, 200);
      return body.duplicate;
    };
    assert.deepEqual([await isDuplicate("/hook"), await isDuplicate("/other"), await isDuplicate("/hook", "another")], [
      false,
      false,
      false,
    ]);
    topic = "other";
    assert.deepEqual([await isDuplicate("/hook"), await isDuplicate("/hook"), await isDuplicate("/other")], [
      false,
      true,
      false,
    ]);
  },

  "endpoints with one name are one endpoint; the query does not tell them apart": async (harness) => {
    const { parley, deliver } = shop(harness, { name: "payments" });
    await order(parley);
    assert.equal((await deliver(paid)).body.duplicate, false);
    assert.equal((await deliver(paid, { path: "/other?x=1" })).body.duplicate, true);
  },

  "an ID of any length will do": async (harness) => {
    const { parley, deliver } = shop(harness);
    await order(parley);
    for (const id of ["x".repeat(5_000), "/", "\u00ff"]) {
      assert.equal((await deliver(paid, { id })).body.duplicate, false);
      assert.equal((await deliver(paid, { id })).body.duplicate, true);
    }
  },

  "a delivery is sent once, however its path, query and host are spelled": async (harness) => {
    const { parley } = shop(harness);
    await order(parley);
    const handler = webhook({
      parley,
      verify: ({ headers }) => ({ id: headers.get("x-id")! }),
      route: ({ order }) => ({ workflowId: order, topic: "news", message: 1 }),
    });
    const app = new Hono().post("/webhook", handler).route("/shops", new Hono().post("/:shop/webhook", handler));
    app.post("/any/*", handler);
    const spellings = {
      "/webhook": ["/%77ebhook", "/web%68ook", "/webhook?x=1", "/webhook?", "/./webhook", "/x/../webhook"],
      "/shops/a/webhook": ["/shops/b/webhook", "/shops/%61/webhook", "/%73hops/a/web%68ook?a=b", "/shops/a%20/webhook"],
      "/any/a": ["/any/b", "/any/a/", "/any/a/b", "/any/%2f", "/any/%61"],
    };
    const isDuplicate = async (url: string) => {
      const headers = { "x-id": "d1" };
      const response = await app.request(url, { method: "POST", headers, body: JSON.stringify({ order: CANARY }) });
      assert.equal(response.status, 200, url);
      return (await response.json()).duplicate;
    };
    for (const [path, others] of Object.entries(spellings)) {
      assert.equal(await isDuplicate(path), false, path);
      for (const other of [...others, `https://other.example${path}`, `http://localhost:81${path}`]) {
        assert.equal(await isDuplicate(other), true, other);
      }
    }
  },

  "a caller with permission to send cannot use the key of a future delivery": async (harness) => {
    const { parley, app: hooks } = shop(harness);
    await order(parley);
    const keys: string[] = [];
    const spy = new Proxy(parley, {
      get: (target, name) =>
        name !== "send" ? Reflect.get(target, name).bind(target) : (...args: Parameters<typeof parley.send>) => {
          keys.push(args[2]!.idempotencyKey!);
          return target.send(...args);
        },
    });
    const handler = webhook({
      parley: spy,
      verify: () => ({ id: "d1" }),
      route: ({ order }) => ({ workflowId: order, message: 1 }),
    });
    hooks.post("/spied", handler);
    await hooks.request("/spied", { method: "POST", body: JSON.stringify(paid) });
    const adapter = parleyHttp({ parley, auth: () => true });
    const post = async (path: string, body: unknown) => {
      const headers = { "content-type": "application/json" };
      return (await adapter.request(path, { method: "POST", headers, body: JSON.stringify(body) })).status;
    };
    const message = { message: 1, idempotencyKey: keys[0] };
    assert.equal(await post(`/workflows/${CANARY}/messages`, message), 400);
    assert.equal(await post("/messages", { messages: [{ ...message, destinationId: CANARY }] }), 400);
    assert.equal(await post(`/workflows/${CANARY}/messages`, { message: 1, idempotencyKey: "webhook:1" }), 201);
  },
};
