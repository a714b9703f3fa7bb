import assert from "node:assert/strict";
import { neon, neonConfig } from "@neondatabase/serverless";
import { ValidationError } from "../../../core/errors.ts";
import { neonDriver } from "../../../drivers/neon/mod.ts";
import { neonDriverTest, rejection } from "./support/setting.ts";

neonDriverTest(
  "two databases in one process stay apart, and the package's settings stay unchanged",
  async ({ open, schema, relay }) => {
    const settings =
      () => [neonConfig.fetchEndpoint, neonConfig.fetchFunction, neonConfig.wsProxy, neonConfig.useSecureWebSocket];
    const before = settings();
    const { driver: a } = open({ push: false });
    const b = neonDriver("postgresql://u:p@other.neon.test/d", {
      schema,
      push: false,
      endpoint: { http: "http://127.0.0.1:1/sql" },
    });
    const requests = relay.requests;
    await Promise.all([a.readWorkflow("w"), rejection(b.readWorkflow("w")), a.readWorkflow("w")]);
    assert.equal(relay.requests - requests, 2);
    assert.deepEqual(settings(), before);
  },
);

Deno.test("neonDriver() refuses an invalid connection string, and does not show it", () => {
  const secret = "hunter2";
  const wrong = [
    "",
    secret,
    `https://u:${secret}@host/db`,
    `postgresql://:${secret}@host/db`,
    `postgresql://${secret}@host/db`,
    `postgresql://${secret}:@host/db`,
    `postgresql://u:${secret}@/db`,
    `postgresql://u:${secret}@host`,
    `postgresql://u:${secret}@host/`,
    `postgresql://u:${secret}@host:port/db`,
    `postgresql://u:${secret}%zz@host/db`,
    ` postgresql://u:${secret}@host/db`,
  ];
  for (const connectionString of wrong) {
    assert.throws(() => neonDriver(connectionString), (error) => {
      assert(error instanceof ValidationError);
      assert(!Deno.inspect(error, { depth: 10 }).includes(secret), connectionString);
      return true;
    });
  }
  // The value of an environment variable that is not set.
  assert.throws(
    () => neonDriver(undefined as unknown as string),
    /Reading the connection string, undefined: it must be postgresql:/,
  );
});

Deno.test("neonDriver() refuses invalid options", () => {
  const connectionString = "postgresql://u:p@ep-a.neon.tech/d";
  for (
    const options of [{ schema: "" }, { requestTimeout: 0 }, { requestTimeout: -1 }, {
      endpoint: { http: "127.0.0.1:4444" },
    }]
  ) {
    assert.throws(() => neonDriver(connectionString, options), ValidationError, JSON.stringify(options));
  }
  const endpoint = { http: "http://127.0.0.1:4444/sql", websocket: "http://127.0.0.1:4444/v2" };
  assert.throws(() => neonDriver(connectionString, { endpoint }), ValidationError);
  const mistaken = { http: "postgresql://u:hunter2@host/db" };
  assert.throws(
    () => neonDriver(connectionString, { endpoint: mistaken }),
    (error) => !Deno.inspect(error).includes("hunter2"),
  );
});

Deno.test("neonDriver() finds the proxy of a host like Neon's own package", async () => {
  const urls: string[] = [];
  const original = globalThis.fetch;
  globalThis.fetch = (input, init) => {
    urls.push(`${init?.method} ${input} ${new Headers(init?.headers).get("Neon-Connection-String")}`);
    return Promise.reject(new TypeError("no network"));
  };
  try {
    for (
      const host of [
        "ep-a-1.eu-central-1.aws.neon.tech",
        "ep-a-1-pooler.c-2.eu-central-1.aws.neon.tech:5432",
        "localhost",
      ]
    ) {
      const connectionString = `postgres://u%40:p%2F@${host}/d?sslmode=require`;
      await rejection(neonDriver(connectionString).readWorkflow("w"));
      await assert.rejects(neon(connectionString)`select 1`);
    }
  } finally {
    globalThis.fetch = original;
  }
  const expected = [
    "POST https://api.eu-central-1.aws.neon.tech/sql postgresql://u%40:p%2F@ep-a-1.eu-central-1.aws.neon.tech/d?sslmode=require",
    "POST https://api.c-2.eu-central-1.aws.neon.tech/sql postgresql://u%40:p%2F@ep-a-1-pooler.c-2.eu-central-1.aws.neon.tech:5432/d?sslmode=require",
    "POST https://localhost/sql postgresql://u%40:p%2F@localhost/d?sslmode=require",
  ];
  assert.deepEqual(urls.filter((_, index) => index % 2 === 0), expected);
  // The package adds its name to the connection string.
  assert.deepEqual(
    urls.filter((_, index) => index % 2 === 1).map((url) => url.replace(/&application_name=.*/, "")),
    expected,
  );
});
