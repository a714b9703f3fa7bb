import assert from "node:assert/strict";
import { readAnswer } from "../../../../drivers/upstash/script_calls.ts";
import { isNoScript } from "../../../../drivers/upstash/transport/failure.ts";
import { DriverError } from "../../../../core/errors.ts";
import { upstashDriver } from "../../../../drivers/upstash/mod.ts";
import { Parley } from "../../../../mod.ts";
import { UPSTASH_ANSWERS } from "../server/mod.ts";
import { rejection, type TransportOpenOptions, type TransportSetting, transportTest } from "../support/setting.ts";

const CALL = "Upstash: commit";
const SECRET = "hunter2";

/** Both ways to pass a database. */
const WAYS: Record<string, (setting: TransportSetting) => TransportOpenOptions> = {
  "a url and a token": () => ({}),
  "a client of the user's": ({ client }) => ({ redis: client() }),
};

const refusal = (status: number, error: string) => () => Response.json({ error }, { status });
const html = (status: number) => () => new Response(`<h1>${SECRET}</h1>`, { status });

/** Answers, the texts of the errors, and whether the call may be repeated. */
const REFUSALS: [answer: () => Response, shown: string, retryable: boolean][] = [
  [UPSTASH_ANSWERS.capacity, "ERR: the database is full", false],
  [UPSTASH_ANSWERS.dailyLimit, "ERR: the plan's limit of commands is used up", false],
  [
    refusal(
      400,
      "ERR max requests limit exceeded. Limit: 500000, Usage: 500000. See https://upstash.com/docs for details",
    ),
    "ERR: the plan's limit of commands is used up",
    false,
  ],
  [refusal(400, "ERR max single record size exceeded"), "ERR: what is stored under one key must be smaller", false],
  [
    refusal(400, `ERR max key size exceeded. Limit: 32768 bytes, Actual: 40000 bytes`),
    "ERR: a key must be smaller",
    false,
  ],
  [refusal(400, "ERR max concurrent connections exceeded"), "ERR: too much at once", true],
  [refusal(400, "ERR max commands per second exceeded"), "ERR: too much at once", true],
  [
    refusal(
      400,
      `ERR Dynamic keys are not allowed in Lua scripts when 'allow-key-locking' flag is set. Key was: ${SECRET}, script: ${SECRET}`,
    ),
    "ERR: a script used a key that it did not declare",
    false,
  ],
  [
    refusal(400, `ERR Command is not available: '${SECRET}'. See https://upstash.com/docs`),
    "ERR: the server does not offer the command",
    false,
  ],
  [
    refusal(400, `ERR user_script:12: ${SECRET} script: ${SECRET}, on @user_script:12.`),
    "ERR: in line 12 of the script",
    false,
  ],
  [
    refusal(400, `WRONGTYPE Operation against a key holding the wrong kind of value ${SECRET}`),
    "WRONGTYPE: a key holds",
    false,
  ],
  [
    refusal(400, "OOM command not allowed when used memory > 'maxmemory'."),
    "OOM: the database has no memory left",
    false,
  ],
  [
    refusal(400, "NOPERM this user has no permissions to run the 'eval' command"),
    "NOPERM: the token must allow writing, scripts and what they call, and every key and the channel of the prefix",
    false,
  ],
  [refusal(400, `ERR ${SECRET}`), "ERR", false],
  [refusal(400, "LOADING Redis is loading the dataset in memory"), "LOADING: the database is starting", true],
  [refusal(400, "BUSY Redis is busy running a script."), "BUSY: another script is running", true],
  [refusal(400, "MASTERDOWN Link with MASTER is down"), "MASTERDOWN", true],
  [refusal(400, "TRYAGAIN Multiple keys request during rehashing of slot"), "TRYAGAIN", true],
  [
    refusal(400, "READONLY You can't write against a read only replica."),
    "READONLY: the database takes no writes at the moment",
    true,
  ],
];

