import assert from "node:assert/strict";
import { delay, systemClock } from "../../../../core/time/clock.ts";
import { UPSTASH_ANSWERS } from "../server/mod.ts";
import { until, Watching } from "../../../support/patience.ts";
import {
  type OpenedTransport,
  type TransportOpenOptions,
  type TransportSetting,
  transportTest,
} from "../support/setting.ts";

/** Both ways to pass a database. */
const WAYS: Record<string, (setting: TransportSetting) => TransportOpenOptions> = {
  "a url and a token": () => ({}),
  "a client of the user's": ({ client }) => ({ redis: client({ retry: { retries: 0 } }) }),
};

for (const [way, options] of Object.entries(WAYS)) {
  transportTest(
    `there is one connection for any number of watches, from the first to the last: ${way}`,
    async (setting) => {
      const { server, open, publish } = setting;
      const opened = open(options(setting));
      const watching = Array.from({ length: 1_000 }, (_, n) => new Watching(opened, `inbox:${n % 10}`));
      await until(() => watching.every(({ watch }) => watch.live));
      assert.deepEqual([server.requests.subscribe, server.requests.total], [1, 1]);
      assert.deepEqual(new Set(watching.map(({ hints }) => hints)), new Set([1]), "one hint when it is live");
      await publish(`["inbox:3","event:3","due"]`);
      await until(() => watching.filter(({ hints }) => hints === 2).length === 100);
      for (const it of watching) it.watch.close();
      assert(watching.every(({ watch }) => !watch.live));
      await opened.push.idle;
      await until(() => server.subscriptions.open === 0);
      await publish(`["inbox:3"]`);
      assert.deepEqual([server.requests.subscribe, watching.filter(({ hints }) => hints > 2).length], [1, 0]);
    },
  );

  transportTest(
    `a swallowed connection is noticed at the next beat, and opened again: ${way}`,
    async (setting) => {
      const { relay, server, open } = setting;
      const opened = open({ ...options(setting), timeoutMs: 500, timing: { beatMs: 100 } });
      using watching = await Watching.live(opened, "due");
      await delay(systemClock, 250);
      assert.deepEqual([watching.hints, watching.watch.live], [1, true], "a beat is no reason to look");
      relay.freeze();
      await until(() => !watching.watch.live);
      assert.equal(watching.hints, 2, "so that they poll from now on");
      await until(() => watching.watch.live);
      assert.deepEqual([watching.hints, server.requests.subscribe, opened.reports.length], [3, 2, 0]);
      await relay.cut();
    },
  );

  transportTest(
    `a payload hints the targets that it names, or everybody if it cannot be read: ${way}`,
    async (setting) => {
      const { open, publish } = setting;
      const opened = open(options(setting));
      using first = await Watching.live(opened, 'inbox:\u{1F600}, "\\ b\n');
      using second = await Watching.live(opened, "due");
      using end = new Watching(opened, "result:end");
      const hints = async (payload: string) => {
        [first.hints, second.hints, end.hints] = [0, 0, 0];
        for (const it of [payload, `["status:end"]`, `["status:end"]`]) await publish(it);
        await until(() => end.hints >= 2); // One hint may be for everybody.
        return [first.hints, second.hints];
      };
      for (const payload of ["[]", `["inbox:c"]`, `["inbox:"]`, `["__proto__","constructor",""]`]) {
        assert.deepEqual(await hints(payload), [0, 0]);
      }
      assert.deepEqual(await hints(JSON.stringify(['inbox:\u{1F600}, "\\ b\n', "status:c"])), [1, 0]);
      assert.deepEqual(await hints(`["due","inbox:c"]`), [0, 1]);
      const unknown = [
        "*",
        "",
        ",",
        "nonsense",
        "null",
        "7",
        `"due"`,
        `{"v":2}`,
        `[["due"]]`,
        `["due",7]`,
        `["due"`,
        `["due"]x`,
        "\u{FEFF}[]",
        "[]\n[]",
      ];
      for (const payload of unknown.filter((it) => it !== "[]\n[]")) {
        assert.deepEqual(await hints(payload), [1, 1], payload);
      }
      // The service sends a line break as it is, so the rest of the text is not part of the event.
      assert.deepEqual(await hints("[]\n[]"), [0, 0]);
      assert.deepEqual(await hints(`["due"\n]`), [1, 1]);
      assert.deepEqual(
        await hints(JSON.stringify(Array.from({ length: 1_000 }, (_, n) => `inbox:${n}${"\u{1F600}".repeat(250)}`))),
        [0, 0],
      );
    },
  );
}

transportTest("a short wait opens no connection", async ({ server, open, timers }) => {
  const opened = open({ timing: { openAfterMs: 5_000 } });
  for (let n = 0; n < 20; n++) {
    using _watching = new Watching(opened, "due");
    await delay(systemClock, 2);
  }
  await opened.push.idle;
  assert.deepEqual([server.requests.total, timers()], [0, 0]);
});

