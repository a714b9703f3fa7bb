import assert from "node:assert/strict";
import { delay, systemClock } from "../../core/clock.ts";
import { DriverError, ValidationError } from "../../core/errors.ts";
import { neonDriver } from "../../drivers/neon/mod.ts";
import { Parley, workflow } from "../../mod.ts";
import { newMessage } from "../../testing/requests.ts";
import { enqueue } from "../../testing/run.ts";
import { atNeon } from "../support/neon_harness.ts";
import { neonDriverTest, type Opened, POSTGRES, type Setting } from "../support/neon_setting.ts";
import { quoted } from "../support/postgres_store.ts";

const PATIENCE_MS = 5_000;

async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  for (const began = performance.now(); !await condition(); await delay(systemClock, 2)) {
    assert(performance.now() - began < PATIENCE_MS, `it did not come true: ${condition}`);
  }
}

/** Watches, and counts hints. */
class Watching implements Disposable {
  readonly watch;
  hints = 0;

  constructor({ driver }: Opened, target: `inbox:${string}` | `outbox:${string}` | "due") {
    this.watch = driver.watch(target, () => this.hints += 1);
  }

  static async live(opened: Opened, target: `inbox:${string}` | `outbox:${string}` | "due"): Promise<Watching> {
    const watching = new Watching(opened, target);
    await until(() => watching.watch.live);
    return watching;
  }

  [Symbol.dispose](): void {
    this.watch.close();
  }
}

async function listeners({ query, schema }: Setting): Promise<number> {
  const { rows } = await query(`select id from ${quoted(schema)}.listeners`);
  return rows.length;
}

/** What was printed as a warning meanwhile. */
async function warnings(run: () => void | Promise<void>): Promise<string[]> {
  const said: string[] = [];
  const { warn } = console;
  console.warn = (...args) => void said.push(args.join(" "));
  try {
    await run();
  } finally {
    console.warn = warn;
  }
  return said;
}

neonDriverTest("however many watch, there is one connection, from the first to the last of them", async (setting) => {
  const { server, open } = setting;
  const opened = open();
  const watching = Array.from({ length: 100 }, (_, n) => new Watching(opened, `inbox:${n % 10}`));
  await until(() => watching.every(({ watch }) => watch.live));
  assert.deepEqual(server.websockets, { opened: 1, open: 1 });
  assert.equal(await listeners(setting), 1);
  assert.deepEqual(new Set(watching.map(({ hints }) => hints)), new Set([1]), "one hint when it is live");
  await enqueue(opened.driver, "3");
  await opened.driver.send([newMessage("3")]);
  await until(() => watching.filter(({ hints }) => hints === 2).length === 10);
  for (const it of watching) it.watch.close();
  assert(watching.every(({ watch }) => !watch.live));
  await opened.push.idle;
  await until(() => server.websockets.open === 0);
  assert.deepEqual([server.websockets.opened, await listeners(setting)], [1, 0]);
});

neonDriverTest("a wait that is soon over opens no connection", async ({ server, relay, open, timers }) => {
  const opened = open({ timing: { openAfterMs: 5_000 } });
  for (let n = 0; n < 20; n++) {
    using _watching = new Watching(opened, "due");
    await delay(systemClock, 2);
  }
  await opened.push.idle;
  assert.deepEqual([server.websockets.opened, relay.connections.opened <= 1, timers()], [0, true, 0]);
});

neonDriverTest("the connection outlives the last watch for a while, and serves the next one", async ({ server, open }) => {
  const opened = open({ timing: { lingerMs: 200 } });
  for (let n = 0; n < 3; n++) {
    using watching = await Watching.live(opened, `inbox:${n}`);
    assert.equal(watching.hints, n === 0 ? 1 : 0);
    await delay(systemClock, 10);
  }
  assert.deepEqual(server.websockets, { opened: 1, open: 1 });
  const closing = performance.now();
  await opened.push.idle;
  assert(performance.now() - closing > 100);
});

neonDriverTest("a watch that begins while the connection is closing gets a new one", async ({ server, open, relay }) => {
  const opened = open();
  (await Watching.live(opened, "due")).watch.close();
  relay.fault({ at: "before", action: { kind: "delay", until: 100 }, matches: ({ kind }) => kind === "bytes" });
  await delay(systemClock, 10);
  using _watching = await Watching.live(opened, "due");
  assert.equal(server.websockets.opened, 2);
});

for (const ending of ["fin", "reset"] as const) {
  neonDriverTest(`a connection that is cut (${ending}) is opened again, and all are told to look`, async ({ relay, server, open }) => {
    const opened = open({ timing: { openAfterMs: 20 } });
    using watching = await Watching.live(opened, "outbox:w");
    assert.equal(watching.hints, 1);
    await relay.cut(ending);
    await until(() => !watching.watch.live);
    assert.equal(watching.hints, 2, "so that they poll from now on");
    await until(() => watching.watch.live);
    assert.equal(watching.hints, 3);
    await enqueue(opened.driver, "w");
    await until(() => watching.hints === 4);
    assert.equal(server.websockets.opened, 2);
  });
}

