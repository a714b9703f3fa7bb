/**
 * Who may do what, on every route.
 *
 * @module
 */

import assert from "node:assert/strict";
import { HTTPException } from "hono/http-exception";
import { sign } from "hono/jwt";
import { ACTIONS } from "../../../http/auth/auth.ts";
import { type Action, anyOf, bearer, scopedTokens } from "../../../http/mod.ts";
import { ROUTES } from "../../../http/routes/mod.ts";
import type { MakeHarness, RegisterTest } from "../../../conformance/mod.ts";
import { registerSuite, type Rules, rulesFor } from "../../../conformance/suite.ts";
import { type Asked, lineOf, publisher, serve, TOKEN } from "../support/setup.ts";

const SECRET = "a secret of the tests, and of nobody else";
const tokens = scopedTokens(SECRET);

/** A body that no route takes: whoever may not do it must not be told so. */
const WRONG: Asked = { body: { nothing: "of this" } };

/** Registers the tests. */
export function auth(test: RegisterTest, makeHarness: MakeHarness): void {
  registerSuite(
    { name: "auth", rules: [everyRoute, scopes, ownAuth] },
    test,
    makeHarness,
  );
}

const everyRoute: Rules = rulesFor(ROUTES, (route) => {
  const line = lineOf(route);
  const { action, path, body, method } = route.spec;
  const asked = body || method === "post" ? WRONG : {};

  return {
    [`${line} answers 401 without credentials that are good, before it checks anything`]: async (harness) => {
      const { call, errors } = serve(harness, { auth: anyOf(bearer(TOKEN), tokens) });
      const expired = await sign({ aud: "parley", exp: 1, actions: [action] }, SECRET, "HS256");
      const foreign = await scopedTokens("another secret, as long as that").mint({
        actions: [action],
        expiresIn: "1h",
      });
      const elsewhere = await sign({ aud: "another service", exp: 4e9, actions: [action] }, SECRET, "HS256");
      const unending = await sign({ aud: "parley", actions: [action] }, SECRET, "HS256");
      const unsigned = `${btoa('{"alg":"none"}')}.${btoa(`{"aud":"parley","exp":4e9,"actions":["${action}"]}`)}.`;
      for (
        const token of [
          null,
          "wrong",
          `${TOKEN}x`,
          TOKEN.slice(1),
          expired,
          foreign,
          elsewhere,
          unending,
          unsigned.replaceAll("=", ""),
        ]
      ) {
        for (const at of [line, lineOf(route, { id: "%00", key: "%00" })]) {
          const response = await call(at, { ...asked, token });
          assert.equal(response.status, 401, `${at} with ${token}`);
          assert.equal(response.headers.get("www-authenticate"), 'Bearer realm="parley"');
          assert.equal((await response.json()).code, "unauthorized");
        }
      }
      assert.deepEqual(errors, []);
    },

    [`${line} answers 403 to credentials that are good for something else`]: async (harness) => {
      const { call, errors } = serve(harness, { auth: anyOf(bearer(TOKEN), tokens) });
      const others = ACTIONS.filter((it) => it !== action);
      const narrow = [
        await tokens.mint({ actions: others, expiresIn: "1h" }),
        await tokens.mint({ actions: [...ACTIONS], workflowId: "another", expiresIn: "1h" }),
        await tokens.mint({ actions: [...ACTIONS], keys: ["another"], expiresIn: "1h" }),
      ];
      for (const token of narrow) {
        const response = await call(line, { ...asked, token });
        assert.equal(response.status, 403, `${line} with ${atob(token.split(".")[1]!)}`);
        assert.equal((await response.json()).code, "forbidden");
      }
      assert.deepEqual(errors, []);
    },

    [`${line} lets in who may`]: async (harness) => {
      const { call, parley, world } = serve(harness, { auth: anyOf(bearer(TOKEN), tokens) });
      await parley.start(publisher, { key: "k" }, { workflowId: "w" });
      await world.until(parley.idle());
      const scope = {
        actions: [action],
        ...(path.includes(":id") && { workflowId: "w" }),
        ...(path.includes(":key") && { keys: ["k"] }),
      };
      for (const token of [TOKEN, await tokens.mint({ ...scope, expiresIn: "1h" })]) {
        const response = await call(line, { ...asked, token });
        assert(![401, 403].includes(response.status), `${line}: ${response.status}`);
        if (body) assert.equal(response.status, 400, "the body is wrong");
        await response.body?.cancel();
      }
    },
  };
});

