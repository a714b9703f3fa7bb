import assert from "node:assert/strict";
import { runInNewContext } from "node:vm";
import fc from "fast-check";
import { devalueCodec, MAX_DEPTH } from "../../../core/values/codec.ts";
import { everythingIn, SECRET } from "./secret.ts";
import { Values } from "../../../core/values/values.ts";

const LIMIT = 2 ** 20;
const values = new Values(devalueCodec, LIMIT);
const roundTrip = (value: unknown) => values.decode(values.encode(value, "value"));

const key = fc.string().filter((it) => it !== "__proto__");
const leaf = fc.oneof(
  fc.string({ unit: "binary" }),
  fc.double(),
  fc.constantFrom(-0, NaN, Infinity, -Infinity, null, undefined, true, false),
  fc.bigInt(),
  fc.date({ noInvalidDate: false }),
  fc.uint8Array(),
  fc.constantFrom(/a/, /[/\n"]+/giu, /^$/m),
  fc.webUrl().map((it) => new URL(it)),
);
const { value: anything } = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 4 },
    leaf,
    fc.array(tie("value"), { maxLength: 4 }),
    fc.dictionary(key, tie("value"), { maxKeys: 4, noNullPrototype: true }),
    fc.array(fc.tuple(tie("value"), tie("value")), { maxLength: 3 }).map((it) => new Map(it)),
    fc.array(tie("value"), { maxLength: 3 }).map((it) => new Set(it)),
    fc.tuple(fc.string(), tie("value")).map(([message, cause]) =>
      new TypeError(message, cause === undefined ? {} : { cause })
    ),
  ),
}));

Deno.test("encode() and decode() bring every type back equal at any depth", () => {
  fc.assert(fc.property(anything, (value) => assert.deepStrictEqual(roundTrip(value), value)), { numRuns: 500 });
});

Deno.test("encode() keeps repeated and cyclic references", () => {
  const shared = { a: 1 };
  const cycle: { self?: unknown; list: unknown[] } = { list: [shared, shared] };
  cycle.self = cycle;
  const back = roundTrip(cycle) as typeof cycle;
  assert.equal(back.self, back);
  assert.equal(back.list[0], back.list[1]);
});

Deno.test("encode() keeps holes, lone surrogates and keys that look like an object's own", () => {
  for (const value of [[, 1], "\ud800", "\0", { constructor: 1, toString: null, "": 0 }, [undefined, null]]) {
    assert.deepStrictEqual(roundTrip(value), value);
  }
});

Deno.test("encode() stores only the bytes that a byte array shows", () => {
  const bytes = new TextEncoder().encode(`..${SECRET}..`);
  for (const [from, to] of [[0, 2], [0, 0], [2, 3], [1, 2]] as const) {
    const view = bytes.subarray(from, to);
    const back = roundTrip({ nested: [view] }) as { nested: Uint8Array[] };
    assert.deepStrictEqual(back.nested[0], new Uint8Array(view));
    assert.equal(back.nested[0]!.buffer.byteLength, to - from);
  }
  const pooled = roundTrip(Buffer.from("ab")) as Uint8Array;
  assert.deepEqual([pooled.buffer.byteLength, [...pooled]], [2, [97, 98]]);
});

Deno.test("encode() stores only the bytes that a view shows", () => {
  const { buffer } = new TextEncoder().encode(`..${SECRET}${SECRET}..`);
  const classes: (new (buffer: ArrayBuffer, from: number, length: number) => ArrayBufferView)[] = [
    ...[Int8Array, Uint8ClampedArray, Uint16Array, Float32Array],
    ...[BigInt64Array, DataView],
  ];
  for (const View of classes) {
    const view = new View(buffer, 8, 1);
    const back = roundTrip(view) as ArrayBufferView;
    assert.equal(back.constructor, View);
    assert.deepEqual([back.byteLength, back.buffer.byteLength], [view.byteLength, view.byteLength]);
    assert.deepEqual(new Uint8Array(back.buffer), new Uint8Array(buffer, 8, view.byteLength));
  }
});

function nothing(): never {
  const error: unknown = null;
  throw error;
}

