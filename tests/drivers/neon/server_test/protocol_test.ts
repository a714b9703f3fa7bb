import assert from "node:assert/strict";
import { connectFailure, DatabaseError, databaseError } from "../server/errors.ts";
import { concat, cString } from "../server/messages.ts";
import { ANSWERS } from "../server/mod.ts";
import { neonTest, rejection } from "./setup.ts";

neonTest("protocol: rows are text, as arrays or as objects", async ({ post }) => {
  const query = "select 1 as a, true as b, null as c, array[1, 2] as d";
  const asObjects = await (await post({ query, extra: 1 })).json();
  assert.deepEqual(asObjects.rows, [{ a: "1", b: "t", c: null, d: "{1,2}" }]);
  assert.equal(asObjects.rowAsArray, false);
  assert.deepEqual(asObjects.fields[0], {
    name: "a",
    dataTypeID: 23,
    tableID: 0,
    columnID: 0,
    dataTypeSize: 4,
    dataTypeModifier: -1,
    format: "text",
  });
  const rows = [["1", "t", null, "{1,2}"]];
  assert.deepEqual((await (await post({ query }, { "Neon-Array-Mode": "true" })).json()).rows, rows);
  assert.deepEqual((await (await post({ query, arrayMode: true })).json()).rows, rows);
});

neonTest("protocol: parameters that are not strings become texts of PostgreSQL", async ({ post }) => {
  const params = [1.5, true, null, { a: "b" }, [1, null, [true], 'x"y', { a: 1 }]];
  const { rows } =
    await (await post({ query: "select $1::text, $2::text, $3::text, $4::text, $5::text", params, arrayMode: true }))
      .json();
  assert.deepEqual(rows, [["1.5", "true", null, '{"a":"b"}', '{1,NULL,{true},"x\\"y","{\\"a\\":1}"}']]);
});

neonTest(
  "protocol: an invalid request gets 400 and a message",
  async ({ post, server, connectionString }) => {
    const refused = async (response: Promise<Response>) => {
      const { status, headers } = await response;
      const { message, code, severity, detail } = await (await response).json();
      assert.deepEqual([status, code, severity, detail], [400, "", "", null]);
      assert.match(headers.get("Neon-Request-Id") ?? "", /^[\da-f-]{36}$/);
      return message;
    };
    const query = "select 1";
    const noVariant = "could not parse the HTTP request body: data did not match any variant of untagged enum Payload";
    assert.equal(await refused(post({ query: 1 })), noVariant);
    assert.equal(await refused(post({ queries: [{}] })), noVariant);
    assert.match(await refused(post("{")), /^could not parse the HTTP request body: /);
    assert.equal(
      await refused(post({ query }, { "Neon-Batch-Isolation-Level": "serializable" })),
      "invalid isolation level",
    );
    assert.equal(
      await refused(post({ query }, { Authorization: "Bearer x" })),
      "missing authentication credentials: required password",
    );
    assert.equal(await refused(post({ query }, { "Neon-Connection-String": "http://a:b@c/d" })), "incorrect scheme");
    const bare = fetch(server.http, { method: "POST", body: "{}" });
    assert.equal(await refused(bare), "invalid header: neon-connection-string");
    assert(
      !(await refused(post({ query: "" }, { "Neon-Connection-String": `${connectionString}/x` }))).includes(
        connectionString,
      ),
    );
  },
);

neonTest("protocol: OPTIONS says what is allowed, and other methods are not supported", async ({ server }) => {
  const options = await fetch(server.http, { method: "OPTIONS" });
  await options.body?.cancel();
  assert.deepEqual([options.status, options.headers.get("Allow"), options.headers.get("Access-Control-Allow-Origin")], [
    200,
    "OPTIONS, POST",
    "*",
  ]);
  assert.match(options.headers.get("Access-Control-Allow-Headers") ?? "", /Neon-Connection-String/);
  for (const [path, method] of [["/sql", "GET"], ["/other", "POST"]] as const) {
    const response = await fetch(new URL(path, server.http), { method });
    assert.deepEqual([response.status, await response.json()], [400, "query is not supported"]);
  }
});

neonTest("protocol: a request over the limit is not carried out", async ({ sql, table, count, server }) => {
  server.limits.requestBytes = 1_000;
  const error = await rejection(sql.query(`insert into ${table} (value) values ($1)`, ["x".repeat(1_000)]));
  assert.match(
    String(error.message),
    /^Server error \(HTTP status 413\): .*request is too large \(max is 1000 bytes\)/,
  );
  assert.equal(error.code, undefined);
  server.limits.requestBytes = 10_000;
  assert.equal(await count(), 0);
});

neonTest(
  "protocol: a statement whose answer is over the limit is carried out",
  async ({ sql, table, count, server }) => {
    server.limits.responseBytes = 1_000;
    const insert = sql.query(`insert into ${table} (value) values ($1) returning value`, ["x".repeat(1_000)]);
    assert.match(
      String((await rejection(insert)).message),
      /HTTP status 507.*response is too large \(max is 1000 bytes\)/,
    );
    assert.equal(await count(), 1);
    await rejection(sql.transaction([insert]));
    assert.equal(await count(), 1);
  },
);

neonTest(
  "protocol: a fault answers in place of the server, before or after the statement",
  async ({ sql, table, count, server }) => {
    const insert = () => sql.query(`insert into ${table} default values`);
    using before = server.fault({
      answer: ANSWERS.internalError,
      times: 2,
      matches: ({ statements: [it] }) => /insert/.test(it?.query ?? ""),
    });
    await sql`select 1`;
    for (const _ of [1, 2]) assert.match(String((await rejection(insert())).message), /HTTP status 500/);
    assert.deepEqual([before.hits, await count()], [2, 0]);
    using _after = server.fault({ at: "after", answer: ANSWERS.badGateway });
    assert.match(String((await rejection(insert())).message), /HTTP status 502.*Bad Gateway/);
    await insert();
    assert.equal(await count(), 2);
  },
);

neonTest(
  "protocol: the statement of a client that goes away is cancelled",
  async ({ post, sleeping, table, count }) => {
    for (const batch of [false, true]) {
      const statement = { query: `with tick as (select pg_sleep(20)) insert into ${table} select from tick` };
      const controller = new AbortController();
      const sent = post(batch ? { queries: [statement] } : statement, {}, controller.signal);
      while (await sleeping("with tick") === 0);
      controller.abort();
      await rejection(sent);
      while (await sleeping("with tick") > 0);
    }
    assert.equal(await count(), 0);
  },
);

Deno.test("protocol: a refused login becomes the error that Neon reports", () => {
  const refused = (code: string) => {
    const fields = Object.entries({ M: `text of ${code}`, C: code, V: "FATAL" });
    const body = concat(fields.map(([key, value]) => concat([new TextEncoder().encode(key), cString(value)])));
    return connectFailure(new DatabaseError(databaseError(body)), "x");
  };
  assert.deepEqual({ ...refused("28P01") }, { name: "ProxyError", status: 400 });
  assert(refused("3D000") instanceof DatabaseError);
  assert.deepEqual({ ...refused("53300") }, { name: "ProxyError", status: 500 });
  assert.match(refused("53300").message, /53300/);
});
