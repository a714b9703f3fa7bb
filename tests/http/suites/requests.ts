/**
 * What holds for every request: bodies and their limits, CORS, faults, where the app is mounted.
 *
 * @module
 */

import assert from "node:assert/strict";
import { Hono } from "hono";
import type { Driver } from "../../../core/driver/driver.ts";
import { DriverError } from "../../../core/errors.ts";
import { bearer, parleyHttp } from "../../../http/mod.ts";
import type { Parley } from "../../../mod.ts";
import type { MakeHarness, RegisterTest } from "../../../conformance/mod.ts";
import { registerSuite, type Rules, rulesFor } from "../../../conformance/suite.ts";
import { listener, publisher, serve, TOKEN, toRequest } from "../support/setup.ts";

const START = { workflow: "echo", enqueue: true };

/** A start whose body has so many bytes. */
function startOf(length: number): string {
  const withInput = (input: string) => JSON.stringify({ ...START, input });
  return withInput("x".repeat(length - withInput("").length));
}

/** Without a length that could be declared. */
function inPieces(text: string): ReadableStream<Uint8Array> {
  return ReadableStream.from([text.slice(0, 10), text.slice(10)]).pipeThrough(new TextEncoderStream());
}

/** Registers the tests. */
export function requests(test: RegisterTest, makeHarness: MakeHarness): void {
  registerSuite(
    { name: "requests", rules: [bodies, crossOrigin, faults, mounting] },
    test,
    makeHarness,
  );
}

const bodies: Rules = {
  "a body must be JSON in UTF-8, by its content and its type": async (harness) => {
    const { json } = serve(harness);
    const raw = JSON.stringify(START);
    for (
      const type of [
        "text/plain",
        "application/x-www-form-urlencoded",
        "",
        "application/jsonx",
        "multipart/form-data; boundary=x",
      ]
    ) {
      assert.equal(
        (await json("POST /workflows", 415, { raw, headers: { "content-type": type } })).code,
        "unsupported_media_type",
      );
    }
    for (const type of ["application/json; charset=utf-8", "Application/JSON"]) {
      await json("POST /workflows", 201, { raw, headers: { "content-type": type } });
    }
    const notUtf8 = new Uint8Array([...new TextEncoder().encode('{"workflow":"'), 0xff, 0x22, 0x7d]);
    for (const wrong of ["", "{", "nothing", "[1", "{} {}", notUtf8]) {
      assert.equal((await json("POST /workflows", 400, { raw: wrong })).code, "invalid_value");
    }
    for (
      const wrong of [
        "null",
        "1",
        '"a"',
        "[]",
        "{}",
        '{"workflow":1}',
        '{"workflow":"echo","unknown":1}',
        '{"workflow":"echo","input":{"__proto__":1}}',
      ]
    ) {
      assert.equal((await json("POST /workflows", 400, { raw: wrong })).code, "invalid_value", wrong);
    }
  },

  "an answer or error is in the library's own encoding only if the caller prefers that to JSON": async (harness) => {
    const { json, call } = serve(harness);
    const own = "application/vnd.parley+json";
    await json("POST /workflows", 201, { body: { ...START, workflowId: "w" } });
    for (
      const [accept, type] of [
        ["*/*", "application/json"],
        [`application/json, ${own}`, "application/json"],
        [`application/json, ${own};q=0.1`, "application/json"],
        [`${own};q=0, */*`, "application/json"],
        ["text/html", "application/json"],
        [own, own],
        [`${own}, */*`, own],
        [`application/json;q=0.5, ${own}`, own],
        ["Application/Vnd.Parley+JSON", own],
      ] as const
    ) {
      const { headers } = await call("GET /workflows/w", { headers: { accept } });
      assert.equal(headers.get("content-type"), type, accept);
      assert.equal("error" in await json("GET /workflows/none", 404, { headers: { accept } }), type === own, accept);
    }
  },

  "a body has a limit, whether its length is declared or not": async (harness) => {
    const { json } = serve(harness, { bodyLimit: 1_000 });
    await json("POST /workflows", 201, { raw: startOf(1_000) });
    await json("POST /workflows", 201, { raw: inPieces(startOf(1_000)) });
    for (const raw of [startOf(1_001), inPieces(startOf(1_001)), inPieces(startOf(50_000))]) {
      assert.equal((await json("POST /workflows", 413, { raw })).code, "body_too_large");
    }
    assert.equal((await json("POST /workflows", 401, { raw: startOf(1_001), token: null })).code, "unauthorized");
  },

  "a body has a limit, whatever its declared length": async (harness) => {
    const { json } = serve(harness, { bodyLimit: 1_000 });
    const tooLarge = [
      { raw: startOf(1_001), headers: { "content-length": "10" } },
      { raw: inPieces(startOf(5_000)), headers: { "content-length": "10" } },
      { raw: startOf(100), headers: { "content-length": "1001" } },
    ];
    for (const asked of tooLarge) assert.equal((await json("POST /workflows", 413, asked)).code, "body_too_large");
  },

  "a body that is too large is read no further than it takes to know": async (harness) => {
    const { json } = serve(harness, { bodyLimit: 1_000 });
    let pulled = 0;
    let cancelled = false;
    const endless = new ReadableStream<Uint8Array>({
      pull: (controller) => (pulled++, controller.enqueue(new Uint8Array(500))),
      cancel: () => void (cancelled = true),
    });
    await json("POST /workflows", 413, { raw: endless });
    assert(pulled <= 5 && cancelled, `${pulled} chunks`);
  },

  "a value above maxValueBytes is 413": async (harness) => {
    const { json } = serve(harness);
    const problem = await json("POST /workflows", 413, { body: { ...START, input: "x".repeat(2 ** 20) } });
    assert.deepEqual([problem.code, problem.limit], ["value_too_large", 2 ** 20]);
  },
};

