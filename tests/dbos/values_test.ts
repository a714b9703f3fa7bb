import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { encodeArguments } from "../../dbos/start.ts";
import { toPortable } from "../../dbos/values/portable.ts";
import { toStored } from "../../dbos/values/stored.ts";
import { DbosValues } from "../../dbos/values/values.ts";

const LIMIT = 1_000;
const portable = (value: unknown) => toPortable(value, "message", LIMIT);
const values = new DbosValues({});
const read = (text: string, format: string | null) => values.decode(toStored(text, format));
const superjson = (json: unknown, meta?: unknown) =>
  read(JSON.stringify({ json, ...(meta !== undefined && { meta }), __dbos_serializer: "superjson" }), "js_superjson");

Deno.test("toPortable() writes what the SDKs of DBOS write", () => {
  assert.equal(portable(undefined), "null");
  assert.equal(portable(new Date(0)), '"1970-01-01T00:00:00.000Z"');
  assert.equal(
    portable({ n: 10n ** 20n, d: [new Date(1)] }),
    '{"n":"100000000000000000000","d":["1970-01-01T00:00:00.001Z"]}',
  );
  assert.equal(portable(new Map<string, unknown>([["a", new Set([1])]])), '{"a":[1]}');
  assert.equal(portable([NaN, Infinity, -0, undefined]), "[null,null,0,null]");
  assert.equal(
    portable({ e: new RangeError("x"), u: new URL("https://a.example/") }),
    '{"e":{"name":"RangeError","message":"x"},"u":"https://a.example/"}',
  );
  assert.equal(portable("\0\ud800"), '"\\u0000\\ud800"');
});

Deno.test("toPortable() refuses what portable JSON cannot show, and shows nothing of it", () => {
  const cycle: Record<string, unknown> = { secret: 1 };
  cycle.secret = cycle;
  const secret = {
    get secret() {
      throw new Error("secret");
    },
  };
  let deep: unknown = 1;
  for (let level = 0; level < 100_000; level++) deep = [deep];
  for (
    const value of [
      () => "secret",
      { a: Symbol("secret") },
      new Map([[1, "secret"]]),
      /secret/,
      new Uint8Array(1),
      Buffer.from("secret"),
      { a: [new Map([["b", Buffer.from("secret")]])] },
      cycle,
      secret,
      deep,
    ]
  ) {
    assert.throws(() => portable(value), (error: Error & { code: string }) => {
      assert.equal(error.code, "invalid_value");
      assert.match(error.message, /^Encoding the message: it .*portable JSON$/);
      assert(!error.message.includes("secret"));
      return true;
    });
  }
  assert.throws(() => portable("x".repeat(LIMIT)), { code: "value_too_large", bytes: LIMIT + 2, limit: LIMIT });
  assert.throws(() => portable("€".repeat(LIMIT / 3)), { code: "value_too_large" });
});

Deno.test("all arguments of a start are one input, with one limit", () => {
  const encode = (options: Parameters<typeof encodeArguments>[0]["options"], input?: unknown) =>
    encodeArguments({ name: "flow", input, limit: LIMIT, options });
  assert.equal(encode({}), '{"positionalArgs":[],"namedArgs":{}}');
  assert.equal(encode({}, new Date(0)), '{"positionalArgs":["1970-01-01T00:00:00.000Z"],"namedArgs":{}}');
  // deno-lint-ignore no-sparse-arrays
  const options = { positionalArgs: [1, , undefined, 2n], namedArgs: { a: null, b: undefined } };
  assert.equal(encode(options), '{"positionalArgs":[1,null,null,"2"],"namedArgs":{"a":null}}');
  const half = "€".repeat(LIMIT / 6);
  for (const large of [{ positionalArgs: [half, half] }, { positionalArgs: [half], namedArgs: { half } }]) {
    assert.throws(() => encode(large), { code: "value_too_large", limit: LIMIT });
  }
  const bytes = new TextEncoder().encode(encode({ positionalArgs: [half] })).length;
  assert(bytes > LIMIT / 2 && bytes < LIMIT);
  assert.throws(() => encode({ positionalArgs: [1] }, 1), { code: "invalid_value" });
  assert.throws(() => encode({ positionalArgs: 1 as never }), { code: "invalid_value" });
  assert.throws(() => encode({ positionalArgs: [() => {}] }), { code: "invalid_value" });
});

Deno.test("the input of a Go workflow is its only argument, also if it is a list", () => {
  for (const input of [[1], [], [1, 2], { positionalArgs: [1] }]) {
    assert.deepEqual(values.decode(toStored(btoa(JSON.stringify(input)), "DBOS_JSON", "input")), input);
  }
});