/**
 * The same for answers whose status says more than the text. The package's client does not tell the
 * status.
 */
const STATUSES: typeof REFUSALS = [
  [UPSTASH_ANSWERS.internalError, "HTTP_500", true],
  [UPSTASH_ANSWERS.badGateway, "HTTP_502", true],
  [UPSTASH_ANSWERS.gatewayTimeout, "HTTP_504", true],
  [UPSTASH_ANSWERS.tooManyRequests, "HTTP_429", true],
  [refusal(503, `ERR ${SECRET}`), "HTTP_503", true],
  [html(400), "HTTP_400", true],
  [html(404), "HTTP_404", true],
  [html(200), "HTTP_200", true],
  [() => Response.json({ answer: SECRET }), "HTTP_200", true],
  [() => Response.json(null), "HTTP_200", true],
  [() => Response.json([{ result: SECRET }]), "HTTP_200", true],
  [refusal(400, `${SECRET} is what the gateway says`), "HTTP_400", true],
  [refusal(400, `constructor ${SECRET}`), "HTTP_400", true],
  [() => new Response(null, { status: 302, headers: { Location: `https://${SECRET}.test/` } }), "HTTP_302", true],
  [() => new Response(null, { status: 405 }), "HTTP_405: the url must be that of the database's REST API", false],
  [html(413), "HTTP_413: the request must be smaller than these 52 bytes", false],
  [html(401), "HTTP_401: the token must be that of the database", false],
  [UPSTASH_ANSWERS.requestTooLarge, "ERR: the request must be smaller than these 52 bytes", false],
];

function isClean(error: DriverError): boolean {
  return !Deno.inspect(error, { depth: 20, showHidden: true, strAbbreviateSize: Infinity }).includes(SECRET);
}

for (const [way, options] of Object.entries(WAYS)) {
  transportTest(
    `a refusal by the server is certain, and the error omits what the server quotes: ${way}`,
    async (setting) => {
      const { send } = setting.open(options(setting));
      for (const [answer, shown, retryable] of REFUSALS) {
        setting.server.fault({ answer });
        const error = await rejection(send(["SET", setting.key(SECRET), SECRET], CALL));
        assert(error.message.startsWith(`${CALL} failed (${shown}`) && error.message.endsWith(")"), error.message);
        assert.deepEqual([error.retryable, isClean(error), isNoScript(error)], [retryable, true, false], shown);
      }
    },
  );

  transportTest(`a wrong token is refused, and not retryable: ${way}`, async (setting) => {
    const { server, relay, open, client } = setting;
    const url = relay.through(server.url);
    for (const token of [SECRET, server.readOnlyToken]) {
      const own = way === "a url and a token" ? { url, token } : client({ url, token });
      const error = await rejection(open({ redis: own }).send(["SET", "k", "v"], CALL));
      const shown = token === SECRET
        ? "WRONGPASS: the token must be that of the database"
        : "NOPERM: the token must allow writing, scripts and what they call, and every key and the channel of the prefix";
      assert.deepEqual([error.message, error.retryable, isClean(error)], [`${CALL} failed (${shown})`, false, true]);
    }
  });
}

transportTest(
  "an answer that is not from Redis leaves the outcome unknown, except for statuses that refuse",
  async ({ open, server }) => {
    const { send } = open();
    for (const [answer, shown, retryable] of STATUSES) {
      server.fault({ answer });
      const error = await rejection(send(["SET", "k", "x".repeat(24), "NX", "EX", "1"], CALL));
      assert.deepEqual([error.message, error.retryable, isClean(error)], [
        `${CALL} failed (${shown})`,
        retryable,
        true,
      ]);
    }
  },
);