Deno.test("encode() refuses a value that cannot be decoded, and tells where it is but not what", () => {
  class Account {
    password = SECRET;
  }
  const revoked = Proxy.revocable({}, {});
  revoked.revoke();
  const throwing = {
    get field() {
      return nothing();
    },
  };
  const refused = [
    throwing,
    revoked.proxy,
    () => SECRET,
    Symbol(SECRET),
    new Account(),
    new WeakMap(),
    Promise.resolve(SECRET),
    {
      deep: [{ f: () => SECRET, s: SECRET }],
    },
  ];
  for (const value of refused) {
    assert.throws(() => values.encode(value, "message"), (error: Error & { code?: string }) => {
      assert.equal(error.code, "invalid_value");
      assert.match(error.message, /^Encoding the message: /);
      assert(!everythingIn(error).includes(SECRET), everythingIn(error));
      return true;
    });
  }
  assert.throws(() => values.encode({ deep: [{ f: () => 1 }] }, "message"), { message: /\.deep\[0\]\.f/ });
});

Deno.test("encode() does not show a codec's message about a value", () => {
  const codec = { ...devalueCodec, encode: () => assert.fail(SECRET) };
  assert.throws(() => new Values(codec, LIMIT).encode(1, "message"), (error: Error) => {
    assert(!everythingIn(error).includes(SECRET));
    return (error as { code?: string }).code === "invalid_value";
  });
});

Deno.test("encode() counts bytes of UTF-8, and accepts exactly the limit", () => {
  const small = new Values(devalueCodec, 32);
  const bytes = (text: string) => new TextEncoder().encode(devalueCodec.encode(text)).length;
  for (const unit of ["x", "é", "€", "😀"]) {
    const longest = Array.from({ length: 32 }, (_, n) => unit.repeat(n)).findLast((text) => bytes(text) <= 32)!;
    small.encode(longest, "value");
    const over = longest + unit;
    assert.throws(() => small.encode(over, "value"), { code: "value_too_large", bytes: bytes(over), limit: 32 });
  }
  assert.equal(bytes("x".repeat(28)), 32);
  small.encode("x".repeat(28), "value");
});

Deno.test("encodeError() drops only fields that cannot be stored, also in causes and in an AggregateError", () => {
  const failing = (message: string, cause?: unknown) =>
    Object.assign(new RangeError(message, { cause }), {
      status: 503,
      code: "E_AWAY",
      config: { retry: () => 1 },
      headers: { a: "b" },
    });
  const error = failing(
    "request",
    new AggregateError([failing("first"), "second", () => 1], "all failed", { cause: failing("root", () => 1) }),
  );
  const back = values.decode(values.encodeError(error)) as ReturnType<typeof failing> & {
    cause: AggregateError & { cause: Error };
  };
  const inner = [back, back.cause.errors[0], back.cause.cause];
  for (const [index, message] of ["request", "first", "root"].entries()) {
    const { name, stack, ...fields } = inner[index]!;
    assert.deepEqual([inner[index] instanceof RangeError, name, inner[index]!.message], [true, "RangeError", message]);
    assert.deepEqual(fields, { status: 503, code: "E_AWAY", headers: { a: "b" } });
    assert.equal(typeof stack, "string");
  }
  assert(back.cause instanceof AggregateError);
  assert.deepEqual([back.cause.errors.length, back.cause.errors[1]], [2, "second"]);
  assert.equal("cause" in back.cause.cause, false);
});

Deno.test("encodeError() keeps cycles of errors, and cuts a chain of causes that is too long", () => {
  const error: Error & { self?: Error } = Object.assign(new Error("m"), { f: () => 1, code: 1 });
  error.cause = new TypeError("t", { cause: error });
  error.self = error;
  const back = values.decode(values.encodeError(error)) as typeof error & { code: number; cause: Error };
  assert.equal(back.cause.cause, back);
  assert.equal(back.self, back);
  assert.equal(back.code, 1);
  let chain = new Error("0");
  for (let n = 1; n < 2_000; n++) chain = new Error(String(n), { cause: chain });
  let length = 0;
  for (let it: unknown = values.decode(values.encodeError(chain)); it instanceof Error; it = it.cause) {
    assert.equal(it.message, String(1_999 - length));
    length++;
  }
  assert(length > 10, `${length}`);
});

