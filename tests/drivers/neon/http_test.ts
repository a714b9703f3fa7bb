import assert from "node:assert/strict";
import { withRetries } from "../../../core/time/retry.ts";
import { systemClock } from "../../../core/time/clock.ts";
import { neonDriver } from "../../../drivers/neon/mod.ts";
import { createRequest } from "../../../conformance/requests.ts";
import { everyOperation } from "../../support/every_operation.ts";
import { atNeon } from "./support/harness.ts";
import { ANSWERS } from "./server/mod.ts";
import { neonDriverTest, POSTGRES, rejection } from "./support/setting.ts";
import { startRelay } from "../../support/relay.ts";
import { quoted } from "../postgres/support/store.ts";

/** Removes instants and remaining times, which differ from run to run. */
function timeless(answer: unknown): unknown {
  const times = new Set([
    ...["now", "createdAt", "updatedAt", "startedAt", "endedAt", "sentAt", "at", "deadline"],
    ...["remainingMs", "until", "cursor"],
  ]);
  return JSON.parse(JSON.stringify(answer, (key, value) => times.has(key) ? typeof value : value));
}

for (const at of ["before", "after", "head", "body"] as const) {
  neonDriverTest(
    `every operation in turn is cut ${at} its answer, and takes effect exactly once`,
    async ({ open, relay, query, schema }) => {
      const { driver } = open({ push: false });
      const repeating = withRetries(driver, systemClock);
      const expected: unknown[] = [];
      for (const operation of everyOperation(driver)) expected.push(timeless(await operation()));
      const tables = [
        "workflows",
        "journal",
        "messages",
        "events",
        "streams",
        "stream_values",
        "waiters",
        "inbox_heads",
      ];
      const deletes = tables.map((table) => `${table} as (delete from ${quoted(schema)}.${table})`);
      const count = expected.length;
      assert.equal(count, 23);
      await query(`with ${deletes} select`);
      // The operations form one story, because each answer depends on the operations before it.
      for (const [index, operation] of everyOperation(repeating).entries()) {
        const fault = relay.fault({ at, action: { kind: "cut", ending: index % 2 === 0 ? "fin" : "reset" } });
        const requests = relay.requests;
        const answer = timeless(await operation());
        assert.deepEqual(answer, expected[index], String(operation));
        assert.equal(fault.hits, 1);
        assert.equal(
          relay.requests - requests,
          2,
          "the request and its repeat, and none that the runtime makes by itself",
        );
      }
      assert.deepEqual((await repeating.readStream({ workflowId: "w", key: "stream", from: 0, limit: 10 })).values, [
        "4",
        "5",
      ]);
      assert.equal((await repeating.readEvent({ workflowId: "w", key: "event" })).event?.version, 2);
      const { rows: [messages] } = await query(`select count(*) as count from ${quoted(schema)}.messages`);
      assert.equal(messages?.count, "6");
    },
  );
}

neonDriverTest("purge whose answer is lost removes everything once", async ({ open, relay }) => {
  const driver = withRetries(open({ push: false }).driver, systemClock);
  await driver.create(createRequest("w"));
  await driver.control({ workflowId: "w", action: "cancel" });
  relay.fault({ at: "after", action: { kind: "cut" } });
  assert.deepEqual(
    await driver.purge({ olderThanMs: 0, limit: 10 }),
    { purged: 0 },
    "a repeat removes the next ones, and there are none",
  );
  assert.equal(await driver.readWorkflow("w"), null);
});

neonDriverTest(
  "the first operation of a schema is three requests, and the next is one",
  async ({ open, server, schema, query }) => {
    const other = `${schema} 2`;
    const { driver } = open({ push: false, schema: other });
    try {
      for (const expected of [3, 1]) {
        const before = server.requests;
        await driver.readWorkflow("w");
        assert.equal(server.requests - before, expected);
      }
    } finally {
      await query(`drop schema if exists ${quoted(other)} cascade`);
    }
  },
);

neonDriverTest("migrate whose answer is lost has created everything", async ({ open, relay, schema, query }) => {
  const other = `${schema} 2`;
  const driver = withRetries(open({ push: false, schema: other }).driver, systemClock);
  const fault = relay.fault({
    at: "after",
    action: { kind: "cut" },
    matches: ({ body }) => new TextDecoder().decode(body).includes("create schema"),
  });
  try {
    assert.equal((await driver.create(createRequest("w"))).created, true);
    assert.equal(fault.hits, 1);
  } finally {
    await query(`drop schema if exists ${quoted(other)} cascade`);
  }
});

neonDriverTest(
  "a call is one request, and the driver does not repeat a request without an answer",
  async ({ open, relay, server }) => {
    const { driver } = open({ push: false });
    for (const operation of everyOperation(driver)) {
      const before = server.requests;
      await operation();
      assert.equal(server.requests - before, 1, String(operation));
    }
    const before = relay.requests;
    relay.fault({ at: "after", action: { kind: "cut" } });
    const error = await rejection(driver.readWorkflow("w"));
    assert.deepEqual([error.retryable, relay.requests - before], [true, 1]);
    assert.equal(error.message, "Neon: readWorkflow failed (NO_ANSWER)");
  },
);