Deno.test("values of superjson come back with their types", () => {
  assert.deepEqual(superjson({ a: 1 }), { a: 1 });
  assert.deepEqual(superjson({ a: { b: "1970-01-01T00:00:00.000Z" } }, { values: { "a.b": ["Date"] } }), {
    a: { b: new Date(0) },
  });
  assert.deepEqual(superjson({ "a.b": { c: "1" } }, { values: { "a\\.b.c": ["bigint"] } }), { "a.b": { c: 1n } });
  // The SDK writes no escape in the last key, and gets the text back, too.
  assert.deepEqual(superjson({ "a.b": "1" }, { values: { "a.b": ["bigint"] } }), { "a.b": "1" });
  assert.deepEqual(
    superjson(["1970-01-01T00:00:00.000Z", 2], { values: ["set", { 0: ["Date"] }] }),
    new Set([new Date(0), 2]),
  );
  assert.deepEqual(superjson([["a", "1"]], { values: ["map", { "0.1": ["bigint"] }] }), new Map([["a", 1n]]));
  assert.deepEqual(superjson(null, { values: ["undefined"] }), undefined);
  assert.deepEqual(superjson(["NaN", "-0"], { values: { 0: ["number"], 1: ["number"] } }), [NaN, -0]);
  assert.deepEqual(superjson("/a/g", { values: ["regexp"] }), /a/g);
  assert.deepEqual(superjson([1, 2], { values: [["custom", "Buffer"]] }), Uint8Array.of(1, 2));
  assert.deepEqual(superjson([1, 2], { values: [["typed-array", "Uint8Array"]] }), Uint8Array.of(1, 2));
  const shared = superjson([{ a: 1 }, { a: 1 }], { referentialEqualities: { 0: ["1"] } }) as unknown[];
  assert.equal(shared[0], shared[1]);
});

Deno.test("values of other formats are refused, and the error shows nothing of them", () => {
  const unreadable: [string, string | null][] = [
    ["secret", "py_pickle"],
    ["secret", "DBOS_GOB"],
    ["secret", "java_jackson"],
    ["secret", "of the app"],
    ["secret", null],
    ["secret", "toString"],
    ['{"secret":1}', "js_superjson"],
    ["secret", "portable_json"],
    ["secret!", "DBOS_JSON"],
    ['{"json":["secret"],"meta":{"values":[["custom","Mine"]]},"__dbos_serializer":"superjson"}', "js_superjson"],
    [
      '{"json":{"secret":1},"meta":{"values":{"__proto__.secret":["Date"]}},"__dbos_serializer":"superjson"}',
      "js_superjson",
    ],
  ];
  for (const [text, format] of unreadable) {
    assert.throws(() => read(text, format), (error: Error & { code: string }) => {
      assert.equal(error.code, "unreadable_value", `${text} of ${format}`);
      assert(!error.message.includes("secret") && error.cause === undefined);
      return true;
    });
  }
  assert.equal(Object.hasOwn(Object.prototype, "secret"), false);
  assert.equal(new DbosValues({ "": (text) => `own ${text}` }).decode(toStored("x", null)), "own x");
});

Deno.test("errors of the native format come without the stack of the app, their causes too", () => {
  const inner = { name: "RangeError", message: "inner", stack: "secret at /app", status: 3 };
  const text = JSON.stringify({
    json: {
      name: "TypeError",
      message: "outer",
      stack: "secret at /app",
      cause: inner,
      code: "E",
      dbos_already_logged: true,
    },
    __dbos_serializer: "superjson",
  });
  const error = values.decode(toStored(text, "js_superjson", "error")) as Error & { code: string };
  assert(error instanceof TypeError);
  const cause = error.cause as Error & { status: number };
  assert.deepEqual([error.message, error.code, error.stack, cause.message, cause.status, cause.stack], [
    "outer",
    "E",
    undefined,
    "inner",
    3,
    undefined,
  ]);
  assert.deepEqual(Object.keys(error), ["code"]);
});

Deno.test("errors within an error come without the stack of the app, wherever they are", () => {
  const inner = (name: string) => ({ name, message: "inner", stack: "secret at /app" });
  const shared = inner("SharedError");
  const error = values.decode(toStored(
    JSON.stringify({
      json: {
        ...inner("TypeError"),
        cause: { ...inner("RangeError"), reasons: [{ ...inner("Error"), cause: inner("Deep") }] },
        reason: inner("SyntaxError"),
        list: [1, [shared], { at: shared }],
        data: { message: "no error", at: 1 },
        plain: "1970-01-01T00:00:00.000Z",
        native: { name: "Error", message: "inner" },
      },
      meta: { values: { plain: ["Date"], native: ["Error"] } },
      __dbos_serializer: "superjson",
    }),
    "js_superjson",
    "error",
  )) as Error & Record<string, unknown>;
  const [, [first], { at: second }] = error.list as [number, [Error], { at: Error }];
  const { cause, reason, native } = error as unknown as Record<string, Error & { reasons: Error[] }>;
  const found = [error, cause, cause!.reasons[0], cause!.reasons[0]!.cause, reason, first, second, native] as Error[];
  assert.deepEqual(
    found.map((it) => [it instanceof Error, it.name, it.message, it.stack]),
    [
      "TypeError",
      "RangeError",
      "Error",
      "Deep",
      "SyntaxError",
      "SharedError",
      "SharedError",
      "Error",
    ].map((name) => [true, name, "inner", undefined]),
  );
  assert.deepEqual([error.data, error.plain], [{ message: "no error", at: 1 }, new Date(0)]);
});

Deno.test("an error that holds itself is read", () => {
  const json = { name: "Error", message: "outer", stack: "secret", self: null, in: { list: [null] } };
  const meta = { referentialEqualities: [["self", "in.list.0"]] };
  const text = JSON.stringify({ json, meta, __dbos_serializer: "superjson" });
  const error = values.decode(toStored(text, "js_superjson", "error")) as Error & { self: Error; in: unknown };
  assert.equal(error.self, error);
  assert.deepEqual([error.in, error.stack], [{ list: [error] }, undefined]);
});