neonDriverTest("a connection that the database ends is opened again", async (setting) => {
  const { query, open, schema } = setting;
  const opened = open();
  using watching = await Watching.live(opened, "due");
  // Also when it was idle, which comes as an error that nobody has asked for.
  await query("select pg_terminate_backend(pid) from pg_stat_activity where query like $1 and pid <> pg_backend_pid()", [
    `%${quoted(schema)}.settle_v1%`,
  ]);
  await until(() => watching.hints === 3);
  assert(watching.watch.live);
});

neonDriverTest("a connection that is swallowed is found out at the next beat, and opened again", async ({ relay, server, open }) => {
  const opened = open({ requestTimeout: 200, timing: { beatMs: 100 } });
  using watching = await Watching.live(opened, "due");
  relay.freeze();
  await until(() => !watching.watch.live);
  await until(() => watching.watch.live);
  assert.equal(server.websockets.opened, 2);
  await relay.cut();
});

neonDriverTest("a beat keeps a connection listed, and finds out if it was not", async (setting) => {
  const opened = setting.open({ timing: { beatMs: 50 } });
  using watching = await Watching.live(opened, "due");
  const until1 = async () => (await setting.query(`select until from ${quoted(setting.schema)}.listeners`)).rows[0]?.until;
  const first = await until1();
  await until(async () => await until1() !== first);
  assert.equal(watching.hints, 1, "a beat is no reason to look");
  await setting.query(`delete from ${quoted(setting.schema)}.listeners`);
  await until(() => watching.hints === 2);
  assert.equal(await listeners(setting), 1);
});

neonDriverTest("to watch creates the schema where it is missing", async ({ open, schema, query }) => {
  const other = `${schema} 2`;
  try {
    using watching = await Watching.live(open({ schema: other }), "due");
    assert.equal(watching.hints, 1);
  } finally {
    await query(`drop schema if exists ${quoted(other)} cascade`);
  }
});

const REFUSALS: Record<string, (setting: Setting) => Opened> = {
  "the WebSocket is refused": ({ server, open }) => {
    server.refuseWebSockets(() => new Response("no", { status: 403 }), { times: 3 });
    return open();
  },
  "the connection is cut while it is opened": ({ relay, open }) => {
    relay.fault({ at: "before", action: { kind: "cut" }, matches: ({ kind }) => kind === "upgrade", times: 3 });
    return open();
  },
  "the connection is cut while it logs in": ({ relay, open }) => {
    relay.fault({ at: "before", action: { kind: "cut" }, matches: ({ kind }) => kind === "bytes", times: 3 });
    return open();
  },
  "opening is swallowed": ({ relay, open }) => {
    relay.fault({ at: "after", action: { kind: "blackHole" }, matches: ({ kind }) => kind === "upgrade", times: 3 });
    return open({ requestTimeout: 100 });
  },
  "logging in is swallowed": ({ relay, open }) => {
    relay.fault({ at: "after", action: { kind: "blackHole" }, matches: ({ kind }) => kind === "bytes", times: 5 });
    return open({ requestTimeout: 100 });
  },
};

for (const [trouble, refuse] of Object.entries(REFUSALS)) {
  neonDriverTest(`push comes when it can, and says once that it did not: ${trouble}`, async (setting) => {
    const said = await warnings(async () => {
      const opened = refuse(setting);
      using watching = await Watching.live(opened, "due");
      assert.equal(watching.hints, 1);
    });
    assert.deepEqual(said, ["Parley on Neon: the connection for push fails, so waits poll until it succeeds"]);
    await setting.relay.cut();
  });
}

neonDriverTest("a wrong password keeps push away, and ends nothing", async ({ open }) => {
  const connectionString = atNeon(POSTGRES).replace(/:[^:@]*@/, ":hunter2@");
  const said = await warnings(async () => {
    using watching = new Watching(open({ connectionString }), "due");
    await delay(systemClock, 300);
    assert.deepEqual([watching.watch.live, watching.hints], [false, 0]);
  });
  assert.equal(said.length, 1);
  assert(!said[0]?.includes("hunter2"));
});

neonDriverTest("to stop while the connection is being opened leaves nothing behind", async ({ open, relay, server, timers }) => {
  for (const at of ["before", "after"] as const) {
    for (const kind of ["upgrade", "bytes"] as const) {
      const fault = relay.fault({ at, action: { kind: "blackHole" }, matches: (request) => request.kind === kind });
      const opened = open();
      const watching = new Watching(opened, "due");
      await fault.met;
      watching.watch.close();
      await opened.push.idle;
      assert.equal(timers(), 0);
      await relay.cut();
    }
  }
  await until(() => server.websockets.open === 0);
});

