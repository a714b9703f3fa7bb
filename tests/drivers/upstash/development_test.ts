import assert from "node:assert/strict";
import { Redis } from "@upstash/redis";
import { Redis as IoRedis } from "ioredis";
import { createClient } from "redis";
import { upstashDriver, type UpstashRedis } from "../../../drivers/upstash/mod.ts";
import { openUpstash } from "../../../drivers/upstash/driver.ts";
import { SCRIPTS } from "../../../drivers/upstash/scripts.ts";
import { receive, setEvent, writeStream } from "../../../conformance/operations.ts";
import { createRequest, newMessage } from "../../../conformance/requests.ts";
import { begin } from "../../../conformance/driven_run.ts";
import { startRedis } from "./support/redis_server.ts";
import { startUpstashServer } from "./server/mod.ts";
import { upstashDriverTest } from "./support/driver.ts";
import { rejection } from "./support/setting.ts";

/** The warnings on the console during a call. */
async function warnings(run: () => Promise<unknown>): Promise<string[]> {
  const said: string[] = [];
  const { warn } = console;
  console.warn = (text: string) => void said.push(text);
  try {
    await run();
  } finally {
    console.warn = warn;
  }
  return said;
}

/**
 * A client like those of version 1.34: each read of a command makes a new function. That of `exec`
 * calls an empty pipeline.
 */
function oldRedis(redis: Redis): Redis {
  return new Proxy(redis, {
    get: (target, name) =>
      name === "exec" ? () => Promise.reject(new Error("Pipeline is empty")) : Reflect.get(target, name),
  });
}

upstashDriverTest(
  "a server that refuses the flag of the scripts gets them without it, and the driver warns once",
  async ({ server, open }) => {
    const driver = open();
    const evals: string[] = [];
    using _ = server.observe(({ commands }) =>
      void evals.push(...commands.map(([name = "", source = ""]) => `${name} ${source}`))
    );
    const said = await warnings(async () => {
      await Promise.all(["a", "b"].map((id) => driver.create(createRequest(id))));
      const run = await begin(driver, "w");
      await driver.send([newMessage("w", { value: '"hello"' })]);
      const outcomes = await run.outcomes([receive(0, [""]), setEvent(1, "k", "1"), writeStream(2, "s", "2")]);
      assert.deepEqual(outcomes, [{ tag: "message", value: '"hello"', topic: "" }, { tag: "done" }, { tag: "done" }]);
      await run.end();
    });
    assert.equal(said.length, 1);
    assert.match(
      said[0] ?? "",
      /^Parley on Upstash: the server refuses the script flag allow-key-locking, .*for development alone$/,
    );
    const flagged = evals.filter((text) => text.startsWith("EVAL #!lua flags="));
    assert(flagged.length >= 1 && flagged.length <= 2, "nothing is sent with the flag once it is refused");
    evals.length = 0;
    await driver.readWorkflow("a");
    await driver.readWorkflow("a");
    assert.deepEqual(evals.at(-1), `EVALSHA ${await SCRIPTS.readWorkflows.unlocked.sha}`);
  },
  { isProxy: true },
);

Deno.test("clients that cannot work are refused when the driver is made", () => {
  const address = { url: "https://example.upstash.io", token: "hunter2" };
  const io = new IoRedis({ lazyConnect: true });
  const clients: [unknown, RegExp][] = [
    [io, /client of Redis's own protocol, as ioredis and node-redis are/],
    [createClient(), /client of Redis's own protocol, as ioredis and node-redis are/],
    [oldRedis(new Redis(address)), /this version of @upstash\/redis cannot send single commands/],
    [{}, /must be { url, token } or an instance of Redis of @upstash\/redis/],
  ];
  for (const [client, message] of clients) {
    assert.throws(() => upstashDriver(client as UpstashRedis), { code: "invalid_value", message });
    assert.throws(() => upstashDriver(client as UpstashRedis), ({ message }: Error) => !message.includes("hunter2"));
  }
  io.disconnect();
  upstashDriver(new Redis(address), { push: false });
});

/** Things that a server does not allow, and the errors. */
const LIMITED: Record<string, { settings: string[]; shown: RegExp }> = {
  "EVALSHA under another name": {
    settings: [`rename-command EVALSHA ""`],
    shown: /^Upstash: create failed \(ERR: the server does not know the command: /,
  },
  "EVAL under another name": {
    settings: [`rename-command EVAL HIDDEN`],
    shown: /^Upstash: create failed \(ERR: the server does not know the command: /,
  },
  "a command that scripts call under another name": {
    settings: [`rename-command HMGET ""`],
    shown: /^Upstash: create failed \(ERR: the server does not know the command: /,
  },
  "a user without scripts": {
    settings: ["user default on nopass ~* &* +@all -@scripting"],
    shown: /^Upstash: create failed \(NOPERM: the token must allow writing, scripts and what they call, /,
  },
  "a user with other keys": {
    settings: ["user default on nopass ~other/* &* +@all"],
    shown: /^Upstash: create failed \(NOPERM: the token must allow .* every key and the channel of the prefix\)$/,
  },
  "a user without a command that scripts call": {
    settings: ["user default on nopass ~* &* +@all -hmget"],
    shown: /^Upstash: create failed \((NOPERM|ERR): the token must allow .* what they call, /,
  },
  "a user without the channel": {
    settings: ["user default on nopass ~* resetchannels +@all"],
    shown: /^Upstash: create failed \((NOPERM|ERR): the token must allow .* the channel of the prefix\)$/,
  },
};

for (const [name, { settings, shown }] of Object.entries(LIMITED)) {
  Deno.test(`an error names what the server does not allow: ${name}`, async () => {
    await using redis = await startRedis({ settings });
    await using server = await startUpstashServer({ redisUrl: redis.url, isProxy: true });
    const { driver } = openUpstash(server, { push: false });
    await warnings(async () => {
      const error = await rejection(driver.create(createRequest("w")));
      assert.match(error.message, shown);
      assert.equal(error.retryable, false);
    });
  });
}
