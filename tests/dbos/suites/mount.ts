/**
 * The HTTP adapter and a webhook over a DBOS app.
 *
 * @module
 */

import assert from "node:assert/strict";
import { Hono } from "hono";
import { Webhook } from "standardwebhooks";
import { connect } from "../../../http/client/client.ts";
import { anyOf, bearer, parleyHttp, scopedTokens, standardWebhooks, webhook } from "../../../http/mod.ts";
import { sentEvents } from "../../http/support/service.ts";
import { type Setting, testEach } from "../support/setting.ts";

const SECRET = `whsec_${btoa("0123456789abcdef0123456789abcdef")}`;
const tokens = scopedTokens("a secret of the tests of DBOS");

function siteOf({ client }: Setting): Hono {
  const app = new Hono();
  app.route("/parley", parleyHttp({ parley: client, auth: anyOf(bearer("s3cret"), tokens), inspector: true }));
  app.post(
    "/webhook",
    webhook({
      parley: client,
      verify: standardWebhooks(SECRET),
      route: ({ order, paid }) => ({ workflowId: order, topic: "payment", message: { paid } }),
    }),
  );
  return app;
}

/** Registers the tests. */
export function mountSuite(settings: readonly Setting[]): void {
  testEach(
    settings,
    "a DBOS checkout over HTTP: started, paid by a webhook, followed with a narrow token",
    async (setting) => {
      const app = siteOf(setting);
      const order = `order-${setting.version}`;
      const own = { authorization: "Bearer s3cret" };
      const post = (path: string, body: unknown) =>
        app.request(`/parley${path}`, {
          method: "POST",
          headers: { ...own, "content-type": "application/json" },
          body: JSON.stringify(body),
        });
      const started = await post("/workflows", { workflow: "checkout", input: { item: "lamp" }, workflowId: order });
      assert.equal(started.status, 201);
      assert.equal((await post("/workflows", { workflow: "checkout", input: {}, workflowId: order })).status, 200);
      const url = await app.request(`/parley/workflows/${order}/events/paymentUrl?wait=30s`, { headers: own });
      assert.deepEqual(await url.json(), { value: "https://pay.example/lamp", version: 1 });

      const token = await tokens.mint({ actions: ["stream"], workflowId: order, keys: ["progress"], expiresIn: "1m" });
      const get = (path: string, headers = {}) => app.request(`/parley/workflows/${path}?token=${token}`, { headers });
      assert.equal((await get(`${order}/streams/other`)).status, 403);
      assert.equal((await get(order)).status, 403);
      const live = sentEvents(await get(`${order}/streams/progress`, { accept: "text/event-stream" }));
      let lastId: string | undefined;
      for await (const { id, data } of live) {
        if (data === undefined) continue;
        assert.deepEqual(JSON.parse(data), { step: "reserved", item: "lamp" });
        lastId = id;
        break;
      }

      const body = JSON.stringify({ order, paid: true });
      const at = new Date();
      const headers = {
        "webhook-id": "msg_1",
        "webhook-timestamp": `${Math.floor(at.getTime() / 1_000)}`,
        "webhook-signature": new Webhook(SECRET).sign("msg_1", at, body),
      };
      const deliver = (it: Record<string, string>) => app.request("/webhook", { method: "POST", headers: it, body });
      assert.equal((await deliver({ ...headers, "webhook-signature": "v1,AAAA" })).status, 401);
      for (const _ of [1, 2]) assert.equal((await deliver(headers)).status, 200);

      const rest = sentEvents(
        await get(`${order}/streams/progress`, { accept: "text/event-stream", "last-event-id": lastId! }),
      );
      const later: unknown[] = [];
      for await (const { event, data } of rest) if (data && event === undefined) later.push(JSON.parse(data));
      assert.deepEqual(later, [{ step: "paid" }]);

      const result = await app.request(`/parley/workflows/${order}/result?wait=30s`, { headers: own });
      assert.deepEqual(await result.json(), { item: "lamp", paid: true });
      const { messages } = await setting.client.messages(order, { state: "all" });
      assert.equal(messages.length, 1);
      assert.equal(
        (await app.request(`/parley/workflows/${order}/streams/progress?offset=-1`, { headers: own })).status,
        200,
      );
    },
  );

  testEach(settings, "an event of a DBOS app is followed over HTTP, and resumed at its version", async (setting) => {
    const app = siteOf(setting);
    const id = `states-${setting.version}`;
    const path = `/parley/workflows/${id}/events/state`;
    const own = { authorization: "Bearer s3cret", accept: "text/event-stream" };
    await setting.client.start("states", undefined, { workflowId: id });
    const send = (state: string) => setting.client.send(id, state, { topic: "state" });
    await send("a");
    let last: string | undefined;
    for await (const { id: version, data } of sentEvents(await app.request(path, { headers: own }))) {
      if (data === undefined) continue;
      assert.equal(data, '"a"');
      last = version;
      break;
    }
    await send("end");
    const seen: string[] = [];
    const rest = await app.request(path, { headers: { ...own, "last-event-id": last! } });
    for await (const { event, data } of sentEvents(rest)) if (data && event === undefined) seen.push(data);
    assert.deepEqual(seen, ['"end"']);
  });

  testEach(settings, "the inspector, connect() and what DBOS lacks, over HTTP", async (setting) => {
    const app = siteOf(setting);
    const own = { authorization: "Bearer s3cret" };
    const client = connect({
      url: "https://site.example/parley",
      token: "s3cret",
      fetch: async (url, init) => await app.request(url, init),
    });
    const handle = await client.start<unknown, unknown>("echo", { date: new Date(0) });
    assert.deepEqual(await handle.result(), [{ date: "1970-01-01T00:00:00.000Z" }]);
    const { workflows } = await client.list({ idPrefix: handle.workflowId });
    assert.deepEqual(workflows.map(({ status }) => status), ["SUCCESS"]);
    assert.deepEqual(await client.history(handle.workflowId), { entries: [] });
    assert.equal((await app.request("/parley/inspector", { headers: own })).status, 200);
    await assert.rejects(client.list({ problem: true }), { code: "unsupported" });
    await assert.rejects(client.resume(handle.workflowId, { from: 0 }), { code: "unsupported" });
    const sweep = await app.request("/parley/sweep", { method: "POST", headers: own });
    assert.deepEqual([sweep.status, (await sweep.json()).code], [501, "unsupported"]);
    await assert.rejects(client.send("nobody", 1), { code: "workflow_not_found" });
    await client.delete(handle.workflowId);
  });
}
