import assert from "node:assert/strict";
import { once } from "node:events";
import { type Relay, type RelayFault, startRelay } from "../relay.ts";

interface Setting {
  readonly relay: Relay;
  /** The requests that have reached the target. */
  readonly seen: string[];
  /** Sends through the relay, and returns the body or the failure. */
  send(text: string, signal?: AbortSignal): Promise<string>;
}

/** A target that echoes, in two chunks, behind a relay. */
function relayTest(name: string, run: (setting: Setting) => Promise<void>): void {
  Deno.test(name, async () => {
    const seen: string[] = [];
    await using target = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, async (request) => {
      const text = await request.text();
      seen.push(text);
      return new Response(ReadableStream.from(["echo ", text]).pipeThrough(new TextEncoderStream()));
    });
    await using relay = await startRelay({ target: target.addr, maxMs: 5_000 });
    using client = Deno.createHttpClient({});
    const send = (text: string, signal?: AbortSignal) =>
      fetch(relay.through("http://target/path"), {
        method: "POST",
        body: new Blob([text]),
        client,
        ...(signal ? { signal } : {}),
      })
        .then((it) => it.text(), () => "no answer").catch(() => "half an answer");
    await run({ relay, seen, send });
  });
}

const CUTS: [RelayFault["at"], reached: boolean, answer: string][] = [
  ["before", false, "no answer"],
  ["after", true, "no answer"],
  ["head", true, "no answer"],
  ["body", true, "half an answer"],
];

for (const [at, reached, answer] of CUTS) {
  for (const ending of ["fin", "reset"] as const) {
    relayTest(
      `relay: a cut ${at}, with ${ending}, on a new connection and on one that is reused`,
      async ({ relay, seen, send }) => {
        for (const first of [true, false]) {
          if (!first) assert.equal(await send("fine"), "echo fine");
          using fault = relay.fault({ at, action: { kind: "cut", ending } });
          assert.equal(await send("cut"), answer);
          assert.equal(fault.hits, 1);
        }
        assert.deepEqual(seen, reached ? ["cut", "fine", "cut"] : ["fine"]);
      },
    );
  }
}

relayTest("relay: the n-th request, those that match, and all of them", async ({ relay, seen, send }) => {
  const cut = { at: "before", action: { kind: "cut" } } as const;
  relay.fault({ ...cut, matches: ({ number }) => number === 2 });
  assert.deepEqual([await send("a"), await send("b"), await send("c")], ["echo a", "no answer", "echo c"]);
  relay.fault({ ...cut, matches: ({ body }) => new TextDecoder().decode(body).includes("x") });
  assert.deepEqual([await send("y"), await send("x"), await send("x")], ["echo y", "no answer", "echo x"]);
  {
    using all = relay.fault({ ...cut, times: Infinity });
    assert.deepEqual([await send("d"), await send("e"), all.hits], ["no answer", "no answer", 2]);
  }
  assert.equal(await send("f"), "echo f");
  assert.deepEqual([seen, relay.requests], [["a", "c", "y", "x", "f"], 9]);
});

relayTest("relay: a new connection is cut, or a black hole", async ({ relay, seen, send }) => {
  relay.fault({ at: "connect", action: { kind: "cut", ending: "reset" } });
  assert.equal(await send("a"), "no answer");
  const hole = relay.fault({ at: "connect", action: { kind: "blackHole" } });
  const swallowed = send("b");
  await hole.met;
  assert.equal(await send("c"), "echo c");
  await relay.cut();
  assert.equal(await swallowed, "no answer");
  assert.deepEqual(seen, ["c"]);
});

for (const connection of ["new", "reused"] as const) {
  relayTest(
    `relay: a request that is delayed on a ${connection} connection arrives later, even if its client has gone`,
    async ({ relay, seen, send }) => {
      if (connection === "reused") await send("first");
      const gate = Promise.withResolvers<void>();
      const delay = relay.fault({ at: "before", action: { kind: "delay", until: gate.promise } });
      const controller = new AbortController();
      const gone = send("late", controller.signal);
      await delay.met;
      controller.abort();
      assert.equal(await gone, "no answer");
      assert.equal(await send("early"), "echo early");
      gate.resolve();
      while (!seen.includes("late")) await send("meanwhile");
      relay.fault({ at: "after", action: { kind: "delay", until: 1 } });
      assert.equal(await send("after"), "echo after");
    },
  );
}

