import assert from "node:assert/strict";
import fc from "fast-check";
import { devalueCodec } from "../../../core/values/codec.ts";
import { ParleyError } from "../../../core/errors.ts";
import { Values } from "../../../core/values/values.ts";

const numRuns = Number(Deno.env.get("FUZZ_RUNS") ?? 300);
const LIMIT = 2 ** 20;
const values = new Values(devalueCodec, LIMIT);

const key = fc.oneof(
  fc.string(),
  fc.constantFrom(
    "__proto__",
    "constructor",
    "toString",
    "then",
    "name",
    "message",
    "stack",
    "cause",
    "errors",
    "issues",
    "code",
    "fields",
    "length",
    "-7",
  ),
);
const odd = fc.constantFrom<() => unknown>(
  () => () => 1,
  () => Symbol("s"),
  () => Object.create(null),
  () => new WeakMap(),
  () => Promise.resolve(1),
  () => ({ toString: () => assert.fail("no") }),
  () => Object.create({ [Symbol.toStringTag]: "URL" }),
  () => Object.create({ [Symbol.toStringTag]: "Map" }),
  () => Object.create({ [Symbol.toStringTag]: "RegExp", source: "(", flags: "x" }),
  () => Object.create({ [Symbol.toStringTag]: "Float64Array", buffer: { byteLength: 1 } }),
  () => new Proxy({}, { get: () => assert.fail("no") }),
  () => new Proxy([], { get: () => assert.fail("no") }),
  () =>
    new Proxy(new Error("m"), {
      get: () => assert.fail("no"),
      ownKeys: () => assert.fail("no"),
      getPrototypeOf: () => assert.fail("no"),
    }),
  () =>
    new (class extends URL {
      override toString() {
        return "not a url";
      }
    })("https://example.com"),
  () =>
    new (class extends Date {
      override toISOString() {
        return "yesterday";
      }
    })(0),
  () => new (class extends Map<number, number> {})([[1, 2]]),
  () =>
    new (class Point {
      x = 1;
    })(),
  () => new Float16Array(1),
  () => new SharedArrayBuffer(1),
  () => new Boolean(false),
  () => Object(1n),
  () => Object(Symbol("s")),
  () => Object.assign([1], { extra: 1 }),
  () => Object.defineProperty({}, "a", { get: () => assert.fail("no"), enumerable: true }),
  () => new DOMException("m", "AbortError"),
  () =>
    (function () {
      return arguments;
    })(),
);

/** Functions, because fast-check cannot print a value that throws when it is read. */
const made = <T>(...arbitraries: fc.Arbitrary<T>[]): fc.Arbitrary<() => unknown> =>
  fc.oneof(...arbitraries).map((it) => () => it);
const leaf: fc.Arbitrary<() => unknown> = fc.oneof(
  {
    weight: 8,
    arbitrary: made<unknown>(
      fc.string({ unit: "binary" }),
      fc.double(),
      fc.bigInt(),
      fc.date({ noInvalidDate: false }),
      fc.boolean(),
    ),
  },
  { weight: 3, arbitrary: made(fc.constantFrom(-0, NaN, Infinity, null, undefined, "", 0)) },
  { weight: 3, arbitrary: made<unknown>(fc.uint8Array(), fc.float64Array(), fc.bigInt64Array(), fc.int16Array()) },
  { weight: 1, arbitrary: odd },
);
type Make = () => unknown;
const all = (makes: Make[]) => makes.map((make) => make());

/** Containers for a part of the value that was made last. */
const containers: object[] = [];
const noted = <T extends object>(container: T): T => (containers.push(container), container);

const { value: anything } = fc.letrec<{ value: Make }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 5, withCrossShrink: true },
    leaf,
    fc.array(tie("value"), { maxLength: 5 }).map((makes) => () => noted(all(makes))),
    fc.array(fc.tuple(key, tie("value")), { maxLength: 5 }).map((makes) => () =>
      noted(Object.fromEntries(makes.map(([name, make]) => [name, make()])))
    ),
    fc.array(fc.tuple(tie("value"), tie("value")), { maxLength: 3 }).map((makes) => () =>
      noted(new Map(makes.map(([a, b]) => [a(), b()])))
    ),
    fc.array(tie("value"), { maxLength: 3 }).map((makes) => () => noted(new Set(all(makes)))),
    fc.tuple(
      fc.constantFrom(() => new Error(), () => new TypeError(), () => new AggregateError([])),
      fc.array(fc.tuple(key, tie("value")), { maxLength: 5 }),
    ).map(([make, fields]) => () => noted(withFields(make(), fields.map(([name, make]) => [name, make()])))),
  ),
}));

