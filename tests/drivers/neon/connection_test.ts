import assert from "node:assert/strict";
import { delay, systemClock } from "../../../core/time/clock.ts";
import { openNeon } from "../../../drivers/neon/driver.ts";
import { neonDriver, type NeonDriverOptions } from "../../../drivers/neon/mod.ts";
import type { PushConnection } from "../../../drivers/push.ts";
import { newMessage } from "../../../conformance/requests.ts";
import { enqueue } from "../../../conformance/driven_run.ts";
import { atNeon } from "./support/harness.ts";
import { listeners, neonDriverTest, type Opened, POSTGRES, type Setting } from "./support/setting.ts";
import { until, warnings, Watching } from "../../support/patience.ts";
import { EAGER, quoted } from "../postgres/support/store.ts";

neonDriverTest("any number of watches share one connection, from the first to the last", async (setting) => {
  const { server, open } = setting;
  const opened = open();
  const watching = Array.from({ length: 100 }, (_, n) => new Watching(opened, `inbox:${n % 10}`));
  await until(() => watching.every(({ watch }) => watch.live));
  assert.deepEqual(server.websockets, { opened: 1, open: 1 });
  assert.equal(await listeners(setting), 1);
  assert.deepEqual(new Set(watching.map(({ hints }) => hints)), new Set([1]), "one hint when the connection is live");
  await enqueue(opened.driver, "3");
  await opened.driver.send([newMessage("3")]);
  await until(() => watching.filter(({ hints }) => hints === 2).length === 10);
  for (const it of watching) it.watch.close();
  assert(watching.every(({ watch }) => !watch.live));
  await opened.push.idle;
  await until(() => server.websockets.open === 0);
  assert.deepEqual([server.websockets.opened, await listeners(setting)], [1, 0]);
});

neonDriverTest(
  "drivers of one isolate share a connection if they reach one schema in the same way",
  async ({ server, schema, query }) => {
    const other = `${schema} 2`;
    // An application may make a driver for each request.
    const make = (options: Partial<NeonDriverOptions> = {}) =>
      neonDriver(atNeon(POSTGRES), { schema, endpoint: server, ...options }) as Opened["driver"];
    const live = (options?: Partial<NeonDriverOptions>) => Watching.live({ push: make(options) }, "inbox:w");
    try {
      using first = await live();
      using second = await live();
      assert.deepEqual(server.websockets, { opened: 1, open: 1 });
      first.watch.close();
      await enqueue(make(), "w");
      await make().send([newMessage("w")]);
      await until(() => second.hints === 1);
      assert.equal(first.hints, 1);
      second.watch.close();
      using third = await live();
      assert.equal(server.websockets.opened, 1, "it outlives the last watch of each driver");
      using patient = await live({ requestTimeout: 20_000 });
      using elsewhere = await live({ schema: other });
      assert.deepEqual(server.websockets, { opened: 3, open: 3 });
      await make().send([newMessage("w")]);
      await until(() => third.hints === 1 && patient.hints === 2);
      assert.equal(elsewhere.hints, 1);
    } finally {
      await until(() => server.websockets.open === 0);
      await query(`drop schema if exists ${quoted(other)} cascade`);
    }
  },
);

neonDriverTest("an isolate forgets drivers when nothing waits", async ({ server, schema }) => {
  const pushes = new Map<string, PushConnection>();
  const { driver, push } = openNeon(atNeon(POSTGRES), { schema, endpoint: server }, { timing: EAGER, pushes });
  assert.equal(pushes.size, 0);
  {
    using _watching = await Watching.live({ push: driver as Opened["driver"] }, "due");
    assert.deepEqual([...pushes.values()], [push]);
  }
  await push!.idle;
  assert.equal(pushes.size, 0);
});