relayTest("relay: a black hole takes the request or the answer, and ends in time", async ({ relay, seen, send }) => {
  for (const at of ["before", "after", "body"] as const) {
    const hole = relay.fault({ at, action: { kind: "blackHole" } });
    const answer = send(at);
    await hole.met;
    await relay.cut("reset");
    assert.equal(await answer, at === "body" ? "half an answer" : "no answer");
  }
  assert.deepEqual(seen, ["after", "body"]);
});

Deno.test("relay: a black hole ends by itself, and with the relay", async () => {
  await using target = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, () => new Response());
  await using short = await startRelay({ target: target.addr, maxMs: 10 });
  short.fault({ at: "before", action: { kind: "blackHole" } });
  await assert.rejects(fetch(short.through("http://target/"), { method: "POST", body: new Blob(["x"]) }));
  const relay = await startRelay({ target: target.addr });
  const hole = relay.fault({ at: "before", action: { kind: "blackHole" } });
  const swallowed = assert.rejects(fetch(relay.through("http://target/"), { method: "POST", body: new Blob(["x"]) }));
  await hole.met;
  await relay[Symbol.asyncDispose]();
  await swallowed;
});

relayTest(
  "relay: a client that goes away is gone for the target, and no connection is left",
  async ({ relay, send }) => {
    const controller = new AbortController();
    const gate = Promise.withResolvers<void>();
    await using slow = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, async (_request, info) => {
      controller.abort();
      await gate.promise;
      info.completed.catch(() => {});
      return new Response("too late");
    });
    await using front = await startRelay({ target: slow.addr });
    await assert.rejects(
      fetch(front.through("http://slow/"), { method: "POST", body: new Blob([""]), signal: controller.signal }),
    );
    while (front.connections.open > 0) await send("meanwhile");
    gate.resolve();
    assert.deepEqual([front.connections.opened, relay.connections.opened], [1, 1]);
  },
);

Deno.test("relay: bytes meet faults chunk by chunk", async () => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const echoing = (async () => {
    for await (const connection of listener) await connection.readable.pipeTo(connection.writable).catch(() => {});
  })();
  await using relay = await startRelay({ target: listener.addr, protocol: "tcp" });
  const talk = async (...texts: string[]) => {
    using connection = await Deno.connect(relay);
    const heard: (string | null)[] = [];
    for (const text of texts) {
      await connection.write(new TextEncoder().encode(text));
      const buffer = new Uint8Array(100);
      const count = await connection.read(buffer).catch(() => null);
      heard.push(count === null ? null : new TextDecoder().decode(buffer.subarray(0, count)));
    }
    return heard;
  };
  assert.deepEqual(await talk("a", "b"), ["a", "b"]);
  relay.fault({ at: "before", action: { kind: "cut" }, matches: ({ body }) => body[0] === 100 });
  assert.deepEqual(await talk("c", "d"), ["c", null]);
  relay.fault({ at: "after", action: { kind: "cut", ending: "reset" } });
  assert.deepEqual(await talk("e"), [null]);
  relay.fault({ at: "body", action: { kind: "cut" } });
  assert.deepEqual(await talk("half"), ["ha"]);
  listener.close();
  await echoing;
});

relayTest("relay: a WebSocket passes, and meets faults by its frames only if asked", async ({ relay }) => {
  await using target = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, (request) => {
    const { socket, response } = Deno.upgradeWebSocket(request);
    socket.onmessage = ({ data }) => socket.send(data);
    return response;
  });
  await using front = await startRelay({ target: target.addr });
  const socket = new WebSocket(front.through("ws://target/"));
  await once(socket, "open");
  front.fault({ at: "before", action: { kind: "cut" } });
  socket.send("a");
  assert.equal((await once(socket, "message"))[0].data, "a");
  front.fault({ at: "after", action: { kind: "cut" }, matches: ({ kind }) => kind === "bytes" });
  const closed = once(socket, "close");
  socket.addEventListener("error", () => {});
  socket.send("b");
  await closed;
  assert.deepEqual([front.requests, relay.requests], [1, 0]);
});