transportTest(
  "the connection outlives the last watch for a while, and serves the next one",
  async ({ server, open }) => {
    const opened = open({ timing: { lingerMs: 200 } });
    for (let n = 0; n < 3; n++) {
      using watching = await Watching.live(opened, `inbox:${n}`);
      assert.equal(watching.hints, n === 0 ? 1 : 0);
      await delay(systemClock, 10);
    }
    assert.equal(server.requests.subscribe, 1);
    const closing = performance.now();
    await opened.push.idle;
    assert(performance.now() - closing > 100);
  },
);

transportTest("a watch that begins while the connection is closing gets a new one", async ({ server, open }) => {
  const opened = open();
  (await Watching.live(opened, "due")).watch.close();
  await delay(systemClock, 0);
  using _watching = await Watching.live(opened, "due");
  assert.equal(server.requests.subscribe, 2);
});

for (const trouble of ["fin", "reset", "end"] as const) {
  transportTest(
    `a lost stream (${trouble}) is opened again, and all watchers look`,
    async ({ relay, server, open, publish }) => {
      const opened = open({ timing: { openAfterMs: 20 } });
      using watching = await Watching.live(opened, "stream:w");
      for (let round = 1; round <= 2; round++) {
        if (trouble === "end") server.endSubscriptions();
        else await relay.cut(trouble);
        await until(() => !watching.watch.live);
        assert.equal(watching.hints, 3 * round - 1, "so that they poll from now on");
        await until(() => watching.watch.live);
        await publish(`["stream:w"]`);
        await until(() => watching.hints === 3 * round + 1);
      }
      assert.deepEqual(
        [server.requests.subscribe, server.commands.sent],
        [3, 2],
        "the two that the test has published",
      );
    },
  );
}

transportTest(
  "an event that is too long ends the connection, and the next connection makes everybody look",
  async ({ server, open, publish }) => {
    const opened = open();
    using watching = await Watching.live(opened, "stream:w");
    await publish(JSON.stringify(["x".repeat(2 ** 21), "stream:w"]));
    await until(() => watching.hints === 3);
    assert.deepEqual([watching.watch.live, server.requests.subscribe, opened.reports.length], [true, 2, 0]);
  },
);

/** The beats that the server has received. */
function beatsAt({ server }: TransportSetting): { readonly count: number } & Disposable {
  let count = 0;
  const observer = server.observe(({ commands: [command] }) =>
    count += command?.[0] === "PUBLISH" && command[2] === "[]" ? 1 : 0
  );
  return {
    get count() {
      return count;
    },
    [Symbol.dispose]: () => observer[Symbol.dispose](),
  };
}

transportTest("a beat is one command, and nothing else is sent while nothing happens", async (setting) => {
  using beats = beatsAt(setting);
  using watching = await Watching.live(setting.open({ timing: { beatMs: 100 } }), "due");
  const started = performance.now();
  await until(() => beats.count >= 5);
  const most = (performance.now() - started) / 100 + 1;
  assert(beats.count <= most, `${beats.count} of at most ${most}`);
  assert.deepEqual([setting.server.commands.sent, watching.hints], [beats.count, 1]);
});

transportTest("isolates that listen to the same channel share their beats", async (setting) => {
  using beats = beatsAt(setting);
  using stack = new DisposableStack();
  const watching: Watching[] = [];
  for (let n = 0; n < 10; n++) {
    watching.push(stack.use(await Watching.live(setting.open({ timing: { beatMs: 200 } }), "due")));
    await delay(systemClock, 10);
  }
  const before = beats.count;
  const started = performance.now();
  await until(() => beats.count - before >= 5);
  // Without sharing each of the ten sends a beat every 200 ms. On a busy machine a late isolate has
  // not received the beat of another one yet.
  const most = (performance.now() - started) / 200 * 5 + 5;
  assert(beats.count - before <= most, `${beats.count - before} by ten, of at most ${most}`);
  assert(watching.every(({ hints }) => hints === 1));
});

transportTest("there are no beats while there is traffic", async (setting) => {
  using beats = beatsAt(setting);
  using watching = await Watching.live(setting.open({ timing: { beatMs: 1_000 } }), "due");
  const ends = performance.now() + 2_500;
  let last = performance.now();
  let longestGap = 0;
  while (last < ends) {
    await setting.publish(`["inbox:w"]`);
    await delay(systemClock, 20);
    longestGap = Math.max(longestGap, performance.now() - last);
    last = performance.now();
  }
  // A machine that stops the test for so long has had no traffic.
  assert(longestGap > 900 || beats.count === 0, `${beats.count} beats, with gaps of at most ${longestGap} ms`);
  assert.deepEqual([watching.hints, watching.watch.live], [1, true]);
});

transportTest("a beat whose answer is lost counts if its message arrives", async ({ open, relay, server }) => {
  const opened = open({ timing: { beatMs: 50 } });
  using watching = await Watching.live(opened, "due");
  const fault = relay.fault({
    at: "after",
    action: { kind: "blackHole" },
    matches: ({ firstLine }) => firstLine.startsWith("POST / "),
  });
  await fault.met;
  const before = server.requests.command;
  await until(() => server.requests.command >= before + 2);
  assert.deepEqual([watching.hints, watching.watch.live, server.requests.subscribe], [1, true, 1]);
});

