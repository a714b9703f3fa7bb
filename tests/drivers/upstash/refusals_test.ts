import assert from "node:assert/strict";
import { type Clock, systemClock } from "../../../core/time/clock.ts";
import type { Driver } from "../../../core/driver/driver.ts";
import { withRetries } from "../../../core/time/retry.ts";
import { ScriptCalls } from "../../../drivers/upstash/script_calls.ts";
import { scriptDriver } from "../../../drivers/upstash/driver.ts";
import { Keys } from "../../../drivers/upstash/keys.ts";
import { SCRIPTS } from "../../../drivers/upstash/scripts.ts";
import { openTransport } from "../../../drivers/upstash/transport/open_transport.ts";
import { createRequest, newMessage } from "../../../conformance/requests.ts";
import { everyOperation } from "../../support/every_operation.ts";
import { UPSTASH_ANSWERS } from "./server/mod.ts";
import { type DriverSetting, upstashDriverTest } from "./support/driver.ts";
import { rejection } from "./support/setting.ts";

/** A clock without pauses: repeats are made at once. */
const hasty: Clock = { now: () => systemClock.now(), after: (_, run) => systemClock.after(0, run) };

/** The methods of the operations of the story, by their names in errors. */
const METHODS =
  "create create send commit commit send claim readJournal commit readWorkflow listWorkflows readEvent readStream control control " +
  "readHistory listMessages listEvents listStreams control control claim commit";

/**
 * Runs the story. Each operation first fails as `failing` decides, which must not change Redis, and
 * is then made.
 */
async function failEach(
  { dump, open }: DriverSetting,
  failing: (call: () => Promise<unknown>, method: string, index: number) => Promise<void>,
  driver: Driver = open(),
): Promise<void> {
  const methods = METHODS.split(" ");
  for (const [index, operation] of everyOperation(driver).entries()) {
    const before = await dump();
    await failing(operation, methods[index] ?? "", index);
    assert.deepEqual(await dump(), before, `${operation} has written something`);
    await operation();
  }
  assert.equal((await driver.readWorkflow("w"))?.status, "SUCCESS");
}

/** The beginning of the messages of a method's errors. */
function failed(method: string): string {
  return `Upstash: ${method} failed`;
}

/**
 * The script, changed so that its call of this number fails, or the first call that writes, with
 * another error.
 */
function failingAt(source: string, number: number): string {
  const call = `local _n, _writes = 0, {} for name in string.gmatch('${WRITES}', '%S+') do _writes[name] = true end \
local function call(name, ...) _n = _n + 1 if _n == ${number} then error('injected') end \
if _writes[name] then error({ err = 'OOM injected' }) end return redis.call(name, ...) end`;
  const failing = source.replace("local call = redis.call\n", `${call}\n`);
  assert.notEqual(failing, source);
  return failing;
}

const WRITES = "HSET HDEL HINCRBY ZADD ZREM SADD SREM RPUSH LPOP PUBLISH PEXPIRE PERSIST UNLINK";

upstashDriverTest(
  "a script that fails before or at its first write has written nothing, and may be called again",
  async (setting) => {
    const { send } = openTransport(setting.server, { timeoutMs: 10_000, clock: systemClock });
    const sources = new Map<string, string>();
    for (const { sha, source } of Object.values(SCRIPTS)) sources.set(await sha, source);
    let failAt: number | undefined;
    const injected = ([name = "", sha = "", ...rest]: readonly string[]) => {
      const source = sources.get(sha);
      return failAt === undefined || source === undefined
        ? [name, sha, ...rest]
        : ["EVAL", failingAt(source, failAt), ...rest];
    };
    const client = new ScriptCalls({
      send: (args, call, stop) => send(injected(args), call, stop),
      keys: new Keys(setting.prefix),
    });
    let failures = 0;
    await failEach(setting, async (call, method) => {
      for (failAt = 1;; failAt++) {
        const error = await call().then(() => null, (error) => error);
        // A script that only reads has run to its end.
        if (error === null || error.message === `${failed(method)} (OOM: the database has no memory left)`) break;
        assert.match(error.message, new RegExp(`^${failed(method)} \\(ERR: in line \\d+ of the script\\)$`));
        assert.equal(error.retryable, false);
        failures += 1;
      }
      failAt = undefined;
    }, scriptDriver(client));
    assert(failures > 50, `${failures} failures`);
  },
);

upstashDriverTest(
  "a database without memory refuses every call as a whole, and works again when it has memory",
  async (setting) => {
    const { redis } = setting;
    await failEach(setting, async (call, method) => {
      await redis.ask("CONFIG", "SET", "maxmemory", "1");
      const error = await rejection(call());
      assert.deepEqual([error.message, error.retryable], [
        `${failed(method)} (OOM: the database has no memory left)`,
        false,
      ]);
      await redis.ask("CONFIG", "SET", "maxmemory", "1gb");
    });
  },
  { isAlone: true },
);

/**
 * Answers in place of the server, which did nothing; the text of the error; and whether the call
 * may be repeated.
 */