transportTest(
  "errors of a client that are not from the server leave the outcome unknown",
  async ({ open, server, client, relay, key }) => {
    const quick = client({ retry: { retries: 0 } });
    const { send } = open({ redis: quick });
    for (
      const [answer, shown] of [[html(502), "UpstashJSONParseError"], [
        UPSTASH_ANSWERS.internalError,
        "UpstashError",
      ]] as const
    ) {
      server.fault({ answer });
      const error = await rejection(send(["SET", key("k"), SECRET], CALL));
      assert.deepEqual([error.message, error.retryable, isClean(error)], [
        `${CALL} failed (${shown}: outcome unknown)`,
        true,
        true,
      ]);
    }
    relay.fault({ at: "after", action: { kind: "cut" }, times: 2 });
    const error = await rejection(send(["SET", key("k"), SECRET], CALL));
    assert.deepEqual([error.message, error.retryable, isClean(error)], [
      `${CALL} failed (NO_ANSWER: outcome unknown)`,
      true,
      true,
    ]);
  },
);

transportTest("a request that is too large is refused with its size, and not retryable", async ({ open, key }) => {
  const error = await rejection(open().send(["SET", key("k"), SECRET.repeat(200)], CALL));
  assert.equal(error.retryable, false);
  assert.match(error.message, /: the request must be smaller than these 1\d\d\d bytes\)$/);
  assert(isClean(error));
}, { maxRequestBytes: 1_000 });

transportTest(
  "neither an error nor its cause shows the command, the token or the url",
  async ({ open, relay, server }) => {
    const shown: DriverError[] = [];
    const command = ["SET", SECRET, SECRET];
    const url = `http://${SECRET}.test/${SECRET}`;
    shown.push(await rejection(open({ redis: { url, token: SECRET } }).send(command, CALL)));
    for (const at of ["before", "body"] as const) {
      relay.fault({ at, action: { kind: "cut" } });
      shown.push(await rejection(open().send(command, CALL)));
      relay.fault({ at, action: { kind: "blackHole" } });
      shown.push(await rejection(open({ timeoutMs: 100 }).send(command, CALL)));
    }
    const { subscribe } = open({ redis: { url: relay.through(server.url), token: SECRET } });
    shown.push(await rejection(subscribe(SECRET, () => {}, new AbortController().signal)));
    assert.equal(shown.length, 6);
    for (const error of shown) assert(isClean(error), Deno.inspect(error));
    await relay.cut();
  },
);

Deno.test("a programming error of a client is not retryable, and shows its place but not its text", async () => {
  for (const thrown of [new TypeError(`${SECRET} is not a function`), new ReferenceError(`${SECRET} is not defined`)]) {
    let asked = 0;
    const exec = () => (asked++, Promise.reject(thrown));
    const redis = { exec, subscribe: () => assert.fail("it subscribed") };
    const parley = new Parley({ driver: upstashDriver(redis, { push: false }) });
    const error = await rejection(parley.send("w", 1));
    assert.deepEqual([asked, error.retryable, error.message], [
      1,
      false,
      `Upstash: send failed (${thrown.name} in the client or the driver)`,
    ]);
    assert(error.cause instanceof Error && /upstash\/transport\/failure_test/.test(error.cause.stack ?? ""));
    assert(isClean(error));
  }
});

Deno.test("readAnswer() accepts only answers of scripts; any other is retryable", () => {
  const none = [
    null,
    1,
    "={}",
    {},
    [],
    [1],
    ["{}"],
    ["={}", 1],
    ["={}", "v"],
    ["="],
    [`=${SECRET}`],
    ["=null"],
    ["=1"],
    ['="text"'],
    [
      "=[]",
    ],
  ];
  for (const result of none) {
    const refused = (error: unknown) => error instanceof DriverError && error.retryable && isClean(error);
    assert.throws(() => readAnswer(result, CALL), refused, JSON.stringify(result));
  }
  const document = { first: { at: 1 }, others: [{ at: 2 }], none: {}, nothing: null };
  const answer = { first: "", others: ["=v"], none: [], nothing: null };
  assert.deepEqual(readAnswer([`=${JSON.stringify(document)}`, "=", "==v"], CALL), answer);
});