const scopes: Rules = {
  "a token for one workflow can neither list, nor start or reach another, by whatever route": async (harness) => {
    const { call, parley } = serve(harness, { auth: tokens });
    await parley.start("echo", 1, { workflowId: "other", enqueue: true });
    await parley.start("echo", 1, { workflowId: "mine", enqueue: true });
    const token = await tokens.mint({ actions: [...ACTIONS], workflowId: "mine", expiresIn: "1h" });
    const message = (destinationId: string) => ({ destinationId, message: 1 });
    const refused: [line: string, asked?: Asked][] = [
      ["GET /workflows"],
      ["GET /openapi.json"],
      ["POST /sweep"],
      ["POST /workflows", { body: { workflow: "echo" } }],
      ["POST /workflows", { body: { workflow: "echo", workflowId: "other" } }],
      ["POST /workflows", { body: { workflow: "echo" }, headers: { "idempotency-key": "other" } }],
      ["POST /workflows", { body: { workflow: "echo", workflowId: "other" }, headers: { "idempotency-key": "mine" } }],
      ["POST /workflows/other/messages", { body: { message: 1 } }],
      ["POST /messages", { body: { messages: [message("other")] } }],
      ["POST /messages", { body: { messages: [message("mine"), message("other")] } }],
      ["POST /messages", { body: { messages: [] } }],
      ["POST /wake", { body: { workflowIds: ["other"] } }],
      ["GET /workflows/other"],
      ["GET /workflows/%6Fther"],
      ["GET /workflows/other/events/mine"],
    ];
    for (const [line, asked] of refused) {
      assert.equal((await call(line, { ...asked, token })).status, 403, `${line} ${asked?.body}`);
    }
    assert.equal((await call("POST /messages", { token, body: { messages: [message("mine")] } })).status, 200);
    assert.equal(
      (await call("POST /workflows", { token, body: { workflow: "echo", workflowId: "mine" } })).status,
      200,
    );
    assert.equal((await call("GET /workflows/mine", { token })).status, 200);
  },

  "an auth is asked about the workflow that starts": async (harness) => {
    const asked: unknown[] = [];
    const { call } = serve(harness, { auth: (_c, { workflowId }) => asked.push(workflowId) > 0 });
    for (const type of ["application/json", "application/vnd.parley+json"]) {
      const headers = { "content-type": type, "idempotency-key": type };
      const response = await call("POST /workflows", { body: { workflow: "echo", enqueue: true }, headers });
      assert.deepEqual(await response.json(), { workflowId: type, created: true });
      const raw = `{"workflow":"echo","enqueue":true,"workflowId":"first","workflowId":"last ${type}"}`;
      const twice = await call("POST /workflows", { raw, headers: { "content-type": type } });
      assert.deepEqual(await twice.json(), { workflowId: `last ${type}`, created: true });
      assert.deepEqual(asked.splice(0), [type, `last ${type}`]);
    }
  },

  "a token for one workflow starts no other one, whatever the body names": async (harness) => {
    const { call } = serve(harness, { auth: tokens });
    const start = async (workflowId: string, named?: unknown) => {
      const token = await tokens.mint({ actions: ["start"], workflowId, expiresIn: "1h" });
      const headers = { "content-type": "application/vnd.parley+json", "idempotency-key": "by header" };
      return await call("POST /workflows", {
        body: { workflow: "echo", enqueue: true, workflowId: named },
        headers,
        token,
      });
    };
    for (const another of ["echo", "-1", "another"]) assert.equal((await start(another)).status, 403, another);
    // Each is no ID, or that of another workflow, encoded or not.
    for (const named of [-1, ["another"], ["by header"], null]) {
      assert.equal((await start("by header", named)).status, 403);
    }
    assert.deepEqual(await (await start("by header")).json(), { workflowId: "by header", created: true });
  },

  "a token for some topics can send to no others": async (harness) => {
    const { call, parley } = serve(harness, { auth: tokens });
    await parley.start("echo", 1, { workflowId: "w", enqueue: true });
    const token = await tokens.mint({ actions: ["send"], keys: ["payment"], expiresIn: "1h" });
    const send = async (body: unknown) => (await call("POST /workflows/w/messages", { token, body })).status;
    assert.equal(await send({ message: 1, topic: "payment" }), 201);
    for (
      const body of [{ message: 1 }, { message: 1, topic: "" }, { message: 1, topic: "refund" }, {
        message: 1,
        topic: ["payment"],
      }]
    ) {
      assert.equal(await send(body), 403);
    }
    const plain = await tokens.mint({ actions: ["send"], keys: [""], expiresIn: "1h" });
    assert.equal((await call("POST /workflows/w/messages", { token: plain, body: { message: 1 } })).status, 201);
  },

  "a scoped token works in the URL of a request that changes nothing, and of no other": async (harness) => {
    const { call, parley } = serve(harness, { auth: tokens });
    await parley.start("echo", 1, { workflowId: "w", enqueue: true });
    const token = await tokens.mint({ actions: ["info", "cancel"], workflowId: "w", expiresIn: "1h" });
    assert.equal((await call(`GET /workflows/w?token=${token}`, { token: null })).status, 200);
    assert.equal((await call(`HEAD /workflows/w?token=${token}`, { token: null })).status, 200);
    assert.equal((await call(`POST /workflows/w/cancel?token=${token}`, { token: null })).status, 401);
  },
};

