import assert from "node:assert/strict";
import { type Context, Hono } from "hono";
import { anyOf, bearer, parleyHttp, scopedTokens, webhook } from "../../../http/mod.ts";
import { memoryDriver, Parley, workflow } from "../../../mod.ts";
import { listen } from "../support/service.ts";

const echo = workflow("echo", (_ctx, input: unknown) => input);

/** For requests that no client of a runtime makes, byte for byte: an adapter on a socket, what it has reported, and a way to send it lines of a head and a body. */
function make() {
  const parley = new Parley({ driver: memoryDriver(), workflows: [echo] });
  const errors: unknown[] = [];
  const onError = (error: unknown) => void errors.push(error);
  const app = new Hono().route("/parley", parleyHttp({ parley, auth: bearer("s3cret"), onError }));
  app.route("/of/:tenant", parleyHttp({ parley, auth: bearer("s3cret"), onError }));
  app.post(
    "/hook",
    webhook({ parley, onError, verify: () => ({ id: "1" }), route: () => ({ workflowId: "none", message: 1 }) }),
  );
  const server = listen(app);
  const ask = async (lines: string[], body = ""): Promise<{ status: number; headers: string; body: string }> => {
    using connection = await Deno.connect({ hostname: "127.0.0.1", port: Number(new URL(server.url).port) });
    const head = [
      ...lines,
      "authorization: Bearer s3cret",
      "content-type: application/json",
      `content-length: ${body.length}`,
      "connection: close",
    ];
    await connection.write(
      Uint8Array.from(`${head.join("\r\n")}\r\n\r\n${body}`, (character) => character.charCodeAt(0)),
    );
    const [headers = "", ...rest] = (await new Response(connection.readable).text()).split("\r\n\r\n");
    return { status: Number(headers.split(" ")[1]), headers, body: rest.join("") };
  };
  const dispose = async () => {
    await server[Symbol.asyncDispose]();
    await parley[Symbol.asyncDispose]();
  };
  return { ask, errors, parley, [Symbol.asyncDispose]: dispose };
}

Deno.test("a Host that fits in no URL changes nothing, and is not reported", async () => {
  await using service = make();
  const { ask, errors } = service;
  for (const [index, host] of ["[", "exa mple", "a%b", "a:99999", "a#b", ""].entries()) {
    const body = JSON.stringify({ workflow: "echo", workflowId: `w${index}` });
    const started = await ask(["POST /parley/workflows?x=/y HTTP/1.1", `host: ${host}`], body);
    assert.deepEqual([started.status, /location: (.*)\r/i.exec(started.headers)?.[1]], [
      201,
      `/parley/workflows/w${index}`,
    ], host);
    const described = await ask(["GET /parley/openapi.json HTTP/1.1", `host: ${host}`]);
    assert.equal(described.status, 200, host);
    assert.match(described.body, /"servers":\[{"url":"\/parley"}\]/, host);
    assert.equal((await ask(["POST /hook HTTP/1.1", `host: ${host}`], "{}")).status, 404, host);
  }
  assert.deepEqual(errors, []);
});

Deno.test("a Location of a path that is not ASCII leads back, and never to another server", async () => {
  await using service = make();
  const { ask, errors } = service;
  // In UTF-8: 日.
  for (
    const [index, tenant] of ["\u00e6\u0097\u00a5", "%E6%97%A5", "\\evil.example", "%2f%2fevil.example", "%ff", ".."]
      .entries()
  ) {
    const body = JSON.stringify({ workflow: "echo", workflowId: `w${index}` });
    const started = await ask([`POST /of/${tenant}/workflows HTTP/1.1`, "host: h"], body);
    assert.equal(started.status, 201, tenant);
    const location = /location: (.*)\r/i.exec(started.headers)![1]!;
    assert.match(location, /^\/of\/[\x21-\x7e]+\/workflows\/w\d$/);
    assert.equal((await ask([`GET ${location} HTTP/1.1`, "host: h"])).status, 200, location);
  }
  assert.deepEqual(errors, []);
});

Deno.test("an Idempotency-Key that is not ASCII is refused, because its encoding is unknown", async () => {
  await using service = make();
  const { ask, parley } = service;
  await parley.start(echo, 1, { workflowId: "w" });
  // As UTF-8, as ISO 8859-1.
  for (const key of ["\u00c3\u00bc", "\u00fc"]) {
    for (const [path, body] of [["/workflows", '{"workflow":"echo"}'], ["/workflows/w/messages", '{"message":1}']]) {
      const answer = await ask([`POST /parley${path} HTTP/1.1`, "host: h", `idempotency-key: order-${key}`], body);
      assert.equal(answer.status, 400, `${path}`);
      assert.match(answer.body, /ASCII/);
    }
  }
  assert.equal((await parley.list()).workflows.length, 1);
});

Deno.test("a URL that old versions of Hono cannot decode is a 400, and is not reported", async () => {
  const errors: unknown[] = [];
  const tokens = scopedTokens("a secret of the tests, and of nobody else");
  const parley = new Parley({ driver: memoryDriver() });
  const adapter = parleyHttp({ parley, auth: anyOf(bearer("s3cret"), tokens), onError: (error) => errors.push(error) });
  // Hono 4.4 calls this for each parameter.
  const strict = ({ req }: Context) => {
    for (const name of ["param", "query"] as const) {
      const read = req[name] as (...names: string[]) => unknown;
      Object.assign(req, { [name]: (...names: string[]) => (decodeURIComponent(req.url), read.apply(req, names)) });
    }
  };
  const app = new Hono().use(async (c, next) => (strict(c), await next())).route("/", adapter);
  const ask = async (path: string, headers: HeadersInit = { authorization: "Bearer s3cret" }) =>
    (await app.request(path, { headers })).status;
  for (const path of ["/workflows/%ff", "/workflows?name=%ff", "/workflows/w/streams/%e0%a4?from=0"]) {
    assert.equal(await ask(path), 400, path);
  }
  assert.equal(await ask("/workflows?token=%ff", {}), 400);
  assert.equal(await ask("/workflows"), 200);
  assert.deepEqual(errors, []);
});
