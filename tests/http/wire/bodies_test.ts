import assert from "node:assert/strict";
import { Hono } from "hono";
import { delay, systemClock } from "../../../core/time/clock.ts";
import { anyOf, type Auth, bearer, parleyHttp, scopedTokens, webhook } from "../../../http/mod.ts";
import { memoryDriver, Parley } from "../../../mod.ts";

const TOKEN = "s3cret";
const parley = new Parley({ driver: memoryDriver() });
const ROUTES = ["/workflows", "/workflows/w/messages", "/messages", "/wake"];

/** A body that begins and then stands still, and whether anybody has read of it. */
function standing(): { body: ReadableStream<Uint8Array>; isRead: () => boolean; isCancelled: () => boolean } {
  let [pulls, cancelled] = [0, false];
  const body = new ReadableStream<Uint8Array>({
    async pull(controller) {
      if (pulls++ === 0) controller.enqueue(new TextEncoder().encode("{"));
      else await new Promise(() => {});
    },
    cancel: () => void (cancelled = true),
  }, { highWaterMark: 0 });
  return { body, isRead: () => pulls > 0, isCancelled: () => cancelled };
}

function post(path: string, body: BodyInit, token: string | undefined, headers: Record<string, string> = {}): Request {
  const credentials = token === undefined ? {} : { authorization: `Bearer ${token}` };
  return new Request(`http://localhost${path}`, {
    method: "POST",
    headers: { "content-type": "application/json", ...credentials, ...headers },
    body,
  });
}

Deno.test("the body of a request without good credentials is not read", async () => {
  const tokens = scopedTokens("a secret of the tests, and of nobody else");
  const refuses: Auth = () => false;
  for (const auth of [bearer(TOKEN), tokens, anyOf(bearer(TOKEN), tokens), anyOf()]) {
    const app = parleyHttp({ parley, auth, bodyTimeout: "1h" });
    for (const path of ROUTES) {
      for (const token of [undefined, "wrong"]) {
        const { body, isRead } = standing();
        assert.deepEqual([(await app.request(post(path, body, token))).status, isRead()], [401, false], path);
      }
    }
  }
  const { body, isRead } = standing();
  const own = parleyHttp({ parley, auth: refuses, bodyTimeout: "1h" });
  assert.deepEqual([(await own.request(post("/wake", body, undefined))).status, isRead()], [401, false]);
  const mixed = anyOf(bearer("another"), (c) => c.req.header("cookie") === "good");
  const { status } = await parleyHttp({ parley, auth: mixed }).request(
    post("/wake", '{"workflowIds":[]}', undefined, { cookie: "good" }),
  );
  assert.equal(status, 202);
});

Deno.test("a body that does not arrive in time is 408 and is cancelled, at the adapter and at a webhook", async () => {
  const errors: unknown[] = [];
  const onError = (error: unknown) => void errors.push(error);
  const app = parleyHttp({ parley, auth: bearer(TOKEN), bodyTimeout: 20, onError });
  app.post("/hook", webhook({ parley, verify: () => ({ id: "d" }), route: () => undefined, bodyTimeout: 20, onError }));
  for (const path of [...ROUTES, "/hook"]) {
    const { body, isCancelled } = standing();
    const response = await app.request(post(path, body, TOKEN));
    assert.deepEqual([response.status, (await response.json()).code], [408, "body_too_slow"], path);
    await delay(systemClock, 1);
    assert(isCancelled());
  }
  // A byte now and then makes it no longer.
  const dripping = new ReadableStream<Uint8Array>({
    async pull(controller) {
      await delay(systemClock, 4);
      controller.enqueue(new TextEncoder().encode(" "));
    },
  });
  assert.equal((await app.request(post("/wake", dripping, TOKEN))).status, 408);
  // The byte that was on its way.
  await delay(systemClock, 20);
  assert.deepEqual(errors, []);
  for (const bodyTimeout of [0, -1, NaN]) {
    assert.throws(() => parleyHttp({ parley, auth: bearer(TOKEN), bodyTimeout }), { code: "invalid_value" });
  }
});

Deno.test("a body that was read before says so; one that Hono has kept is read again", async () => {
  const errors: Error[] = [];
  const onError = (error: unknown) => void errors.push(error as Error);
  const hook = webhook({ parley, verify: () => ({ id: "d" }), route: () => undefined, onError });
  const adapter = parleyHttp({ parley, auth: bearer(TOKEN), onError });
  const before = (read: (c: { req: { raw: Request; json(): Promise<unknown> } }) => Promise<unknown>) =>
    new Hono().use(async (c, next) => {
      await read(c);
      await next();
    }).post("/hook", hook).route("/", adapter);
  for (const path of ["/wake", "/hook"]) {
    const raw = before((c) => c.req.raw.json());
    assert.equal((await raw.request(post(path, '{"workflowIds":[]}', TOKEN))).status, 500);
    assert.match(errors.at(-1)!.message, /express\.json\(\)/);
    const kept = before((c) => c.req.json());
    assert((await kept.request(post(path, '{"workflowIds":[]}', TOKEN))).ok);
    // As Node's server gives it where express.json() was first: empty, with the length that it had.
    const empty = new Hono().post("/hook", hook).route("/", adapter);
    const response = await empty.request(post(path, "", TOKEN, { "content-length": "18" }));
    assert.deepEqual([response.status, /express\.json\(\)/.test((await response.json()).detail)], [400, true], path);
  }
  assert.equal(errors.length, 2);
});