function withFields(error: Error, fields: [string, unknown][]): Error {
  for (const [key, value] of fields) {
    Object.defineProperty(error, key, { value, enumerable: true, configurable: true, writable: true });
  }
  return error;
}

/**
 * Makes a value in which parts refer to each other, or to one part in several ways. The numbers say
 * which part goes where.
 */
function tied(make: Make, knots: [number, number][]): unknown {
  containers.length = 0;
  const value = make();
  for (const [from, to] of containers.length > 0 ? knots : []) {
    const [holder, held] = [from, to].map((it) => containers[it % containers.length]!);
    if (holder instanceof Map) holder.set("knot", held);
    else if (holder instanceof Set) holder.add(held);
    else if (Array.isArray(holder)) holder.push(held);
    else Object.defineProperty(holder, "knot", { value: held, enumerable: true, configurable: true });
  }
  return value;
}

const knots = fc.array(fc.tuple(fc.nat(50), fc.nat(50)), { maxLength: 3 });

/** Returns the value, or `undefined` if a `ParleyError` refused it. */
function refusedOr<T>(read: () => T): { value: T } | undefined {
  try {
    return { value: read() };
  } catch (error) {
    assert(error instanceof ParleyError, `${error}`);
    return undefined;
  }
}

Deno.test("decode() decodes whatever encode() accepts, and the result is encoded as the same text", () => {
  let taken = 0;
  fc.assert(
    fc.property(anything, knots, (make, pairs) => {
      const encoded = refusedOr(() => values.encode(tied(make, pairs), "value"));
      if (!encoded) return;
      taken++;
      const back = values.decode(encoded.value);
      const again = values.encode(back, "value");
      assert.deepStrictEqual(values.decode(again), back);
      assert.equal(values.encode(values.decode(again), "value"), again);
    }),
    { numRuns },
  );
  assert(taken > numRuns / 4, `${taken} of ${numRuns}`);
});

Deno.test("encodeError() never fails, stays within the limit, and keeps a thrown error an error", () => {
  const small = new Values(devalueCodec, 2_000);
  fc.assert(
    fc.property(anything, knots, fc.string({ maxLength: 3_000 }), (make, pairs, message) => {
      const value = tied(make, pairs);
      const thrown = withFields(new TypeError(message), [["code", "E"], ["cause", value], ["field", value]]);
      const text = small.encodeError(thrown);
      assert(new TextEncoder().encode(text).length <= 2_000);
      const back = small.decode(text);
      assert(back instanceof TypeError);
      assert(message.startsWith(back.message.slice(0, 100)) || back.message === "");
      values.decode(values.encodeError(value));
    }),
    { numRuns },
  );
});

/**
 * Texts that nearly have the codec's format. Their entries refer to others at random, as a client may
 * send them over HTTP.
 */
const entry = fc.oneof(
  fc.integer({ min: -8, max: 6 }),
  fc.string(),
  fc.array(fc.integer({ min: -8, max: 6 }), { maxLength: 4 }),
  fc.dictionary(key, fc.integer({ min: -8, max: 6 }), { maxKeys: 5 }),
  fc.tuple(
    fc.constantFrom(
      "Error",
      "View",
      "Map",
      "Set",
      "Date",
      "RegExp",
      "URL",
      "BigInt",
      "Object",
      "null",
      "Uint8Array",
      "ArrayBuffer",
      "Temporal.Instant",
    ),
    fc.oneof(fc.integer({ min: -8, max: 6 }), fc.string()),
  ).map(([tag, it]) => [tag, it]),
  fc.record({ name: fc.nat(6), message: fc.nat(6), cause: fc.nat(6), fields: fc.nat(6), stack: fc.nat(6) }, {
    requiredKeys: [],
  }),
);

Deno.test("decode() of any text returns a value or throws UnreadableValueError, and encode() refuses or keeps the value", () => {
  let decoded = 0;
  fc.assert(
    fc.property(fc.array(entry, { minLength: 1, maxLength: 7 }), (entries) => {
      const found = refusedOr(() => values.decode(JSON.stringify(entries)));
      if (!found) return;
      decoded++;
      const text = refusedOr(() => values.encode(found.value, "value"))?.value;
      if (text === undefined) return;
      assert.equal(values.encode(values.decode(text), "value"), text);
      values.decode(values.encodeError(found.value));
    }),
    { numRuns },
  );
  assert(decoded > numRuns / 20, `${decoded} of ${numRuns}`);
});