Deno.test("encodeError() of an error that is too large drops its largest fields first, and keeps its code", () => {
  const error = Object.assign(new Error("m", { cause: Object.assign(new Error("c"), { body: "x".repeat(LIMIT) }) }), {
    code: "E_BIG",
    small: 1,
    large: "y".repeat(LIMIT / 2),
    larger: "z".repeat(LIMIT),
  });
  const back = values.decode(values.encodeError(error)) as typeof error & { cause: Error };
  assert.deepEqual({ ...back }, { code: "E_BIG", small: 1, large: error.large });
  assert.deepEqual([back.message, back.stack, back.cause.message, { ...back.cause }], ["m", error.stack, "c", {}]);
  const many = new AggregateError(Array.from({ length: 5_000 }, (_, n) => new Error(`${n}`.repeat(500))), "many");
  const kept = values.decode(values.encodeError(many)) as AggregateError;
  assert.deepEqual([kept.message, kept.errors.length > 0], ["many", true]);
});

Deno.test("encodeError() keeps the name and the beginning of a message that is too large", () => {
  const error = Object.assign(new Error("x".repeat(2 * LIMIT)), { name: "Huge" });
  const back = values.decode(values.encodeError(error)) as Error;
  assert.deepEqual([back.name, back.message, back.stack], ["Huge", "x".repeat(1_000), undefined]);
  const large = Object.assign(new Error("small"), { payload: "x".repeat(2 * LIMIT) });
  const kept = values.decode(values.encodeError(large)) as Error;
  assert.deepEqual([kept.message, kept.stack, "payload" in kept], ["small", large.stack, false]);
});

Deno.test("encode() turns an error's name, message and stack into strings, and omits unreadable ones", () => {
  const bare = Object.create(null);
  const throwing = { get: () => assert.fail(SECRET), enumerable: true };
  const cases: [Error, [string, string, string | undefined]][] = [
    [Object.assign(new Error(), { message: bare, name: bare, stack: bare }), ["Error", "", undefined]],
    [Object.assign(new Error(), { message: { a: 1 }, name: 5, stack: [1, 2] }), ["5", "[object Object]", "1,2"]],
    [
      Object.defineProperties(new Error("m"), {
        name: throwing,
        message: throwing,
        stack: throwing,
        cause: throwing,
        x: throwing,
      }),
      [
        "Error",
        "",
        undefined,
      ],
    ],
    [new Proxy(new Error("m"), { get: () => assert.fail(SECRET), ownKeys: () => assert.fail(SECRET) }), [
      "Error",
      "",
      undefined,
    ]],
    [Object.create(Error.prototype), ["Error", "", undefined]],
  ];
  for (const [error, [name, message, stack]] of cases) {
    const [back] = roundTrip([error]) as [Error];
    assert(back instanceof Error);
    assert.deepEqual([back.name, back.message, back.stack, Object.keys(back)], [name, message, stack, []]);
  }
  const named = JSON.parse('{"__proto__": 1, "ok": 2}');
  const error = Object.defineProperties(new Error("m"), Object.getOwnPropertyDescriptors(named));
  assert.deepEqual({ ...roundTrip(error) as Error }, { ok: 2 });
});

Deno.test("encode() refuses a value that is nested too deep for some runtime to decode", () => {
  const wrappers: Record<string, (value: unknown) => unknown> = {
    array: (it) => [it],
    object: (it) => ({ a: it, b: 1 }),
    map: (it) => new Map([[1, it]]),
    key: (it) => new Map([[it, 1]]),
    set: (it) => new Set([it]),
    sparse: (it) => Object.assign([], { 2_000: it }),
    bare: (it) => Object.assign(Object.create(null), { it }),
  };
  const nested = (wrap: (value: unknown) => unknown, depth: number) => {
    let value: unknown = wrap(1);
    for (let level = 1; level < depth; level++) value = wrap(value);
    return value;
  };
  const refusal = {
    code: "invalid_value",
    message: /^Encoding the value: It is nested too deep, and may be nested at most 500 deep/,
  };
  for (const [name, wrap] of Object.entries(wrappers)) {
    assert.deepStrictEqual(roundTrip(nested(wrap, MAX_DEPTH)), nested(wrap, MAX_DEPTH), name);
    for (const depth of [MAX_DEPTH + 1, 1_000, 2_300]) {
      assert.throws(() => values.encode(nested(wrap, depth), "value"), refusal, `${name} ${depth}`);
    }
  }
  // An error takes two levels: itself and its data.
  assert(roundTrip(nested((cause) => new Error("m", { cause }), MAX_DEPTH / 2 - 1)) instanceof Error);
  assert.throws(() => values.encode(nested((cause) => new Error("m", { cause }), 1_000), "value"), refusal);
  assert.throws(() => values.encode(nested((it) => [it], 100_000), "value"), { code: "invalid_value" });
  const shared = nested((it) => [it], 400);
  assert.throws(
    () => values.encode([shared, nested((it) => [it], 200), [[shared]], { deep: nested((it) => [it], 600) }], "value"),
    refusal,
  );
});

