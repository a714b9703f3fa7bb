import assert from "node:assert/strict";
import { type Clock, delay, systemClock } from "../../../../core/time/clock.ts";
import type { Driver } from "../../../../core/driver/driver.ts";
import { openTransport } from "../../../../drivers/upstash/transport/open_transport.ts";
import { Parley, workflow } from "../../../../mod.ts";
import { newMessage } from "../../../../conformance/requests.ts";
import { enqueue } from "../../../../conformance/driven_run.ts";
import { compareWakes, until } from "../../../support/patience.ts";
import { Requests } from "../../../support/requests.ts";
import { type DriverSetting, upstashDriverTest } from "../support/driver.ts";

/** Opens at once and closes at once. */
const EAGER = { openAfterMs: 0, lingerMs: 0 };

/** The names of the commands that clients have sent to the server. */
function sentTo({ server }: DriverSetting): { readonly names: string[] } & Disposable {
  const names: string[] = [];
  const observer = server.observe(({ commands: [command] }) => void names.push(command?.[0] ?? ""));
  return { names, [Symbol.dispose]: () => observer[Symbol.dispose]() };
}

upstashDriverTest("a wait gets one hint, and looks once; in between there is no request", async (setting) => {
  const { server, open } = setting;
  await setting.loadScripts();
  const flow = workflow("flow", async (ctx) => await ctx.recv<string>("news"));
  const parley = new Parley({
    driver: open({ push: true, timing: { openAfterMs: 50, lingerMs: 0 } }),
    workflows: [flow],
    hotWait: "1h",
  });
  const handle = await parley.start(flow, undefined, { workflowId: "w" });
  await until(() => server.subscriptions.open === 1);
  await delay(systemClock, 300);
  using sent = sentTo(setting);
  const published: string[] = [];
  const { subscribe } = openTransport(server, { timeoutMs: 10_000, clock: systemClock });
  const { close } = await subscribe(
    `${setting.prefix}:hints`,
    (payload) => published.push(payload),
    new AbortController().signal,
  );
  sent.names.length = 0;
  await delay(systemClock, 1_500);
  assert.deepEqual(sent.names, [], "no polling");
  await new Parley({ driver: open(), wake: "none" }).send("w", "hello", { topic: "news" });
  await parley.idle();
  assert.deepEqual(sent.names, ["EVALSHA", "EVALSHA", "EVALSHA"], "the send, the look, the end");
  await until(() => published.length >= 2);
  assert.deepEqual(published, [`["inbox:w"]`, `["status:w"]`], "one hint of the message, and one of the end");
  assert.equal(await handle.result(), "hello");
  await close();
});

upstashDriverTest("wake latency, beside that of a bare PUBLISH on the same server", async (setting) => {
  const { open, prefix, server } = setting;
  await setting.loadScripts();
  const driver = open({ push: true, timing: EAGER });
  await enqueue(driver, "w");
  const headers = { Authorization: `Bearer ${server.token}` };
  await compareWakes({ watch: driver.watch! }, {
    "send": () => driver.send([newMessage("w")]),
    "bare PUBLISH": async () => {
      const body = new Blob([JSON.stringify(["PUBLISH", `${prefix}:hints`, `["inbox:w"]`])]);
      await (await fetch(setting.relay.through(server.url), { method: "POST", headers, body })).body?.cancel();
    },
  });
});

/** An hour takes six seconds. */
const FAST = 600;
const HOUR_MS = 3_600_000;
const fast: Clock = { now: () => systemClock.now() * FAST, after: (ms, run) => systemClock.after(ms / FAST, run) };
const pass = (ms: number) => delay(fast, ms);

type EventName = Parameters<Driver["readEvent"]>[0];

/**
 * Opens a driver whose time is fast, and waits for an event that never arrives. The wait ends with
 * the test.
 */
async function whileWaiting({ open, server }: DriverSetting, push: boolean, run: () => Promise<void>): Promise<void> {
  const opened = open({ push, clock: fast, requestTimeout: "1d", timing: EAGER });
  const looks = new Requests();
  const driver = { ...opened, readEvent: (event: EventName) => looks.made(() => opened.readEvent(event)) };
  const end = new AbortController();
  const waiting = new Parley({ driver, clock: fast }).getEvent("w", "k", { timeout: "10d", signal: end.signal }).catch(
    () => {},
  );
  if (push) await until(() => server.subscriptions.open === 1);
  await delay(systemClock, 100);
  try {
    await run();
  } finally {
    end.abort();
    await waiting;
    // A look that has begun continues.
    await looks.settled();
  }
}

upstashDriverTest(
  "a wait of an hour with push sends a beat every 45 seconds, and looks every ten minutes",
  async (setting) => {
    await setting.loadScripts();
    using sent = sentTo(setting);
    await whileWaiting(setting, true, async () => {
      sent.names.length = 0;
      await pass(HOUR_MS);
      const count = (name: string) => sent.names.filter((it) => it === name).length;
      const [beats, looks] = [count("PUBLISH"), count("EVALSHA")];
      console.log(`an hour: ${beats} beats and ${looks} looks`);
      // On a busy machine they are late, but never early. A look follows after 7.5 to 12.5 minutes.
      assert(beats >= 20 && beats <= 80, `${beats} beats`);
      assert(looks >= 2 && looks <= 8, `${looks} looks`);
      assert.equal(sent.names.length, beats + looks, "there is nothing else");
    });
  },
);

upstashDriverTest("a wait without push polls all the time", async (setting) => {
  await setting.loadScripts();
  using sent = sentTo(setting);
  await whileWaiting(setting, false, async () => {
    sent.names.length = 0;
    // With push it would be three. Requests take part of this fast time.
    await pass(HOUR_MS / 2);
    assert(sent.names.length > 50, `${sent.names.length} requests in half an hour`);
  });
});

upstashDriverTest(
  "a suspended workflow sends nothing, and has no connection, until it is woken",
  async (setting) => {
    const { server, open } = setting;
    const flow = workflow("flow", async (ctx) => await ctx.recv<string>("news"));
    const driver = open({ push: true, clock: fast, requestTimeout: "1d", timing: { lingerMs: 0 } });
    const parley = new Parley({ driver, workflows: [flow], clock: fast, lease: "1d", hotWait: "10m" });
    const handle = await parley.start(flow, undefined);
    await parley.idle();
    await until(() => server.subscriptions.open === 0);
    assert.equal(server.requests.subscribe, 1, "while it was in memory it had one");
    using sent = sentTo(setting);
    await pass(HOUR_MS);
    assert.deepEqual(sent.names, []);
    await handle.send("hello", { topic: "news" });
    await parley.idle();
    assert.deepEqual([await handle.result(), (await handle.status()).status], ["hello", "SUCCESS"]);
  },
);