const crossOrigin: Rules = {
  "pages of other origins are admitted only by cors": async (harness) => {
    const origin = "https://shop.example";
    const closed = serve(harness);
    const refused = await closed.call("GET /workflows", { headers: { origin } });
    assert.equal(refused.headers.get("access-control-allow-origin"), null);
    assert.equal(
      (await closed.app.request("/parley/workflows", { method: "OPTIONS", headers: { origin } })).status,
      404,
    );

    const { app, call } = serve(harness, { cors: { origin: [origin] } });
    const headers = {
      origin,
      "access-control-request-method": "POST",
      "access-control-request-headers": "authorization, content-type",
    };
    const preflight = await app.request("/parley/workflows/w/messages", { method: "OPTIONS", headers });
    assert.equal(preflight.status, 204);
    assert.equal(preflight.headers.get("access-control-allow-origin"), origin);
    assert.match(preflight.headers.get("access-control-allow-headers") ?? "", /authorization/);
    for (
      const [line, token] of [["GET /workflows", TOKEN], ["GET /workflows", "wrong"], [
        "GET /workflows/none",
        TOKEN,
      ]] as const
    ) {
      const response = await call(line, { headers: { origin }, token });
      assert.equal(response.headers.get("access-control-allow-origin"), origin, `${line} ${response.status}`);
      assert.match(response.headers.get("access-control-expose-headers") ?? "", /location.*stream-next-offset/);
      assert.match(response.headers.get("vary") ?? "", /origin/i);
    }
    assert.match((await call("GET /workflows", { headers: { origin } })).headers.get("vary") ?? "", /accept/);
    const other = await call("GET /workflows", { headers: { origin: "https://evil.example" } });
    // None, or by older versions of Hono the one that is let in.
    assert([null, origin].includes(other.headers.get("access-control-allow-origin")));
  },

  "cors does not affect other routes, even if the adapter is mounted at the root": async (harness) => {
    const { parley } = serve(harness);
    const app = new Hono().route("/", parleyHttp({ parley, auth: bearer(TOKEN), cors: { origin: "*" } })).get(
      "/own",
      (c) => c.text("own"),
    );
    assert.equal(
      (await app.request("/own", { headers: { origin: "https://a.example" } })).headers.get(
        "access-control-allow-origin",
      ),
      null,
    );
    assert.equal(
      (await app.request("/workflows", { headers: { origin: "https://a.example" } })).headers.get(
        "access-control-allow-origin",
      ),
      "*",
    );
  },
};

/** The driver with calls that fail, with words that nobody outside may see. */
function broken(error: () => unknown): (driver: Driver) => Driver {
  const fail = () => Promise.reject(error());
  return (driver) => ({
    ...driver,
    create: fail,
    send: fail,
    readWorkflow: fail,
    listWorkflows: fail,
    control: fail,
    claim: fail,
    readEvent: fail,
    readStream: fail,
  });
}

const LINES: [line: string, body?: unknown][] = [
  ["GET /workflows"],
  ["GET /workflows/w"],
  ["GET /workflows/w/result"],
  ["GET /workflows/w/events/k"],
  ["GET /workflows/w/streams/k"],
  ["POST /workflows/w/cancel"],
  ["POST /workflows", { workflow: "echo" }],
  ["POST /workflows/w/messages", { message: 1 }],
  ["POST /messages", { messages: [{ destinationId: "w", message: 1 }] }],
];

const WORDS = "password authentication failed for db.internal";
const STORE_FAULTS = [
  {
    name: "that may pass is 503, to be tried again",
    status: 503,
    error: () => new DriverError(WORDS, { retryable: true, cause: new Error(WORDS) }),
  },
  { name: "that will not pass is 502", status: 502, error: () => new DriverError(WORDS, { retryable: false }) },
  { name: "that nobody expected is 502", status: 502, error: () => new TypeError(WORDS) },
];