const ownAuth: Rules = {
  "an auth of the user's own is asked once for each workflow and topic, with the action": async (harness) => {
    const asked: unknown[] = [];
    const { call } = serve(harness, { auth: (_c, request) => asked.push(request) > 0 });
    const messages = ["a", "b", "a"].map((destinationId, n) => ({
      destinationId,
      message: n,
      ...(n === 1 && { topic: "t" }),
    }));
    await call("POST /messages", { body: { messages } });
    await call("GET /workflows/a%20b/events/k%2F");
    await call("GET /workflows");
    assert.deepEqual(asked, [
      { action: "send", workflowId: "a", key: "" },
      { action: "send", workflowId: "b", key: "t" },
      { action: "event", workflowId: "a b", key: "k/" },
      { action: "list" },
    ]);
  },

  "an auth's HTTPException is the answer, its other errors are the server's fault, and only true is yes": async (
    harness,
  ) => {
    const deny = serve(harness, { auth: () => Promise.reject(new HTTPException(402, { message: "pay first" })) });
    const denied = await deny.app.request("/parley/workflows");
    assert.deepEqual([denied.status, await denied.text()], [402, "pay first"]);
    assert.deepEqual(deny.errors, []);

    const broken = serve(harness, { auth: () => Promise.reject(new Error("secret of the database")) });
    const { detail } = await broken.json("GET /workflows", 500);
    assert.doesNotMatch(String(detail), /secret/);
    assert.equal(broken.errors.length, 1);

    const vague = serve(harness, { auth: () => "yes" as unknown as boolean });
    assert.equal((await vague.call("GET /workflows")).status, 401);
  },

  "an auth may read the body": async (harness) => {
    const { call } = serve(harness, { auth: async (c) => (await c.req.text()).includes("enqueue") });
    const body = { workflow: "echo", enqueue: true };
    assert.equal((await call("POST /workflows", { body })).status, 201);
    assert.equal((await call("POST /workflows", { body: { workflow: "echo" } })).status, 401);
  },

  "every action is that of a route": () => {
    const served = new Set<Action>(ROUTES.map(({ spec }) => spec.action));
    assert.deepEqual(ACTIONS.filter((it) => !served.has(it)), []);
    return Promise.resolve();
  },
};
