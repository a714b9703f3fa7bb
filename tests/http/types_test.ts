/**
 * What the types of the adapter say, checked when this file is type-checked: each line after `@ts-expect-error` must be refused.
 *
 * @module
 */

import assert from "node:assert/strict";
import { connect } from "../../http/client/client.ts";
import { type Action, bearer, parleyHttp, type ParleyHttpOptions, scopedTokens, webhook } from "../../http/mod.ts";
import { memoryDriver, Parley } from "../../mod.ts";

const parley = new Parley({ driver: memoryDriver() });

Deno.test("parleyHttp() without auth does not type-check, and throws", () => {
  // @ts-expect-error there must be an auth
  const none: ParleyHttpOptions = { parley };
  // @ts-expect-error and it must be one
  const nothing: ParleyHttpOptions = { parley, auth: undefined };
  // @ts-expect-error a token is not an auth
  const token: ParleyHttpOptions = { parley, auth: "s3cret" };
  for (const options of [none, nothing, token]) assert.throws(() => parleyHttp(options), { code: "invalid_value" });
  // @ts-expect-error nor does a call
  assert.throws(() => parleyHttp({ parley }), { code: "invalid_value" });
  assert.throws(() => (parleyHttp as (options?: unknown) => unknown)());
  assert(parleyHttp({ parley, auth: bearer("s3cret") }));
});

Deno.test("an action that is not of the list, a client without a token and a webhook without a verifier do not type-check, and throw", async () => {
  // @ts-expect-error actions are a closed list
  const action: Action = "remove";
  await assert.rejects(scopedTokens("a secret of the tests").mint({ actions: [action], expiresIn: "1m" }), {
    code: "invalid_value",
  });
  // @ts-expect-error there must be a token
  assert.throws(() => connect({ url: "https://a.example" }), { code: "invalid_value" });
  // @ts-expect-error there must be a verifier
  assert.throws(() => webhook({ parley, route: () => undefined }), { code: "invalid_value" });
});