transportTest(
  "a client's stream that has ended silently is noticed at the next beat",
  async ({ open, client, server }) => {
    const opened = open({ redis: client({ retry: { retries: 0 } }), timeoutMs: 300, timing: { beatMs: 50 } });
    using watching = await Watching.live(opened, "due");
    server.endSubscriptions();
    await until(() => watching.hints === 3);
    assert.deepEqual([watching.watch.live, server.requests.subscribe], [true, 2]);
  },
);

transportTest("stopping takes no time while a beat has not arrived", async (setting) => {
  using beats = beatsAt(setting);
  const opened = setting.open({ redis: setting.client({ retry: { retries: 0 } }), timing: { beatMs: 50 } });
  const watching = await Watching.live(opened, "due");
  setting.server.endSubscriptions();
  const before = beats.count;
  await until(() => beats.count > before);
  await delay(systemClock, 50);
  const closing = performance.now();
  watching.watch.close();
  await opened.push.idle;
  assert(performance.now() - closing < 1_000);
});

transportTest("a refused beat closes the connection, which is opened again", async ({ open, server }) => {
  const opened = open({ timing: { beatMs: 50 } });
  using watching = await Watching.live(opened, "due");
  server.fault({ answer: UPSTASH_ANSWERS.dailyLimit });
  await until(() => watching.hints === 3);
  assert.deepEqual([watching.watch.live, server.requests.subscribe], [true, 2]);
});

const REFUSALS: Record<string, { shown: string; refuse: (setting: TransportSetting) => OpenedTransport }> = {
  "it is refused": {
    shown: "HTTP_502",
    refuse: ({ server, open }) => (server.fault({ answer: UPSTASH_ANSWERS.badGateway, times: 3 }), open()),
  },
  "the connection is cut while it is opened": {
    shown: "NO_ANSWER: outcome unknown",
    refuse: ({ relay, open }) => (relay.fault({ at: "before", action: { kind: "cut" }, times: 3 }), open()),
  },
  "opening is swallowed": {
    shown: "TIMEOUT: no answer within 100 ms, outcome unknown",
    refuse: (
      { relay, open },
    ) => (relay.fault({ at: "after", action: { kind: "blackHole" }, times: 3 }), open({ timeoutMs: 100 })),
  },
  "the stream ends at once": {
    shown: "ENDED: the stream ended at once",
    refuse: ({ server, open }) => (server.fault({ answer: () => new Response(": hello\n\n"), times: 3 }), open()),
  },
};

for (const [trouble, { shown, refuse }] of Object.entries(REFUSALS)) {
  transportTest(`push starts when it can, and reports once that it could not: ${trouble}`, async (setting) => {
    const opened = refuse(setting);
    using watching = await Watching.live(opened, "due");
    assert.equal(watching.hints, 1);
    assert.deepEqual(opened.reports, [`the connection for push fails (${shown}), so waits poll until it succeeds`]);
    await setting.relay.cut();
  });
}

transportTest(
  "a stream that never lasts is opened less and less often, with one report",
  async ({ open, server }) => {
    const opened = open({ timing: { openAfterMs: 10 } });
    using _watching = new Watching(opened, "due");
    const ending = setInterval(() => server.endSubscriptions(), 5);
    await delay(systemClock, 1_500);
    clearInterval(ending);
    assert(
      server.requests.subscribe >= 3 && server.requests.subscribe <= 9,
      `${server.requests.subscribe} in 1,500 ms`,
    );
    assert.deepEqual(opened.reports, ["the connection for push fails, so waits poll until it succeeds"]);
  },
);

transportTest("a wrong token prevents push, and ends nothing", async ({ open, server }) => {
  const opened = open({ redis: { url: server.url, token: "hunter2" }, timing: { openAfterMs: 1 } });
  using watching = new Watching(opened, "due");
  await until(() => opened.reports.length > 0);
  assert.deepEqual([watching.watch.live, watching.hints], [false, 0]);
  assert.deepEqual(opened.reports, [
    "the connection for push fails (WRONGPASS: the token must be that of the database), so waits poll until it succeeds",
  ]);
});

transportTest("stopping at any moment leaves nothing behind, and takes no time", async ({ open, relay, timers }) => {
  for (const at of ["connect", "before", "after"] as const) {
    const fault = relay.fault({ at, action: { kind: "blackHole" } });
    const opened = open();
    const watching = new Watching(opened, "due");
    // A stream has no end to withhold, so the relay withholds the beginning.
    await (at === "after" ? delay(systemClock, 50) : fault.met);
    watching.watch.close();
    await opened.push.idle;
    assert.equal(timers(), 0, at);
    fault[Symbol.dispose]();
    await relay.cut();
  }
  // While a beat is under way.
  const opened = open({ timing: { beatMs: 50 } });
  const watching = await Watching.live(opened, "due");
  const fault = relay.fault({ at: "before", action: { kind: "blackHole" } });
  await fault.met;
  watching.watch.close();
  await opened.push.idle;
  assert.equal(timers(), 0);
  await relay.cut();
});