neonDriverTest("a wait is told once, and looks once; in between there is no request", async ({ open, server }) => {
  const opened = open({ timing: { openAfterMs: 50 } });
  const { driver: sender } = open({ push: false });
  const flow = workflow("flow", async (ctx) => await ctx.recv<string>("news"));
  const parley = new Parley({ driver: opened.driver, workflows: [flow], hotWait: "1h" });
  const handle = await parley.start(flow, undefined, { workflowId: "w" });
  await until(() => server.websockets.open === 1);
  await delay(systemClock, 300);
  const waiting = server.requests;
  await delay(systemClock, 1_500);
  assert.equal(server.requests - waiting, 0, "no polling");
  await new Parley({ driver: sender, wake: "none" }).send("w", "hello", { topic: "news" });
  await parley.idle();
  assert.equal(server.requests - waiting, 3, "the send, the look, the end");
  assert.equal(await handle.result(), "hello");
});

neonDriverTest("wake latency, beside that of a bare NOTIFY on the same server", async ({ open, schema, query }) => {
  const opened = open();
  const times: Record<"hint" | "bare", number[]> = { hint: [], bare: [] };
  let heard = () => {};
  const watch = opened.driver.watch("inbox:w", () => heard());
  await until(() => watch.live);
  await enqueue(opened.driver, "w");
  const { rows: [channel] } = await query("select 'parley_' || to_hex(hashtextextended($1, 5)) as name", [schema]);
  const calls = {
    hint: () => opened.driver.send([newMessage("w")]),
    bare: () => query(`select pg_notify($1, 'inbox:w')`, [String(channel?.name)]),
  };
  for (let n = 0; n < 100; n++) {
    for (const kind of ["hint", "bare"] as const) {
      const began = performance.now();
      const woken = new Promise<void>((resolve) => heard = resolve);
      await Promise.all([calls[kind](), woken.then(() => times[kind].push(performance.now() - began))]);
    }
  }
  watch.close();
  const median = (list: number[]) => list.toSorted((a, b) => a - b)[list.length >> 1]!;
  console.log(`send until hint: ${median(times.hint).toFixed(2)} ms; a bare pg_notify the same way: ${median(times.bare).toFixed(2)} ms`);
  assert(median(times.hint) < median(times.bare) + 20);
});

Deno.test("a server that goes away while somebody waits leaves nothing hanging", async () => {
  const { startNeonServer } = await import("../support/neon/mod.ts");
  const server = await startNeonServer({ postgres: POSTGRES });
  const driver = neonDriver(atNeon(POSTGRES), { schema: "neon server gone", endpoint: server, requestTimeout: "1s" });
  const parley = new Parley({ driver });
  try {
    const waiting = parley.getEvent("w", "k", { timeout: "1m" }).catch((error) => error);
    await until(() => server.websockets.open === 1);
    await server[Symbol.asyncDispose]();
    const error = await waiting;
    assert(error instanceof DriverError, String(error));
  } finally {
    await using again = await startNeonServer({ postgres: POSTGRES });
    const drop = { query: `drop schema if exists "neon server gone" cascade` };
    const headers = { "Neon-Connection-String": atNeon(POSTGRES), "Neon-Raw-Text-Output": "true" };
    await (await fetch(again.http, { method: "POST", headers, body: JSON.stringify(drop) })).text();
    await delay(systemClock, 1_500); // The connection for push lingers.
  }
});

Deno.test("push: true is refused where it cannot work; otherwise that is said once, when somebody waits", async () => {
  const pooled = "postgresql://u:p@ep-a-1-pooler.eu-central-1.aws.neon.tech/d";
  const direct = "postgresql://u:p@ep-a-1.eu-central-1.aws.neon.tech/d";
  const endpoint = { http: "http://127.0.0.1:1/sql" };
  assert.throws(() => neonDriver(pooled, { push: true }), ValidationError);
  assert.throws(() => neonDriver(direct, { push: true, endpoint }), ValidationError);
  const said = await warnings(() => {
    for (let n = 0; n < 3; n++) {
      const watch = neonDriver(pooled).watch?.("due", () => {});
      assert.equal(watch?.live, false);
      watch?.close();
      neonDriver(direct, { endpoint }).watch?.("due", () => {}).close();
    }
  });
  assert.equal(said.length, 2);
  assert.match(said[0]!, /a -pooler host cannot LISTEN/);
  assert.equal(neonDriver(pooled, { push: false }).watch, undefined);
});

Deno.test("push is off on Workers and where there is no WebSocket", () => {
  const direct = "postgresql://u:p@ep-a-1.eu-central-1.aws.neon.tech/d";
  neonDriver(direct, { push: true });
  const { WebSocket, navigator } = globalThis;
  const replaced: [string, unknown, unknown][] = [
    ["WebSocket", undefined, WebSocket],
    ["navigator", { userAgent: "Cloudflare-Workers" }, navigator],
  ];
  for (const [name, value, original] of replaced) {
    Object.defineProperty(globalThis, name, { value, configurable: true, writable: true });
    try {
      assert.throws(() => neonDriver(direct, { push: true }), ValidationError, name);
    } finally {
      Object.defineProperty(globalThis, name, { value: original, configurable: true, writable: true });
    }
  }
});