const faults: Rules = {
  ...rulesFor(
    STORE_FAULTS,
    ({ name, status, error }) => ({
      [`a fault of the store ${name}, reported, and without its words`]: async (harness) => {
        const { call, errors } = serve(harness, { driver: broken(error) });
        for (const accept of ["application/json", "application/vnd.parley+json"]) {
          for (const [line, body] of LINES) {
            errors.length = 0;
            const response = await call(line, { headers: { accept }, ...(body !== undefined && { body }) });
            const text = await response.text();
            assert.equal(response.status, status, line);
            assert.equal(response.headers.get("retry-after"), status === 503 ? "1" : null);
            assert.doesNotMatch(text, /password|internal/);
            assert.equal(JSON.parse(text).code, "driver");
            assert.equal(errors.length, 1, line);
          }
        }
      },
    }),
  ),

  "an error that the caller caused is not reported, nor that the caller went away": async (harness) => {
    const { call, json, errors, parley, app, world } = serve(harness);
    await json("GET /workflows/none", 404);
    await json("GET /workflows", 401, { token: "wrong" });
    await json("POST /workflows", 400, { raw: "{" });
    await json("POST /workflows", 422, { body: { workflow: "unknown" } });
    await parley.start(listener, undefined, { workflowId: "w" });
    await call("GET /workflows/w/result");
    const leaving = new AbortController();
    for (const path of ["w/result?wait=30s", "w/events/k?wait=30s"]) {
      const pending = app.request(toRequest(`GET /workflows/${path}`, { signal: leaving.signal }));
      leaving.abort();
      assert.equal((await world.until(Promise.resolve(pending))).status, 499);
    }
    assert.deepEqual(errors, []);
  },

  "a parley that cannot be made is the server's fault": async (harness) => {
    const { json, errors } = serve(harness, {
      parley: () => {
        throw new Error("no DATABASE_URL");
      },
    });
    assert.doesNotMatch(JSON.stringify(await json("GET /workflows", 500)), /DATABASE_URL/);
    assert.equal(errors.length, 1);
    assert.equal((await json("GET /workflows", 401, { token: "wrong" })).code, "unauthorized");
  },
};

const mounting: Rules = {
  "the adapter can be mounted at the root, at a path, or deeper, and a Location leads back": async (harness) => {
    const { parley } = serve(harness);
    for (const mount of ["/", "/parley", "/api/v1/parley", "/:tenant/parley", "/:id/:parley_id/:key"]) {
      const app = new Hono().route(mount, parleyHttp({ parley, auth: bearer(TOKEN) }));
      const at = mount.replaceAll(/:\w+/g, "some%20one").replace(/\/$/, "");
      const headers = { authorization: `Bearer ${TOKEN}`, "content-type": "application/json" };
      const started = await app.request(`${at}/workflows`, { method: "POST", headers, body: JSON.stringify(START) });
      const location = started.headers.get("location")!;
      assert.equal(location.startsWith(`${at}/workflows/`), true, location);
      assert.equal((await app.request(location, { headers })).status, 200);
      assert.deepEqual((await (await app.request(`${at}/openapi.json`, { headers })).json()).servers, [{
        url: at || "/",
      }]);
    }
  },

  "alone, the adapter answers 404 to an unknown path; mounted, it leaves that to the app": async (harness) => {
    const { parley } = serve(harness);
    const alone = parleyHttp({ parley, auth: bearer(TOKEN) });
    for (
      const [method, path] of [
        ["GET", "/"],
        ["GET", "/workflow"],
        ["DELETE", "/workflows"],
        ["PUT", "/workflows"],
        [
          "GET",
          "/workflows/a/b/c/d",
        ],
      ] as const
    ) {
      const response = await alone.request(path, { method });
      assert.deepEqual([response.status, response.headers.get("content-type")], [404, "application/problem+json"]);
      assert.equal((await response.json()).code, "no_such_route");
    }
    const app = new Hono().route("/", alone).get("/own", (c) => c.text("own")).notFound((c) => c.text("not here", 404));
    assert.equal(await (await app.request("/own")).text(), "own");
    assert.equal(await (await app.request("/nothing")).text(), "not here");
  },

  "a parley for each request is made with its context": async (harness) => {
    const { parley, world } = serve(harness);
    await parley.start(publisher, undefined, { workflowId: "w" });
    await world.until(parley.idle());
    const app = new Hono<{ Bindings: { parley: Parley } }>().route(
      "/",
      parleyHttp({ parley: (c) => c.env.parley, auth: (c) => c.req.header("authorization") === "yes" }),
    );
    const response = await app.request("/workflows/w", { headers: { authorization: "yes" } }, { parley });
    assert.equal((await response.json()).workflowId, "w");
  },
};
