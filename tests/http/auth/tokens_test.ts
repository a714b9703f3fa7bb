import assert from "node:assert/strict";
import { Hono } from "hono";
import { decode } from "hono/jwt";
import { type AuthRequest, parleyHttp, scopedTokens } from "../../../http/mod.ts";
import type { Scope } from "../../../http/auth/tokens.ts";
import { memoryDriver, Parley } from "../../../mod.ts";

const SECRET = "a secret of the tests, and of nobody else";

/** Whether a token allows what is asked. */
async function allows(secret: string, token: string, request: AuthRequest): Promise<boolean> {
  const auth = scopedTokens(secret);
  const app = new Hono().get("/", async (c) => c.json(await auth(c, request)));
  return await (await app.request("/", { headers: { authorization: `Bearer ${token}` } })).json();
}

Deno.test("mint() makes a token with its scope, its expiry and nothing else", async () => {
  const token = await scopedTokens(SECRET).mint({ actions: ["event"], workflowId: "w", keys: ["k"], expiresIn: "15m" });
  const { payload } = decode(token);
  const { exp, ...rest } = payload;
  assert.deepEqual(rest, { aud: "parley", actions: ["event"], workflowId: "w", keys: ["k"] });
  assert(Math.abs(exp! - Date.now() / 1_000 - 900) <= 1);
});

Deno.test("a token allows its actions, with its workflow and its keys, and nothing else", async () => {
  const token = await scopedTokens(SECRET).mint({
    actions: ["event", "stream"],
    workflowId: "w",
    keys: ["a", ""],
    expiresIn: "1m",
  });
  const cases: [request: AuthRequest, allowed: boolean][] = [
    [{ action: "event", workflowId: "w", key: "a" }, true],
    [{ action: "stream", workflowId: "w", key: "" }, true],
    [{ action: "event", workflowId: "w", key: "b" }, false],
    [{ action: "event", workflowId: "w" }, false],
    [{ action: "event", workflowId: "W", key: "a" }, false],
    [{ action: "event", key: "a" }, false],
    [{ action: "info", workflowId: "w", key: "a" }, false],
  ];
  for (const [request, allowed] of cases) {
    assert.equal(await allows(SECRET, token, request), allowed, JSON.stringify(request));
  }
});

Deno.test("a token that was changed or cut is not valid", async () => {
  const token = await scopedTokens(SECRET).mint({ actions: ["list"], expiresIn: "1m" });
  const [head = "", claims = "", signature = ""] = token.split(".");
  const more = btoa(JSON.stringify({ ...JSON.parse(atob(claims)), actions: ["list", "start"] })).replaceAll("=", "");
  const none = btoa('{"alg":"none","typ":"JWT"}').replaceAll("=", "");
  for (
    const bad of [
      `${head}.${more}.${signature}`,
      `${none}.${claims}.`,
      `${head}.${claims}`,
      `${head}.${claims}.`,
      `${token}x`,
      "..",
      "a.b.c",
    ]
  ) {
    assert.equal(await allows(SECRET, bad, { action: "list" }), false, bad);
  }
  assert.equal(await allows(SECRET, token, { action: "list" }), true);
  assert.equal(await allows(`${SECRET}!`, token, { action: "list" }), false);
});

Deno.test("any text of 16 characters is a secret, also one that looks like a key file", async () => {
  for (const secret of ["sixteen letters!", "PUBLIC and PRIVATE KEY", "ключ-ключ-ключ-ключ", "🔑".repeat(8)]) {
    const token = await scopedTokens(secret).mint({ actions: ["list"], expiresIn: "1m" });
    assert.equal(await allows(secret, token, { action: "list" }), true, secret);
  }
  for (const secret of ["", "fifteen letters", undefined, 7] as string[]) {
    assert.throws(
      () => scopedTokens(secret),
      (error: Error) => !secret || typeof secret !== "string" || !error.message.includes(secret),
    );
  }
});

Deno.test("mint() refuses a scope that allows nothing, or for ever", async () => {
  const { mint } = scopedTokens(SECRET);
  const good: Scope = { actions: ["list"], expiresIn: "1m" };
  for (
    const bad of [{ actions: [] }, { actions: ["everything"] }, { expiresIn: 0 }, { expiresIn: -1 }, {
      expiresIn: Infinity,
    }, {
      expiresIn: "never",
    }]
  ) {
    await assert.rejects(mint({ ...good, ...bad } as Scope), { code: "invalid_value" }, JSON.stringify(bad));
  }
});

Deno.test("mint() refuses a restriction that has no value, which would make a token that is good for everything", async () => {
  const { mint } = scopedTokens(SECRET);
  const good = { actions: ["stream"], expiresIn: "1m" };
  for (const name of ["workflowId", "keys"]) {
    for (const value of [undefined, null]) {
      await assert.rejects(mint({ ...good, [name]: value } as unknown as Scope), {
        code: "invalid_value",
        message: new RegExp(name),
      });
    }
  }
});

Deno.test("a token for one workflow and key is good for every spelling of them, and for no other ID that looks like one", async () => {
  const tokens = scopedTokens(SECRET);
  const app = parleyHttp({ parley: new Parley({ driver: memoryDriver() }), auth: tokens });
  const token = await tokens.mint({ actions: ["stream"], workflowId: "a/b", keys: ["k"], expiresIn: "1m" });
  const status = async (path: string) => (await app.request(`${path}?token=${token}`)).status;
  for (
    const path of ["/workflows/a%2Fb/streams/k", "/workflows/%61%2fb/streams/%6b", "/%77orkflows/a%2Fb/%73treams/k"]
  ) {
    assert.equal(await status(path), 404, path);
  }
  const others = [
    "/workflows/a%252Fb/streams/k",
    "/workflows/%2561%2Fb/streams/k",
    "/workflows/a%2Fb~/streams/k",
    "/workflows/a%2Fb%20/streams/k",
    "/workflows/A%2Fb/streams/k",
    "/workflows/a%2Fb/streams/%256b",
    "/workflows/a%2Fb/streams/k%00",
    "/workflows/a%5Cb/streams/k",
  ];
  for (const path of others) assert.equal(await status(path), 403, path);
});

Deno.test("scopedTokens() takes its secret from the environment of the request", async () => {
  const tokens = scopedTokens((c) => c.env.SECRET);
  const scope = { actions: ["list" as const], expiresIn: "1h" as const };
  const app = new Hono()
    .get("/mint", async (c) => c.text(await tokens.mint(scope, c)))
    .get("/", async (c) => c.json(await tokens(c, { action: "list" })));
  app.onError((error, c) => c.json(error.name));
  const env = { SECRET: "a secret of the environment" };
  const token = await (await app.request("/mint", {}, env)).text();
  const asks = async (env: object) =>
    await (await app.request("/", { headers: { authorization: `Bearer ${token}` } }, env)).json();
  assert.deepEqual([await asks(env), await asks({ SECRET: "another secret, also long" })], [true, false]);
  for (const SECRET of [undefined, "short"]) assert.equal(await asks({ SECRET }), "Error");
  await assert.rejects(tokens.mint(scope), { code: "invalid_value" });
});