const UNKNOWN_OUTCOMES = {
  HTTP_500: ANSWERS.internalError,
  HTTP_502: ANSWERS.badGateway,
  HTTP_504: ANSWERS.gatewayTimeout,
  HTTP_507: ANSWERS.responseTooLarge,
  HTTP_429: ANSWERS.tooManyRequests,
  // An SQLSTATE counts only if the proxy says that it is PostgreSQL's answer.
  HTTP_503: () => Response.json({ message: "permission denied", code: "42501" }, { status: 503 }),
  HTTP_302: () => new Response(null, { status: 302, headers: { Location: "https://elsewhere.test/" } }),
  HTTP_400: () => new Response("<h1>Bad Request</h1>", { status: 400 }),
  HTTP_200: () => new Response("<h1>Welcome</h1>"),
};

for (const [code, answer] of Object.entries(UNKNOWN_OUTCOMES)) {
  neonDriverTest(
    `the answer ${code} leaves the outcome open, and the call may be repeated`,
    async ({ open, server }) => {
      server.fault({ answer });
      const error = await rejection(open({ push: false }).driver.readWorkflow("w"));
      assert.deepEqual([error.message, error.retryable], [`Neon: readWorkflow failed (${code})`, true]);
    },
  );
}

neonDriverTest(
  "a request that is too large is an error that is not retryable, with its size",
  async ({ open, server }) => {
    server.limits.requestBytes = 1_000;
    const error = await rejection(
      open({ push: false }).driver.create(createRequest("w", { input: "x".repeat(1_000) })),
    );
    assert.equal(error.retryable, false);
    assert.match(error.message, /^Neon: a request of 1\d\d\d bytes failed \(HTTP_413\): it must be smaller$/);
  },
);

neonDriverTest("a wrong password or role is an error that is not retryable", async ({ open }) => {
  const url = new URL(atNeon(POSTGRES));
  for (const [user, password] of [[url.username, "hunter2"], ["nobody", url.password]]) {
    const connectionString = `postgresql://${user}:${password}@${url.host}${url.pathname}`;
    const error = await rejection(open({ push: false, connectionString }).driver.readWorkflow("w"));
    assert.equal(error.retryable, false);
    assert.match(error.message, /logging in failed/);
  }
});

neonDriverTest("an error of PostgreSQL has its SQLSTATE and a certain outcome", async ({ open }) => {
  const connectionString = atNeon(POSTGRES).replace(/\/[^/]*$/, "/nothing");
  const error = await rejection(open({ push: false, connectionString }).driver.readWorkflow("w"));
  assert.deepEqual([error.message, error.retryable], ["Neon: readWorkflow failed (SQLSTATE 3D000)", false]);
});

neonDriverTest("an error of PostgreSQL names the column and table that it is about", async ({ open }) => {
  const input = null as unknown as string;
  const error = await rejection(open({ push: false }).driver.create(createRequest("w", { input })));
  assert.equal(error.message, 'Neon: create failed (SQLSTATE 23502, column "input" of table "workflows")');
});

neonDriverTest(
  "neither an error nor its cause shows values or the connection string",
  async ({ open, server, relay }) => {
    const secret = "hunter2";
    const invalid = createRequest(`w ${secret}`, { input: `${secret}\0` });
    const connectionString = `postgresql://${secret}:${secret}@${secret}.test/${secret}`;
    const shown: string[] = [];
    const show = async (promise: Promise<unknown>) =>
      void shown.push(
        Deno.inspect(await rejection(promise), { depth: 20, showHidden: true, strAbbreviateSize: Infinity }),
      );
    const { driver } = open({ push: false });
    await show(driver.create({ ...invalid, workflowId: `${secret}\0` }));
    for (const answer of Object.values(UNKNOWN_OUTCOMES)) {
      server.fault({ answer });
      await show(driver.create(invalid));
    }
    server.fault({ answer: ANSWERS.requestTooLarge });
    await show(driver.create(invalid));
    relay.fault({ at: "after", action: { kind: "cut" } });
    await show(driver.create(invalid));
    await show(open({ push: false, connectionString }).driver.create(invalid));
    assert.equal(shown.length, 13);
    for (const text of shown) assert(!text.includes(secret), text);
  },
);

for (const at of ["connect", "before", "after", "body"] as const) {
  neonDriverTest(`a request that is swallowed (${at}) ends at its time limit`, async ({ schema, server }) => {
    await using relay = await startRelay({ target: server }); // There is no connection to it yet.
    const driver = neonDriver(atNeon(POSTGRES), {
      schema,
      push: false,
      requestTimeout: 300,
      endpoint: { http: relay.through(server.http) },
    });
    relay.fault({ at, action: { kind: "blackHole" } });
    const began = performance.now();
    const error = await rejection(driver.readWorkflow("w"));
    const took = performance.now() - began;
    assert.deepEqual([error.message, error.retryable], ["Neon: readWorkflow failed (TIMEOUT)", true]);
    assert(took >= 295 && took < 2_000, `${took} ms`);
  });
}

Deno.test("neonDriver() at a port without a server rejects with a retryable error", async () => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  listener.close();
  const driver = neonDriver(atNeon(POSTGRES), { push: false, endpoint: { http: `http://127.0.0.1:${port}/sql` } });
  assert.equal((await rejection(driver.readWorkflow("w"))).retryable, true);
});
