import assert from "node:assert/strict";
import { httpWake } from "../../../http/mod.ts";
import { memoryHarness } from "../../drivers/memory/harness.ts";
import { serve, TOKEN } from "../support/setup.ts";
import { providers } from "../suites/providers.ts";
import { webhooks } from "../suites/webhooks.ts";

webhooks(Deno.test, memoryHarness);
providers(Deno.test, memoryHarness);

Deno.test("httpWake() has the adapter continue workflows, a thousand a request", async () => {
  await using harness = await memoryHarness();
  const { app, parley, world } = serve(harness);
  const sizes: number[] = [];
  const fetch = async (url: string, init: RequestInit) => {
    sizes.push(JSON.parse(String(init.body)).workflowIds.length);
    return await app.request(url, init);
  };
  await parley.start("echo", 1, { workflowId: "w1999", enqueue: true });
  const wake = httpWake({ url: "http://localhost/parley/", token: TOKEN, fetch });
  await wake([]);
  await wake(Array.from({ length: 2_001 }, (_, n) => `w${n}`));
  await world.until(parley.idle());
  assert.equal((await parley.handle("w1999").status()).status, "SUCCESS");
  assert.deepEqual(sizes, [1_000, 1_000, 1]);
});

Deno.test("httpWake() rejects without the token if an answer is missing or not 2xx, and still sends the other batches", async () => {
  const ids = Array.from({ length: 1_001 }, (_, n) => `w${n}`);
  const token = "s3cret-token";
  for (
    const [outcome, message] of [[503, /answer was 503/], [401, /answer was 401/], [302, /answer was 302/], [
      "none",
      /no answer \(TypeError\)/,
    ]] as const
  ) {
    let requests = 0;
    const fetch = (_url: string, { headers, redirect }: RequestInit) => {
      requests++;
      assert.equal(redirect, "manual");
      if (outcome === "none") throw new TypeError(`invalid header ${JSON.stringify(headers)}`);
      return Promise.resolve(new Response("no", { status: outcome }));
    };
    const error: Error = await httpWake({ url: "https://a.example", token, fetch })(ids).then(
      () => assert.fail("it did not reject"),
      (it) => it,
    );
    assert.match(error.message, message);
    assert.doesNotMatch(Deno.inspect(error), /s3cret/);
    assert.equal(requests, 2);
  }
});

Deno.test("httpWake() refuses a URL or a token that cannot be right", () => {
  for (
    const url of [
      "",
      "/parley",
      "ftp://a.example",
      "https://user:pass@a.example",
      "https://a.example?x=1",
      "https://a.example#x",
    ]
  ) {
    assert.throws(() => httpWake({ url, token: "t" }), (error: Error) => !error.message.includes("pass@"));
  }
  for (const token of ["", "a b", "line\n", undefined as unknown as string]) {
    assert.throws(() => httpWake({ url: "https://a.example", token }), { code: "invalid_value" });
  }
});