neonDriverTest("a short wait opens no connection", async ({ server, relay, open, timers }) => {
  const opened = open({ timing: { openAfterMs: 5_000 } });
  for (let n = 0; n < 20; n++) {
    using _watching = new Watching(opened, "due");
    await delay(systemClock, 2);
  }
  await opened.push.idle;
  assert.deepEqual([server.websockets.opened, relay.connections.opened <= 1, timers()], [0, true, 0]);
});

neonDriverTest(
  "the connection outlives the last watch for a while, and serves the next watch",
  async ({ server, open }) => {
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
    {
      using _first = await Watching.live(opened, "due");
    }
    using _next = new Watching(opened, "due");
    await delay(systemClock, 300);
    assert.deepEqual(server.websockets, { opened: 2, open: 1 }, "it is not closed during the next watch");
  },
);

neonDriverTest(
  "a watch that begins while the connection closes gets a new connection",
  async ({ server, open, relay }) => {
    const opened = open();
    (await Watching.live(opened, "due")).watch.close();
    relay.fault({ at: "before", action: { kind: "delay", until: 100 }, matches: ({ kind }) => kind === "bytes" });
    await delay(systemClock, 10);
    using _watching = await Watching.live(opened, "due");
    assert.equal(server.websockets.opened, 2);
  },
);

neonDriverTest("a watch gets a connection at whatever moment of the last watch's end it begins", async ({ open }) => {
  for (let turns = 0; turns < 10; turns++) {
    const opened = open({ timing: { openAfterMs: 5 } });
    new Watching(opened, "due").watch.close();
    for (let turn = 0; turn < turns; turn++) await Promise.resolve();
    using _watching = await Watching.live(opened, "due");
  }
});

for (const ending of ["fin", "reset"] as const) {
  neonDriverTest(
    `a connection that is cut (${ending}) is opened again, and all are told to look`,
    async ({ relay, server, open }) => {
      const opened = open({ timing: { openAfterMs: 20 } });
      using watching = await Watching.live(opened, "result:w");
      assert.equal(watching.hints, 1);
      await relay.cut(ending);
      await until(() => !watching.watch.live);
      assert.equal(watching.hints, 2, "so that waits poll from now on");
      await until(() => watching.watch.live);
      assert.equal(watching.hints, 3);
      await enqueue(opened.driver, "w");
      await until(() => watching.hints === 4);
      assert.equal(server.websockets.opened, 2);
    },
  );
}

neonDriverTest("a connection that the database ends is opened again", async (setting) => {
  const { query, open, schema } = setting;
  const opened = open();
  using watching = await Watching.live(opened, "due");
  // This holds for an idle connection too, whose end is an error outside of any query.
  await query(
    "select pg_terminate_backend(pid) from pg_stat_activity where query like $1 and pid <> pg_backend_pid()",
    [
      `%${quoted(schema)}.settle_v1%`,
    ],
  );
  await until(() => watching.hints === 3);
  assert(watching.watch.live);
});

neonDriverTest(
  "the next beat detects a swallowed connection, and the connection is opened again",
  async ({ relay, server, open }) => {
    const opened = open({ requestTimeout: 200, timing: { beatMs: 100 } });
    using watching = await Watching.live(opened, "due");
    relay.freeze();
    await until(() => !watching.watch.live);
    await until(() => watching.watch.live);
    assert.equal(server.websockets.opened, 2);
    await relay.cut();
  },
);

neonDriverTest("a stop while a beat is swallowed does not wait for the time limit", async ({ relay, open }) => {
  const opened = open({ timing: { beatMs: 50 } });
  const watching = await Watching.live(opened, "due");
  relay.freeze();
  await delay(systemClock, 150);
  watching.watch.close();
  const stopped = performance.now();
  await opened.push.idle;
  assert(performance.now() - stopped < 4_000);
  await relay.cut();
});