Deno.test("encode() refuses types that some runtime lacks, and objects that imitate a type", () => {
  const tagged = (tag: string, text: string) => Object.create({ [Symbol.toStringTag]: tag, toString: () => text });
  const runtime = globalThis as {
    Temporal?: { Now: { instant(): unknown } };
    Float16Array?: new (length: number) => unknown;
  };
  const refused = [
    tagged("URL", "no url"),
    tagged("Temporal.Instant", "2025-01-01T00:00:00Z"),
    tagged("Uint8Array", "x"),
    tagged("RegExp", "("),
  ];
  if (runtime.Temporal) refused.push(runtime.Temporal.Now.instant());
  if (runtime.Float16Array) refused.push(new runtime.Float16Array(2));
  assert.equal(refused.length, 6, "Deno has both");
  for (const value of refused) {
    assert.throws(() => values.encode({ a: [value] }, "value"), { code: "invalid_value" });
  }
  assert.throws(() => values.encode({ a: [refused.at(-1)] }, "value"), { message: /at \.a\[0\]/ });
});

Deno.test("encode() keeps errors that refer to themselves, and errors of another realm", () => {
  const error: Error & { self?: unknown } = new TypeError("m");
  error.cause = { list: [error] };
  error.self = error;
  const back = roundTrip({ error }) as { error: typeof error & { cause: { list: unknown[] } } };
  assert.equal(back.error.cause.list[0], back.error);
  assert.equal(back.error.self, back.error);
  assert.deepEqual([back.error.message, back.error.constructor], ["m", TypeError]);
  const foreign: Error = runInNewContext('Object.assign(new RangeError("far"), { code: "E" })');
  assert.equal(foreign instanceof Error, false);
  const here = roundTrip(foreign) as Error & { code: string };
  assert.deepEqual([here instanceof RangeError, here.message, here.code], [true, "far", "E"]);
});

Deno.test("decode() names an unreadable value and the type that this runtime lacks, and nothing of its content", () => {
  for (
    const text of [
      SECRET,
      `"${SECRET}"`,
      `[["Unknown","${SECRET}"]]`,
      `[["URL","${SECRET}"]]`,
      "[1",
      "",
      '[["Error",1],1]',
    ]
  ) {
    assert.throws(() => values.decode(text, "output", 3), (error: Error & { code: string; at: number }) => {
      assert.deepEqual([error.code, error.at, error.cause], ["unreadable_value", 3, undefined]);
      assert.match(error.message, /^Decoding the output at 3: /);
      return !everythingIn(error).includes(SECRET);
    }, text);
  }
});

Deno.test("encodeError() never fails, with any fields", () => {
  const getter = Object.defineProperty(new Error("m"), "boom", { enumerable: true, get: () => assert.fail("boom") });
  const odd = [
    Object.assign(new Error(), { message: () => 1 }),
    Object.assign(new Error("m"), { name: Symbol("n"), f: () => 1 }),
    Object.assign(new Error("m"), { message: { toString: () => assert.fail("no") }, f: () => 1 }),
    getter,
    new Proxy(new Error("m"), { get: () => assert.fail("no") }),
  ];
  for (const error of odd) assert(values.decode(values.encodeError(error)) instanceof Error);
});

Deno.test("encodeError() keeps thrown values that are not errors, or says that it cannot keep them", () => {
  assert.deepEqual(values.decode(values.encodeError({ reason: 1 })), { reason: 1 });
  assert.equal(values.decode(values.encodeError(undefined)), undefined);
  assert.match((values.decode(values.encodeError(() => SECRET)) as Error).message, /^A thrown function /);
  assert(!values.encodeError(() => SECRET).includes(SECRET));
});