const ANSWERED: readonly [at: () => Response, shown: string, retryable: boolean][] = [
  [UPSTASH_ANSWERS.internalError, "HTTP_500", true],
  [UPSTASH_ANSWERS.badGateway, "HTTP_502", true],
  [UPSTASH_ANSWERS.gatewayTimeout, "HTTP_504", true],
  [UPSTASH_ANSWERS.tooManyRequests, "HTTP_429", true],
  [UPSTASH_ANSWERS.dailyLimit, "ERR: the plan's limit of commands is used up", false],
  [UPSTASH_ANSWERS.capacity, "ERR: the database is full", false],
  [() => new Response("<h1>Welcome</h1>"), "HTTP_200", true],
  [() => Response.json({ result: ["1"] }), "", true],
];

for (const [answer, shown, retryable] of ANSWERED) {
  upstashDriverTest(
    `a server that answers ${shown || "what no script does"} in place of any operation`,
    async (setting) => {
      const { server } = setting;
      const requests = () => server.requests.command;
      await setting.loadScripts();
      await failEach(setting, async (call, method) => {
        server.fault({ answer });
        const before = requests();
        const error = await rejection(call());
        const expected = shown === ""
          ? `Upstash: ${method} got an answer that is not that of its script`
          : `${failed(method)} (${shown})`;
        assert.deepEqual([error.message, error.retryable, requests() - before], [expected, retryable, 1]);
      });
      if (!retryable) return;
      // A second story, in which the server carried out the call.
      const driver = withRetries(setting.open({ prefix: `${setting.prefix}.2` }), hasty);
      for (const operation of everyOperation(driver)) {
        server.fault({ at: "after", answer, times: 2 });
        await operation();
      }
      assert.deepEqual((await driver.readStream({ workflowId: "w", key: "stream", from: 0, limit: 10 })).values, [
        "4",
        "5",
      ]);
      assert.equal((await driver.readEvent({ workflowId: "w", key: "event" })).event?.version, 2);
    },
  );
}

upstashDriverTest(
  "a token that is wrong, or may only read, is refused without repeats, for every call",
  async (setting) => {
    const { server, open, dump } = setting;
    const url = server.url;
    const tokens = {
      "WRONGPASS: the token must be that of the database": "hunter2",
      "NOPERM: the token must allow writing, scripts and what they call, and every key and the channel of the prefix":
        server.readOnlyToken,
    };
    for (const [shown, token] of Object.entries(tokens)) {
      const before = server.requests.command;
      for (const [index, operation] of everyOperation(withRetries(open({ redis: { url, token } }), hasty)).entries()) {
        const error = await rejection(operation());
        assert.deepEqual([error.message, error.retryable], [
          `${failed(METHODS.split(" ")[index] ?? "")} (${shown})`,
          false,
        ]);
      }
      assert.equal(server.requests.command - before, METHODS.split(" ").length, "no call is repeated");
    }
    assert.deepEqual(await dump(), {});
  },
);

upstashDriverTest(
  "a request of more than 10 MB is refused without repeats, with its size, and nothing is written",
  async (setting) => {
    const { open, dump, server } = setting;
    const driver = withRetries(open(), hasty);
    await driver.create(createRequest("w"));
    const before = [await dump(), server.requests.command];
    const messages = Array.from({ length: 11 }, () => newMessage("w", { value: "x".repeat(2 ** 20) }));
    const large = {
      "create": () => driver.create(createRequest("x", { input: "x".repeat(11 * 2 ** 20) })),
      "send": () => driver.send(messages),
    };
    for (const [method, call] of Object.entries(large)) {
      const error = await rejection(call());
      assert.equal(error.retryable, false);
      assert.match(
        error.message,
        new RegExp(`^${failed(method)} \\(ERR: the request must be smaller than these 115\\d{5} bytes\\)$`),
      );
    }
    assert.deepEqual([await dump(), server.requests.command], [before[0], Number(before[1]) + 2]);
    await driver.send(messages.slice(0, 9));
    const held = Object.keys((await dump())["inbox/w"]?.held ?? {});
    assert.equal(held.filter((field) => /^\d/.test(field)).length, 9);
  },
);

upstashDriverTest(
  "a call rejects in the end if the server is down; its message counts once when the server is back",
  async (setting) => {
    const { open, relay, dump } = setting;
    const driver = withRetries(open(), hasty);
    await driver.create(createRequest("w"));
    const before = await dump();
    const gone = relay.fault({ at: "connect", action: { kind: "cut", ending: "reset" }, times: Infinity });
    await relay.cut();
    const message = newMessage("w");
    const error = await rejection(driver.send([message]));
    assert.equal(error.retryable, true);
    assert.match(error.message, /^Upstash: send failed \([A-Z_]+: outcome unknown\)$/);
    // The first of five tries may have used the connection from before.
    assert(gone.hits >= 4, `it was tried ${gone.hits} times`);
    assert.deepEqual(await dump(), before);
    gone[Symbol.dispose]();
    const sent = { state: "sent", receipts: [{ messageId: message.messageId, duplicate: false }], woken: [] };
    assert.deepEqual([await driver.send([message]), await driver.send([message])], [sent, sent]);
    const held = (await dump())["inbox/w"]?.held as Record<string, string>;
    assert.match(held["0:"] ?? "", /^1:\d+:\["[^"]+","[^"]+"\]\n"hello"$/);
    assert.equal(held["last"], "1");
  },
);
