import assert from "node:assert/strict";
import { memoryDriver } from "../../drivers/memory/mod.ts";
import { bearer } from "../../http/auth/auth.ts";
import { scopedTokens } from "../../http/auth/tokens.ts";
import { parleyHttp } from "../../http/app.ts";
import { PAGE, SOURCES_DIGEST } from "../../http/inspector/page.ts";
import { Parley } from "../../mod.ts";
import { digest, digestOfSources } from "../../scripts/inspector.ts";

const tokens = scopedTokens("16 characters or more");
const parley = new Parley({ driver: memoryDriver() });
const app = parleyHttp({ parley, auth: tokens, inspector: true });

Deno.test("the inspector's page is what `deno task inspector` writes", async () => {
  assert.equal(SOURCES_DIGEST, await digestOfSources(), "run `deno task inspector`, and commit what it writes");
});

Deno.test("the page runs its own script and style alone, and loads nothing from anywhere else", async () => {
  const response = await app.request("/inspector");
  const page = await response.text();
  assert.equal(page, PAGE);
  assert.equal(await (await app.request("/inspector/")).text(), PAGE);
  const policy = response.headers.get("content-security-policy")!;
  for (const name of ["script", "style"]) {
    const found: RegExpExecArray[] = [...page.matchAll(new RegExp(`<${name}[^>]*>([^]*?)</${name}>`, "g"))];
    assert.equal(found.length, 1);
    assert(policy.includes(`${name}-src 'sha256-${await digest(found[0]![1]!)}';`), name);
  }
  assert.match(policy, /^default-src 'none';.*connect-src 'self';.*frame-ancestors 'none'/);
  assert.doesNotMatch(policy, /unsafe|\*|https?:/);
  assert.doesNotMatch(page, /https?:\/\/|@import|url\(/);
});

Deno.test("there is no inspector unless it is asked for", async () => {
  for (const options of [{}, { inspector: false }]) {
    const other = parleyHttp({ parley, auth: bearer("s3cret"), ...options });
    assert.equal((await other.request("/inspector")).status, 404);
    assert.equal((await other.request("/inspector/actions")).status, 404);
  }
});

Deno.test("the server says what a token allows, for one workflow or for all", async () => {
  const ask = async (query: string, token?: string) =>
    await app.request(`/inspector/actions${query}`, {
      headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
    });
  const token = await tokens.mint({ actions: ["inspect", "send"], workflowId: "w/1", expiresIn: "1m" });
  assert.deepEqual(await (await ask("?workflowId=w%2F1", token)).json(), { actions: ["inspect", "send"] });
  for (const query of ["", "?workflowId=w"]) {
    assert.deepEqual(await (await ask(query, token)).json(), { actions: [] }, query);
  }
  const all = await tokens.mint({ actions: ["list"], expiresIn: "1m" });
  assert.deepEqual(await (await ask("", all)).json(), { actions: ["list"] });
  for (const wrong of [undefined, "wrong"]) {
    const answer = await ask("", wrong);
    assert.deepEqual([answer.status, answer.headers.get("www-authenticate")], [401, 'Bearer realm="parley"']);
  }
});