neonDriverTest("a beat keeps a connection registered, and detects that it was not", async (setting) => {
  // Long enough, so that a late beat of a busy machine does not make the database take the
  // connection for dead.
  const opened = setting.open({ timing: { beatMs: 200 } });
  using watching = await Watching.live(opened, "due");
  const until1 = async () =>
    (await setting.query(`select until from ${quoted(setting.schema)}.listeners`)).rows[0]?.until;
  const first = await until1();
  await until(async () => await until1() !== first);
  assert.equal(watching.hints, 1, "a beat causes no look");
  await setting.query(`delete from ${quoted(setting.schema)}.listeners`);
  await until(() => watching.hints === 2);
  await until(async () => await listeners(setting) === 1);
});

neonDriverTest("a watch creates a missing schema", async ({ open, schema, query }) => {
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
  "connecting is swallowed": ({ relay, open }) => {
    relay.fault({ at: "connect", action: { kind: "blackHole" }, times: 3 });
    return open({ requestTimeout: 300 });
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
    return open({ requestTimeout: 300 });
  },
  "logging in is swallowed": ({ relay, open }) => {
    relay.fault({ at: "after", action: { kind: "blackHole" }, matches: ({ kind }) => kind === "bytes", times: 5 });
    return open({ requestTimeout: 300 });
  },
};

for (const [trouble, refuse] of Object.entries(REFUSALS)) {
  neonDriverTest(`push starts as soon as it can, and reports once that it could not: ${trouble}`, async (setting) => {
    const said = await warnings(async () => {
      const opened = refuse(setting);
      using watching = await Watching.live(opened, "due");
      assert.equal(watching.hints, 1);
    });
    assert.deepEqual(said, ["Parley on Neon: the connection for push fails, so waits poll until it succeeds"]);
    await setting.relay.cut();
  });
}

neonDriverTest("two failures are not reported", async ({ server, open }) => {
  const said = await warnings(async () => {
    server.refuseWebSockets(() => new Response("no", { status: 503 }), { times: 2 });
    using _watching = await Watching.live(open(), "due");
  });
  assert.deepEqual(said, []);
});

neonDriverTest("a connection that cannot log in is closed", async ({ open }) => {
  let [sockets, most] = [0, 0];
  const silent = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, (request) => {
    const { socket, response } = Deno.upgradeWebSocket(request, { idleTimeout: 0 });
    most = Math.max(most, sockets += 1);
    socket.onclose = () => sockets -= 1;
    return response;
  });
  const websocket = `ws://127.0.0.1:${silent.addr.port}/v2`;
  const opened = open({ requestTimeout: 50, endpoint: { http: "http://127.0.0.1:1/sql", websocket } });
  {
    using _watching = new Watching(opened, "due");
    await warnings(() => delay(systemClock, 500));
  }
  await opened.push.idle;
  await until(() => sockets === 0);
  assert.equal(most, 1);
  await silent.shutdown();
});

neonDriverTest("with a wrong password there is no push, and nothing else ends", async ({ open }) => {
  const connectionString = atNeon(POSTGRES).replace(/:[^:@]*@/, ":hunter2@");
  const said = await warnings(async () => {
    using watching = new Watching(open({ connectionString }), "due");
    await delay(systemClock, 1_500);
    assert.deepEqual([watching.watch.live, watching.hints], [false, 0]);
  });
  assert.deepEqual(said, [
    "Parley on Neon: the connection for push fails (SQLSTATE XX000), so waits poll until it succeeds",
  ]);
});

neonDriverTest(
  "a stop while the connection opens leaves nothing behind",
  async ({ open, relay, server, timers }) => {
    for (const at of ["before", "after"] as const) {
      for (const kind of ["upgrade", "bytes"] as const) {
        const fault = relay.fault({ at, action: { kind: "blackHole" }, matches: (request) => request.kind === kind });
        const opened = open();
        const watching = new Watching(opened, "due");
        await fault.met;
        watching.watch.close();
        const stopped = performance.now();
        await opened.push.idle;
        assert(performance.now() - stopped < 3_000, "it does not wait for the time limit");
        assert.equal(timers(), 0);
        await relay.cut();
      }
    }
    await until(() => server.websockets.open === 0);
  },
);
