import assert from "node:assert/strict";
import { Hono } from "hono";
import { anyOf, type Auth, bearer } from "../../../http/mod.ts";
import { memoryHarness } from "../../drivers/memory/harness.ts";
import { auth } from "../suites/auth.ts";

auth(Deno.test, memoryHarness);

/** Whether the header is let in. */
async function asks(auth: Auth, authorization?: string): Promise<boolean> {
  const app = new Hono().get("/", async (c) => c.json(await auth(c, { action: "list" })));
  return await (await app.request("/", { headers: authorization === undefined ? {} : { authorization } })).json();
}

Deno.test("bearer() reads the header as RFC 6750 says", async () => {
  const auth = bearer("s3cret");
  for (const good of ["Bearer s3cret", "bearer s3cret", "BEARER   s3cret", "Bearer s3cret "]) {
    assert.equal(await asks(auth, good), true, good);
  }
  const bad = [
    undefined,
    "",
    "Bearer",
    "Bearer ",
    "s3cret",
    "Basic s3cret",
    "Bearers3cret",
    "Bearer s3cret x",
    "Bearer s3cret, Bearer x",
    "Bearer s3cre",
    "Bearer s3crett",
    "Bearer S3CRET",
    "XBearer s3cret",
    `Bearer ${"x".repeat(10_000)}`,
  ];
  for (const header of bad) assert.equal(await asks(auth, header), false, `${header}`);
});

Deno.test("bearer() takes any of several tokens", async () => {
  const auth = bearer(["new", "old"]);
  assert.deepEqual(
    [await asks(auth, "Bearer new"), await asks(auth, "Bearer old"), await asks(auth, "Bearer neither")],
    [
      true,
      true,
      false,
    ],
  );
});

Deno.test("bearer() refuses tokens that are missing, or that no header can carry", () => {
  for (const token of ["", [], ["a", ""], undefined, null, 7, "two words", "line\n", "tökén"] as unknown as string[]) {
    assert.throws(() => bearer(token), { code: "invalid_value" });
  }
});

Deno.test("bearer() takes tokens from the environment of the request, and fails without one", async () => {
  const auth = anyOf(bearer((c) => c.env.TOKEN), bearer((c) => Promise.resolve(["x", c.env.OTHER])));
  const asks = async (token: string, env: object) => {
    const app = new Hono().get("/", async (c) => c.json(await auth(c, { action: "list" })));
    app.onError((error, c) => c.json(error.name + error.message));
    return await (await app.request("/", { headers: { authorization: `Bearer ${token}` } }, env)).json();
  };
  const env = { TOKEN: "s3cret", OTHER: "another" };
  assert.deepEqual([await asks("s3cret", env), await asks("another", env), await asks("neither", env)], [
    true,
    true,
    false,
  ]);
  // It blames the owner, and not the caller.
  assert.match(await asks("s3cret", {}), /^ErrorMaking bearer auth/);
});

Deno.test("anyOf() asks in order until one allows; anyOf() of nothing allows nothing", async () => {
  const asked: string[] = [];
  const answer = (name: string, allowed: boolean): Auth => () => asked.push(name) > 0 && allowed;
  assert.equal(await asks(anyOf(answer("a", false), answer("b", true), answer("c", true))), true);
  assert.deepEqual(asked, ["a", "b"]);
  assert.equal(await asks(anyOf()), false);
});
